// Quantized checkpoints in safetensors: a matrix X.weight is kept as several tensors (codes, scales, zero points), in
// the layout of the scheme that config.json's quantization_config names. A scheme puts one tensor X.weight in their
// place, which is made when it is asked for, as rows of a format that kernels know (quant/grouped.h, Q4_0, Q8_0,
// MXFP4); so neither rules nor layers nor models know of schemes. Values are exactly those that the scheme's own
// library computes in float32.
//
// Schemes, one file each: gptq, awq, bitsandbytes, fp8, compressed_tensors, mxfp4. Refused by name: every other one,
// and variants whose layout differs (GPTQ for Marlin, AWQ's gemv, sparse compressed-tensors).
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "store/source.h"

namespace madang {

/// How a tensor is made of others that the file holds in its place.
struct Recipe {
  std::string label;                   ///< "GPTQ-4"
  std::vector<int64_t> shape;          ///< of what is made
  std::vector<StoredTensor> parts;     ///< none of them made
  std::function<StoredTensor()> make;  ///< shape, format, bytes and order; the name is the caller's
};

/// The tensors of a file, as a scheme rearranges them.
class Parts {
 public:
  Parts(std::vector<StoredTensor> tensors, std::string where) : tensors_(std::move(tensors)), where_(std::move(where)) {
    for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
  }

  /// Stems of all names that end so: "model.layers.0.self_attn.q_proj" for ".qweight".
  std::vector<std::string> stems(std::string_view ending) const;
  const StoredTensor* find(std::string_view name) const;  ///< null if not there
  /// Throws Kind::missing, naming what belongs to it.
  const StoredTensor& need(const std::string& name, std::string_view of) const;

  /// Puts `name` in the place of the parts of its recipe.
  void replace(const std::string& name, Recipe recipe);
  /// Leaves out what says nothing of weights.
  void forget(std::span<const std::string_view> endings);

  /// The tensors left and made, in the order of the file.
  std::vector<StoredTensor> take();
  const std::string& where() const { return where_; }

 private:
  std::vector<StoredTensor> tensors_;  // a name is emptied when its tensor goes
  void drop(const std::string& name);

  std::map<std::string, size_t, std::less<>> index_;
  std::vector<StoredTensor> made_;
  std::string where_;
};

/// A quantization_config: an object, and the file it stands in.
struct SchemeConfig {
  const Json& keys;
  std::string where;

  int64_t integer(std::string_view key, std::optional<int64_t> fallback = {}) const;
  bool flag(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, std::string_view fallback) const;
  /// Throws Kind::unsupported unless the key's text (any case) is among `known`; an absent one is `fallback`.
  std::string one_of(std::string_view key, std::string_view fallback, std::span<const std::string_view> known) const;
};

/// What the folder's config.json says of quantization, carried out; the tensors as they are if it says nothing.
/// Throws Kind::unsupported for a scheme that is not known, naming those that are.
std::vector<StoredTensor> by_scheme(const std::string& folder, std::vector<StoredTensor> tensors);

// The schemes.
void gptq(Parts& parts, const SchemeConfig& config);
void awq(Parts& parts, const SchemeConfig& config);
void bitsandbytes(Parts& parts, const SchemeConfig& config);
void fp8(Parts& parts, const SchemeConfig& config);
void compressed_tensors(Parts& parts, const SchemeConfig& config);
void mxfp4(Parts& parts, const SchemeConfig& config);

// ---- what schemes share

/// Throws Kind::mismatch, expected and found, unless the tensor has one of the types and the shape.
void check(const StoredTensor& t, std::initializer_list<DType> types, std::span<const int64_t> shape);
void check_rank(const StoredTensor& t, std::initializer_list<DType> types, size_t rank);
/// All numbers of a float tensor of any type, as float32.
std::vector<float> floats_of(const StoredTensor& t);
/// All numbers of an I32 or I64 tensor.
std::vector<int64_t> integers_of(const StoredTensor& t);

}  // namespace madang
