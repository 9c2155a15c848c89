// Any bytes as a tokenizer file: a tokenizer that encodes and decodes, or a typed error.
#pragma once
#include "base/error.h"
#include "text/splitter.h"
#include "text/tokenizer.h"

namespace madang::fuzz {

inline void tokenizer(const uint8_t* data, size_t size) {
  try {
    auto opened = Tokenizer::from_bytes({data, size}, "fuzz", {gpt2_expression, {{"<|end|>", 300}}});
    opened->decode(opened->encode("the quick 안녕하세요  <|end|> 1234 aaaaaaaa\n", true));
  } catch (const Error& fault) {
    if (fault.kind() == Kind::internal) __builtin_trap();
    (void)fault.render(Language::korean);
  }
}

}  // namespace madang::fuzz
