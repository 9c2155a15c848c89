// JSON as the files of this field use it: order of keys kept, depth bounded, faults told with place.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace madang {

using Json = nlohmann::ordered_json;

/// Parses one document. Throws Kind::format with `where` and the byte at fault. Nesting beyond 512 is refused
/// (the deepest real file, a tokenizer.json, nests 8).
Json parse_json(std::string_view text, const std::string& where);
Json read_json(const std::string& path);

}  // namespace madang
