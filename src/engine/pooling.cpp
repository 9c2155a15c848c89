#include "engine/pooling.h"

#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "store/config.h"
#include "store/gguf.h"

namespace madang {
namespace {

std::optional<Pooling> of_gguf(const Gguf& file) {
  const std::string key = fmt::format("{}.pooling_type", file.text("general.architecture", ""));
  if (!file.has(key)) return {};
  switch (const int64_t type = file.integer(key)) {
    case 0:  // none: the model was not made for it
      return {};
    case 1:
      return Pooling::mean;
    case 2:
      return Pooling::first;
    case 3:
      return Pooling::last;
    default:
      throw Error(Kind::unsupported, say("this way of pooling hidden states is not built"))
          .at(file.path())
          .expected("1 (mean), 2 (cls), 3 (last)")
          .found(fmt::format("{} = {}", key, type));
  }
}

// One true flag a way: {"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true, ...}.
std::optional<Pooling> of_module(const std::string& path) {
  const Json config = read_json(path);
  if (!config.is_object()) throw Error(Kind::format, say("this is not a JSON object")).at(path);
  std::optional<Pooling> found;
  for (const auto& [key, value] : config.items()) {
    if (!key.starts_with("pooling_mode_") || !value.is_boolean() || !value.get<bool>()) continue;
    const std::optional<Pooling> way = key == "pooling_mode_mean_tokens" ? std::optional(Pooling::mean)
                                       : key == "pooling_mode_lasttoken" ? std::optional(Pooling::last)
                                       : key == "pooling_mode_cls_token" ? std::optional(Pooling::first)
                                                                         : std::nullopt;
    if (!way || found)
      throw Error(Kind::unsupported, say("this way of pooling hidden states is not built"))
          .at(path)
          .expected("one of pooling_mode_mean_tokens, pooling_mode_lasttoken, pooling_mode_cls_token")
          .found(key);
    found = way;
  }
  return found;
}

}  // namespace

const char* name_of(Pooling pooling) {
  switch (pooling) {
    case Pooling::mean:
      return "mean";
    case Pooling::last:
      return "last";
    case Pooling::first:
      return "first";
  }
  return "";
}

std::optional<Pooling> read_pooling(const Source& source) {
  if (const Gguf* file = source.gguf()) return of_gguf(*file);
  const auto path = std::filesystem::path(source.folder()) / "1_Pooling" / "config.json";
  std::error_code fault;
  if (!std::filesystem::is_regular_file(path, fault)) return {};
  return of_module(path.string());
}

void Pool::add(std::span<const float> hidden) {
  if (how_ == Pooling::first && count_ > 0) return;
  if (how_ == Pooling::mean && count_ > 0)
    for (size_t i = 0; i < hidden.size(); ++i) sum_[i] += static_cast<double>(hidden[i]);
  else
    sum_.assign(hidden.begin(), hidden.end());
  ++count_;
}

std::vector<float> Pool::value() const {
  std::vector<float> out;
  out.reserve(sum_.size());
  const double n = how_ == Pooling::mean ? static_cast<double>(count_) : 1;
  for (double x : sum_) out.push_back(static_cast<float>(x / n));
  return out;
}

}  // namespace madang
