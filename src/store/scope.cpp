#include "store/scope.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "base/error.h"
#include "store/adapter_gguf.h"
#include "store/bounds.h"
#include "store/config_to_gguf.h"
#include "store/gguf.h"
#include "store/rules.h"

namespace madang {

struct Scope::State {
  std::shared_ptr<const Source> source;
  Config config;
  Rules rules;
  std::set<std::string, std::less<>> used;
  Hold hold = Hold::mapped;
  std::shared_ptr<Adapter> adapter;
  std::vector<Parameter> parameters;  // if widened
  std::vector<NamedShape> named;      // if named
  std::vector<AdaptedMatrix> adapted;
  std::map<std::string, Weight, std::less<>> asked;  // by name: what several places multiply with is one, packed once
  std::vector<Weight> packable;                      // mapped matrices that kernels take in another order
  std::vector<StoredTensor> made;  // by recipes, for the last request: the next often wants another part of it

  void note(const std::string& name, std::span<const int64_t> shape) {
    constexpr size_t most = 1'000'000;  // DeepSeek-V3, the richest in matrices, has 61,000
    if (!used.insert(name).second) return;
    if (named.size() == most)
      throw Error(Kind::limit, say("the configuration asks for too many weights"))
          .at(config.where())
          .expected(fmt::format("<= {}", most));
    named.push_back({name, {shape.begin(), shape.end()}});
  }

  /// The tensor decoded; if widened, one and the same however often it is asked for.
  Buffer decoded(const std::string& name, Shape shape) {
    if (hold == Hold::named) return note(name, std::span(shape.dim).first(static_cast<size_t>(shape.rank))), Buffer();
    auto known = std::ranges::find(parameters, name, &Parameter::name);
    if (known != parameters.end() && known->value.view().shape == shape) return known->value;
    const StoredTensor* stored = nullptr;
    const StoredTensor t = get(name, std::span(shape.dim).first(static_cast<size_t>(shape.rank)), &stored);
    Buffer buffer(DType::f32, shape);
    t.decode(buffer.f32());
    if (hold == Hold::widened) parameters.push_back({name, buffer, stored->name});
    return buffer;
  }

  /// Where a name is kept: the rule (null: the name stands for itself) and the stored tensors.
  struct Found {
    const Rule* rule = nullptr;
    std::vector<const StoredTensor*> parts;
    std::vector<std::string> pieces;
    std::string tried;  // stored names that were looked for
  };

  /// Transformers ties by the flag and leaves a stored output matrix unread.
  bool tied_away(std::string_view name) const {
    return (name == "lm_head.weight" || name == "head.weight") && config.flag("tie_word_embeddings", false);
  }

  /// Of the layers behind the last, which guess the token after the next; madang answers without them.
  bool guesses_ahead(std::string_view name) const {
    const int64_t layers = config.integer("num_hidden_layers", 0), more = config.integer("num_nextn_predict_layers", 0);
    for (std::string_view before : {"blk.", "model.layers."})
      if (int64_t layer = 0; more > 0 && name.starts_with(before)) {
        std::from_chars(name.data() + before.size(), name.data() + name.size(), layer);
        return layer >= layers && layer - layers < more;  // a sum of two numbers of a file could overflow
      }
    return false;
  }

  Found find(const std::string& name) const {
    Found found;
    if (tied_away(name)) return found;
    for (std::span<const Rule> table : rules.tables)
      for (const Rule& rule : table)
        if (fits(rule.name, name, found.pieces) && gather(rule, found)) {
          found.rule = &rule;
          return found;
        }
    if (const StoredTensor* t = source->find(name)) found.parts = {t};
    if (found.tried.empty()) found.tried = name;
    return found;
  }

  bool gather(const Rule& rule, Found& found) const {
    std::vector<const StoredTensor*> parts;
    for (std::string_view left = rule.stored; !left.empty();) {
      const size_t end = std::min(left.find(" + "), left.size());
      const std::string name = filled(left.substr(0, end), found.pieces);
      left.remove_prefix(std::min(end + 3, left.size()));
      found.tried += (found.tried.empty() ? "" : ", ") + name;
      const size_t star = name.find('*'), before = parts.size();
      for (int64_t i = 0;; ++i) {
        const std::string one =
            star == name.npos ? name : fmt::format("{}{}{}", name.substr(0, star), i, name.substr(star + 1));
        const StoredTensor* t = source->find(one);
        if (t) parts.push_back(t);
        if (!t || star == name.npos) break;
      }
      if (parts.size() == before) return false;
    }
    found.parts = std::move(parts);
    return true;
  }

