#include "text/rewrite.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "base/mapped_file.h"
#include "text/literal.h"
#include "text/pre_table.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

/// What pre-tokenizers differ in: contractions in both cases, runs of digits, blanks before and behind line ends,
/// marks, scripts with and without case, symbols, and how runs of the same are cut.
constexpr const char* probes[] = {
    "Hello, world! It's 2026; I'm 12345678 years old. WE'LL, you'Re 'S",
    "line one\n\n\n  two   spaces\tand\ttabs \r\n\r\n   indented:\n\tdef f(x): return x**2 + 3.14e-10  ",
    "안녕하세요, 마당입니다. 오늘은 2026년 11월 24일, 3만 5천 원! ㅋㅋㅋ 가나다",
    "日本語のテスト、カタカナ。中文测试一二三，１２３ 繁體字",
    "Привет, мир! Ελληνικά ΚΕΦΑΛΑΙΑ العَرَبِيَّة ١٢٣ हिन्दी में नमस्ते १२३ עברית ไทยภาษา",
    "e\u0301 \u00e9 \u00bd \u00b2 \u2167 \u01c5 \u2028 \u00a0 \u3000 \ufeff \U0001f469\u200d\U0001f4bb \u20ac\u00a7",
    "CamelCaseWords snake_case_name kebab-case a/b/c http://example.org/?q=1&r=%20 <html></html> {{}} [[x]] ((y))",
    "....!!!!???? ---- ==== #### $$$$ ++++ ~~~~ ____ |||| \\\\\\\\ 0 00 000 0000 00000 1,234,567.89",
    " leading",
    "  two leading",
    "trailing ",
    "",
    "a",
    "\n",
    "ſtraße ﬁne ＡＢＣ ①②③"};

bool is_byte_level(const Json& step) {
  if (!step.is_object()) return false;
  if (step.value("type", "") == "ByteLevel") return true;
  for (const char* list : {"pretokenizers", "decoders", "normalizers"})
    if (step.contains(list) && step.at(list).is_array() && std::ranges::any_of(step.at(list), is_byte_level))
      return true;
  return false;
}

[[noreturn]] void unsayable(const std::string& what, const std::string& where) {
  throw Error(Kind::unsupported, say("this tokenizer cannot be said in the other kind of file"))
      .at(where)
      .found(what)
      .hint(say("--no-tokenizer writes the weights alone"));
}

std::string pad_name(size_t id) { return fmt::format("[PAD{}]", id); }

/// First those rows that say what the file says; the proof decides.
std::vector<std::string> likely_names(const Json& file) {
  const std::string said = file.value("pre_tokenizer", Json()).dump(-1, ' ', false, Json::error_handler_t::replace);
  const bool whole = file["model"].value("ignore_merges", false);
  std::vector<std::pair<int, std::string>> ranked;
  for (const std::string& name : pre_names()) {
    const PreRow& row = pre_row(name, "");
    int misses = row.whole_words != whole ? 1 : 0;
    const Json steps = row.pre_tokenizer();
    for (const Json& step : steps["pretokenizers"])
      if (step.contains("pattern") && said.find(step["pattern"].dump()) == said.npos) misses += 2;
    ranked.emplace_back(misses, name);
  }
  std::ranges::sort(ranked);
  std::vector<std::string> names;
  for (auto& [misses, name] : ranked) names.push_back(std::move(name));
  names.resize(4);  // who says nothing alike is none of them, and every trial builds the vocabulary anew
  return names;
}

bool agrees(const Tokenizer& was, const Tokenizer& is) {
  return std::ranges::all_of(probes, [&](const char* text) { return was.encode(text, true) == is.encode(text, true); });
}

class FromJson {
 public:
  FromJson(const std::string& folder, const Tokenizer& tokenizer, int64_t size) : was_(tokenizer) {
    v_.where = (fs::path(folder) / "tokenizer.json").string();
    file_ = read_json(v_.where);
    if (!file_.contains("model") || !file_["model"].is_object() || file_["model"].value("type", "BPE") != "BPE")
      unsayable(tokenizer.kind(), v_.where);
    v_.tokens.resize(static_cast<size_t>(std::max<int64_t>(size, tokenizer.size())));
    v_.types.assign(v_.tokens.size(), static_cast<int32_t>(TokenType::normal));
  }

