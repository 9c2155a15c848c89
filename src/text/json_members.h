// Reads a JSON object of which one member is huge. A tokenizer.json is a few kilobytes of settings around a vocabulary
// of up to a quarter of a million entries: the settings become a Json, the vocabulary and the merges flat lists.
// Refuses (Kind::format) what is no JSON object, deep nesting, and objects of more than a few thousand members
// elsewhere (Json finds members by walking).
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace madang {

struct JsonMembers {
  Json settings = Json::object();                     ///< the wanted members, without model.vocab and model.merges
  std::vector<std::pair<std::string, double>> vocab;  ///< {"piece": id} or [["piece", score], ...]
  bool vocab_is_list = false;
  std::vector<std::pair<std::string, std::string>> merges;  ///< "a b" or ["a", "b"]
};

/// Keeps the members named in `wanted`, and of them all but the two lists.
JsonMembers read_json_members(std::string_view text, const std::string& where,
                              std::initializer_list<std::string_view> wanted);

}  // namespace madang
