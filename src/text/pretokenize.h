// Cuts a normalized text into the words that the model encodes one by one: a chain of steps over pieces.
// Names and meaning are those of Hugging Face's tokenizers. Refuses what changes pieces by a model.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/pattern.h"
#include "text/splitter.h"

namespace madang {

/// The pieces between two steps. Views lie in the caller's text or in `owned`.
struct Pieces {
  std::vector<std::string_view> list;
  std::deque<std::string> owned;
  Pattern::Scratch scratch;
  bool at_text_start = true;  ///< the first piece begins the whole text (nothing was cut out before it)

  std::string_view own(std::string text) { return owned.emplace_back(std::move(text)); }
};
using PreStep = std::function<void(Pieces&)>;

/// What becomes of the parts that a step matches.
enum class Behaviour { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// By an expression; `invert` swaps what matches and what does not.
PreStep split_by_pattern(const std::string& expression, Behaviour behaviour, bool invert, const std::string& where);
/// By single characters.
PreStep split_by_character(std::function<bool(char32_t)> matches, Behaviour behaviour);
PreStep split_by_splitter(std::shared_ptr<const Splitter> splitter);
/// A blank in front of every piece that has none.
PreStep prefix_blank();
/// Bytes written as GPT-2's letters: steps behind this one see letters.
PreStep to_byte_letters();

enum class Prepend { always, first, never };
/// Blanks become `replacement`, one is put in front, and each may start a piece of its own.
PreStep metaspace(std::string replacement, Prepend prepend, bool split);
/// Pieces of a fixed number of characters.
PreStep fixed_length(size_t characters);

/// Category P as of Unicode 8 (Hugging Face's tables), and ASCII's symbols.
bool is_punctuation(char32_t c);

}  // namespace madang
