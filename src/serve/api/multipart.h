// The parts of a multipart/form-data body (RFC 7578, RFC 2046), as files are uploaded. Strict: every boundary at the
// beginning of a line, CRLF between lines, a name for every part.
// Refuses: bodies of another type, more than 32 parts, part headers beyond 8 KiB, names that come twice.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace madang {

struct FormPart {
  std::optional<std::string> filename;
  std::string_view bytes;  ///< of the body
};

/// By name. `body` must outlive it. Throws Problem.
std::map<std::string, FormPart> read_multipart(std::string_view content_type, std::string_view body);

}  // namespace madang
