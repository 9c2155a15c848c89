#include "serve/api/multipart.h"

#include <algorithm>

#include "serve/problem.h"

namespace madang {
namespace {

constexpr size_t most_parts = 32, longest_head = 8192;  // the API's forms have four fields; browsers send short heads

[[noreturn]] void broken(const char* why) { throw Problem(say("the form in the request is broken: {}", why)); }

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// 'form-data; name="file"; filename="a\"b"': what stands first, under "", and the parameters by lower-case name.
std::map<std::string, std::string> parameters_of(std::string_view text) {
  const size_t first = std::min(text.find(';'), text.size());
  std::map<std::string, std::string> out{{"", lower(trimmed(text.substr(0, first)))}};
  for (text.remove_prefix(first); !text.empty();) {
    text = trimmed(text.substr(1));
    if (text.empty()) break;
    const size_t equals = text.find('=');
    if (equals == text.npos) broken("a parameter without a value");
    const std::string name = lower(trimmed(text.substr(0, equals)));
    text.remove_prefix(equals + 1);
    std::string value;
    if (text.starts_with('"')) {
      size_t i = 1;
      for (; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
        value += text[i];
      }
      if (i >= text.size()) broken("a quote that does not end");
      text = trimmed(text.substr(i + 1));
      if (!text.empty() && text[0] != ';') broken("something behind a quoted value");
    } else {
      const size_t end = std::min(text.find(';'), text.size());
      value = trimmed(text.substr(0, end));
      text.remove_prefix(end);
    }
    if (!out.emplace(name, value).second) broken("a parameter that comes twice");
  }
  return out;
}

/// The three characters that browsers and HTTP clients escape in names of files (WHATWG HTML, "multipart/form-data").
std::string unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view code = std::string_view(text).substr(i, 3);
    if (code == "%22" || code == "%0A" || code == "%0D") {
      out += code == "%22" ? '"' : code == "%0A" ? '\n' : '\r';
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

void add_part(std::string_view head, std::string_view bytes, std::map<std::string, FormPart>& out) {
  std::optional<std::map<std::string, std::string>> about;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const size_t colon = line.find(':');
    if (colon == line.npos) broken("a header without a colon");
    const std::string name = lower(line.substr(0, colon));
    if (name == "content-disposition") about = parameters_of(line.substr(colon + 1));
    const std::string value = lower(trimmed(line.substr(colon + 1)));
    if (name == "content-transfer-encoding" && value != "binary" && value != "7bit" && value != "8bit")
      broken("a part in a transfer encoding");  // RFC 7578 4.7: not to be used
  }
  if (!about || (*about)[""] != "form-data" || !about->contains("name")) broken("a part without a name");
  FormPart part;
  if (about->contains("filename")) part.filename = unescaped((*about)["filename"]);
  part.bytes = bytes;
  if (out.size() == most_parts) broken("too many parts");
  if (!out.emplace(unescaped((*about)["name"]), part).second) broken("a name that comes twice");
}

}  // namespace

std::map<std::string, FormPart> read_multipart(std::string_view content_type, std::string_view body) {
  auto type = parameters_of(content_type);
  if (type[""] != "multipart/form-data")
    throw Problem(say("the request must be of the type multipart/form-data"), "", "invalid_type").status(415);
  const std::string boundary = type["boundary"];
  if (boundary.empty() || boundary.size() > 70) broken("no boundary of 1 to 70 characters");
  const std::string dashes = "--" + boundary, between = "\r\n" + dashes;
  std::map<std::string, FormPart> out;
  // What stands before the first boundary is no part; that there may be any is for mail.
  if (!body.starts_with(dashes)) broken("it does not begin with its boundary");
  body.remove_prefix(dashes.size());
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n")) broken("something behind a boundary");
    body.remove_prefix(2);
    size_t head = 0;  // a part may have no header at all, and then has no name
    if (!body.starts_with("\r\n")) {
      head = body.substr(0, longest_head).find("\r\n\r\n");
      if (head == body.npos) broken("a part whose header does not end");
      head += 2;
    }
    const std::string_view lines = body.substr(0, head);
    body.remove_prefix(head + 2);
    const size_t end = body.find(between);
    if (end == body.npos) broken("the last boundary is missing");
    add_part(lines, body.substr(0, end), out);
    body.remove_prefix(end + between.size());
  }
  return out;
}

}  // namespace madang
