#include "base/json.h"

#include "base/error.h"
#include "base/mapped_file.h"

namespace madang {
namespace {
constexpr int deepest = 512;
}

Json parse_json(std::string_view text, const std::string& where) {
  // The library's parser is iterative but its values are destroyed recursively: bound the depth first.
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > deepest)
        throw Error(Kind::format, say("JSON nests deeper than {} levels", deepest))
            .at(fmt::format("{}, byte {}", where, i));
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& fault) {
    throw Error(Kind::format, say("not valid JSON: {}", fault.what()))
        .at(fmt::format("{}, byte {}", where, fault.byte));
  } catch (const Json::exception& fault) {
    throw Error(Kind::format, say("not valid JSON: {}", fault.what())).at(where);
  }
}

Json read_json(const std::string& path) {
  auto file = MappedFile::open(path);
  auto bytes = file->bytes();
  return parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace madang
