#include "store/adapter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/random.h"
#include "store/adapter_gguf.h"
#include "store/bounds.h"
#include "store/safetensors.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "base_model.model.";

Weight matrix(const Buffer& values, int64_t begin, int64_t rows, int64_t cols) {
  return {&f32_format,
          reinterpret_cast<const uint8_t*>(values.f32() + begin * cols),
          rows,
          cols,
          std::make_shared<Buffer>(values),
          nullptr};
}

Shape shape_of(const StoredTensor& t) {
  Shape shape;
  for (int64_t axis : t.shape) shape.dim[static_cast<size_t>(shape.rank++)] = axis;
  return shape;
}

}  // namespace

/// The factors of one module. Of experts that are one tensor, a is [experts * r, in], and b, which files keep as
/// [out, r * experts] with the expert running fastest, lies as [experts, out, r].
struct Adapter::Pair {
  std::string key;
  Parameter a, b, magnitude;
  int64_t rank = 0, in = 0, out = 0, experts = 0;  // experts 0: an ordinary matrix, or not arranged yet
  double scale = 0;
  bool alternate = false, used = false;

  /// Where element (row, column) of b as files keep it lies here.
  int64_t place(int64_t row, int64_t column) const {
    if (experts == 0) return row * rank + column;
    const int64_t at = alternate ? row % 2 * (out / 2) + row / 2 : row;
    return (column % experts * out + at) * rank + column / experts;
  }
  void arrange(int64_t r, bool alternates) {
    const Buffer kept = b.value;
    experts = a.value.view().shape[0] / r, rank = r, alternate = alternates;
    b.value = Buffer(DType::f32, {experts, out, rank});
    for (int64_t i = 0; i < out; ++i)
      for (int64_t j = 0; j < rank * experts; ++j) b.value.f32()[place(i, j)] = kept.f32()[i * rank * experts + j];
  }
};

std::shared_ptr<Adapter> Adapter::read(const std::string& path, Use use) {
  const fs::path at(path);
  std::error_code ignored;
  if (fs::is_regular_file(at, ignored)) {
    if (use == Use::train) throw Error(Kind::unsupported, say("adapters in GGUF are not trained")).at(path);
    std::shared_ptr<Adapter> adapter(new Adapter(AdapterConfig::read(path), path));
    adapter->untaken_ = gguf_adapter_factors(path);
    return adapter;
  }
  if (!fs::exists(at / "adapter_config.json") || !fs::exists(at / "adapter_model.safetensors"))
    throw Error(Kind::missing, say("there is no adapter in the folder"))
        .at(path)
        .expected("adapter_config.json, adapter_model.safetensors; *.gguf");
  std::shared_ptr<Adapter> adapter(new Adapter(AdapterConfig::read((at / "adapter_config.json").string()), path));
  adapter->trained_ = use == Use::train;
  if (adapter->trained_ && adapter->config_.dropout() > 0)
    throw Error(Kind::unsupported, say("adapters with dropout are not trained")).at(path).expected("lora_dropout 0");
  const auto source = open_safetensors((at / "adapter_model.safetensors").string());
  for (const StoredTensor& t : source->tensors()) {
    if (!t.name.starts_with(prefix) || !t.format || t.shape.size() > 4)
      throw Error(Kind::unsupported, say("tensor {} is no part of an adapter that madang knows", shown(t.name)))
          .at(source->path())
          .expected("base_model.model. ... F32, F16, BF16")
          .found(fmt::format("{} {}", t.type_name(), t.shape_text()));
    Buffer values(DType::f32, shape_of(t));
    t.format->decode(t.bytes.data(), t.numel(), values.f32());
    adapter->untaken_[t.name.substr(prefix.size())] = {t.name, values};
  }
  return adapter;
}

std::shared_ptr<Adapter> Adapter::make(const AdapterConfig& config, uint64_t seed) {
  std::shared_ptr<Adapter> adapter(new Adapter(config, "LoRA"));
  adapter->trained_ = adapter->fresh_ = true, adapter->seed_ = seed;
  return adapter;
}

bool Adapter::take(const std::string& name, std::vector<int64_t> shape, Parameter& out) {
  auto found = untaken_.find(name);
  if (found == untaken_.end()) return false;
  const Shape& has = found->second.value.view().shape;
  bool fits = static_cast<size_t>(has.rank) == shape.size();
  for (int i = 0; fits && i < has.rank; ++i)
    fits = shape[static_cast<size_t>(i)] < 0 ? has[i] > 0 : has[i] == shape[static_cast<size_t>(i)];
  if (!fits)
    throw Error(Kind::mismatch, say("tensor {} has the wrong shape", shown(found->second.name)))
        .at(path_)
        .expected(shape_text(shape))
        .found(has.str());
  out = std::move(found->second);
  untaken_.erase(found);
  return true;
}

