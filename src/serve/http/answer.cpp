#include "serve/http/answer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include "serve/http/house.h"
#include "serve/http/lower.h"
#include "serve/limits.h"
#include "serve/log.h"
#include "serve/metrics.h"

namespace madang {
namespace {

constexpr size_t longest_told = 200;  // of a path in the log: what is longer is nobody's route

std::string_view reason_of(int status) {
  constexpr std::array<std::pair<int, std::string_view>, 22> reasons = {{{200, "OK"},
                                                                         {201, "Created"},
                                                                         {204, "No Content"},
                                                                         {304, "Not Modified"},
                                                                         {400, "Bad Request"},
                                                                         {401, "Unauthorized"},
                                                                         {403, "Forbidden"},
                                                                         {404, "Not Found"},
                                                                         {405, "Method Not Allowed"},
                                                                         {408, "Request Timeout"},
                                                                         {409, "Conflict"},
                                                                         {413, "Content Too Large"},
                                                                         {415, "Unsupported Media Type"},
                                                                         {417, "Expectation Failed"},
                                                                         {422, "Unprocessable Content"},
                                                                         {429, "Too Many Requests"},
                                                                         {431, "Request Header Fields Too Large"},
                                                                         {500, "Internal Server Error"},
                                                                         {501, "Not Implemented"},
                                                                         {503, "Service Unavailable"},
                                                                         {505, "HTTP Version Not Supported"},
                                                                         {529, "Overloaded"}}};
  const auto found = std::ranges::find(reasons, status, [](auto& r) { return r.first; });
  return found == reasons.end() ? "Status" : found->second;
}

// RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT", in English whatever the locale.
std::string http_date() {
  constexpr std::array days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm t{};
  gmtime_r(&now, &t);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", days[static_cast<size_t>(t.tm_wday)], t.tm_mday,
                     months[static_cast<size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

// A line end in a value would begin a header of its own.
std::string one_line(std::string_view value) {
  std::string out(value);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  return out;
}

// gen_ai.operation.name, by what was asked.
std::string operation_of(std::string_view pattern) {
  if (pattern == "/v1/chat/completions" || pattern == "/v1/responses" || pattern == "/v1/messages") return "chat";
  if (pattern == "/v1/completions") return "text_completion";
  return pattern == "/v1/embeddings" ? "embeddings" : "";
}

}  // namespace

Answer::Answer(Connection& connection, HttpRequest request)
    : connection_(connection), request_(std::move(request)), trace_(begin_trace(request_.header("traceparent"))) {
  request_.id = "req_" + random_hex(12);
  request_.traceparent = trace_.header();
  connection_.house().services.metrics.begin_request();
}

Answer::~Answer() {
  connection_.on_gone({});
  connection_.house().services.metrics.end_request();
}

void Answer::header(std::string name, std::string value) { headers_.emplace_back(lower(name), one_line(value)); }

void Answer::note(std::string_view name, std::string value) { notes_.emplace_back(name, std::move(value)); }

bool Answer::has_body() const { return request_.method != "HEAD" && status_ != 204 && status_ != 304; }

std::string Answer::head(int status, std::string_view type, std::optional<size_t> length) const {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\nx-request-id: {}\r\ntraceresponse: {}\r\n", status,
                                reason_of(status), http_date(), request_.id, trace_.header());
  auto add = [&](std::string_view name, std::string_view value) { ((((out += name) += ": ") += value) += "\r\n"); };
  if (!type.empty() && status != 204 && status != 304) add("content-type", type);
  add("x-content-type-options", "nosniff");
  // Answers are somebody's own: no cache between us keeps them, unless the handler says otherwise.
  if (std::ranges::find(headers_, "cache-control", [](auto& h) { return h.first; }) == headers_.end())
    add("cache-control", "no-store");
  for (const auto& [name, value] : headers_) add(name, value);
  House& house = connection_.house();
  for (const auto& [name, value] : house.gate.headers(request_)) add(name, value);
  for (const auto& [name, value] : house.services.limits.headers(request_.client.name)) add(name, value);
  if (length && status != 204 && status != 304) add("content-length", std::to_string(*length));
  if (chunked_) add("transfer-encoding", "chunked");
  if (!keep_)
    add("connection", "close");
  else if (old_)
    add("connection", "keep-alive");
  return out + "\r\n";
}

Task<void> Answer::reply(int status, std::string_view type, std::string body) {
  if (begun()) throw Error(Kind::internal, say("a request was answered twice"));
  status_ = status;
  keep_ = keep_ && !connection_.house().closing;
  std::string bytes = head(status, type, body.size());
  if (has_body()) bytes += body;
  bytes_ = static_cast<int64_t>(body.size());
  co_await connection_.send(std::move(bytes));
  ended_ = true;
}

Task<void> Answer::begin(int status, std::string_view type) {
  if (begun()) throw Error(Kind::internal, say("a request was answered twice"));
  status_ = status;
  chunked_ = !old_ && has_body();
  keep_ = keep_ && (chunked_ || !has_body()) && !connection_.house().closing;  // HTTP/1.0: the end is the end
  co_await connection_.send(head(status, type, {}));
}

Task<void> Answer::write(std::string piece) {
  if (piece.empty() || !has_body()) co_return;  // an empty chunk would be the last one
  bytes_ += static_cast<int64_t>(piece.size());
  if (chunked_) {
    piece.insert(0, fmt::format("{:x}\r\n", piece.size()));
    piece += "\r\n";
  }
  co_await connection_.send(std::move(piece));
}

Task<void> Answer::end() {
  if (chunked_) co_await connection_.send("0\r\n\r\n");
  ended_ = true;
}

Task<void> Answer::fail(const Problem& problem, Dialect dialect) {
  const Json told = dialect == Dialect::anthropic ? problem.anthropic(request_.id) : problem.openai();
  if (const auto wait = problem.retry_after()) header("retry-after", std::to_string(std::lround(std::ceil(*wait))));
  if (problem.lasts()) header("x-should-retry", "false");
  if (problem.status() == 401) header("www-authenticate", "Bearer");
  // What a client sent may stand in the message, and need not be UTF-8.
  std::string body = told.dump(-1, ' ', false, Json::error_handler_t::replace);
  const int status = problem.status();
  co_await reply(status, "application/json", std::move(body));
}

std::string Answer::noted(std::string_view name) const {
  const auto found = std::ranges::find(notes_, name, [](auto& n) { return std::string_view(n.first); });
  return found == notes_.end() ? std::string() : found->second;
}

void Answer::close(std::string_view fault) {
  if (status_ == 0) status_ = 499;  // nobody was left to be answered; the number others use for it
  Services& services = connection_.house().services;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  services.metrics.request(operation_of(pattern_), noted("model"), request_.client.name, status_, seconds);
  const LogLevel level = status_ >= 500 ? LogLevel::error : LogLevel::info;
  if (!services.log.takes(level)) return;
  Json facts = {{"id", request_.id},
                {"method", request_.method},
                {"path", request_.path.substr(0, longest_told)},
                {"status", status_},
                {"ms", std::round(seconds * 1e4) / 10},
                {"bytes", bytes_},
                {"client", request_.client.name},
                {"peer", connection_.peer()},
                {"trace_id", trace_.id},
                {"span_id", trace_.span}};
  if (!trace_.parent.empty()) facts["parent_id"] = trace_.parent;
  for (const auto& [name, value] : notes_) facts[name] = value;
  if (!fault.empty()) facts["fault"] = fault;
  services.log.write(level, "request", facts);
}

}  // namespace madang
