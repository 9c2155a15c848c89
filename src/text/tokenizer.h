// A tokenizer: text to token ids and back, as the model's own tokenizer does it (docs: README of Hugging Face
// tokenizers, sentencepiece's model proto, tiktoken, RWKV's trie). One class for every kind of file; what differs
// between kinds lies in the parts it is made of (normalize.h, pretokenize.h, word_model.h, decode.h).
// It refuses: training a vocabulary, dropout and sampling of segmentations, offsets into the text.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace madang {

/// What a .tiktoken file does not carry. Empty fields are filled in for well-known vocabularies (tiktoken.cpp).
struct TiktokenExtras {
  std::string pattern;                                   ///< splits the text first
  std::vector<std::pair<std::string, int32_t>> special;  ///< name and id, above the ranks
  std::string tokenizer_class;  ///< as tokenizer_config.json has it: of vocabularies with the same ranks, whose
};

/// A vocabulary as GGUF metadata holds it ("tokenizer.ggml.*"), in neutral form: the reader of the file fills it.
struct Vocabulary {
  std::string where;                 ///< the file, for errors
  std::string model;                 ///< "gpt2", "llama", "t5", "rwkv", "bert"
  std::string name;                  ///< the model's ("general.name"): Phi-3's special tokens swallow blanks
  std::string pre;                   ///< name of the pre-tokenizer; empty where the file has none
  std::vector<std::string> tokens;   ///< at least one
  std::vector<float> scores;         ///< empty, or one a token
  std::vector<int32_t> types;        ///< empty, or one a token: TokenType
  std::vector<std::string> merges;   ///< "left right", the first merges first
  std::string precompiled_charsmap;  ///< bytes; sentencepiece's character map ("t5")
  std::optional<int32_t> bos, eos, unk, pad, eot;
  std::optional<bool> add_bos, add_eos, add_space_prefix, remove_extra_whitespaces;
  std::optional<std::string> unknown_text;  ///< what an unknown token writes; its spelling where not given
};

/// sentencepiece's piece types, which GGUF keeps.
enum class TokenType : int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct TokenizerParts;  // tokenizer_parts.h

class Tokenizer {
 public:
  /// tokenizer.json, tokenizer.model (sentencepiece), *.tiktoken, RWKV's vocabulary, llama2.c's tokenizer.bin, told
  /// apart by their bytes; or a folder: the best one inside (in that order). Throws Error: missing, format,
  /// unsupported.
  static std::shared_ptr<const Tokenizer> open(const std::string& path, const TiktokenExtras& extras = {});
  /// The same from a file's bytes. `where` names it in errors.
  static std::shared_ptr<const Tokenizer> from_bytes(std::span<const uint8_t> bytes, const std::string& where,
                                                     const TiktokenExtras& extras = {});
  static std::shared_ptr<const Tokenizer> from_vocabulary(Vocabulary vocabulary);
  /// For the readers of the single kinds.
  explicit Tokenizer(std::unique_ptr<TokenizerParts> parts);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// Never adds BOS or EOS. Names of special tokens in the text are those tokens only with `parse_special`; added
  /// tokens that are not special always are. Broken UTF-8 is read as U+FFFD. Safe to call from many threads.
  std::vector<int32_t> encode(std::string_view text, bool parse_special) const;
  /// Special tokens written out, broken UTF-8 as U+FFFD, the blank of a dummy prefix taken away.
  /// Throws Kind::mismatch for an id outside 0..size()-1.
  std::string decode(std::span<const int32_t> ids) const;

  int32_t size() const;  ///< one more than the largest id
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;
  std::optional<int32_t> unk() const;
  std::optional<int32_t> pad() const;
  /// Tokens that end an answer: eos, the end of a turn where the file names it, and special tokens spelled like one.
  const std::vector<int32_t>& ends() const;
  bool add_bos() const;  ///< the model was trained with BOS in front: callers put it there
  bool add_eos() const;

  /// By exact spelling in the file ("<s>", "Ġthe", "▁the").
  std::optional<int32_t> id_of(std::string_view token) const;
  std::string token_text(int32_t id) const;   ///< the spelling in the file; empty for a hole
  std::string token_bytes(int32_t id) const;  ///< the bytes it stands for inside a text; empty for a hole
  bool is_special(int32_t id) const;          ///< control tokens, also unknown
  const std::string& kind() const;            ///< for people: "byte-level BPE", "sentencepiece BPE", ...

  const TokenizerParts& parts() const { return *parts_; }

 private:
  std::unique_ptr<const TokenizerParts> parts_;  // never changes once opened
};

}  // namespace madang
