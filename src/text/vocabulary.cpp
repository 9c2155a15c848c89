// A tokenizer put together from a plain vocabulary: GGUF metadata, sentencepiece's model file, llama2.c's.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/literal.h"
#include "text/pre_table.h"
#include "text/tokenizer_json_steps.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace madang {
namespace {

class Assembly {
 public:
  explicit Assembly(Vocabulary vocabulary) : v_(std::move(vocabulary)) {}

  std::unique_ptr<TokenizerParts> run() {
    check();
    parts_->where = v_.where;
    for (int32_t id = 0; id < count(); ++id) parts_->spellings.add(id, v_.tokens[id], v_.where);
    parts_->bos = v_.bos;
    parts_->eos = v_.eos;
    parts_->unk = v_.unk;
    parts_->pad = v_.pad;
    parts_->eot = v_.eot;
    if (v_.model == "gpt2")
      byte_level();
    else if (v_.model == "llama" || v_.model == "t5")
      pieces();
    else if (v_.model == "rwkv")
      rwkv();
    else if (v_.model == "bert")
      bert_words();
    else
      throw Error(Kind::unsupported, say("the tokenizer model {} is not built", v_.model)).at(v_.where);
    if (v_.add_bos) parts_->add_bos = *v_.add_bos;
    if (v_.add_eos) parts_->add_eos = *v_.add_eos;
    return std::move(parts_);
  }

 private:
  int32_t count() const { return static_cast<int32_t>(v_.tokens.size()); }

  void check() {
    if (v_.tokens.empty()) throw Error(Kind::format, say("the vocabulary is empty")).at(v_.where);
    auto fits = [&](size_t n, const char* what) {
      if (n != 0 && n != v_.tokens.size())
        throw Error(Kind::format, say("the vocabulary's {} are not one a token", what))
            .at(v_.where)
            .expected(fmt::format("{}", v_.tokens.size()))
            .found(fmt::format("{}", n));
    };
    fits(v_.scores.size(), "scores");
    fits(v_.types.size(), "types");
    if (v_.unk && (*v_.unk < 0 || *v_.unk >= count()))
      throw Error(Kind::format, say("the {} token's id {} is out of range", "unk", *v_.unk)).at(v_.where);
    for (std::string& token : v_.tokens)
      if (!is_valid_utf8(token)) token = repair_utf8(token);
    for (float& score : v_.scores)
      if (std::isnan(score)) throw Error(Kind::format, say("a score is not a number")).at(v_.where);
  }

  TokenType type(int32_t id) const {
    if (!v_.types.empty()) return static_cast<TokenType>(v_.types[id]);
    if (v_.unk == id) return TokenType::unknown;
    if (v_.bos == id || v_.eos == id) return TokenType::control;
    return v_.model == "llama" && byte_of_piece(v_.tokens[id]) >= 0 ? TokenType::byte : TokenType::normal;
  }

  // Control tokens, and unknown ones, are cut out of the text where special tokens are asked for.
  bool add_special(int32_t id, bool rstrip = false) {
    if (type(id) != TokenType::control && type(id) != TokenType::unknown) return false;
    AddedToken token{.id = id, .content = v_.tokens[id]};
    token.rstrip = rstrip;
    parts_->raw_added.add(std::move(token));
    parts_->mark_special(id);
    return true;
  }

  void byte_level() {
    const PreRow& row = pre_row(v_.pre, v_.where);
    add_pretokenizers(row.pre_tokenizer(), v_.where, *parts_);
    if (*row.normalizer) parts_->normalizers.push_back(unicode_form(row.normalizer, v_.where, tokenizers_unicode));
    std::string bytes;
    for (int32_t id = 0; id < count(); ++id) {
      bool user = type(id) == TokenType::user_defined;
      if (user) parts_->raw_added.add({.id = id, .content = v_.tokens[id], .special = false});
      bool normal = !add_special(id) && !user && bytes_of_letters(v_.tokens[id], bytes);
      if (normal)
        parts_->tokens.add(id, bytes, v_.where);
      else
        parts_->tokens.add_unreachable(id, v_.tokens[id], v_.where);
      parts_->decoder.rest.add_unreachable(id, normal ? bytes : v_.tokens[id], v_.where);
    }
    BpeRules rules;
    rules.whole_words = row.whole_words;
    parts_->model = make_bpe(parts_->tokens, rules, merges());
    parts_->add_bos = row.add_bos;
    parts_->kind = "byte-level BPE, pre-tokenizer " + (v_.pre.empty() ? "gpt-neox" : v_.pre);
  }

