#include "text/tokenizer.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace madang {
namespace {

// One text on its way to ids.
class Encoder {
 public:
  Encoder(const TokenizerParts& parts, bool parse_special) : parts_(parts), parse_special_(parse_special) {}

  std::vector<int32_t> run(std::string_view text) {
    out_.reserve(text.size() / 4 + 8);
    each_part(parts_.raw_added, text, [&](std::string_view between) { normalized(between); });
    return std::move(out_);
  }

 private:
  template <class Then>
  void each_part(const AddedTokens& added, std::string_view text, Then then) {
    if (added.empty()) {
      if (!text.empty()) then(text);
      return;
    }
    std::vector<TextPart> cut;
    added.cut(text, parse_special_, cut);
    for (const TextPart& part : cut) {
      if (part.id < 0)
        then(part.text);
      else
        out_.push_back(part.id);
      at_start_ = false;
    }
  }

  void normalized(std::string_view text) {
    if (parts_.normalizers.empty()) return each_part(parts_.normalized_added, text, [&](auto t) { words(t); });
    std::string changed(text);
    for (const NormalizeStep& step : parts_.normalizers) changed = step(std::move(changed));
    each_part(parts_.normalized_added, changed, [&](auto t) { words(t); });
  }

  void words(std::string_view text) {
    if (parts_.splitter) {
      for (size_t at = 0, end; at < text.size(); at = end) {
        end = parts_.splitter->next(text, at, pieces_.scratch);
        parts_.model->encode(text.substr(at, end - at), scratch_, out_);
      }
      return;
    }
    pieces_.list.assign(1, text);
    pieces_.owned.clear();
    pieces_.at_text_start = at_start_;
    for (const PreStep& step : parts_.pre) step(pieces_);
    std::string bytes;
    for (std::string_view piece : pieces_.list) {
      if (parts_.from_letters && bytes_of_letters(piece, bytes)) piece = bytes;
      parts_.model->encode(piece, scratch_, out_);
    }
  }

  const TokenizerParts& parts_;
  bool parse_special_, at_start_ = true;
  Pieces pieces_;
  WordScratch scratch_;
  std::vector<int32_t> out_;
};

// Special tokens with which models end an answer, by spelling: files rarely name more than one of them.
constexpr std::string_view enders[] = {
    "<|eot_id|>", "<|eom_id|>", "<|im_end|>",    "<|end|>",       "<end_of_turn>",      "<|endoftext|>",
    "<|eot|>",    "<|eom|>",    "<|return|>",    "<|call|>",      "<|end_of_text|>",    "<|END_OF_TURN_TOKEN|>",
    "<turn|>",    "[EOS]",      "[|endofturn|]", "<|endofturn|>", "<|im_end_of_turn|>", "<｜end▁of▁sentence｜>"};

void find_ends(TokenizerParts& parts) {
  auto add = [&](std::optional<int32_t> id) {
    if (id && std::find(parts.ends.begin(), parts.ends.end(), *id) == parts.ends.end()) parts.ends.push_back(*id);
  };
  add(parts.eos);
  add(parts.eot);
  // Where answers have channels (gpt-oss), <|end|> ends one message of them.
  const bool channels = parts.spellings.find("<|channel|>") >= 0 && parts.spellings.find("<|message|>") >= 0;
  for (std::string_view name : enders)
    if (channels && name == "<|end|>")
      continue;
    else if (int32_t id = parts.spellings.find(name);
             id >= 0 && id < static_cast<int32_t>(parts.special.size()) && parts.special[id])
      add(id);
}

// Which kind a file is, by its first bytes.
enum class FileKind { json, sentencepiece, tiktoken, rwkv, llama2c };

FileKind kind_of(std::string_view bytes, const std::string& where) {
  size_t at = bytes.find_first_not_of(" \t\r\n");
  if (bytes.empty()) throw Error(Kind::format, say("the tokenizer file is empty")).at(where);
  if (at != bytes.npos && (bytes[at] == '{' || bytes.starts_with("\xEF\xBB\xBF"))) return FileKind::json;
  // RWKV: 1 '\x00' 1. tiktoken: base64, a blank, the rank.
  std::string_view line = bytes.substr(0, bytes.find('\n'));
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  size_t blank = line.find(' ');
  if (blank != line.npos && blank > 0) {
    std::string_view left = line.substr(0, blank), right = line.substr(blank + 1);
    if (right.ends_with('\r')) right.remove_suffix(1);
    if (std::all_of(left.begin(), left.end(), digit) && right.size() > 2 &&
        (right[0] == '\'' || right[0] == '"' || right[0] == 'b'))
      return FileKind::rwkv;
    auto base64 = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '/' || c == '=';
    };
    if (std::all_of(left.begin(), left.end(), base64) && !right.empty() &&
        std::all_of(right.begin(), right.end(), digit))
      return FileKind::tiktoken;
  }
  // sentencepiece: field 1, a piece with its size. llama2.c: a small 32-bit number, then a score and a size.
  if (bytes[0] == '\n' && bytes.size() > 2 && bytes[2] == '\n') return FileKind::sentencepiece;
  if (bytes.size() > 12 && bytes[2] == 0 && bytes[3] == 0) return FileKind::llama2c;
  throw Error(Kind::format, say("not a tokenizer file that madang knows"))
      .at(where)
      .expected("tokenizer.json, tokenizer.model, *.tiktoken, rwkv_vocab_*.txt, tokenizer.bin");
}

