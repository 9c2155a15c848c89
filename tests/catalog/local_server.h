// A small web server for tests, on 127.0.0.1 and a free port: it answers what a test tells it to, faults included.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace madang::test {

struct WebRequest {
  std::string target;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string field(const std::string& name) const {
    auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }
  /// N of "Range: bytes=N-", or 0.
  size_t range() const { return field("range").size() > 6 ? std::stoul(field("range").substr(6)) : 0; }
};

struct WebAnswer {
  int status = 200;
  std::vector<std::string> fields;  // "Name: value"
  std::string body;
  size_t cut = std::string::npos;  // close the connection after so many bytes of the body
  std::string length = "";         // the Content-Length to claim; "" the true one
  bool stall = false;              // after `cut` bytes say nothing more, and keep the connection
};

class LocalServer {
 public:
  explicit LocalServer(std::function<WebAnswer(const WebRequest&)> answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) || listen(listener_, 16) ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size))
      throw std::runtime_error("no local server");
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~LocalServer() {
    stop_ = true;
    acceptor_.join();
    for (auto& thread : talks_) thread.join();
    close(listener_);
  }

  const std::string& url() const { return url_; }
  std::vector<WebRequest> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  bool readable(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    return poll(&waiting, 1, 20) > 0;
  }
  void accept_all() {
    while (!stop_) {
      if (!readable(listener_)) continue;
      int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) talks_.emplace_back([this, fd] { talk(fd); });
    }
  }
  void talk(int fd) {
    std::string head;
    char piece[4096];
    while (!stop_ && head.find("\r\n\r\n") == std::string::npos) {
      if (!readable(fd)) continue;
      ssize_t got = recv(fd, piece, sizeof(piece), 0);
      if (got <= 0) break;
      head.append(piece, static_cast<size_t>(got));
    }
    if (head.find("\r\n\r\n") != std::string::npos) respond(fd, parse(head));
    close(fd);
  }
  static WebRequest parse(const std::string& head) {
    WebRequest request;
    size_t end = head.find("\r\n"), space = head.find(' ');
    request.target = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
    for (size_t at = end + 2; (end = head.find("\r\n", at)) != std::string::npos && end > at; at = end + 2) {
      std::string line = head.substr(at, end - at);
      std::string name = line.substr(0, line.find(':'));
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      request.fields[name] = line.substr(line.find(':') + 2);
    }
    return request;
  }
  void respond(int fd, const WebRequest& request) {
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    WebAnswer answer = answer_(request);
    std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " X\r\nConnection: close\r\nContent-Length: " +
                      (answer.length.empty() ? std::to_string(answer.body.size()) : answer.length) + "\r\n";
    for (const auto& field : answer.fields) out += field + "\r\n";
    out += "\r\n" + answer.body.substr(0, answer.cut);
    for (size_t at = 0; at < out.size() && !stop_;) {
      ssize_t sent = send(fd, out.data() + at, out.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += static_cast<size_t>(sent);
    }
    while (answer.stall && !stop_) usleep(10000);
  }

  std::function<WebAnswer(const WebRequest&)> answer_;
  int listener_ = -1;
  std::string url_;
  std::thread acceptor_;
  std::vector<std::thread> talks_;  // only the acceptor adds
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<WebRequest> requests_;
};

/// A file served the way good servers do: with an ETag, honouring Range and If-Range.
inline WebAnswer serve_file(const WebRequest& request, const std::string& bytes, const std::string& etag) {
  WebAnswer answer{200, {"ETag: " + etag, "Accept-Ranges: bytes"}, bytes};
  const size_t from = request.range();
  std::string condition = request.field("if-range");
  if (from == 0 || (!condition.empty() && condition != etag)) return answer;
  if (from >= bytes.size()) return {416, {"Content-Range: bytes */" + std::to_string(bytes.size())}, "no"};
  answer.status = 206;
  answer.body = bytes.substr(from);
  answer.fields.push_back("Content-Range: bytes " + std::to_string(from) + "-" + std::to_string(bytes.size() - 1) +
                          "/" + std::to_string(bytes.size()));
  return answer;
}

}  // namespace madang::test
