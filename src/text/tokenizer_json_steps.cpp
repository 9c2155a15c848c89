#include "text/tokenizer_json_steps.h"

#include <algorithm>

#include "base/error.h"
#include "text/base64.h"
#include "text/unicode.h"

namespace madang {
namespace {

[[noreturn]] void refuse(const char* what, const std::string& type, const std::string& where) {
  throw Error(Kind::unsupported, say("tokenizer.json: the {} {} is not built", what, type)).at(where);
}

// Sequences inside sequences, laid flat. `member` is where a sequence keeps its steps.
void flatten(const Json& settings, const char* member, std::vector<Json>& out) {
  if (settings.is_null()) return;
  if (settings.at("type") != "Sequence") return out.push_back(settings);
  for (const Json& step : settings.at(member)) flatten(step, member, out);
}

std::vector<Json> flat(const Json& settings, const char* member) {
  std::vector<Json> out;
  flatten(settings, member, out);
  return out;
}

NormalizeStep normalizer_of(const Json& s, const std::string& where) {
  std::string type = s.at("type");
  if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD")
    return unicode_form(type, where, tokenizers_unicode);
  if (type == "Lowercase") return lowercase();
  if (type == "StripAccents") return strip_accents(false);
  if (type == "Strip") return strip_blanks(s.value("strip_left", true), s.value("strip_right", true));
  if (type == "Prepend") return prepend(s.at("prepend"));
  if (type == "Nmt") return nmt();
  if (type == "ByteLevel") return byte_letters();
  if (type == "Precompiled") {
    const Json& map = s.at("precompiled_charsmap");
    if (map.is_null() || map.get<std::string>().empty()) return [](std::string text) { return text; };
    return precompiled_by_graphemes(decode_base64(map.get<std::string>(), where), where);
  }
  if (type == "BertNormalizer") {
    bool lower = s.value("lowercase", true);
    bool accents =
        !s.contains("strip_accents") || s["strip_accents"].is_null() ? lower : s["strip_accents"].get<bool>();
    return bert(s.value("clean_text", true), s.value("handle_chinese_chars", true), accents, lower);
  }
  if (type == "Replace") {
    const Json& pattern = s.at("pattern");
    if (pattern.contains("String")) return replace_literal(pattern["String"], s.at("content"));
    return replace_pattern(pattern.at("Regex"), s.at("content"), where);
  }
  refuse("normalizer", type, where);
}

Behaviour behaviour_of(const Json& s, const std::string& where) {
  std::string name = s.value("behavior", "Isolated");
  if (name == "Removed") return Behaviour::removed;
  if (name == "Isolated") return Behaviour::isolated;
  if (name == "MergedWithPrevious") return Behaviour::merged_with_previous;
  if (name == "MergedWithNext") return Behaviour::merged_with_next;
  if (name == "Contiguous") return Behaviour::contiguous;
  refuse("split behaviour", name, where);
}

std::string expression_of(const Json& s) {
  const Json& pattern = s.at("pattern");
  return pattern.contains("String") ? quote_pattern(pattern["String"].get<std::string>())
                                    : pattern.at("Regex").get<std::string>();
}

PreStep split_of(const Json& s, const std::string& where) {
  Behaviour behaviour = behaviour_of(s, where);
  bool invert = s.value("invert", false);
  if (behaviour == Behaviour::isolated)  // what matches and what does not are pieces alike
    return split_by_splitter(make_splitter(expression_of(s), Dialect::oniguruma, where));
  return split_by_pattern(expression_of(s), behaviour, invert, where);
}

PreStep metaspace_of(const Json& s) {
  // Older files say add_prefix_space where newer ones say prepend_scheme.
  std::string scheme = s.value("prepend_scheme", s.value("add_prefix_space", true) ? "always" : "never");
  Prepend when = scheme == "first" ? Prepend::first : scheme == "never" ? Prepend::never : Prepend::always;
  return metaspace(s.at("replacement"), when, s.value("split", true));
}

// All but ByteLevel.
PreStep pretokenizer_of(const Json& s, const std::string& where) {
  std::string type = s.at("type");
  if (type == "Split") return split_of(s, where);
  if (type == "Metaspace") return metaspace_of(s);
  if (type == "Digits")
    return split_by_character(is_number,
                              s.value("individual_digits", false) ? Behaviour::isolated : Behaviour::contiguous);
  if (type == "Punctuation") return split_by_character(is_punctuation, behaviour_of(s, where));
  if (type == "WhitespaceSplit") return split_by_character(is_space, Behaviour::removed);
  if (type == "Whitespace") return split_by_pattern("\\w+|[^\\w\\s]+", Behaviour::removed, true, where);
  if (type == "BertPreTokenizer") {
    auto blanks = split_by_character(is_space, Behaviour::removed);
    auto marks = split_by_character(is_punctuation, Behaviour::isolated);
    return [=](Pieces& pieces) { blanks(pieces), marks(pieces); };
  }
  if (type == "CharDelimiterSplit") {
    std::string text = s.at("delimiter");
    if (text.empty()) refuse("delimiter", text, where);
    char32_t delimiter = code_point(text, 0).value;
    return split_by_character([=](char32_t c) { return c == delimiter; }, Behaviour::removed);
  }
  if (type == "FixedLength") return fixed_length(std::max<int64_t>(1, s.value("length", int64_t{5})));
  refuse("pre-tokenizer", type, where);
}

struct DecodeSteps {
  std::vector<DecodeStep> steps;
  bool position_matters = false, fused = false;
};

void add_decode_step(const Json& s, const std::string& where, Decoder& decoder, DecodeSteps& out) {
  std::string type = s.at("type");
  auto add = [&](DecodeStep step) { out.steps.push_back(std::move(step)); };
  if (type == "ByteLevel") return add(decode_byte_letters());
  if (type == "ByteFallback") return add(decode_byte_fallback());
  if (type == "BPEDecoder") return add(decode_suffix(s.value("suffix", "</w>")));
  if (type == "Fuse") return void(out.fused = true);
  if (type == "Metaspace") {
    out.position_matters = true;
    bool drops = s.contains("prepend_scheme") ? s["prepend_scheme"] != "never" : s.value("add_prefix_space", true);
    return add(decode_metaspace(s.at("replacement"), drops));
  }
  if (type == "WordPiece") {
    out.position_matters = true;
    return add(decode_wordpiece(s.value("prefix", "##"), s.value("cleanup", true)));
  }
  if (type == "Replace" && s.at("pattern").contains("String"))
    return add(decode_replace(s["pattern"]["String"], s.at("content")));
  if (type == "Strip") {
    std::string what = s.value("content", " ");
    int32_t start = s.value("start", 0), end = s.value("stop", 0);
    if (what.size() != 1 || start < 0 || end < 0) refuse("decoder", "Strip " + what, where);
    if (!out.fused) return add(decode_strip(what[0], start, end));
    decoder.strip = what[0];
    decoder.strip_start = start;
    decoder.strip_end = end;
    return;
  }
  refuse("decoder", type, where);
}

}  // namespace

std::vector<NormalizeStep> normalizers_of(const Json& settings, const std::string& where) {
  std::vector<NormalizeStep> out;
  for (const Json& step : flat(settings, "normalizers")) out.push_back(normalizer_of(step, where));
  return out;
}

bool has_step(const Json& settings, const std::string& type) {
  if (settings.is_object() && settings.contains("type") && settings["type"] == type) return true;
  for (const char* member : {"normalizers", "pretokenizers", "decoders"})
    if (settings.is_object() && settings.contains(member))
      for (const Json& step : settings[member])
        if (has_step(step, type)) return true;
  return false;
}

void add_pretokenizers(const Json& settings, const std::string& where, TokenizerParts& parts) {
  std::vector<Json> steps = flat(settings, "pretokenizers");
  auto is = [&](size_t i, const char* type) { return i < steps.size() && steps[i].at("type") == type; };
  // A blank in front and the letters of bytes are ByteLevel's two other habits.
  auto plain = [&](size_t i) {
    return is(i, "ByteLevel") && !steps[i].value("add_prefix_space", true) && i + 1 == steps.size();
  };
  auto splits = [&](size_t i) { return steps[i].value("use_regex", true); };
  if (plain(0) && splits(0)) {
    parts.splitter = make_splitter(gpt2_expression, Dialect::oniguruma, where);
    return;
  }
  if (is(0, "Split") && plain(1) && !splits(1) && behaviour_of(steps[0], where) == Behaviour::isolated) {
    parts.splitter = make_splitter(expression_of(steps[0]), Dialect::oniguruma, where);
    return;
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!is(i, "ByteLevel")) {
      parts.pre.push_back(pretokenizer_of(steps[i], where));
      continue;
    }
    if (steps[i].value("add_prefix_space", true)) parts.pre.push_back(prefix_blank());
    if (splits(i)) parts.pre.push_back(split_by_splitter(make_splitter(gpt2_expression, Dialect::oniguruma, where)));
    if (i + 1 == steps.size()) continue;  // nobody would see the letters
    parts.pre.push_back(to_byte_letters());
    parts.from_letters = true;
  }
}

