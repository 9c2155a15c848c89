// What each token writes. Decoders of tokenizer.json look at one token at a time, and at whether it is the first:
// so a decoder is two tables of texts, made once, and what is taken off the whole.
// Refuses: decoders that look further (CTC).
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/token_table.h"

namespace madang {

struct Decoder {
  TokenTable rest;                ///< bytes of a token
  TokenTable first;               ///< its bytes as the first of all, where that differs (empty: nowhere)
  std::vector<bool> blank_after;  ///< a blank between it and the next token (empty: nowhere)
  int32_t strip_start = 0;        ///< so many of `strip` are taken off the beginning of the text
  int32_t strip_end = 0;          ///< and off its end
  char strip = ' ';

  std::string_view bytes(int32_t id, bool is_first) const { return is_first && first.size() ? first[id] : rest[id]; }
  bool ends_word(int32_t id) const {
    return id >= 0 && id < static_cast<int32_t>(blank_after.size()) && blank_after[id];
  }
  std::string decode(std::span<const int32_t> ids) const;
};

/// One token's way through a decoder: its text changes; `blank_after` may be set.
struct TokenText {
  std::string text;
  bool is_first = false;
  bool blank_after = false;
};
using DecodeStep = std::function<void(TokenText&)>;

DecodeStep decode_byte_letters();
DecodeStep decode_metaspace(std::string replacement, bool drops_first);
DecodeStep decode_wordpiece(std::string prefix, bool cleanup);
DecodeStep decode_suffix(std::string suffix);
DecodeStep decode_replace(std::string from, std::string to);
DecodeStep decode_byte_fallback();
DecodeStep decode_strip(char what, int32_t start, int32_t end);
/// Without a decoder, tokens stand apart.
DecodeStep decode_apart();

/// Sends every token of `spellings` through the steps. `position_matters`: the first token's text may differ.
void build_decoder(const TokenTable& spellings, const std::vector<DecodeStep>& steps, bool position_matters,
                   Decoder& decoder);

/// "<0x0A>" is 10; -1 for any other spelling.
int byte_of_piece(std::string_view piece);

}  // namespace madang