  // Merges that name pieces which are no tokens can never happen.
  std::vector<Merge> merges() const {
    std::vector<Merge> out;
    out.reserve(v_.merges.size());
    std::string joined;
    for (const std::string& merge : v_.merges) {
      size_t blank = merge.find(' ', 1);
      if (blank == merge.npos) throw Error(Kind::format, say("a merge is not two pieces")).at(v_.where).found(merge);
      std::string_view left = std::string_view(merge).substr(0, blank),
                       right = std::string_view(merge).substr(blank + 1);
      Merge m{parts_->spellings.find(left), parts_->spellings.find(right),
              parts_->spellings.find(joined.assign(left).append(right))};
      if (m.left >= 0 && m.right >= 0 && m.result >= 0) out.push_back(m);
    }
    return out;
  }

  // sentencepiece: BPE by scores, or unigram.
  void pieces() {
    bool unigram = v_.model == "t5";
    SentencePieceRules rules;
    rules.character_map = v_.precompiled_charsmap;
    rules.add_dummy_prefix = v_.add_space_prefix.value_or(true);
    rules.remove_extra_whitespaces = v_.remove_extra_whitespaces.value_or(false);
    parts_->normalizers.push_back(sentencepiece(rules, v_.where));
    Fallback fallback;
    fallback.unknown = v_.unk.value_or(-1);
    fallback.fuse_unknown = true;
    std::vector<bool> usable(v_.tokens.size());
    for (int32_t id = 0; id < count(); ++id) usable[id] = add_piece(id, fallback);
    build_piece_decoder(rules.add_dummy_prefix);
    if (unigram)
      parts_->model = unigram_model(usable, fallback);
    else
      parts_->model = make_bpe(parts_->tokens, BpeRules{.byte_symbols = false, .fallback = fallback}, ranks(usable));
    parts_->add_bos = !unigram;
    parts_->add_eos = unigram;
    parts_->kind = unigram ? "sentencepiece unigram" : "sentencepiece BPE";
  }

  bool is_phi3() const {
    std::string name = v_.name;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name.find("phi-3") != name.npos || name.find("phi3") != name.npos;
  }

  // User-defined pieces are scored so that they nearly always win: by the best score for each of their bytes. (Scores
  // are logarithms; sentencepiece's search for the best one starts at zero and so stays there.)
  std::unique_ptr<WordModel> unigram_model(const std::vector<bool>& usable, const Fallback& fallback) const {
    std::vector<double> scores(v_.scores.begin(), v_.scores.end());
    scores.resize(v_.tokens.size());
    float lowest = 0, highest = 0;
    bool any = false;
    for (int32_t id = 0; id < count(); ++id) {
      if (type(id) != TokenType::normal) continue;
      auto score = static_cast<float>(scores[id]);
      lowest = any ? std::min(lowest, score) : score;
      highest = std::max(highest, score);
      any = true;
    }
    for (int32_t id = 0; id < count(); ++id)
      if (type(id) == TokenType::user_defined)
        scores[id] = static_cast<float>(parts_->tokens[id].size()) * highest - 0.1;
    return make_unigram(parts_->tokens, std::move(scores), usable, fallback, lowest, true);
  }

