#include "store/adapter_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "store/adapter_gguf.h"
#include "store/bounds.h"
#include "text/pattern.h"

namespace madang {
namespace {

// Beyond any matrix that is trained this way; keeps products of ranks far from wrapping.
constexpr int64_t most_rank = 1 << 20;

bool whole(const Pattern& pattern, const std::string& name) {
  Pattern::Scratch scratch;
  return !name.empty() && pattern.find(name, 0, scratch).found();
}

std::shared_ptr<const Pattern> whole_pattern(const std::string& expression, const std::string& where) {
  return std::make_shared<Pattern>("\\A(?:" + expression + ")\\z", Dialect::rust, where);
}

[[noreturn]] void wrong(const std::string& where, const char* key, const Json& value, std::string expected) {
  throw Error(Kind::format, say("the adapter's {} is wrong", key))
      .at(where)
      .expected(std::move(expected))
      .found(shown(value.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

double number(const Json& value, const char* key, const std::string& where, double low, double high) {
  if (!value.is_number() || !(value.get<double>() >= low && value.get<double>() <= high))
    wrong(where, key, value, fmt::format("{} .. {}", low, high));
  return value.get<double>();
}

bool flag(const Json& json, const char* key, const std::string& where) {
  auto found = json.find(key);
  if (found == json.end() || found->is_null()) return false;
  if (!found->is_boolean()) wrong(where, key, *found, "true, false");
  return found->get<bool>();
}

bool says_nothing(const Json& value) {
  return value.is_null() || value.is_number() || value.is_string() || value == Json(false) ||
         (value.is_structured() && value.empty());
}

}  // namespace

NamePatterns::NamePatterns(const Json& value, const std::string& where) {
  if (value.is_null()) return;
  if (value.is_string()) {
    expression_ = whole_pattern(value.get<std::string>(), where);
    return;
  }
  if (!value.is_array()) wrong(where, "target_modules", value, "[\"q_proj\", ...]");
  for (const Json& ending : value) {
    if (!ending.is_string()) wrong(where, "target_modules", ending, "[\"q_proj\", ...]");
    endings_.push_back(ending.get<std::string>());
  }
}

bool NamePatterns::match(const std::string& module) const {
  if (expression_) return whole(*expression_, module);
  return std::ranges::any_of(endings_, [&](const std::string& e) { return module == e || module.ends_with("." + e); });
}

AdapterConfig::AdapterConfig(int64_t rank, double alpha, const Json& targets, bool rslora, bool dora)
    : AdapterConfig(Json{{"peft_type", "LORA"},
                         {"task_type", "CAUSAL_LM"},
                         {"base_model_name_or_path", nullptr},
                         {"r", rank},
                         {"lora_alpha", alpha},
                         {"lora_dropout", 0.0},
                         {"bias", "none"},
                         {"target_modules", targets},
                         {"rank_pattern", Json::object()},
                         {"alpha_pattern", Json::object()},
                         {"fan_in_fan_out", false},
                         {"use_rslora", rslora},
                         {"use_dora", dora},
                         {"inference_mode", true}},
                    "LoRA") {}

AdapterConfig AdapterConfig::read(const std::string& path) {
  return AdapterConfig(path.ends_with(".json") ? read_json(path) : gguf_adapter_config(path), path);
}

AdapterConfig::AdapterConfig(Json json, std::string where) : json_(std::move(json)), where_(std::move(where)) {
  if (!json_.is_object())
    throw Error(Kind::format, say("the adapter's configuration is no object")).at(where_).expected("{\"r\": 8, ...}");
  refuse_more();
  rank_ = static_cast<int64_t>(number(json_.value("r", Json(8)), "r", where_, 1, most_rank));
  alpha_ = number(json_.value("lora_alpha", Json(8)), "lora_alpha", where_, -1e9, 1e9);
  dropout_ = number(json_.value("lora_dropout", Json(0)), "lora_dropout", where_, 0, 1);
  rslora_ = flag(json_, "use_rslora", where_), dora_ = flag(json_, "use_dora", where_);
  const Json targets = json_.value("target_modules", Json());
  all_linear_ = targets == Json("all-linear");
  if (!all_linear_) targets_ = NamePatterns(targets, where_);
  excluded_ = NamePatterns(json_.value("exclude_modules", Json()), where_);
  ranks_ = patterns("rank_pattern"), alphas_ = patterns("alpha_pattern");
}

void AdapterConfig::refuse_more() const {
  const auto refuse = [&](const std::string& key, const Json& value) {
    throw Error(Kind::unsupported, say("the adapter wants what madang does not do: {}", shown(key)))
        .at(where_)
        .expected("LoRA, rsLoRA, DoRA")
        .found(shown(value.dump(-1, ' ', false, Json::error_handler_t::replace)));
  };
  if (json_.value("peft_type", Json("LORA")) != Json("LORA")) refuse("peft_type", json_["peft_type"]);
  if (json_.value("bias", Json("none")) != Json("none")) refuse("bias", json_["bias"]);
  // These start from a base that they have changed.
  if (const Json init = json_.value("init_lora_weights", Json(true)); init.is_string())
    for (const char* changes : {"pissa", "olora", "corda", "loftq", "lora_ga"})
      if (init.get<std::string>().starts_with(changes)) refuse("init_lora_weights", init);
  static constexpr std::array understood = {
      "peft_type",           "bias",           "init_lora_weights", "r",
      "lora_alpha",          "lora_dropout",   "use_rslora",        "use_dora",
      "target_modules",      "rank_pattern",   "alpha_pattern",     "exclude_modules",
      "fan_in_fan_out",      "inference_mode", "target_parameters", "auto_mapping",
      "layers_to_transform", "layers_pattern"};
  for (const auto& [key, value] : json_.items())
    if (std::ranges::find(understood, key) == understood.end() && !says_nothing(value)) refuse(key, value);
}

AdapterConfig::Patterned<double> AdapterConfig::patterns(const char* key) const {
  Patterned<double> out;
  const Json all = json_.value(key, Json());
  if (all.is_null()) return out;
  if (!all.is_object()) wrong(where_, key, all, "{\"q_proj\": 8, ...}");
  for (const auto& [name, value] : all.items())
    out.emplace_back(whole_pattern("(.*\\.)?(?:" + name + ")", where_), number(value, key, where_, -1e9, 1e9));
  return out;
}

int64_t AdapterConfig::rank(const std::string& module) const {
  for (const auto& [pattern, rank] : ranks_)
    if (whole(*pattern, module)) return static_cast<int64_t>(number(Json(rank), "rank_pattern", where_, 1, most_rank));
  return rank_;
}

double AdapterConfig::scale(const std::string& module) const {
  const auto r = static_cast<double>(rank(module));
  double alpha = alpha_;
  for (const auto& [pattern, own] : alphas_)
    if (whole(*pattern, module)) {
      alpha = own;
      break;
    }
  return alpha / (rslora_ ? std::sqrt(r) : r);
}

bool AdapterConfig::targets(const std::string& module) const {
  if (excluded_.match(module)) return false;
  if (!all_linear_) return targets_.match(module);
  return std::ranges::none_of(std::array{"lm_head", "embed_out", ".gate", ".router"},
                              [&](std::string_view not_these) { return module.ends_with(not_these); });
}

}  // namespace madang
