// Tries over tries: how a document or a file is fetched in spite of connections that break.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "catalog/disk.h"
#include "catalog/http.h"

namespace madang {
namespace fs = std::filesystem;
namespace {

// Counts tries in a row without progress, and waits between them.
class Patience {
 public:
  explicit Patience(const StoreSettings& settings) : settings_(settings), wait_(settings.backoff_seconds) {}

  void progressed() { tries_ = 0, wait_ = settings_.backoff_seconds; }
  bool spent() const { return tries_ >= settings_.retries; }
  /// False if `alive` said stop.
  bool wait(const std::function<bool()>& alive) {
    ++tries_;
    auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(wait_);
    wait_ = std::min(wait_ * 2, 30.0);
    while (std::chrono::steady_clock::now() < until) {
      if (!alive()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

 private:
  const StoreSettings& settings_;
  double wait_;
  int tries_ = 0;
};

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "bytes 100-999/1000" (RFC 9110, 14.4).
struct ContentRange {
  int64_t first = -1, total = -1;
  explicit ContentRange(std::string_view field) {
    if (!field.starts_with("bytes ")) return;
    field.remove_prefix(6);
    size_t dash = field.find('-'), slash = field.find('/');
    if (slash == std::string_view::npos) return;
    if (dash < slash) first = number(field.substr(0, dash)).value_or(-1);
    total = number(field.substr(slash + 1)).value_or(-1);
  }
};

// <https://host/more>; rel="next" (RFC 8288)
std::string next_link(std::string_view field) {
  for (size_t open = field.find('<'); open != std::string_view::npos; open = field.find('<', open + 1)) {
    size_t close = field.find('>', open);
    if (close == std::string_view::npos) break;
    std::string_view parameters = field.substr(close + 1, field.find('<', close) - close - 1);
    if (parameters.find("rel=\"next\"") != std::string_view::npos)
      return std::string(field.substr(open + 1, close - open - 1));
  }
  return "";
}

// A strong validator of the version an answer carries (If-Range takes no weak ones: RFC 9110, 13.1.5).
std::string validator(const Http::Head& head) {
  const std::string& etag = head.field("etag");
  return !etag.empty() && !etag.starts_with("W/") ? etag : head.field("last-modified");
}

// A file that comes in tries: TO.part grows, TO.part.json names the version it is of.
class Part {
 public:
  Part(const Download& what)
      : what_(what), path_(beside(what.to, ".part")), note_(beside(what.to, ".part.json")), file_(path_, INT64_MAX) {
    if (auto text = read_whole(note_)) {
      Json note = Json::parse(*text, nullptr, false);
      if (note.is_object() && note.value("url", Json()) == Json(what.url) && note.contains("version") &&
          note["version"].is_string())
        version_ = note["version"].get<std::string>();
    }
    if ((version_.empty() && !what.hashed) || (what.bytes >= 0 && file_.size() > what.bytes)) file_.cut(0);
  }

  int64_t size() const { return file_.size(); }
  int64_t total() const { return what_.bytes >= 0 ? what_.bytes : std::max<int64_t>(total_, 0); }
  bool whole() const { return what_.bytes >= 0 && size() == what_.bytes; }

  std::vector<std::string> headers() const {
    std::vector<std::string> out;
    if (size() > 0) out.push_back(fmt::format("Range: bytes={}-", size()));
    if (size() > 0 && !version_.empty()) out.push_back("If-Range: " + version_);
    return out;
  }

  // The first piece of an answer decides whether it continues the part or begins anew.
  void begin(const Http::Head& head) {
    if (head.status == 206) {
      ContentRange range(head.field("content-range"));
      if (range.first != size())
        throw Error(Kind::network, say("the server answers with another range than the one asked for"))
            .at(what_.url)
            .expected(fmt::format("bytes {}-", size()))
            .found(head.field("content-range"));
      total_ = range.total;
    } else {
      file_.cut(0);
      total_ = number(head.field("content-length")).value_or(-1);
      version_ = validator(head);
      write_whole(note_, Json{{"url", what_.url}, {"version", version_}}.dump());
    }
    if (what_.bytes >= 0 && total_ >= 0 && total_ != what_.bytes) wrong_size(total_);
    need_space(path_.parent_path(), total() - size());
  }

  void append(std::string_view bytes) {
    if (what_.bytes >= 0 && static_cast<int64_t>(bytes.size()) > what_.bytes - size())
      wrong_size(size() + static_cast<int64_t>(bytes.size()));
    file_.append(bytes);
  }

  void start_over() { file_.cut(0), version_.clear(); }

  void finish() {
    if (what_.bytes >= 0 && size() != what_.bytes) wrong_size(size());
    file_.sync();
    std::error_code fault;
    fs::rename(path_, what_.to, fault);
    if (fault) cannot_write(what_.to.string(), fault.value());
    fs::remove(note_, fault);
  }

 private:
  static fs::path beside(fs::path path, const char* ending) { return path += ending; }

  [[noreturn]] void wrong_size(int64_t found) {
    std::error_code ignored;
    fs::remove(path_, ignored);
    fs::remove(note_, ignored);
    throw Error(Kind::mismatch, say("the server's file has another size than it was listed with"))
        .at(what_.url)
        .expected(fmt::format("{} bytes", what_.bytes))
        .found(fmt::format("{} bytes", found));
  }

  const Download& what_;
  fs::path path_, note_;
  GrowingFile file_;
  std::string version_;
  int64_t total_ = -1;
};

Error lost(const std::string& url, const std::string& why, int64_t at) {
  if (at == 0) return std::move(Error(Kind::network, say("the server gives no answer: {}", why)).at(url));
  return std::move(Error(Kind::network, say("the connection was lost: {}", why))
                       .at(url)
                       .found(fmt::format("{} bytes", at))
                       .hint(say("run the same command again: it continues where it stopped")));
}

}  // namespace

Http::Document Http::document(const std::string& url, const std::function<bool()>& alive) const {
  constexpr size_t longest = 64 << 20;  // a listing of a hundred thousand files takes some 20 MB
  for (Patience patience(settings_);;) {
    Document out;
    Exchange request{url, {}, {}, alive};
    request.body = [&](const Head&, std::string_view bytes) {
      if (out.body.size() + bytes.size() > longest)
        throw Error(Kind::limit, say("the server's answer is longer than {} MB", longest >> 20)).at(url);
      out.body += bytes;
    };
    Outcome outcome = exchange(request);
    if (outcome.ending == Ending::stopped) return {};
    if (outcome.ending == Ending::whole && !is_passing(outcome.head.status)) {
      check_status(outcome.head.status, url);
      out.next = next_link(outcome.head.field("link"));
      return out;
    }
    if (patience.spent()) {
      if (outcome.ending == Ending::whole) check_status(outcome.head.status, url);
      throw lost(url, outcome.why, 0);
    }
    if (!patience.wait(alive)) return {};
  }
}

bool Http::download(const Download& what, const std::function<bool(int64_t, int64_t)>& alive) const {
  Part part(what);
  auto still_alive = [&] { return alive(part.size(), part.total()); };
  for (Patience patience(settings_); !part.whole();) {
    // So much more counts as progress: less, again and again, would be a server that never ends.
    const int64_t before = part.size(), enough = std::max<int64_t>(1, std::min<int64_t>(1 << 20, part.total() / 100));
    bool begun = false;
    Exchange request{what.url, part.headers(), {}, still_alive};
    request.body = [&](const Head& head, std::string_view bytes) {
      if (head.status != 200 && head.status != 206) return;  // an error's page is not the file
      if (!begun) part.begin(head), begun = true;
      part.append(bytes);
    };
    Outcome outcome = exchange(request);
    const long status = outcome.head.status;
    if (outcome.ending == Ending::stopped) return false;
    if (outcome.ending == Ending::whole && status == 416 && part.size() > 0) {
      // Nothing lies beyond the part: it is the whole file, or of another one.
      if (what.bytes < 0 && ContentRange(outcome.head.field("content-range")).total == part.size()) break;
      part.start_over();
    } else if (outcome.ending == Ending::whole && !is_passing(status)) {
      check_status(status, what.url);
      if (!begun) part.begin(outcome.head);  // a file of no bytes
      break;
    }
    if (part.size() >= before + enough) patience.progressed();
    if (patience.spent()) {
      if (outcome.ending == Ending::whole) check_status(status, what.url);
      throw lost(what.url, outcome.why, part.size());
    }
    if (!patience.wait(still_alive)) return false;
  }
  part.finish();
  return alive(part.size(), part.size());
}

}  // namespace madang