  Vocabulary run() {
    add_tokens();
    v_.bos = was_.bos(), v_.eos = was_.eos(), v_.unk = was_.unk(), v_.pad = was_.pad(), v_.eot = was_.parts().eot;
    v_.add_bos = was_.add_bos(), v_.add_eos = was_.add_eos();
    if (is_byte_level(file_.value("pre_tokenizer", Json())) || is_byte_level(file_.value("decoder", Json())))
      byte_level();
    else
      pieces();
    return std::move(v_);
  }

 private:
  void set(const Json& id, const std::string& text, TokenType type) {
    if (!id.is_number_integer() || id < 0 || id >= v_.tokens.size()) return;  // the reader has complained of these
    v_.tokens[id.get<size_t>()] = text, v_.types[id.get<size_t>()] = static_cast<int32_t>(type);
  }

  void add_tokens() {
    for (const auto& [text, id] : file_["model"]["vocab"].items()) set(id, text, TokenType::normal);
    for (const Json& t : file_.value("added_tokens", Json::array()))
      set(t["id"], t["content"], t.value("special", false) ? TokenType::control : TokenType::user_defined);
    for (size_t id = 0; id < v_.tokens.size(); ++id)
      if (v_.tokens[id].empty()) v_.tokens[id] = pad_name(id), v_.types[id] = static_cast<int32_t>(TokenType::unused);
  }

  std::vector<std::pair<std::string, std::string>> merges() const {
    std::vector<std::pair<std::string, std::string>> all;
    for (const Json& m : file_["model"].value("merges", Json::array())) {
      if (m.is_array() && m.size() == 2) {
        all.emplace_back(m[0], m[1]);
      } else if (m.is_string()) {
        const std::string text = m;
        const size_t blank = text.find(' ', 1);
        if (blank != text.npos) all.emplace_back(text.substr(0, blank), text.substr(blank + 1));
      }
    }
    return all;
  }

  void byte_level() {
    v_.model = "gpt2";
    for (const auto& [left, right] : merges()) v_.merges.push_back(left + " " + right);
    for (const std::string& name : likely_names(file_)) {
      v_.pre = name;
      if (agrees(was_, *Tokenizer::from_vocabulary(v_))) return;
    }
    unsayable(file_.value("pre_tokenizer", Json()).dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 200),
              v_.where);
  }

  // Merges by rank said as scores of pieces: the earlier a piece can be made, the higher.
  void pieces() {
    v_.model = "llama", v_.pre = "default";
    std::unordered_map<std::string, float> made;
    float rank = 0;
    for (const auto& [left, right] : merges()) made.emplace(left + right, rank -= 1);
    for (size_t id = 0; id < v_.tokens.size(); ++id) {
      const auto found = made.find(v_.tokens[id]);
      v_.scores.push_back(found == made.end() ? rank - 1 : found->second);
      const std::string& t = v_.tokens[id];
      if (t.size() == 6 && t.starts_with("<0x") && t.ends_with(">"))
        v_.types[id] = static_cast<int32_t>(TokenType::byte);
    }
    if (v_.unk) v_.types[static_cast<size_t>(*v_.unk)] = static_cast<int32_t>(TokenType::unknown);
    for (bool prefix : {true, false}) {
      v_.add_space_prefix = prefix;
      if (agrees(was_, *Tokenizer::from_vocabulary(v_))) return;
    }
    same_tokenizer(was_, *Tokenizer::from_vocabulary(v_));
  }

  const Tokenizer& was_;
  Json file_;
  Vocabulary v_;
};

TokenType type_of(const Vocabulary& v, size_t id) {
  return v.types.empty() ? TokenType::normal : static_cast<TokenType>(v.types[id]);
}

