// The pre-tokenizers that GGUF files name in "tokenizer.ggml.pre": one row each, as a tokenizer.json would say it.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"

namespace madang {

struct PreRow {
  const char* names;  ///< separated by blanks
  Json (*pre_tokenizer)();
  const char* normalizer = "";  ///< a Unicode form
  bool whole_words = false;     ///< a word of the vocabulary is its token, whatever the merges say
  bool add_bos = false;         ///< where the file does not say
};

/// The row of a name; an empty one is that of GPT-NeoX, the one family whose files were made before the key was.
/// Throws Kind::unsupported for a name that no row has: a wrong pre-tokenizer would spoil every answer silently.
const PreRow& pre_row(const std::string& name, const std::string& where);

/// One name of every row.
std::vector<std::string> pre_names();

}  // namespace madang
