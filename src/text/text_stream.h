// Text out of a stream of token ids. Emits only whole characters: a Hangul syllable that two tokens share appears
// when its last byte has come. What was emitted is never taken back, and all of it equals Tokenizer::decode of the
// tokens that are not silent.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace madang {

/// By id: tokens that write nothing. Shorter than the vocabulary is fine; null: every token writes its text.
using SilentTokens = std::shared_ptr<const std::vector<bool>>;

class TextStream {
 public:
  explicit TextStream(std::shared_ptr<const Tokenizer> tokenizer, SilentTokens silent = {});
  /// The text that this token completes, often empty. An id outside the vocabulary adds nothing.
  std::string push(int32_t id);
  /// What is left: an unfinished character becomes U+FFFD. The stream may then start anew.
  std::string finish();

 private:
  std::string emit(bool last);

  std::shared_ptr<const Tokenizer> tokenizer_;
  SilentTokens silent_;
  std::string held_;        // bytes that may still change their meaning
  bool first_ = true;       // no token has come yet
  bool blank_due_ = false;  // a blank that only a next token brings out
  int32_t strip_left_ = 0;  // leading blanks still to be taken away
};

}  // namespace madang