  /// The parts with their bytes, as long as the next request.
  std::vector<const StoredTensor*> with_bytes(const std::vector<const StoredTensor*>& parts) {
    std::vector<StoredTensor> now;
    now.reserve(parts.size());
    std::vector<const StoredTensor*> all;
    for (const StoredTensor* part : parts)
      if (part->recipe) {
        const auto known = std::ranges::find(made, part->name, &StoredTensor::name);
        now.push_back(known != made.end() ? *known : part->made());
        all.push_back(&now.back());
      } else {
        all.push_back(part);
      }
    made = std::move(now);
    return all;
  }

  /// The tensor as the layer knows it, `shape` checked; `stored`: the (first) tensor it was made of.
  StoredTensor get(const std::string& name, std::span<const int64_t> shape, const StoredTensor** stored = nullptr) {
    const Found found = find(name);
    if (found.parts.empty())
      throw Error(Kind::missing, say("there is no tensor {}", shown(name)))
          .at(source->path())
          .expected(fmt::format("{} {}", found.tried.empty() ? name : found.tried, shape_text(shape)));
    for (const StoredTensor* part : found.parts) used.insert(part->name);
    if (stored) *stored = found.parts[0];
    const auto parts = with_bytes(found.parts);
    StoredTensor t =
        found.rule && found.rule->make ? found.rule->make({parts, *found.rule, config, found.pieces}) : *parts[0];
    auto significant = [](std::span<const int64_t> axes) {
      std::vector<int64_t> kept;
      std::copy_if(axes.begin(), axes.end(), std::back_inserter(kept), [](int64_t n) { return n != 1; });
      return kept;
    };
    if (significant(shape) != significant(t.shape))
      throw Error(Kind::mismatch, say("tensor {} has the wrong shape", shown(name)))
          .at(place(*found.parts[0]))
          .expected(shape_text(shape))
          .found(t.shape_text());
    if (!t.format)
      throw Error(Kind::unsupported, say("tensor {} has a type that is no weight", shown(name)))
          .at(place(*found.parts[0]))
          .expected("F32, F16, BF16")
          .found(std::string(t.type_name()));
    return t;
  }

  /// Where the adapter may have its part; a whole matrix first under the name it has here, which a new adapter takes.
  std::vector<AdapterPlace> adapter_places(const std::string& layer, const std::string& name, int64_t rows) const {
    auto places = madang::adapter_places(layer, rows, config);
    const Found found = find(name);
    const bool plain = !found.rule || !found.rule->make || found.rule->make == transpose;
    std::string here = layer;
    if (source->layout() == Layout::hugging_face && plain && found.parts.size() == 1)
      here = found.parts[0]->name.substr(0, found.parts[0]->name.rfind('.'));
    auto own = std::ranges::find(places, here, &AdapterPlace::module);
    if (places.front().out == 0 && own != places.end()) std::rotate(places.begin(), own, own + 1);
    return places;
  }

  bool adapter_in_gguf() const { return adapter->config().json().contains(adapter_architecture); }

  /// Throws Kind::mismatch if the adapter says it is for another architecture.
  void check_adapter() const {
    if (!adapter || !adapter_in_gguf()) return;
    const auto made_for = adapter->config().json().at(adapter_architecture).get<std::string>();
    const std::string own = source->gguf() ? std::string(source->gguf()->architecture()) : gguf_architecture(config);
    if (made_for != own)
      throw Error(Kind::mismatch, say("the adapter is for another architecture"))
          .at(adapter->path())
          .expected(own)
          .found(shown(made_for));
  }

  /// Of an adapter in GGUF, rows brought from the order of such files to the layer's.
  std::shared_ptr<const AdapterPart> find_in_gguf(const std::string& layer, int64_t rows, int64_t cols) const {
    for (const auto& [spot, rule, pieces] : gguf_adapter_places(layer, rows, config)) {
      const bool moved = rule->make == unpair || rule->make == first_of_heads || rule->make == second_of_heads;
      const auto found = adapter->find({spot}, moved && spot.out > 0 ? spot.out : rows, cols);
      if (!found || !moved) {
        if (found) return found;
        continue;
      }
      const size_t bytes = static_cast<size_t>(found->b.rows * found->b.cols) * sizeof(float);
      const StoredTensor b{.name = spot.module,
                           .format = &f32_format,
                           .dtype = DType::f32,
                           .shape = {found->b.rows, found->b.cols},
                           .bytes = {found->b.bytes, bytes}};
      const StoredTensor* part = &b;
      const StoredTensor ours = rule->make({std::span(&part, 1), *rule, config, pieces});
      auto own = std::make_shared<AdapterPart>(*found);
      own->b = {&f32_format, ours.bytes.data(), rows, found->b.cols, ours.owner, nullptr};
      return own;
    }
    return nullptr;
  }

