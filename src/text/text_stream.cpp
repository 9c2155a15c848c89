#include "text/text_stream.h"

#include <algorithm>

#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace madang {

TextStream::TextStream(std::shared_ptr<const Tokenizer> tokenizer, SilentTokens silent)
    : tokenizer_(std::move(tokenizer)),
      silent_(std::move(silent)),
      strip_left_(tokenizer_->parts().decoder.strip_start) {}

std::string TextStream::push(int32_t id) {
  if (id < 0 || id >= tokenizer_->size()) return {};
  if (silent_ && id < static_cast<int32_t>(silent_->size()) && (*silent_)[id]) return {};
  const Decoder& decoder = tokenizer_->parts().decoder;
  if (blank_due_) held_ += ' ';
  std::string_view bytes = decoder.bytes(id, first_);
  first_ = false;
  blank_due_ = decoder.ends_word(id);
  held_ += bytes;
  // Only what comes first may be taken off: the first other byte ends it.
  size_t taken = 0;
  while (strip_left_ > 0 && taken < held_.size()) {
    if (held_[taken] != decoder.strip) {
      strip_left_ = 0;
      break;
    }
    ++taken;
    --strip_left_;
  }
  held_.erase(0, taken);
  return emit(false);
}

std::string TextStream::finish() {
  std::string text = emit(true);
  held_.clear();
  first_ = true;
  blank_due_ = false;
  strip_left_ = tokenizer_->parts().decoder.strip_start;
  return text;
}

std::string TextStream::emit(bool last) {
  const Decoder& decoder = tokenizer_->parts().decoder;
  // Blanks that a following end would take away wait for what comes next.
  size_t trailing = 0;
  if (decoder.strip_end > 0)
    while (trailing < held_.size() && held_[held_.size() - 1 - trailing] == decoder.strip) ++trailing;
  size_t ready = held_.size();
  if (last)
    ready -= std::min<size_t>(trailing, static_cast<size_t>(decoder.strip_end));
  else if (trailing)
    ready -= trailing;
  else
    ready -= unfinished_utf8(held_);
  std::string text = repair_utf8(std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
  return text;
}

}  // namespace madang
