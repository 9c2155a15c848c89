// A low-rank adapter in GGUF, as llama.cpp's convert_lora_to_gguf.py writes it: NAME.lora_a [r, in] and NAME.lora_b
// [out, r] for tensors that GGUF files of the base's architecture call NAME, rows lying as theirs do; of stacks of
// experts a stack of each; adapter.lora.alpha. It is told in peft's terms, the modules being GGUF's tensors.
// Refused: GGUF files that are no LoRA adapter, adapters that wait for certain tokens (aLoRA), halves of pairs, factors
// that do not multiply, tensors that are neither half.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "store/adapter.h"
#include "store/rules.h"

namespace madang {

/// What adapter_config.json would say, and the base's architecture by GGUF's name under adapter_architecture.
Json gguf_adapter_config(const std::string& path);
constexpr const char* adapter_architecture = "general.architecture";

/// The factors by peft's names.
std::map<std::string, Parameter, std::less<>> gguf_adapter_factors(const std::string& path);

/// Where a layer's matrix may lie in files of GGUF, and by which rule.
struct GgufPlace {
  AdapterPlace place;
  const Rule* rule;
  std::vector<std::string> pieces;  ///< of the layer's name
};
std::vector<GgufPlace> gguf_adapter_places(const std::string& layer, int64_t rows, const Config& config);

}  // namespace madang