  std::string place(const StoredTensor& t) const {
    return fmt::format("{}, {}", t.file ? t.file->path() : source->path(), shown(t.name));
  }
};

int64_t NamedShape::numel() const {
  int64_t n = 1;
  for (int64_t axis : shape) n *= axis;
  return n;
}

namespace {

std::string below(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

}  // namespace

Scope Scope::operator/(std::string_view child) const { return Scope(state_, full(child), below(adapted_, child)); }
Scope Scope::operator/(int64_t index) const { return *this / std::to_string(index); }
Scope Scope::adapted_at(const Scope& place) const { return Scope(state_, path_, place.path_); }

std::string Scope::full(std::string_view name) const { return below(path_, name); }

Weight Scope::weight(std::string_view name, int64_t rows, int64_t cols) const {
  if (state_->hold == Hold::named) {
    state_->note(full(name), std::array{rows, cols});
    return {&f32_format, nullptr, rows, cols, nullptr, nullptr};
  }
  if (state_->hold == Hold::widened) {
    const Buffer value = state_->decoded(full(name), {rows, cols});
    auto owner = std::make_shared<Buffer>(value);
    return {&f32_format, static_cast<const uint8_t*>(value.view().data), rows, cols, std::move(owner), nullptr};
  }
  const auto known = state_->asked.find(full(name));
  if (known != state_->asked.end() && known->second.rows == rows && known->second.cols == cols) return known->second;
  const StoredTensor* stored = nullptr;
  StoredTensor t = state_->get(full(name), std::array{rows, cols}, &stored);
  if (cols % t.format->block != 0)  // blocks ran along another axis
    throw Error(Kind::mismatch, say("rows of tensor {} are not whole blocks", shown(full(name))))
        .at(state_->place(t))
        .expected(fmt::format("a multiple of {}", t.format->block))
        .found(t.shape_text());
  Weight w{t.format, t.bytes.data(), rows, cols, t.owner, nullptr};
  if (t.format == &f32_format && reinterpret_cast<uintptr_t>(w.bytes) % alignof(float) != 0) {
    auto copy = std::make_shared_for_overwrite<float[]>(t.bytes.size() / sizeof(float));
    std::memcpy(copy.get(), t.bytes.data(), t.bytes.size());
    if (t.file) t.file->release(t.bytes);
    w.bytes = reinterpret_cast<const uint8_t*>(copy.get()), w.owner = std::move(copy);
  }
  w.stored = stored->name;
  w.order = t.order;
  // Experts side by side, or halves of them: the offset tells which one.
  const std::less_equal<const uint8_t*> before;
  if (stored->shape.size() == 3 && t.shape.size() == 2 && before(stored->bytes.data(), t.bytes.data()) &&
      before(t.bytes.data() + t.bytes.size(), stored->bytes.data() + stored->bytes.size())) {
    w.matrices = static_cast<int64_t>(stored->bytes.size() / t.bytes.size());
    w.matrix = (t.bytes.data() - stored->bytes.data()) / static_cast<int64_t>(t.bytes.size());
  }
  if (in_codes(w)) {
    w.packing = std::make_shared<Packing>(t.file);
    state_->packable.push_back(w);
  }
  return state_->asked[full(name)] = w;
}

Buffer Scope::vector(std::string_view name, int64_t n) const { return tensor(name, {n}); }

Buffer Scope::tensor(std::string_view name, Shape shape) const { return state_->decoded(full(name), shape); }

StoredTensor Scope::stored(std::string_view name, std::span<const int64_t> shape) const {
  return state_->get(full(name), shape);
}

bool Scope::changing() const { return state_->hold != Hold::mapped; }

bool Scope::has(std::string_view name) const {
  // Only the head is left to what is there; all else that a layer may do without is in GGUF files alone.
  if (state_->hold == Hold::named) {
    const std::string all = full(name);
    return (all.ends_with("head.weight") || all.ends_with("embed_out.weight")) && !state_->tied_away(all);
  }
  return !state_->find(full(name)).parts.empty();
}

std::shared_ptr<const AdapterPart> Scope::low_rank(int64_t rows, int64_t cols) const {
  if (!state_->adapter) return nullptr;
  const bool in_gguf = state_->adapter_in_gguf();
  auto found =
      in_gguf ? state_->find_in_gguf(adapted_, rows, cols)
              : state_->adapter->find(state_->adapter_places(adapted_, below(adapted_, "weight"), rows), rows, cols);
  if (!found) return nullptr;
  // llama.cpp's converter takes q, k and v of the kv heads apart; peft's rows lie as the repository has them.
  if ((state_->source->layout() == Layout::gguf) != in_gguf && path_.ends_with(".query_key_value") &&
      state_->config.integer("num_key_value_heads") > 1)
    throw Error(Kind::unsupported, say("the file keeps the rows of {} in another order than the adapter", shown(path_)))
        .at(state_->source->path())
        .hint(in_gguf ? say("open the model's GGUF file") : say("open the model's safetensors"));
  state_->adapted.push_back({full("weight"), rows, cols, found});
  return found;
}

void Scope::unused_low_rank(int64_t rows, int64_t cols) const {
  if (state_->adapter && !state_->adapter_in_gguf())
    state_->adapter->find(state_->adapter_places(adapted_, below(adapted_, "weight"), rows), rows, cols);
}

WeightStore::WeightStore(std::shared_ptr<const Source> source, const Config& config, Hold hold,
                         std::shared_ptr<Adapter> adapter)
    : state_(std::make_shared<Scope::State>()) {
  state_->adapter = std::move(adapter);
  state_->hold = hold;
  state_->rules = rules_of(source->layout(), config.architecture());
  state_->source = std::move(source), state_->config = config;
  state_->check_adapter();
}

WeightStore::WeightStore(const Config& config) : state_(std::make_shared<Scope::State>()) {
  state_->hold = Hold::named, state_->config = config;
}

void WeightStore::pack(ThreadPool& pool) const {
  for (const Weight& w : state_->packable)
    if (w.packing->wanted()) w.packing->get(w, pool);
}

const std::vector<Parameter>& WeightStore::parameters() const { return state_->parameters; }
const std::vector<NamedShape>& WeightStore::named() const { return state_->named; }

const std::vector<AdaptedMatrix>& WeightStore::adapted() const {
  std::set<std::string_view> seen;
  for (const AdaptedMatrix& matrix : state_->adapted)
    if (!seen.insert(matrix.name).second)
      throw Error(Kind::unsupported,
                  say("an adapter cannot be merged into {}: layers share it, each with an adapter of its own",
                      shown(matrix.name)))
          .at(state_->adapter->path())
          .hint(say("answer with the adapter beside the model"));
  return state_->adapted;
}

// Rules move elements: moving their numbers tells where each one goes.
StoredPlaces WeightStore::places(const AdaptedMatrix& matrix) const {
  const Scope::State::Found found = state_->find(matrix.name);
  const StoredTensor* t = found.parts.size() == 1 ? found.parts[0] : nullptr;
  if (!t || t->recipe || !t->format || t->format->block != 1 || t->numel() > UINT32_MAX)
    throw Error(Kind::unsupported, say("an adapter cannot be merged into {}", shown(matrix.name)))
        .at(t ? state_->place(*t) : state_->source->path())
        .expected("F32, F16, BF16")
        .found(t ? std::string(t->type_name()) : found.tried);
  std::vector<uint32_t> numbers(static_cast<size_t>(t->numel()));
  std::iota(numbers.begin(), numbers.end(), 0u);
  StoredTensor counted = *t;
  counted.format = &f32_format, counted.dtype = DType::f32, counted.file = nullptr;
  counted.bytes = {reinterpret_cast<const uint8_t*>(numbers.data()), numbers.size() * sizeof(uint32_t)};
  const StoredTensor* part = &counted;
  if (found.rule && found.rule->make)
    counted = found.rule->make({std::span(&part, 1), *found.rule, state_->config, found.pieces});
  StoredPlaces places{t, std::vector<uint32_t>(static_cast<size_t>(matrix.rows * matrix.cols))};
  if (counted.bytes.size() != places.at.size() * sizeof(uint32_t))
    throw Error(Kind::mismatch, say("tensor {} has the wrong shape", shown(matrix.name))).at(state_->place(*t));
  std::memcpy(places.at.data(), counted.bytes.data(), counted.bytes.size());
  return places;
}

void WeightStore::finish() const {
  state_->made.clear();
  if (state_->adapter) state_->adapter->finish();
  std::vector<const StoredTensor*> left;
  std::vector<std::string> pieces;
  for (const StoredTensor& t : state_->source->tensors()) {
    const auto& ignorable = state_->rules.ignorable;
    const bool ignored =
        state_->tied_away(t.name) || state_->guesses_ahead(t.name) ||
        std::any_of(ignorable.begin(), ignorable.end(), [&](auto pattern) { return fits(pattern, t.name, pieces); });
    if (!ignored && !state_->used.contains(t.name)) left.push_back(&t);
  }
  if (left.empty()) return;
  std::string names;
  for (size_t i = 0; i < left.size() && i < 5; ++i)
    names += fmt::format("{}{} {}", i ? ", " : "", shown(left[i]->name), left[i]->shape_text());
  throw Error(Kind::mismatch, say("the file holds {} tensors that the architecture {} does not use", left.size(),
                                  state_->config.architecture()))
      .at(state_->source->path())
      .expected(fmt::format("{} tensors", state_->used.size()))
      .found(names + (left.size() > 5 ? ", ..." : ""));
}

}  // namespace madang