/// All ways to make a piece of two others, the best piece first: sentencepiece's scores said as merges.
Json merges_of_scores(const Vocabulary& v) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (type_of(v, id) == TokenType::normal) ids.emplace(v.tokens[id], id);
  struct Way {
    float score;
    size_t id, left, right;
  };
  std::vector<Way> ways;
  for (const auto& [piece, id] : ids)
    for (size_t at = 1; at < piece.size(); ++at) {
      if ((static_cast<unsigned char>(piece[at]) & 0xC0) == 0x80) continue;
      const auto left = ids.find(piece.substr(0, at)), right = ids.find(piece.substr(at));
      if (left != ids.end() && right != ids.end())
        ways.push_back({v.scores.empty() ? 0 : v.scores[id], id, left->second, right->second});
    }
  std::ranges::sort(ways, [](const Way& a, const Way& b) {
    return std::tuple(-a.score, a.id, a.left, a.right) < std::tuple(-b.score, b.id, b.left, b.right);
  });
  Json merges = Json::array();
  for (const Way& w : ways) merges.push_back({v.tokens[w.left], v.tokens[w.right]});
  return merges;
}

Json added_tokens(const Vocabulary& v, bool normalized) {
  Json added = Json::array();
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    const TokenType type = type_of(v, id);
    const bool special = type == TokenType::control || type == TokenType::unknown;
    if (special || type == TokenType::user_defined)
      added.push_back({{"id", id},
                       {"content", v.tokens[id]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", !special && normalized},
                       {"special", special}});
  }
  return added;
}

Json byte_level_file(const Vocabulary& v) {
  const PreRow& row = pre_row(v.pre, v.where);
  Json merges = Json::array();
  for (const std::string& merge : v.merges) {
    const size_t blank = merge.find(' ', 1);
    if (blank != merge.npos) merges.push_back({merge.substr(0, blank), merge.substr(blank + 1)});
  }
  Json file = {{"added_tokens", added_tokens(v, false)}, {"normalizer", nullptr}};
  if (*row.normalizer) file["normalizer"] = {{"type", row.normalizer}};
  file["pre_tokenizer"] = row.pre_tokenizer();
  file["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  file["model"] = {{"type", "BPE"}, {"ignore_merges", row.whole_words}, {"merges", merges}};
  return file;
}

Json pieces_file(const Vocabulary& v) {
  const bool prefix = v.add_space_prefix.value_or(true);
  const Json blanks = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
  Json file = {{"added_tokens", added_tokens(v, !prefix)}, {"normalizer", blanks}, {"pre_tokenizer", nullptr}};
  if (prefix)
    file["normalizer"] = {{"type", "Sequence"},
                          {"normalizers", {{{"type", "Prepend"}, {"prepend", "\u2581"}}, blanks}}};
  Json decoders = Json::array({{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}},
                               {{"type", "ByteFallback"}},
                               {{"type", "Fuse"}}});
  if (prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  file["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
  file["model"] = {{"type", "BPE"},         {"unk_token", nullptr},   {"fuse_unk", true},
                   {"byte_fallback", true}, {"ignore_merges", false}, {"merges", merges_of_scores(v)}};
  if (v.unk) file["model"]["unk_token"] = v.tokens[static_cast<size_t>(*v.unk)];
  return file;
}

/// Bytes are spelled as Python's repr() does, without the quotes: llama.cpp's converter does so, its reader expects it.
Vocabulary vocabulary_of_world(const Tokenizer& was, int64_t size) {
  Vocabulary v;
  v.where = was.parts().where, v.model = "rwkv", v.eos = was.eos();
  for (int32_t id = 0; id < std::max<int64_t>(size, was.size()); ++id) {
    TokenType type = was.is_special(id) ? TokenType::control : TokenType::normal;
    std::string spelled = was.token_text(id);
    if (type == TokenType::normal && !spelled.empty())
      spelled = bytes_literal(spelled), spelled = spelled.substr(2, spelled.size() - 3);
    if (spelled.empty()) type = TokenType::unused, spelled = pad_name(static_cast<size_t>(id));
    v.tokens.push_back(spelled), v.types.push_back(static_cast<int32_t>(type));
  }
  return v;
}

}  // namespace

void same_tokenizer(const Tokenizer& was, const Tokenizer& is) {
  for (const char* text : probes)
    if (was.encode(text, true) != is.encode(text, true)) unsayable(text, was.parts().where);
}

Vocabulary vocabulary_of_folder(const std::string& folder, int64_t vocabulary_size) {
  const auto tokenizer = Tokenizer::open(folder);
  if (fs::exists(fs::path(folder) / "tokenizer.json")) return FromJson(folder, *tokenizer, vocabulary_size).run();
  if (tokenizer->kind() == "RWKV World") {
    Vocabulary v = vocabulary_of_world(*tokenizer, vocabulary_size);
    same_tokenizer(*tokenizer, *Tokenizer::from_vocabulary(v));
    return v;
  }
  const bool llama2c = fs::exists(fs::path(folder) / "tokenizer.bin");
  const std::string model = (fs::path(folder) / (llama2c ? "tokenizer.bin" : "tokenizer.model")).string();
  if (!fs::exists(model) || !tokenizer->kind().starts_with("sentencepiece")) unsayable(tokenizer->kind(), folder);
  const auto bytes = MappedFile::open(model);
  const std::string_view text(reinterpret_cast<const char*>(bytes->bytes().data()), bytes->bytes().size());
  Vocabulary v = llama2c ? read_llama2c(text, model) : read_sentencepiece_model(text, model);
  v.pre = "default";
  for (size_t id = v.tokens.size(); id < static_cast<size_t>(vocabulary_size); ++id) {
    v.tokens.push_back(pad_name(id));
    if (!v.types.empty()) v.types.push_back(static_cast<int32_t>(TokenType::unused));
    if (!v.scores.empty()) v.scores.push_back(-1e4f);
  }
  same_tokenizer(*tokenizer, *Tokenizer::from_vocabulary(v));
  return v;
}

Json tokenizer_json_of(const Vocabulary& v) {
  if (v.model != "gpt2" && v.model != "llama") unsayable(v.model, v.where);
  const auto was = Tokenizer::from_vocabulary(v);
  Json file = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  file.update(v.model == "gpt2" ? byte_level_file(v) : pieces_file(v));
  file["post_processor"] = nullptr;
  if (was->add_bos() && v.bos) {
    const std::string bos = v.tokens[static_cast<size_t>(*v.bos)];
    const Json first = {{"SpecialToken", {{"id", bos}, {"type_id", 0}}}};
    file["post_processor"] = {{"type", "TemplateProcessing"},
                              {"single", Json::array({first, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}})},
                              {"pair", Json::array({first,
                                                    {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                                                    {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}})},
                              {"special_tokens", {{bos, {{"id", bos}, {"ids", {*v.bos}}, {"tokens", {bos}}}}}}};
  }
  Json vocab = Json::object();
  auto& entries = vocab.get_ref<Json::object_t&>();
  std::unordered_map<std::string_view, size_t> seen;
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (seen.emplace(v.tokens[id], id).second) entries.Container::emplace_back(v.tokens[id], id);  // no search per key
  file["model"]["vocab"] = std::move(vocab);
  const std::string text = file.dump();
  same_tokenizer(*was, *Tokenizer::from_bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, v.where));
  return file;
}

