#include "store/scheme.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "store/bounds.h"

namespace madang {
namespace fs = std::filesystem;
namespace {

constexpr struct {
  std::string_view name;
  void (*arrange)(Parts&, const SchemeConfig&);
} schemes[] = {{"gptq", gptq},  {"awq", awq},        {"bitsandbytes", bitsandbytes},
               {"fp8", fp8},    {"fbgemm_fp8", fp8}, {"compressed-tensors", compressed_tensors},
               {"mxfp4", mxfp4}};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// The quantization_config, wherever repositories keep it; null if nowhere.
const Json* quantization_of(const Json& config) {
  for (const char* inner : {"", "text_config", "language_config"}) {
    const Json* level = &config;
    if (*inner != '\0') {
      auto found = config.find(inner);
      if (found == config.end() || !found->is_object()) continue;
      level = &*found;
    }
    for (const char* key : {"quantization_config", "compression_config"})
      if (auto found = level->find(key); found != level->end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

/// Repositories before 2024 leave the method out: bitsandbytes then says how it loads.
std::string method_of(const SchemeConfig& config) {
  const bool loads = config.flag("load_in_4bit", false) || config.flag("load_in_8bit", false);
  return lower(config.text("quant_method", loads ? "bitsandbytes" : ""));
}

std::vector<StoredTensor> arranged(const SchemeConfig& config, std::vector<StoredTensor> tensors) {
  const std::string method = method_of(config);
  std::string known;
  for (const auto& scheme : schemes) {
    if (scheme.name == method) {
      Parts parts(std::move(tensors), config.where);
      scheme.arrange(parts, config);
      return parts.take();
    }
    known += (known.empty() ? "" : ", ") + std::string(scheme.name);
  }
  throw Error(Kind::unsupported, say("the checkpoint is quantized in a way that madang does not know"))
      .at(config.where + ": quantization_config.quant_method")
      .expected(known)
      .found(shown(method));
}

}  // namespace

std::vector<StoredTensor> by_scheme(const std::string& folder, std::vector<StoredTensor> tensors) {
  const fs::path path = fs::path(folder) / "config.json", old = fs::path(folder) / "quantize_config.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return tensors;
  const Json config = read_json(path.string());
  if (!config.is_object()) return tensors;  // config() says what is wrong
  if (const Json* keys = quantization_of(config)) {
    if (!keys->is_object())
      throw Error(Kind::format, say("the configuration's {} cannot be", "quantization_config"))
          .at(path.string())
          .expected("{...}");
    return arranged({*keys, path.string()}, std::move(tensors));
  }
  // AutoGPTQ's first releases kept it in a file of its own, without a method.
  const bool codes = std::ranges::any_of(tensors, [](const StoredTensor& t) { return t.name.ends_with(".g_idx"); });
  if (!codes || !fs::exists(old, ignored)) return tensors;
  Json keys = read_json(old.string());
  if (keys.is_object() && !keys.contains("quant_method")) keys["quant_method"] = "gptq";
  return arranged({keys, old.string()}, std::move(tensors));
}

// ---- the configuration

int64_t SchemeConfig::integer(std::string_view key, std::optional<int64_t> fallback) const {
  auto found = keys.find(key);
  if (found == keys.end() || found->is_null()) {
    if (fallback) return *fallback;
    throw Error(Kind::missing, say("the configuration lacks {}", key)).at(where + ": quantization_config");
  }
  if (!found->is_number_integer() || *found < -1 || *found > (1 << 30))
    throw Error(Kind::format, say("the configuration's {} cannot be", key))
        .at(where + ": quantization_config")
        .expected("-1 .. 2^30")
        .found(shown(found->dump(-1, ' ', false, Json::error_handler_t::replace)));
  return found->get<int64_t>();
}

bool SchemeConfig::flag(std::string_view key, bool fallback) const {
  auto found = keys.find(key);
  return found != keys.end() && found->is_boolean() ? found->get<bool>() : fallback;
}

std::string SchemeConfig::text(std::string_view key, std::string_view fallback) const {
  auto found = keys.find(key);
  return found != keys.end() && found->is_string() ? found->get<std::string>() : std::string(fallback);
}

std::string SchemeConfig::one_of(std::string_view key, std::string_view fallback,
                                 std::span<const std::string_view> known) const {
  const std::string value = lower(text(key, fallback));
  if (std::ranges::find(known, value) != known.end()) return value;
  std::string all;
  for (std::string_view k : known) all += (all.empty() ? "" : ", ") + std::string(k);
  throw Error(Kind::unsupported, say("the checkpoint is quantized in a way that madang does not know"))
      .at(fmt::format("{}: quantization_config.{}", where, key))
      .expected(all)
      .found(shown(value));
}

// ---- the tensors

std::vector<std::string> Parts::stems(std::string_view ending) const {
  std::vector<std::string> found;
  for (const StoredTensor& t : tensors_)
    if (t.name.size() > ending.size() && t.name.ends_with(ending))
      found.push_back(t.name.substr(0, t.name.size() - ending.size()));
  return found;
}

const StoredTensor* Parts::find(std::string_view name) const {
  auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const StoredTensor& Parts::need(const std::string& name, std::string_view of) const {
  if (const StoredTensor* t = find(name)) return *t;
  throw Error(Kind::missing, say("there is no tensor {}, which belongs to {}", shown(name), shown(of))).at(where_);
}

void Parts::drop(const std::string& name) {
  auto found = index_.find(name);
  if (found == index_.end()) return;
  tensors_[found->second].name.clear();
  index_.erase(found);
}

void Parts::replace(const std::string& name, Recipe recipe) {
  for (const StoredTensor& part : recipe.parts) drop(part.name);
  if (find(name)) throw Error(Kind::format, say("tensor {} comes twice", shown(name))).at(where_);
  StoredTensor t;
  t.name = name, t.shape = recipe.shape;
  t.recipe = std::make_shared<const Recipe>(std::move(recipe));
  made_.push_back(std::move(t));
}

void Parts::forget(std::span<const std::string_view> endings) {
  for (std::string_view ending : endings)
    for (const std::string& stem : stems(ending)) drop(stem + std::string(ending));
}

std::vector<StoredTensor> Parts::take() {
  std::erase_if(tensors_, [](const StoredTensor& t) { return t.name.empty(); });
  std::ranges::move(made_, std::back_inserter(tensors_));
  return std::move(tensors_);
}

// ---- what schemes share

namespace {

void check_type(const StoredTensor& t, std::initializer_list<DType> types, const std::string& shape, bool fits) {
  if (fits && std::ranges::find(types, t.dtype) != types.end()) return;
  std::string names;
  for (DType type : types) names += (names.empty() ? "" : " / ") + std::string(name_of(type));
  throw Error(Kind::mismatch, say("tensor {} has the wrong shape", shown(t.name)))
      .at(t.file ? t.file->path() : "")
      .expected(names + " " + shape)
      .found(fmt::format("{} {}", name_of(t.dtype), t.shape_text()));
}

}  // namespace

void check(const StoredTensor& t, std::initializer_list<DType> types, std::span<const int64_t> shape) {
  check_type(t, types, shape_text(shape), std::ranges::equal(t.shape, shape));
}

void check_rank(const StoredTensor& t, std::initializer_list<DType> types, size_t rank) {
  std::string shape = "[";
  for (size_t i = 0; i < rank; ++i) shape += i ? ", n" : "n";
  check_type(t, types, shape + "]", t.shape.size() == rank && t.numel() > 0);
}

std::vector<float> floats_of(const StoredTensor& t) {
  std::vector<float> values(static_cast<size_t>(t.numel()));
  if (t.format)
    t.format->decode(t.bytes.data(), t.numel(), values.data());
  else
    check_type(t, {DType::f32, DType::f16, DType::bf16}, t.shape_text(), false);
  return values;
}

std::vector<int64_t> integers_of(const StoredTensor& t) {
  std::vector<int64_t> values(static_cast<size_t>(t.numel()));
  for (size_t i = 0; i < values.size(); ++i)
    if (t.dtype == DType::i64) {
      std::memcpy(&values[i], t.bytes.data() + 8 * i, 8);
    } else {
      int32_t value;
      std::memcpy(&value, t.bytes.data() + 4 * i, 4);
      values[i] = value;
    }
  return values;
}

}  // namespace madang