  // Whether the model may choose the piece.
  bool add_piece(int32_t id, Fallback& fallback) {
    // Phi-3's chat tokens swallow the blanks behind them; files say so only by the model's name.
    static constexpr std::string_view keep[] = {"<unk>", "<s>", "<|endoftext|>"};
    const std::string& spelled = v_.tokens[id];
    if (add_special(id, is_phi3() && std::find(std::begin(keep), std::end(keep), spelled) == std::end(keep))) {
      parts_->tokens.add_unreachable(id, spelled, v_.where);
      return false;
    }
    if (int byte = byte_of_piece(spelled); type(id) == TokenType::byte && byte >= 0) {
      fallback.bytes = true;
      fallback.byte_ids[byte] = id;
      parts_->tokens.add_unreachable(id, spelled, v_.where);
      return false;
    }
    // Converters write the blanks of user-defined pieces plainly.
    std::string piece = replace_all(spelled, " ", blank_mark);
    if (type(id) == TokenType::user_defined && v_.model != "t5")
      parts_->normalized_added.add({.id = id, .content = piece, .special = false});
    parts_->tokens.add(id, piece, v_.where);
    return type(id) != TokenType::unused;
  }

  void build_piece_decoder(bool dummy_prefix) {
    for (int32_t id = 0; id < count(); ++id) {
      int byte = type(id) == TokenType::byte ? byte_of_piece(v_.tokens[id]) : -1;
      std::string text =
          byte >= 0 ? std::string(1, static_cast<char>(byte)) : replace_all(v_.tokens[id], blank_mark, " ");
      if (v_.unk == id && v_.unknown_text) text = *v_.unknown_text;
      parts_->decoder.rest.add_unreachable(id, text, v_.where);
    }
    parts_->decoder.strip_start = dummy_prefix ? 1 : 0;
  }

  // The piece of the highest score comes first; equal scores are equal ranks, and then the leftmost merge wins.
  std::vector<uint32_t> ranks(const std::vector<bool>& usable) const {
    std::vector<uint32_t> out(v_.tokens.size(), no_rank);
    std::vector<float> order(v_.scores);
    std::sort(order.begin(), order.end(), [](float a, float b) { return a > b; });
    for (int32_t id = 0; id < count(); ++id)
      if (usable[id])
        out[id] =
            v_.scores.empty()
                ? static_cast<uint32_t>(id)
                : static_cast<uint32_t>(std::lower_bound(order.begin(), order.end(), v_.scores[id], std::greater<>()) -
                                        order.begin());
    return out;
  }

  void rwkv() {
    for (int32_t id = 0; id < count(); ++id) {
      if (type(id) == TokenType::unused) continue;
      bool special = add_special(id);
      std::string bytes = special ? v_.tokens[id] : unescape(v_.tokens[id], false);
      if (special)
        parts_->tokens.add_unreachable(id, "", v_.where);
      else
        parts_->tokens.add(id, bytes, v_.where);
      parts_->decoder.rest.add_unreachable(id, bytes, v_.where);
    }
    parts_->model = make_longest_match(parts_->tokens, v_.unk.value_or(-1));
    parts_->kind = "RWKV World";
  }

  // GGUF marks the first piece of a word with U+2581 where BERT's own files mark the others with ##.
  void bert_words() {
    for (int32_t id = 0; id < count(); ++id) {
      const std::string& spelled = v_.tokens[id];
      bool starts = spelled.starts_with(blank_mark);
      std::string piece = starts ? spelled.substr(blank_mark.size()) : "##" + spelled;
      if (add_special(id))
        parts_->tokens.add_unreachable(id, spelled, v_.where);
      else
        parts_->tokens.add(id, piece, v_.where);
      parts_->decoder.rest.add_unreachable(id, replace_all(spelled, blank_mark, " "), v_.where);
    }
    parts_->decoder.strip_start = 1;
    parts_->normalizers.push_back(bert(true, true, true, true));
    add_pretokenizers(Json{{"type", "BertPreTokenizer"}}, v_.where, *parts_);
    parts_->model = make_wordpiece(parts_->tokens, "##", v_.unk.value_or(-1), 100);
    parts_->add_bos = parts_->add_eos = true;
    parts_->kind = "WordPiece";
  }

  Vocabulary v_;
  std::unique_ptr<TokenizerParts> parts_ = std::make_unique<TokenizerParts>();
};

}  // namespace

std::unique_ptr<TokenizerParts> assemble(Vocabulary vocabulary) { return Assembly(std::move(vocabulary)).run(); }

}  // namespace madang
