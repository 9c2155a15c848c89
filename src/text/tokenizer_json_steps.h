// The settings of a tokenizer.json made into steps: "normalizer", "pre_tokenizer", "decoder", "post_processor".
// Refuses (Kind::unsupported) the types that no step here does; broken settings throw Json's exceptions.
#pragma once
#include <string>

#include "base/json.h"
#include "text/tokenizer_parts.h"

namespace madang {

std::vector<NormalizeStep> normalizers_of(const Json& settings, const std::string& where);
/// Fills pre, splitter and from_letters.
void add_pretokenizers(const Json& settings, const std::string& where, TokenizerParts& parts);
/// `written`: the tokens as they enter the decoder.
void add_decoder(const Json& settings, const TokenTable& written, const std::string& where, Decoder& decoder);
/// Whether the ready-made sequence begins with BOS and ends with EOS, and which they are.
void add_postprocessor(const Json& settings, TokenizerParts& parts);
/// Whether some step of that type is inside, at any depth of sequences.
bool has_step(const Json& settings, const std::string& type);

}  // namespace madang
