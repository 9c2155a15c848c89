// What a tokenizer does to the text before it cuts it: a chain of steps, string to string.
// Names and meaning are those of Hugging Face's tokenizers; sentencepiece's character map is read from its own bytes.
// Refuses: normalizers that change the text by a model (there are none among real files).
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/pattern.h"

namespace madang {

/// One step. Takes and gives valid UTF-8; safe to call from many threads.
using NormalizeStep = std::function<std::string(std::string)>;

/// "NFC", "NFD", "NFKC" or "NFKD". Throws Kind::unsupported for any other name. With `newest`, characters that came
/// after that version of Unicode pass as they are: Hugging Face's tables are those of Unicode 9.
NormalizeStep unicode_form(const std::string& name, const std::string& where, int newest = 0);
inline constexpr int tokenizers_unicode = 9;
/// Character by character, so without Greek's final sigma.
NormalizeStep lowercase();
/// Drops combining marks: all of them, or only those without width.
NormalizeStep strip_accents(bool only_nonspacing);
NormalizeStep strip_blanks(bool left, bool right);
NormalizeStep replace_literal(std::string from, std::string to);
NormalizeStep replace_pattern(const std::string& expression, std::string to, const std::string& where);
/// In front of any text that is not empty.
NormalizeStep prepend(std::string prefix);
/// BERT's: control characters away, blanks plain, blanks around Chinese characters, accents away, lower case.
NormalizeStep bert(bool clean, bool chinese, bool accents, bool lower);
/// sentencepiece's nmt rules: control characters away, uncommon blanks plain.
NormalizeStep nmt();
/// Bytes written as GPT-2's letters.
NormalizeStep byte_letters();

/// sentencepiece's compiled character map: a double array of prefixes and the texts that take their place.
class CharacterMap {
 public:
  /// Throws Kind::format where the sizes do not fit.
  CharacterMap(std::string_view bytes, const std::string& where);

  struct Match {
    size_t size = 0;  ///< bytes replaced; 0: none
    std::string_view text;
  };
  Match shortest(std::string_view text) const { return match(text, true); }
  Match longest(std::string_view text) const { return match(text, false); }

 private:
  Match match(std::string_view text, bool first) const;

  std::vector<uint32_t> units_;
  std::string texts_;
};

/// The map as tokenizer.json's "Precompiled" applies it: to whole user-perceived characters, then to single ones.
NormalizeStep precompiled_by_graphemes(std::string_view bytes, const std::string& where);

/// sentencepiece's own normalizer (its normalizer_spec).
struct SentencePieceRules {
  std::string character_map;  ///< empty: none
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = false;
  bool escape_whitespaces = true;  ///< blanks written as U+2581
};
NormalizeStep sentencepiece(const SentencePieceRules& rules, const std::string& where);

/// U+2581, which stands for a blank inside vocabularies.
inline constexpr std::string_view blank_mark = "\u2581";

std::string replace_all(std::string text, std::string_view from, std::string_view to);

}  // namespace madang
