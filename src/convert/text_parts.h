// What belongs to a model beside its weights, carried from one kind of file to the other: tokenizer, chat template, and
// what its makers recommend for answering.
#pragma once
#include <optional>
#include <string>

#include "engine/checkpoint.h"
#include "store/gguf_write.h"

namespace madang {

struct TextParts {
  std::optional<Vocabulary> vocabulary;  ///< none: the model takes ids
};
/// Throws Kind::unsupported if GGUF cannot say the tokenizer.
TextParts text_parts_of(const Checkpoint& checkpoint);
void write_text_parts(GgufHeader& out, const TextParts& parts, const Checkpoint& checkpoint);

/// tokenizer.json, tokenizer_config.json, generation_config.json: a repository's own files as they are, or made of GGUF
/// metadata.
void write_text_files(const std::string& folder, const Checkpoint& checkpoint);
/// Throws Kind::io.
void write_text_file(const std::string& folder, const std::string& name, std::string_view text);

}  // namespace madang
