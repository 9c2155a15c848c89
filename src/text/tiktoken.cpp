// tiktoken's vocabularies: lines of "base64 rank". The file carries neither the expression that splits the text nor
// the special tokens; for the published vocabularies both are known by the number of ranks.
#include <charconv>

#include "base/error.h"
#include "text/base64.h"
#include "text/tokenizer_parts.h"

namespace madang {
namespace {

using Special = std::vector<std::pair<std::string, int32_t>>;

struct Known {
  size_t ranks;
  const char* name;
  const char* pattern;
  Special (*special)();
  const char* normalizer = "";
  const char* tokenizer_class = "";  // where the ranks are another's too
};

const char* const gpt2 = R"('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)";
const char* const cl100k =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)";
const char* const llama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char* const qwen =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char* const o200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

void number_on(Special& special, int32_t first, std::initializer_list<const char*> names) {
  for (const char* name : names) special.emplace_back(name, first++);
}

Special gpt2_special() { return {{"<|endoftext|>", 50256}}; }
Special cl100k_special() {
  return {{"<|endoftext|>", 100257},
          {"<|fim_prefix|>", 100258},
          {"<|fim_middle|>", 100259},
          {"<|fim_suffix|>", 100260},
          {"<|endofprompt|>", 100276}};
}
// Phi-3-small: cl100k with the marks of a conversation, and names for every id that is free.
Special phi3_small_special() {
  Special out;
  number_on(out, 100257,
            {"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|system|>", "<|user|>",
             "<|assistant|>", "<|dummy_id_0|>", "<|dummy_id_1|>", "<|end|>"});
  out.emplace_back("<|endofprompt|>", 100276);
  int32_t next = 2;
  for (int32_t id = 100256; id < 100352; ++id)
    if (id == 100256 || (id > 100266 && id != 100276)) out.emplace_back(fmt::format("<|dummy_id_{}|>", next++), id);
  return out;
}
Special o200k_special() { return {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}}; }

Special llama3_special() {
  Special out;
  number_on(out, 128000,
            {"<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
             "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>",
             "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"});
  for (int32_t n = 3; n < 248; ++n) out.emplace_back(fmt::format("<|reserved_special_token_{}|>", n), 128008 + n);
  return out;
}
Special llama4_special() {
  Special out;
  number_on(out, 200000,
            {"<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
             "<|header_start|>", "<|header_end|>", "<|eom|>", "<|eot|>", "<|step|>"});
  return out;
}
Special qwen_special() {
  Special out;
  number_on(out, 151643, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
  for (int32_t n = 0; n < 205; ++n) out.emplace_back(fmt::format("<|extra_{}|>", n), 151646 + n);
  return out;
}

const Known known[] = {
    {50256, "gpt2", gpt2, gpt2_special},
    {50280, "p50k", gpt2, gpt2_special},
    {100256, "cl100k", cl100k, cl100k_special},
    {100256, "cl100k of Phi-3-small", cl100k, phi3_small_special, "", "Phi3SmallTokenizer"},
    {199998, "o200k", o200k, o200k_special},
    {128000, "llama3", llama3, llama3_special},
    {200000, "llama4", o200k, llama4_special},
    {151643, "qwen", qwen, qwen_special, "NFC"},
};

// Fills tokens, spellings and decoder; gives the number of ranks.
size_t read_ranks(std::string_view text, const std::string& where, TokenizerParts& parts) {
  size_t count = 0, at = 0;
  parts.tokens.reserve(text.size() / 16, text.size() / 2);
  for (int64_t line_number = 1; at < text.size(); ++line_number) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    auto place = [&] { return fmt::format("{}, line {}", where, line_number); };
    size_t blank = line.find(' ');
    int32_t rank = -1;
    if (blank != line.npos) {
      auto [stop, fault] = std::from_chars(line.data() + blank + 1, line.data() + line.size(), rank);
      if (fault != std::errc() || stop != line.data() + line.size()) rank = -1;
    }
    if (rank < 0)
      throw Error(Kind::format, say("a line is not: base64, rank")).at(place()).found(std::string(line.substr(0, 80)));
    std::string bytes = decode_base64(line.substr(0, blank), place());
    if (parts.tokens.has(rank)) throw Error(Kind::format, say("rank {} comes twice", rank)).at(place());
    parts.tokens.add(rank, bytes, where);
    parts.spellings.add(rank, bytes, where);
    parts.decoder.rest.add_unreachable(rank, bytes, where);
    ++count;
  }
  return count;
}

std::optional<int32_t> id_of(const Special& special, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names)
    for (const auto& [spelled, id] : special)
      if (spelled == name) return id;
  return std::nullopt;
}

}  // namespace

std::unique_ptr<TokenizerParts> read_tiktoken(std::string_view text, const std::string& where,
                                              const TiktokenExtras& extras) {
  auto parts = std::make_unique<TokenizerParts>();
  parts->where = where;
  size_t count = read_ranks(text, where, *parts);
  const Known* row = nullptr;
  for (const Known& one : known)
    if (one.ranks == count && (!row || one.tokenizer_class == extras.tokenizer_class)) row = &one;
  std::string pattern = !extras.pattern.empty() ? extras.pattern : row ? row->pattern : "";
  if (pattern.empty())
    throw Error(Kind::missing,
                say("a .tiktoken file carries no pattern, and this vocabulary of {} ranks is not a known one", count))
        .at(where)
        .hint(say("give the pattern and the special tokens: --pattern P --special-tokens JSON"));
  Special special = !extras.special.empty() ? extras.special : row ? row->special() : Special();
  parts->splitter = make_splitter(pattern, Dialect::rust, where);
  if (row && *row->normalizer) parts->normalizers.push_back(unicode_form(row->normalizer, where));
  std::vector<uint32_t> ranks(static_cast<size_t>(parts->tokens.size()));
  for (size_t id = 0; id < ranks.size(); ++id) ranks[id] = static_cast<uint32_t>(id);
  for (const auto& [name, id] : special) {
    parts->spellings.add(id, name, where);
    parts->decoder.rest.add_unreachable(id, name, where);
    parts->raw_added.add({.id = id, .content = name});
    parts->mark_special(id);
  }
  parts->bos = id_of(special, {"<|begin_of_text|>"});
  parts->eos = id_of(special, {"<|end_of_text|>", "<|endoftext|>"});
  parts->add_bos = parts->bos.has_value();
  parts->model = make_bpe(parts->tokens, BpeRules{.whole_words = true}, std::move(ranks));
  parts->kind = "tiktoken" + (row ? std::string(", ") + row->name : "");
  return parts;
}

}  // namespace madang
