// The parts that a tokenizer is made of, in the order in which a text meets them. Readers of the single kinds of
// files (tokenizer_json.cpp, sentencepiece_model.cpp, tiktoken.cpp, rwkv.cpp, vocabulary.cpp) put them together.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/decode.h"
#include "text/normalize.h"
#include "text/pretokenize.h"
#include "text/splitter.h"
#include "text/tokenizer.h"
#include "text/word_model.h"

namespace madang {

struct TokenizerParts {
  std::string kind, where;

  AddedTokens raw_added;                     // 1. cut out of the text as it comes
  std::vector<NormalizeStep> normalizers;    // 2. the rest is normalized
  AddedTokens normalized_added;              // 3. cut out of the normalized text
  std::vector<PreStep> pre;                  // 4. cut into words,
  std::shared_ptr<const Splitter> splitter;  //  or by this alone, word by word, without a list of them
  bool from_letters = false;                 //    words are GPT-2's letters: back to bytes
  std::unique_ptr<WordModel> model;          // 5. ids
  Decoder decoder;                           // and back

  TokenTable spellings;       // as the file writes tokens
  TokenTable tokens;          // as the model looks them up
  std::vector<bool> special;  // by id; may be shorter than the vocabulary
  std::optional<int32_t> bos, eos, unk, pad, eot;
  std::vector<int32_t> ends;
  bool add_bos = false, add_eos = false;

  void mark_special(int32_t id) {
    if (id >= static_cast<int32_t>(special.size())) special.resize(static_cast<size_t>(id) + 1);
    special[id] = true;
  }
};

// The readers. `where` names the file in errors.
std::unique_ptr<TokenizerParts> read_tokenizer_json(std::string_view text, const std::string& where);
/// bos, eos and the like from the tokenizer_config.json beside it.
void read_tokenizer_config(std::string_view text, const std::string& where, TokenizerParts& parts);
std::string tokenizer_class_of(std::string_view text, const std::string& where);  ///< of the same file; "" if unsaid
std::unique_ptr<TokenizerParts> read_tiktoken(std::string_view text, const std::string& where,
                                              const TiktokenExtras& extras);
std::unique_ptr<TokenizerParts> read_rwkv(std::string_view text, const std::string& where);
Vocabulary read_sentencepiece_model(std::string_view bytes, const std::string& where);
/// llama2.c's tokenizer.bin.
Vocabulary read_llama2c(std::string_view bytes, const std::string& where);
std::unique_ptr<TokenizerParts> assemble(Vocabulary vocabulary);

}  // namespace madang
