#include "serve/http/request_reader.h"

#include <algorithm>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include "serve/http/lower.h"
#include "serve/problem.h"

namespace madang {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

/// A body that grows with what comes, instead of with what was announced.
struct GrowingBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool is_request, class Fields>
    reader(http::header<is_request, Fields>&, std::string& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, error_code& fault) { fault = {}; }
    template <class Buffers>
    size_t put(const Buffers& buffers, error_code& fault) {
      fault = {};
      size_t added = 0;
      for (auto at = boost::asio::buffer_sequence_begin(buffers); at != boost::asio::buffer_sequence_end(buffers);
           ++at) {
        body_.append(static_cast<const char*>(at->data()), at->size());
        added += at->size();
      }
      return added;
    }
    void finish(error_code& fault) { fault = {}; }

   private:
    std::string& body_;
  };
};

Problem too_large(int64_t most) {
  return Problem(say("The request body is too large: at most {} bytes are taken.", most)).status(413);
}

Problem problem_of(const error_code& fault, int64_t most) {
  if (fault == http::error::body_limit) return too_large(most);
  if (fault == http::error::header_limit) return Problem(say("The request header is too large.")).status(431);
  if (fault == http::error::bad_version) return Problem(say("This is not HTTP/1.1 or HTTP/1.0.")).status(505);
  return Problem(say("This is no HTTP request: {}.", fault.message()));
}

}  // namespace

struct RequestReader::Parser {
  http::request_parser<GrowingBody> http;
};

RequestReader::RequestReader(int64_t header_bytes, int64_t body_bytes)
    : parser_(std::make_unique<Parser>()), body_bytes_(body_bytes) {
  parser_->http.header_limit(static_cast<uint32_t>(header_bytes));
  parser_->http.body_limit(boost::none);  // until the header is there, so that the refusal knows the path
}

RequestReader::~RequestReader() = default;

bool RequestReader::begun() const { return begun_; }
bool RequestReader::head_done() const { return head_; }
bool RequestReader::done() const { return head_ && parser_->http.is_done(); }
int64_t RequestReader::received() const { return static_cast<int64_t>(parser_->http.get().body().size()); }

std::string RequestReader::take_body() { return std::move(parser_->http.get().body()); }

size_t RequestReader::take(std::string_view bytes) {
  size_t used = 0;
  if (!begun_)  // RFC 9112, 2.2: empty lines before a request are not there
    while (used < bytes.size() && (bytes[used] == '\r' || bytes[used] == '\n')) ++used;
  begun_ |= used < bytes.size();
  while (begun_ && used < bytes.size() && !parser_->http.is_done()) {
    error_code fault;
    const size_t n = parser_->http.put(boost::asio::buffer(bytes.substr(used)), fault);
    used += n;
    if (fault && fault != http::error::need_more) throw problem_of(fault, body_bytes_);
    if (parser_->http.is_header_done() && !head_) {
      finish_head();
      break;
    }
    if (n == 0 || fault) break;
  }
  return used;
}

void RequestReader::finish_head() {
  auto& message = parser_->http.get();
  for (const auto& field : message)
    request_.headers.emplace_back(lower(field.name_string()), std::string(field.value()));
  request_.method = std::string(message.method_string());
  old_ = message.version() < 11;
  keeps_open_ = parser_->http.keep_alive();
  waits_ = !old_ && lower(request_.header("expect")) == "100-continue";
  chunked_ = parser_->http.chunked();
  head_ = true;
  auto target = parse_target(message.target());
  request_.path = target ? target->path : std::string(message.target());
  if (!target) throw Problem(say("The request's path cannot be read."));
  request_.query = target->query;
  target_ = std::move(*target);
  const auto announced = parser_->http.content_length();
  if (announced && *announced > static_cast<uint64_t>(body_bytes_)) throw too_large(body_bytes_);
  length_ = announced ? static_cast<int64_t>(*announced) : 0;
  if (chunked_) parser_->http.body_limit(static_cast<uint64_t>(body_bytes_));
}

}  // namespace madang
