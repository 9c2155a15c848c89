// Forms as browsers and clients send files.
#pragma once
#include <string>

namespace madang::test {

inline const std::string form_type = "multipart/form-data; boundary=\"a b\"";

inline std::string form(const std::string& parts) { return parts + "--a b--\r\n"; }
inline std::string part(const std::string& about, const std::string& bytes) {
  return "--a b\r\nContent-Disposition: form-data; " + about + "\r\n\r\n" + bytes + "\r\n";
}

}  // namespace madang::test
