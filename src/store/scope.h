// How a layer asks for its weights: by name and shape. Names are paths, as the architecture's Hugging Face repositories
// have them ("model.layers.0.self_attn.q_proj.weight"); the rules of store/rules.h say where a file keeps them and what
// was done to them. Axes of length one do not count when shapes are compared.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quant/weight.h"
#include "store/adapter.h"
#include "store/config.h"
#include "store/parameter.h"
#include "store/source.h"
#include "tensor/tensor.h"

namespace madang {

/// All weights of one model, each to be asked for once or more. A handle: copying it is cheap.
class WeightStore;

class Scope {
 public:
  Scope operator/(std::string_view child) const;
  Scope operator/(int64_t index) const;

  /// A matrix, quantized or plain, on the mapped bytes where it can be. F32 is always aligned to 4 bytes.
  Weight weight(std::string_view name, int64_t rows, int64_t cols) const;
  /// Decoded to float32.
  Buffer vector(std::string_view name, int64_t n) const;
  Buffer tensor(std::string_view name, Shape shape) const;
  /// As the layer knows it and as the file encodes it: for whoever carries weights elsewhere. May copy.
  StoredTensor stored(std::string_view name, std::span<const int64_t> shape) const;
  bool has(std::string_view name) const;
  /// Parameters will change (full fine-tuning), or are not there at all.
  bool changing() const;
  /// What an adapter adds to this layer's matrix [rows, cols]; null: nothing.
  std::shared_ptr<const AdapterPart> low_rank(int64_t rows, int64_t cols) const;
  /// Takes what an adapter has for this layer's matrix and nobody multiplies with: transformers has modules that are
  /// never called, and peft wraps them too.
  void unused_low_rank(int64_t rows, int64_t cols) const;
  /// The same weights at another place, by whose name adapters know them: a block that several layers share.
  Scope adapted_at(const Scope& place) const;

  const std::string& path() const { return path_; }

 private:
  friend class WeightStore;
  struct State;
  Scope(std::shared_ptr<State> state, std::string path, std::string adapted)
      : state_(std::move(state)), path_(std::move(path)), adapted_(std::move(adapted)) {}
  std::string full(std::string_view name) const;

  std::shared_ptr<State> state_;
  std::string path_, adapted_;  // the second by which adapters know it
};

/// mapped: weights stay the file's own bytes. widened: every weight becomes a Parameter, for training. named: there is
/// no file; what is asked for is noted, and what is given holds no numbers.
enum class Hold { mapped, widened, named };

/// A weight by the name and shape that its layer asks for.
struct NamedShape {
  std::string name;
  std::vector<int64_t> shape;

  int64_t numel() const;
};

/// A layer's matrix, as the layer knows it, with what an adapter adds.
struct AdaptedMatrix {
  std::string name;
  int64_t rows, cols;
  std::shared_ptr<const AdapterPart> low_rank;
};

/// Where a layer's matrix is kept: element i of it is element at[i] of the stored tensor.
struct StoredPlaces {
  const StoredTensor* tensor;
  std::vector<uint32_t> at;
};

class WeightStore {
 public:
  /// The rules follow from the source's layout and the configuration's architecture. `adapter`: added to the layers'
  /// matrices, or none.
  WeightStore(std::shared_ptr<const Source> source, const Config& config, Hold hold = Hold::mapped,
              std::shared_ptr<Adapter> adapter = nullptr);
  /// Hold::named: for building a model that is never run. Throws Kind::limit from whoever asks for more than a million
  /// weights, twenty times those of the largest published model.
  explicit WeightStore(const Config& config);

  Scope root() const { return Scope(state_, "", ""); }
  /// Throws Kind::mismatch if the file holds a tensor nobody asked for that no rule names ignorable, or the adapter one
  /// that no layer takes.
  void finish() const;
  /// Packs what layers multiply with, ahead of the first integer product.
  void pack(ThreadPool& pool) const;
  /// What was asked for so far, in that order, under the names layers ask by; one asked for twice is one. Empty unless
  /// widened.
  const std::vector<Parameter>& parameters() const;
  /// The same if named; empty otherwise.
  const std::vector<NamedShape>& named() const;
  /// What the adapter was asked for and adds to. Throws Kind::unsupported if that is several things for one matrix,
  /// each at a place of its own: such a matrix is not to be replaced by a sum.
  const std::vector<AdaptedMatrix>& adapted() const;
  /// Throws Kind::unsupported if elements are not kept one by one: blocks, tensors joined from several, or more than
  /// 2^32 of them.
  StoredPlaces places(const AdaptedMatrix& matrix) const;

 private:
  std::shared_ptr<Scope::State> state_;
};

}  // namespace madang