std::unique_ptr<TokenizerParts> read(std::string_view bytes, const std::string& where, const TiktokenExtras& extras) {
  switch (kind_of(bytes, where)) {
    case FileKind::json:
      return read_tokenizer_json(bytes, where);
    case FileKind::sentencepiece:
      return assemble(read_sentencepiece_model(bytes, where));
    case FileKind::tiktoken:
      return read_tiktoken(bytes, where, extras);
    case FileKind::rwkv:
      return read_rwkv(bytes, where);
    case FileKind::llama2c:
      break;
  }
  return assemble(read_llama2c(bytes, where));
}

std::string_view view(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The best tokenizer file of a folder.
std::string best_inside(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(folder, fault)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  auto rank = [](const std::string& name) {
    if (name == "tokenizer.json") return 0;
    if (name == "tokenizer.model") return 1;
    if (name.ends_with(".tiktoken")) return 2;
    if (name.starts_with("tokenizer.model") || name == "tiktoken.model" || name == "spiece.model") return 3;
    if (name.starts_with("rwkv_vocab") && name.ends_with(".txt")) return 4;
    return name.starts_with("tok") && name.ends_with(".bin") ? 5 : 6;
  };
  auto best = std::min_element(names.begin(), names.end(), [&](auto& a, auto& b) { return rank(a) < rank(b); });
  if (best == names.end() || rank(*best) == 6)
    throw Error(Kind::missing, say("no tokenizer in this folder"))
        .at(folder)
        .expected("tokenizer.json, tokenizer.model, *.tiktoken");
  return (fs::path(folder) / *best).string();
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::open(const std::string& path, const TiktokenExtras& extras) {
  namespace fs = std::filesystem;
  std::error_code fault;
  std::string file = fs::is_directory(path, fault) ? best_inside(path) : path;
  const fs::path config = fs::path(file).parent_path() / "tokenizer_config.json";
  const auto settings = fs::is_regular_file(config, fault) ? MappedFile::open(config.string()) : nullptr;
  TiktokenExtras known = extras;
  if (settings && file.ends_with(".tiktoken"))
    known.tokenizer_class = tokenizer_class_of(view(settings->bytes()), config.string());
  auto mapped = MappedFile::open(file);
  auto parts = read(view(mapped->bytes()), file, known);
  if (settings && fs::path(file).filename() == "tokenizer.json")
    read_tokenizer_config(view(settings->bytes()), config.string(), *parts);
  return std::make_shared<const Tokenizer>(std::move(parts));
}

std::shared_ptr<const Tokenizer> Tokenizer::from_bytes(std::span<const uint8_t> bytes, const std::string& where,
                                                       const TiktokenExtras& extras) {
  return std::make_shared<const Tokenizer>(read(view(bytes), where, extras));
}

std::shared_ptr<const Tokenizer> Tokenizer::from_vocabulary(Vocabulary vocabulary) {
  return std::make_shared<const Tokenizer>(assemble(std::move(vocabulary)));
}

Tokenizer::Tokenizer(std::unique_ptr<TokenizerParts> parts) {
  auto inside = [&](std::optional<int32_t> id, const char* name) {
    if (id && (*id < 0 || *id >= parts->spellings.size()))
      throw Error(Kind::format, say("the {} token's id {} is out of range", name, *id))
          .at(parts->where)
          .expected(fmt::format("0 .. {}", parts->spellings.size() - 1));
  };
  if (parts->spellings.size() == 0) throw Error(Kind::format, say("the vocabulary is empty")).at(parts->where);
  inside(parts->bos, "bos");
  inside(parts->eos, "eos");
  inside(parts->unk, "unk");
  inside(parts->pad, "pad");
  inside(parts->eot, "eot");
  find_ends(*parts);
  parts_ = std::move(parts);
}

Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool parse_special) const {
  // Symbols hold 32-bit places; normalizers may make the text a few times longer.
  constexpr size_t most = size_t{1} << 30;
  if (text.size() > most)
    throw Error(Kind::limit, say("a text of {} bytes is too long to encode at once", text.size()));
  if (is_valid_utf8(text)) return Encoder(*parts_, parse_special).run(text);
  return Encoder(*parts_, parse_special).run(repair_utf8(text));
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  for (int32_t id : ids)
    if (id < 0 || id >= size())
      throw Error(Kind::mismatch, say("token id {} is out of range", id)).expected(fmt::format("0 .. {}", size() - 1));
  return parts_->decoder.decode(ids);
}

int32_t Tokenizer::size() const { return parts_->spellings.size(); }
std::optional<int32_t> Tokenizer::bos() const { return parts_->bos; }
std::optional<int32_t> Tokenizer::eos() const { return parts_->eos; }
std::optional<int32_t> Tokenizer::unk() const { return parts_->unk; }
std::optional<int32_t> Tokenizer::pad() const { return parts_->pad; }
const std::vector<int32_t>& Tokenizer::ends() const { return parts_->ends; }
bool Tokenizer::add_bos() const { return parts_->add_bos; }
bool Tokenizer::add_eos() const { return parts_->add_eos; }

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  int32_t id = parts_->spellings.find(token);
  return id < 0 ? std::nullopt : std::optional(id);
}
std::string Tokenizer::token_text(int32_t id) const { return std::string(parts_->spellings[id]); }
std::string Tokenizer::token_bytes(int32_t id) const { return std::string(parts_->decoder.bytes(id, false)); }
bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < static_cast<int32_t>(parts_->special.size()) && parts_->special[id];
}
const std::string& Tokenizer::kind() const { return parts_->kind; }

}  // namespace madang
