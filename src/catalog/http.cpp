#include "catalog/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <exception>
#include <memory>

#include "base/error.h"

namespace madang {
namespace {

constexpr long most_redirects = 8;  // hubs use two; browsers give up at twenty

struct Call {
  const Http::Exchange& request;
  CURL* curl;
  std::chrono::duration<double> patience;
  Http::Head head;
  std::exception_ptr thrown;
  curl_off_t received = 0;
  std::chrono::steady_clock::time_point moved = std::chrono::steady_clock::now();
  bool stalled = false;
};

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front()))) s.remove_prefix(1);
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.remove_suffix(1);
  return s;
}

size_t on_header(char* data, size_t, size_t n, void* user) {
  Call& call = *static_cast<Call*>(user);
  std::string_view line(data, n);
  if (line.starts_with("HTTP/")) call.head = {};  // a new answer: after a redirect, or a 100
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return n;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  call.head.fields[name] = trimmed(line.substr(colon + 1));
  return n;
}

// An exception must not cross C code: it is kept here and thrown again by exchange().
size_t on_body(char* data, size_t, size_t n, void* user) {
  Call& call = *static_cast<Call*>(user);
  try {
    curl_easy_getinfo(call.curl, CURLINFO_RESPONSE_CODE, &call.head.status);
    call.request.body(call.head, {data, n});
    return n;
  } catch (...) {
    call.thrown = std::current_exception();
    return n + 1;  // any other count than n ends the transfer
  }
}

// Called at least once a second. libcurl's own low-speed limit looks at an average of five seconds, which is long.
int on_tick(void* user, curl_off_t, curl_off_t received, curl_off_t, curl_off_t) {
  Call& call = *static_cast<Call*>(user);
  auto now = std::chrono::steady_clock::now();
  if (received != call.received) call.received = received, call.moved = now;
  call.stalled = now - call.moved > call.patience;
  try {
    return call.stalled || (call.request.alive && !call.request.alive());
  } catch (...) {
    call.thrown = std::current_exception();
    return 1;
  }
}

void set_limits(CURL* curl, const StoreSettings& settings, const std::string& url) {
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, most_redirects);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, url.starts_with("https:") ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_seconds * 1000));
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);  // fewer writes; the default 16 KiB is for small pages
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);            // timeouts without signals: other threads run
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "madang");
}

// Faults that a second try cannot mend.
void throw_if_final(CURLcode code, const std::string& url) {
  switch (code) {
    case CURLE_TOO_MANY_REDIRECTS:
      throw Error(Kind::network, say("the server redirects more than {} times", most_redirects)).at(url);
    case CURLE_UNSUPPORTED_PROTOCOL:
      throw Error(Kind::network, say("only http and https are fetched, and https never turns into http")).at(url);
    case CURLE_URL_MALFORMAT:
      throw Error(Kind::usage, say("not a web address")).at(url);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      throw Error(Kind::network, say("the server's certificate cannot be verified: {}", curl_easy_strerror(code)))
          .at(url);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      throw Error(Kind::internal, say("the request could not be made: {}", curl_easy_strerror(code))).at(url);
    default:
      return;
  }
}

}  // namespace

const std::string& Http::Head::field(const std::string& name) const {
  static const std::string none;
  auto found = fields.find(name);
  return found == fields.end() ? none : found->second;
}

Http::Http(const StoreSettings& settings, std::string token, std::string token_home)
    : settings_(settings), token_(std::move(token)), token_home_(std::move(token_home)) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);  // not safe in threads, so once, here
  if (once != CURLE_OK) throw Error(Kind::internal, say("the request could not be made: {}", curl_easy_strerror(once)));
}

Http::Outcome Http::exchange(const Exchange& request) const {
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) throw Error(Kind::internal, say("the request could not be made: {}", "curl_easy_init"));
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, curl_slist_free_all);
  for (const std::string& line : request.headers) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer) (void)headers.release(), headers.reset(longer);
  }
  Call call{request, curl.get(), std::chrono::duration<double>(settings_.stall_seconds), {}, {}};
  set_limits(curl.get(), settings_, request.url);
  curl_easy_setopt(curl.get(), CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  if (!token_.empty() && request.url.starts_with(token_home_)) {
    curl_easy_setopt(curl.get(), CURLOPT_HTTPAUTH, CURLAUTH_BEARER);  // libcurl drops it when the host changes
    curl_easy_setopt(curl.get(), CURLOPT_XOAUTH2_BEARER, token_.c_str());
  }
  curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &call);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &call);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, on_tick);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &call);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  CURLcode code = curl_easy_perform(curl.get());
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &call.head.status);
  if (call.thrown) std::rethrow_exception(call.thrown);
  if (call.stalled) return {Ending::lost, call.head, fmt::format("no byte for {} seconds", settings_.stall_seconds)};
  if (code == CURLE_ABORTED_BY_CALLBACK) return {Ending::stopped, call.head, ""};
  throw_if_final(code, request.url);
  return {code == CURLE_OK ? Ending::whole : Ending::lost, call.head, code == CURLE_OK ? "" : curl_easy_strerror(code)};
}

bool is_passing(long status) { return status == 408 || status == 429 || (status >= 500 && status <= 504); }

void check_status(long status, const std::string& url) {
  if (status == 200 || status == 206) return;
  if (status == 404 || status == 410) throw Error(Kind::missing, say("the server has no such file")).at(url);
  if (status == 401 || status == 403)
    throw Error(Kind::refused, say("the server refuses the file (HTTP {})", status))
        .at(url)
        .hint(say("for a closed repository, accept its terms there and set HF_TOKEN"));
  throw Error(Kind::network, say("the server answers HTTP {}", status)).at(url);
}

}  // namespace madang
