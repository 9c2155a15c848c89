#include "base/error.h"

namespace madang {

std::string Error::render(Language language) const {
  std::string out = what_.in(language);
  auto fact = [&](const char* label, const std::string& value) {
    if (!value.empty()) out += "\n  " + say(label, value).in(language);
  };
  fact("where: {}", place_);
  fact("expected: {}", expected_);
  fact("found: {}", found_);
  if (!hint_.empty()) fact("try: {}", hint_.in(language));
  return out;
}

const char* Error::what() const noexcept {
  try {
    if (rendered_.empty()) rendered_ = render(Language::english);
    return rendered_.c_str();
  } catch (...) {
    return "out of memory while describing an error";
  }
}

}  // namespace madang
