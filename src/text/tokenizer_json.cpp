// Hugging Face's tokenizer.json: the whole pipeline stands in the file.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/json_members.h"
#include "text/tokenizer_json_steps.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace madang {
namespace {

// What the file says, and what has been made of it so far.
struct Builder {
  const JsonMembers& file;
  const std::string& where;
  TokenizerParts& parts;
  const Json& model;
  bool byte_level;                                              // the vocabulary is written in GPT-2's letters
  std::vector<std::pair<int32_t, std::string>> rewritten = {};  // normalized added tokens: they decode as looked for

  Json setting(const char* name) const { return model.contains(name) ? model[name] : Json(); }
  std::string text(const char* name) const { return setting(name).is_string() ? setting(name).get<std::string>() : ""; }
  bool flag(const char* name) const { return setting(name).is_boolean() && setting(name).get<bool>(); }

  // Bytes that a spelling stands for when the model looks it up; false if no text can lead there.
  bool bytes_of(const std::string& spelling, std::string& bytes) const {
    if (byte_level) return bytes_of_letters(spelling, bytes);
    bytes = spelling;
    return true;
  }

  int32_t find(const std::string& spelling) const {
    std::string bytes;
    return bytes_of(spelling, bytes) ? parts.tokens.find(bytes) : -1;
  }

  void read_vocab() {
    size_t total = 0;
    for (const auto& [piece, number] : file.vocab) total += piece.size();
    parts.spellings.reserve(file.vocab.size(), total);
    parts.tokens.reserve(file.vocab.size(), total);
    std::string bytes;
    for (size_t i = 0; i < file.vocab.size(); ++i) {
      const auto& [piece, number] = file.vocab[i];
      auto id = static_cast<int32_t>(i);
      if (!file.vocab_is_list) {
        if (!(number >= 0 && number < 1e9 && number == std::floor(number)))
          throw Error(Kind::format, say("token id {} is out of range", number)).at(where).found(piece);
        id = static_cast<int32_t>(number);
      }
      parts.spellings.add(id, piece, where);
      if (bytes_of(piece, bytes))
        parts.tokens.add(id, bytes, where);
      else
        parts.tokens.add_unreachable(id, piece, where);
    }
  }

  void read_added_tokens(const Json& list) {
    for (const Json& one : list) {
      AddedToken token;
      int64_t id = one.at("id");
      token.id = static_cast<int32_t>(std::min<int64_t>(id, INT32_MAX));
      token.content = one.at("content");
      token.special = one.value("special", false);
      token.normalized = one.value("normalized", !token.special);
      token.single_word = one.value("single_word", false);
      token.lstrip = one.value("lstrip", false);
      token.rstrip = one.value("rstrip", false);
      parts.spellings.add(token.id, token.content, where);
      if (token.special) parts.mark_special(token.id);
      if (token.normalized) {
        for (const NormalizeStep& step : parts.normalizers) token.content = step(std::move(token.content));
        rewritten.emplace_back(token.id, token.content);
      }
      bool normalized = token.normalized;
      (normalized ? parts.normalized_added : parts.raw_added).add(std::move(token));
    }
  }

  Fallback fallback() const {
    Fallback out;
    out.bytes = flag("byte_fallback");
    out.fuse_unknown = flag("fuse_unk");
    if (model.contains("unk_token") && model["unk_token"].is_string())
      out.unknown = parts.spellings.find(text("unk_token"));
    if (out.bytes)
      for (int b = 0; b < 256; ++b) out.byte_ids[b] = parts.spellings.find(fmt::format("<0x{:02X}>", b));
    return out;
  }

  std::unique_ptr<WordModel> bpe() const {
    BpeRules rules;
    rules.byte_symbols = byte_level;
    rules.whole_words = flag("ignore_merges");
    rules.fallback = fallback();
    std::string prefix = text("continuing_subword_prefix");
    bytes_of(prefix, rules.prefix);
    bytes_of(text("end_of_word_suffix"), rules.suffix);
    std::vector<Merge> merges;
    merges.reserve(file.merges.size());
    for (const auto& [left, right] : file.merges) {
      bool inner = !prefix.empty() && right.starts_with(prefix);
      Merge merge{find(left), find(right), find(left + (inner ? right.substr(prefix.size()) : right))};
      if (merge.left < 0 || merge.right < 0 || merge.result < 0)
        throw Error(Kind::format, say("a merge names a piece that the vocabulary lacks"))
            .at(where)
            .found(left + " " + right);
      merges.push_back(merge);
    }
    return make_bpe(parts.tokens, std::move(rules), merges);
  }

  std::unique_ptr<WordModel> unigram() const {
    Fallback rules = fallback();
    rules.fuse_unknown = true;
    if (setting("unk_id").is_number_integer()) {
      int64_t unknown = setting("unk_id");
      if (unknown < 0 || unknown >= parts.tokens.size())
        throw Error(Kind::format, say("token id {} is out of range", unknown)).at(where);
      rules.unknown = static_cast<int32_t>(unknown);
    }
    std::vector<double> scores;
    for (const auto& [piece, score] : file.vocab) scores.push_back(score);
    double lowest = scores.empty() ? 0 : *std::min_element(scores.begin(), scores.end());
    return make_unigram(parts.tokens, std::move(scores), std::vector<bool>(file.vocab.size(), true), rules, lowest,
                        false);
  }