// The factors under this name, whatever they are added to; null if there are none.
Adapter::Pair* Adapter::read_pair(const std::string& key, const AdapterPlace& place) {
  if (auto known = pairs_.find(key); known != pairs_.end()) return known->second.get();
  auto pair = std::make_shared<Pair>();
  pair->key = key;
  if (!take(key + ".lora_A.weight", {-1, -1}, pair->a)) return nullptr;
  const int64_t rank = pair->a.value.view().shape[0];
  if (!take(key + ".lora_B.weight", {-1, rank}, pair->b))
    throw Error(Kind::missing, say("there is no tensor {}", shown(key + ".lora_B.weight"))).at(path_);
  pair->rank = rank, pair->in = pair->a.value.view().cols(), pair->out = pair->b.value.view().shape[0];
  if (config_.dora() && !take(key + ".lora_magnitude_vector", {pair->out}, pair->magnitude) &&
      !take(key + ".lora_magnitude_vector.weight", {pair->out}, pair->magnitude))
    throw Error(Kind::missing, say("there is no tensor {}", shown(key + ".lora_magnitude_vector"))).at(path_);
  const std::string name = place.parameter.empty() ? place.module : place.module + "." + place.parameter;
  if (place.expert < 0 && config_.rank(name) != rank)
    throw Error(Kind::mismatch, say("the rank of {} is not what the configuration says", shown(key)))
        .at(path_)
        .expected(std::to_string(config_.rank(name)))
        .found(std::to_string(rank));
  pair->scale = config_.scale(name);
  return (pairs_[key] = std::move(pair)).get();
}

Adapter::Pair* Adapter::make_pair(const AdapterPlace& place, int64_t rows, int64_t cols) {
  auto pair = std::make_shared<Pair>();
  pair->key = place.module, pair->rank = config_.rank(place.module), pair->scale = config_.scale(place.module);
  pair->in = place.turned ? rows : cols, pair->out = place.out > 0 ? place.out : rows;
  const std::string name = std::string(prefix) + place.module;
  pair->a = {name + ".lora_A.weight", Buffer(DType::f32, {pair->rank, pair->in})};
  pair->b = {name + ".lora_B.weight", Buffer(DType::f32, {pair->out, pair->rank})};
  if (config_.dora()) pair->magnitude = {name + ".lora_magnitude_vector", Buffer(DType::f32, {pair->out})};
  return (pairs_[place.module] = std::move(pair)).get();
}

// A module with several such tensors is wrapped once for each, the wrappers nested: sizes tell which is whose.
Adapter::Pair* Adapter::experts_at(const AdapterPlace& place, int64_t rows, int64_t cols) {
  if (fresh_) return nullptr;
  const int64_t out = place.out > 0 ? place.out : rows;
  std::string key = place.module;
  for (int depth = 0; depth < 4; ++depth, key += ".base_layer") {
    Pair* pair = read_pair(key, place);
    if (!pair || pair->in != cols || pair->out != out) continue;
    if (pair->experts > 0) return pair;
    const std::string name = place.module + "." + place.parameter;
    const int64_t rank = config_.rank(name);
    if (pair->rank % rank != 0 || (place.alternate && out % 2 != 0))
      throw Error(Kind::mismatch, say("the rank of {} is not what the configuration says", shown(key)))
          .at(path_)
          .expected(fmt::format("n x {}", rank))
          .found(std::to_string(pair->rank));
    pair->arrange(rank, place.alternate);
    pair->scale = config_.scale(name);
    return pair;
  }
  return nullptr;
}

Adapter::Pair* Adapter::pair_at(const AdapterPlace& place, int64_t rows, int64_t cols) {
  if (place.expert >= 0) return experts_at(place, rows, cols);
  if (auto known = pairs_.find(place.module); known != pairs_.end()) return known->second.get();
  if (fresh_) {  // experts are no modules of their own
    const bool wanted = config_.targets(place.module) && place.module.find(".experts.") == std::string::npos;
    return wanted ? make_pair(place, rows, cols) : nullptr;
  }
  return read_pair(place.module, place);
}

