// A configuration as GGUF metadata, in the keys that llama.cpp asks for, and the small tensors in which GGUF keeps what
// repositories keep in config.json.
// Refused: architectures GGUF has no name for, and settings that its keys cannot say (found by reading back what was
// written: same_in_gguf).
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "store/config.h"
#include "store/gguf_write.h"

namespace madang {

/// general.architecture: llama.cpp's own name. Throws Kind::unsupported.
std::string gguf_architecture(const Config& config);
/// The architecture's keys, and nothing of tokenizer or general.
void write_config(GgufHeader& out, const Config& config);

/// Divisors of rotary frequencies, where the configuration stretches them: rope_freqs, or rope_factors_short and _long.
struct RopeTensor {
  std::string name;
  std::vector<float> values;
};
std::vector<RopeTensor> rope_tensors(const Config& config);

/// Throws Kind::unsupported naming the first setting that a GGUF, read back, says otherwise than the source.
void same_in_gguf(const Config& source, const Config& written);

/// Sizes of pairs' wavelengths against those of training, Llama 3.1's way: what divides each pair's frequency.
std::vector<float> llama3_factors(const RopeParameters& rope, int64_t rotary, double trained);

}  // namespace madang