void add_decoder(const Json& settings, const TokenTable& written, const std::string& where, Decoder& decoder) {
  DecodeSteps out;
  for (const Json& step : flat(settings, "decoders")) add_decode_step(step, where, decoder, out);
  if (settings.is_null()) {
    out.steps.push_back(decode_apart());
    out.position_matters = true;
  }
  build_decoder(written, out.steps, out.position_matters, decoder);
}

void add_postprocessor(const Json& settings, TokenizerParts& parts) {
  if (!settings.is_object()) return;
  std::string type = settings.value("type", "");
  auto id_of = [&](const Json& name) -> std::optional<int32_t> {
    int32_t id = name.is_string() ? parts.spellings.find(name.get<std::string>()) : -1;
    return id < 0 ? std::nullopt : std::optional(id);
  };
  if (type == "Sequence") {
    for (const Json& one : settings.at("processors")) add_postprocessor(one, parts);
  } else if (type == "TemplateProcessing") {
    bool behind = false;
    for (const Json& one : settings.at("single")) {
      if (one.contains("Sequence")) behind = true;
      if (!one.contains("SpecialToken")) continue;
      (behind ? parts.eos : parts.bos) = id_of(one["SpecialToken"].at("id"));
      (behind ? parts.add_eos : parts.add_bos) = true;
    }
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    parts.bos = id_of(settings.at("cls").at(0));
    parts.eos = id_of(settings.at("sep").at(0));
    parts.add_bos = parts.add_eos = true;
  }
}

}  // namespace madang
