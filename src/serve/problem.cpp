#include "serve/problem.h"

#include <string_view>

namespace madang {
namespace {

int status_of(Kind kind) {
  switch (kind) {
    case Kind::usage:
    case Kind::format:
    case Kind::mismatch:
    case Kind::limit:
    case Kind::unsupported:
    case Kind::refused:
      return 400;
    case Kind::missing:
      return 404;
    default:
      return 500;
  }
}

// What was expected, found and advised, on one line. Not the place: clients need not know our files.
std::string facts_of(const Error& error) {
  const std::string all = error.render(Language::english);
  std::string_view rest(all);
  rest.remove_prefix(error.text().in(Language::english).size());
  std::string facts;
  while (rest.starts_with("\n  ")) {
    rest.remove_prefix(3);
    const size_t end = std::min(rest.find("\n  "), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end);
    if (line.starts_with("where: ")) continue;
    if (!facts.empty()) facts += "; ";
    facts += line;
  }
  return facts;
}

Text told(const Error& error) {
  const std::string facts = facts_of(error);
  return facts.empty() ? error.text() : say("{} ({})", error.text().in(Language::english), facts);
}

const char* openai_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

// https://docs.anthropic.com/en/api/errors
const char* anthropic_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

}  // namespace

Problem::Problem(const Error& error, std::string param)
    : what_(told(error)),
      param_(std::move(param)),
      code_(error.kind() == Kind::unsupported ? "unsupported" : ""),
      status_(status_of(error.kind())) {}

std::string Problem::message() const { return what_.in(Language::english); }

const char* Problem::what() const noexcept {
  try {
    if (rendered_.empty()) rendered_ = message();
    return rendered_.c_str();
  } catch (...) {
    return "out of memory while describing a problem";
  }
}

Json Problem::openai() const {
  auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  Json error = {{"message", message()},
                {"type", type_.empty() ? openai_type(status_) : type_},
                {"param", or_null(param_)},
                {"code", or_null(code_)}};
  return {{"error", std::move(error)}};
}

// Anthropic's errors have no place for a field's name: the message says it.
Json Problem::anthropic(const std::string& request_id) const {
  std::string text = message();
  if (!param_.empty() && text.find(param_) == std::string::npos) text = param_ + ": " + text;
  Json error = {{"type", anthropic_type(status_)}, {"message", std::move(text)}};
  return {{"type", "error"}, {"error", std::move(error)}, {"request_id", request_id}};
}

Problem not_built(std::string param, Text what) { return Problem(std::move(what), std::move(param), "unsupported"); }

}  // namespace madang