  // Files of the first years do not name the model's type.
  std::string type() const {
    if (setting("type").is_string()) return text("type");
    return file.vocab_is_list                                                   ? "Unigram"
           : model.contains("continuing_subword_prefix") && file.merges.empty() ? "WordPiece"
                                                                                : "BPE";
  }

  void build_model() {
    std::string kind = type();
    if ((kind == "Unigram") != file.vocab_is_list)
      throw Error(Kind::format, say("the tokenizer's vocabulary is not of the kind that {} needs", kind)).at(where);
    if (kind == "BPE")
      parts.model = bpe();
    else if (kind == "Unigram")
      parts.model = unigram();
    else if (kind == "WordPiece")
      parts.model = make_wordpiece(parts.tokens, model.value("continuing_subword_prefix", "##"),
                                   parts.spellings.find(model.value("unk_token", "[UNK]")),
                                   model.value("max_input_chars_per_word", size_t{100}));
    else if (kind == "WordLevel")
      parts.model = make_wordlevel(parts.tokens, parts.spellings.find(model.value("unk_token", "<unk>")));
    else
      throw Error(Kind::unsupported, say("tokenizer.json: the {} {} is not built", "model", kind)).at(where);
    parts.kind = "tokenizer.json, " + std::string(kind == "BPE" && byte_level ? "byte-level BPE" : kind);
  }
};

const Json& member(const Json& object, const char* name) {
  static const Json nothing;
  return object.contains(name) ? object[name] : nothing;
}

std::optional<int32_t> unknown_of(const Json& model, const TokenizerParts& parts) {
  if (model.contains("unk_id") && model["unk_id"].is_number_integer()) return model["unk_id"].get<int32_t>();
  if (!model.contains("unk_token") || !model["unk_token"].is_string()) return std::nullopt;
  int32_t id = parts.spellings.find(model["unk_token"].get<std::string>());
  return id < 0 ? std::nullopt : std::optional(id);
}

}  // namespace

std::unique_ptr<TokenizerParts> read_tokenizer_json(std::string_view text, const std::string& where) try {
  JsonMembers file = read_json_members(
      text, where, {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"});
  const Json& s = file.settings;
  if (!s.contains("model") || !s["model"].is_object())
    throw Error(Kind::format, say("tokenizer.json has no model")).at(where);
  auto parts = std::make_unique<TokenizerParts>();
  parts->where = where;
  bool byte_level = has_step(member(s, "pre_tokenizer"), "ByteLevel") || has_step(member(s, "normalizer"), "ByteLevel");
  Builder builder{file, where, *parts, s["model"], byte_level};
  parts->normalizers = normalizers_of(member(s, "normalizer"), where);
  builder.read_vocab();
  builder.build_model();
  if (s.contains("added_tokens")) builder.read_added_tokens(s["added_tokens"]);
  add_pretokenizers(member(s, "pre_tokenizer"), where, *parts);
  parts->from_letters |= has_step(member(s, "normalizer"), "ByteLevel");
  TokenTable written = parts->spellings;
  for (const auto& [id, content] : builder.rewritten) written.add_unreachable(id, content, where);
  add_decoder(member(s, "decoder"), written, where, parts->decoder);
  add_postprocessor(member(s, "post_processor"), *parts);
  parts->unk = unknown_of(s["model"], *parts);
  return parts;
} catch (const Json::exception& fault) {
  throw Error(Kind::format, say("tokenizer.json: a setting is missing or of the wrong type: {}", fault.what()))
      .at(where);
}

std::string tokenizer_class_of(std::string_view text, const std::string& where) {
  const Json settings = read_json_members(text, where, {"tokenizer_class"}).settings;
  const auto found = settings.find("tokenizer_class");
  return found != settings.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void read_tokenizer_config(std::string_view text, const std::string& where, TokenizerParts& parts) {
  JsonMembers file = read_json_members(
      text, where, {"bos_token", "eos_token", "unk_token", "pad_token", "add_bos_token", "add_eos_token"});
  const Json& s = file.settings;
  auto token = [&](const char* name, std::optional<int32_t>& id) {
    if (!s.contains(name)) return;
    const Json& named = s[name].is_object() && s[name].contains("content") ? s[name]["content"] : s[name];
    int32_t found = named.is_string() ? parts.spellings.find(named.get<std::string>()) : -1;
    if (found >= 0) id = found;
  };
  token("bos_token", parts.bos);
  token("eos_token", parts.eos);
  token("unk_token", parts.unk);
  token("pad_token", parts.pad);
  if (s.contains("add_bos_token") && s["add_bos_token"].is_boolean()) parts.add_bos = s["add_bos_token"];
  if (s.contains("add_eos_token") && s["add_eos_token"].is_boolean()) parts.add_eos = s["add_eos_token"];
}

}  // namespace madang
