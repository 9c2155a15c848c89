// sentencepiece's tokenizer.model: a protocol buffer (sentencepiece_model.proto), of which a few fields matter here;
// and llama2.c's tokenizer.bin, which holds the pieces of one. Refuses what runs past its bounds.
#include <cstring>

#include "base/error.h"
#include "text/decode.h"
#include "text/tokenizer_parts.h"

namespace madang {
namespace {

// Fields of a message, one after another.
class Message {
 public:
  Message(std::string_view all, const std::string& where) : bytes_(all), where_(where) {}

  bool next() {
    if (at_ == bytes_.size()) return false;
    uint64_t tag = varint();
    number = tag >> 3;
    switch (tag & 7) {
      case 0:
        value = varint();
        break;
      case 1:
        bytes = take(8);
        break;
      case 2:
        bytes = take(varint());
        break;
      case 5:
        bytes = take(4);
        break;
      default:
        fail();
    }
    return true;
  }
  float real() const {
    float v = 0;
    if (bytes.size() == 4) std::memcpy(&v, bytes.data(), 4);
    return v;
  }

  uint64_t number = 0, value = 0;
  std::string_view bytes;

 private:
  [[noreturn]] void fail() const {
    throw Error(Kind::format, say("not a sentencepiece model: a field runs past its end"))
        .at(fmt::format("{}, byte {}", where_, at_));
  }
  uint64_t varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) fail();
      auto b = static_cast<uint8_t>(bytes_[at_++]);
      v |= static_cast<uint64_t>(b & 0x7F) << shift;
      if (b < 0x80) return v;
    }
    fail();
  }
  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - at_) fail();
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }

  std::string_view bytes_;
  const std::string& where_;
  size_t at_ = 0;
};

void read_piece(std::string_view bytes, const std::string& where, Vocabulary& out) {
  std::string piece;
  float score = 0;
  auto type = static_cast<int32_t>(TokenType::normal);
  for (Message m(bytes, where); m.next();) {
    if (m.number == 1)
      piece = m.bytes;
    else if (m.number == 2)
      score = m.real();
    else if (m.number == 3)
      type = static_cast<int32_t>(m.value & 7);
  }
  out.tokens.push_back(std::move(piece));
  out.scores.push_back(score);
  out.types.push_back(type);
}

void read_trainer(std::string_view bytes, const std::string& where, Vocabulary& out) {
  auto id = [](uint64_t v) {
    return static_cast<int64_t>(v) < 0 ? std::optional<int32_t>() : std::optional(static_cast<int32_t>(v & INT32_MAX));
  };
  for (Message m(bytes, where); m.next();) {
    switch (m.number) {
      case 3:  // model_type
        if (m.value != 1 && m.value != 2)
          throw Error(Kind::unsupported, say("sentencepiece models of words or characters are not built")).at(where);
        out.model = m.value == 1 ? "t5" : "llama";
        break;
      case 24:
        if (m.value)
          throw Error(Kind::unsupported, say("sentencepiece models with blanks as suffixes are not built")).at(where);
        break;
      case 40:
        out.unk = id(m.value);
        break;
      case 41:
        out.bos = id(m.value);
        break;
      case 42:
        out.eos = id(m.value);
        break;
      case 43:
        out.pad = id(m.value);
        break;
      case 44:
        out.unknown_text = std::string(m.bytes);
        break;
    }
  }
}

void read_normalizer(std::string_view bytes, const std::string& where, Vocabulary& out) {
  for (Message m(bytes, where); m.next();) {
    if (m.number == 2)
      out.precompiled_charsmap = m.bytes;
    else if (m.number == 3)
      out.add_space_prefix = m.value != 0;
    else if (m.number == 4)
      out.remove_extra_whitespaces = m.value != 0;
  }
}

}  // namespace

Vocabulary read_sentencepiece_model(std::string_view bytes, const std::string& where) {
  Vocabulary out;
  out.where = where;
  // The proto's defaults.
  out.model = "t5";
  out.unk = 0;
  out.bos = 1;
  out.eos = 2;
  out.add_space_prefix = out.remove_extra_whitespaces = true;
  out.unknown_text = " \u2047 ";
  for (Message m(bytes, where); m.next();) {
    if (m.number == 1)
      read_piece(m.bytes, where, out);
    else if (m.number == 2)
      read_trainer(m.bytes, where, out);
    else if (m.number == 3)
      read_normalizer(m.bytes, where, out);
  }
  auto count = static_cast<int64_t>(out.tokens.size());
  // The file numbers special tokens even where it has none; the trainer's pieces tell.
  for (auto* id : {&out.unk, &out.bos, &out.eos, &out.pad})
    if (*id && **id >= count) *id = std::nullopt;
  return out;
}

Vocabulary read_llama2c(std::string_view bytes, const std::string& where) {
  Vocabulary out;
  out.where = where;
  out.model = "llama";
  size_t at = 4;  // behind the longest token's size, which nobody needs
  while (at < bytes.size()) {
    float score = 0;
    int32_t size = 0;
    if (bytes.size() - at < 8) throw Error(Kind::format, say("tokenizer.bin ends inside a token")).at(where);
    std::memcpy(&score, bytes.data() + at, 4);
    std::memcpy(&size, bytes.data() + at + 4, 4);
    at += 8;
    if (size < 0 || static_cast<size_t>(size) > bytes.size() - at)
      throw Error(Kind::format, say("tokenizer.bin ends inside a token")).at(where).found(fmt::format("{}", size));
    std::string piece(bytes.substr(at, static_cast<size_t>(size)));
    at += static_cast<size_t>(size);
    auto type = byte_of_piece(piece) >= 0 ? TokenType::byte : TokenType::normal;
    // Blanks are written plainly, and newlines stand around the names of the first special tokens.
    if (piece == "<unk>")
      type = TokenType::unknown;
    else if (piece == "\n<s>\n" || piece == "\n</s>\n")
      type = TokenType::control, piece = piece.substr(1, piece.size() - 2);
    out.tokens.push_back(type == TokenType::normal ? replace_all(piece, " ", blank_mark) : piece);
    out.scores.push_back(score);
    out.types.push_back(static_cast<int32_t>(type));
  }
  if (out.tokens.size() < 3) throw Error(Kind::format, say("the vocabulary is empty")).at(where);
  out.unk = 0;
  out.bos = 1;
  out.eos = 2;
  return out;
}

}  // namespace madang
