// Low-rank adapters (LoRA, Hu et al. 2021; rsLoRA, Kalajdzievski 2023; DoRA, Liu et al. 2024) in peft's files, a folder
// with adapter_config.json and adapter_model.safetensors, or in one GGUF file as llama.cpp's converter makes it of
// them. Layers are given their part by their own names, whatever the base's file calls them; peft's names are those of
// the modules of transformers. Refused: tensors that no layer takes, factors that do not fit, embeddings, whatever
// adapter_config.h refuses.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quant/weight.h"
#include "store/adapter_config.h"
#include "store/config.h"
#include "store/parameter.h"

namespace madang {

/// What is added to one matrix W [out, in] of a layer: W + scale b a, and with a magnitude m every row of the sum is
/// brought to length m_i. Views of the adapter's own numbers, which training changes.
struct AdapterPart {
  Weight a, b;  ///< [r, in], [out, r]; float32
  float scale = 0;
  Buffer magnitude;      ///< [out], or none
  bool turned = false;   ///< the layer's matrix is [in, out], the transpose of what is added to
  bool trained = false;  ///< numbers may change between two forwards
  bool fresh = false;    ///< the magnitude is still to be filled with the lengths of W's rows
};

/// Where a layer's matrix lies in a module of transformers.
struct AdapterPlace {
  std::string module;
  std::string parameter = {};  ///< for experts that are one tensor: its name in the module
  int64_t expert = -1;         ///< which of them
  int64_t begin = 0;           ///< rows of the module's output: [begin, begin + n), or, for experts, by halves
  int64_t out = 0;             ///< of the module; 0: the layer's own
  bool turned = false;
  bool alternate = false;  ///< the two halves are the even and the odd rows
};
/// All places where a layer's matrix of this name may be, likeliest first.
std::vector<AdapterPlace> adapter_places(const std::string& layer, int64_t rows, const Config& config);

class Adapter {
 public:
  enum class Use { answer, train };

  /// A folder as peft writes it; to answer with, also a GGUF file. Throws Error.
  static std::shared_ptr<Adapter> read(const std::string& path, Use use);
  /// A new one, made as layers ask: b is zero, and a uniform within 1 / sqrt(in), drawn by seed, by the place of its
  /// name among the names of all of them in order of their bytes, and by element.
  static std::shared_ptr<Adapter> make(const AdapterConfig& config, uint64_t seed);

  /// What is added to a layer's matrix [rows, cols]; null: nothing.
  std::shared_ptr<const AdapterPart> find(const std::vector<AdapterPlace>& places, int64_t rows, int64_t cols);
  /// All layers have asked. Throws Kind::mismatch if a tensor was not taken or no layer is adapted.
  void finish();

  const AdapterConfig& config() const { return config_; }
  const std::string& path() const { return path_; }
  /// Everything that training changes, under peft's names, in the order asked for.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// A folder as peft reads it. Throws Kind::io.
  void write(const std::string& folder) const;

 private:
  struct Pair;
  Adapter(AdapterConfig config, std::string path) : config_(std::move(config)), path_(std::move(path)) {}
  Pair* pair_at(const AdapterPlace& place, int64_t rows, int64_t cols);
  Pair* read_pair(const std::string& key, const AdapterPlace& place);
  Pair* make_pair(const AdapterPlace& place, int64_t rows, int64_t cols);
  Pair* experts_at(const AdapterPlace& place, int64_t rows, int64_t cols);
  AdapterPart part(const Pair& pair, const AdapterPlace& place, int64_t rows, int64_t cols) const;
  bool take(const std::string& name, std::vector<int64_t> shape, Parameter& out);

  AdapterConfig config_;
  std::string path_;
  bool trained_ = false, fresh_ = false;
  uint64_t seed_ = 0;
  std::map<std::string, Parameter, std::less<>> untaken_;  // by peft's name
  std::map<std::string, std::shared_ptr<Pair>, std::less<>> pairs_;
  std::vector<Parameter> parameters_;
};

}  // namespace madang