std::string world_file_of(const Vocabulary& v) {
  if (v.model != "rwkv") unsayable(v.model, v.where);
  const auto was = Tokenizer::from_vocabulary(v);
  std::string file;
  for (int32_t id = 0; id < was->size(); ++id)
    if (const std::string bytes = was->token_bytes(id); type_of(v, static_cast<size_t>(id)) == TokenType::normal)
      file += fmt::format("{} {} {}\n", id, bytes_literal(bytes), bytes.size());
  same_tokenizer(*was, *Tokenizer::from_bytes({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, v.where));
  return file;
}

Json tokenizer_config_of(const Tokenizer& tokenizer, const std::string& chat_template) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"add_bos_token", tokenizer.add_bos()},
                 {"add_eos_token", tokenizer.add_eos()},
                 {"clean_up_tokenization_spaces", false}};
  auto name = [&](const char* key, std::optional<int32_t> id) {
    if (id && *id >= 0 && *id < tokenizer.size()) config[key] = tokenizer.token_text(*id);
  };
  name("bos_token", tokenizer.bos()), name("eos_token", tokenizer.eos());
  name("unk_token", tokenizer.unk()), name("pad_token", tokenizer.pad());
  if (!chat_template.empty()) config["chat_template"] = chat_template;
  return config;
}

}  // namespace madang
