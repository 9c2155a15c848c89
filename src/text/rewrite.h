// A tokenizer of one kind of file said in the other kind: what conversions carry. Both ways are proved before they are
// given out: the new one must give the ids of the old one for texts of many scripts.
// Refused: unigram and WordPiece vocabularies, pre-tokenizers that GGUF has no name for.
#pragma once
#include <memory>
#include <string>

#include "base/json.h"
#include "text/tokenizer.h"

namespace madang {

/// The tokenizer files of a folder as GGUF keeps them. `vocabulary_size`: ids up to it exist, named or not.
/// Throws Kind::missing if the folder holds none, Kind::unsupported.
Vocabulary vocabulary_of_folder(const std::string& folder, int64_t vocabulary_size);

/// tokenizer.json of what GGUF keeps. Throws Kind::unsupported.
Json tokenizer_json_of(const Vocabulary& vocabulary);
/// rwkv_vocab_v20230424.txt of what GGUF keeps of an RWKV World vocabulary. Throws Kind::unsupported.
std::string world_file_of(const Vocabulary& vocabulary);
/// tokenizer_config.json beside it, with or without a chat template.
Json tokenizer_config_of(const Tokenizer& tokenizer, const std::string& chat_template);

/// Throws Kind::unsupported naming the first text that the two cut differently.
void same_tokenizer(const Tokenizer& was, const Tokenizer& is);

}  // namespace madang