AdapterPart Adapter::part(const Pair& p, const AdapterPlace& place, int64_t rows, int64_t cols) const {
  const int64_t in = place.turned ? rows : cols, n = place.turned ? cols : rows;
  const int64_t out = place.out > 0 ? place.out : rows;
  if (p.in != in || p.out != out || place.begin + n > out || place.expert >= std::max<int64_t>(p.experts, 1))
    throw Error(Kind::mismatch, say("the adapter does not fit {}", shown(p.key)))
        .at(path_)
        .expected(fmt::format("[r, {}], [{}, r]", in, out))
        .found(fmt::format("[r, {}], [{}, r]", p.in, p.out));
  AdapterPart part;
  const int64_t expert = std::max<int64_t>(place.expert, 0);
  part.a = matrix(p.a.value, expert * p.rank, p.rank, in);
  part.b = matrix(p.b.value, expert * p.out + place.begin, n, p.rank);
  part.scale = static_cast<float>(p.scale);
  part.turned = place.turned, part.trained = trained_, part.fresh = fresh_;
  part.magnitude = p.magnitude.value;
  if (part.magnitude.view() && n != out)
    throw Error(Kind::unsupported, say("DoRA of a matrix that layers take in parts is not built")).at(p.key);
  return part;
}

std::shared_ptr<const AdapterPart> Adapter::find(const std::vector<AdapterPlace>& places, int64_t rows, int64_t cols) {
  for (const AdapterPlace& place : places)
    if (Pair* pair = pair_at(place, rows, cols)) {
      auto found = std::make_shared<AdapterPart>(part(*pair, place, rows, cols));
      if (!pair->used)
        for (const Parameter* p : {&pair->a, &pair->b, &pair->magnitude})
          if (p->value.view()) parameters_.push_back(*p);
      pair->used = true;
      return found;
    }
  return nullptr;
}

void Adapter::finish() {
  std::vector<std::string> left;
  for (const auto& [name, parameter] : untaken_) left.push_back(parameter.name);
  for (const auto& [key, pair] : pairs_)
    if (!pair->used) left.push_back(pair->a.name);
  if (!left.empty() || parameters_.empty()) {
    std::string names;
    for (size_t i = 0; i < left.size() && i < 5; ++i) names += (i ? ", " : "") + shown(left[i]);
    throw Error(Kind::mismatch, say("the adapter is for another model: {} of its tensors fit no layer", left.size()))
        .at(path_)
        .expected(fmt::format("{} tensors", parameters_.size() + left.size()))
        .found(names + (left.size() > 5 ? ", ..." : ""));
  }
  if (!fresh_) return;
  std::vector<Pair*> order;
  for (const auto& [key, pair] : pairs_) order.push_back(pair.get());
  std::ranges::sort(order, {}, [](const Pair* p) { return p->a.name; });
  for (size_t n = 0; n < order.size(); ++n) {
    const Tensor& a = order[n]->a.value;
    const double bound = 1 / std::sqrt(static_cast<double>(order[n]->in));
    for (int64_t k = 0; k < a.numel(); ++k) {  // 24 bits: what float32 holds
      const uint64_t bits = splitmix64((seed_ << 48) + (static_cast<uint64_t>(n) << 32) + static_cast<uint64_t>(k));
      a.f32()[k] = static_cast<float>((static_cast<double>(bits >> 40) / (1 << 23) - 1) * bound);
    }
  }
}

void Adapter::write(const std::string& folder) const {
  std::error_code fault;
  fs::create_directories(folder, fault);
  std::vector<Buffer> turned_back;
  std::vector<NamedTensor> tensors;
  for (const auto& [key, p] : pairs_) {
    tensors.push_back({p->a.name, p->a.value});
    if (p->magnitude.value.view()) tensors.push_back({p->magnitude.name, p->magnitude.value});
    Buffer b = p->b.value;
    if (p->experts > 0) {
      b = Buffer(DType::f32, {p->out, p->rank * p->experts});
      for (int64_t i = 0; i < p->out; ++i)
        for (int64_t j = 0; j < b.view().cols(); ++j) b.view().row(i)[j] = p->b.value.f32()[p->place(i, j)];
      turned_back.push_back(b);
    }
    tensors.push_back({p->b.name, b});
  }
  write_safetensors((fs::path(folder) / "adapter_model.safetensors").string(), tensors, {{"format", "pt"}});
  write_whole(fs::path(folder) / "adapter_config.json", config_.json().dump(2) + "\n");
}

}  // namespace madang
