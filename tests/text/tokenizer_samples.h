// Small vocabularies made here, and random text, for the tokenizers' tests.
#pragma once
#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace madang::test {

/// Byte-level BPE: the 256 letters, merges over them, one control token and one added token.
inline Vocabulary byte_level_vocabulary() {
  Vocabulary v;
  v.where = "sample";
  v.model = "gpt2";
  v.pre = "gpt-2";
  for (int b = 0; b < 256; ++b) v.tokens.push_back(to_utf8(letter_of_byte(static_cast<uint8_t>(b))));
  auto merge = [&](std::string left, std::string right) {
    v.merges.push_back(left + " " + right);
    v.tokens.push_back(left + right);
  };
  merge("t", "h");
  merge("th", "e");
  merge("Ġ", "the");
  merge("a", "a");
  merge("aa", "aa");
  merge("ì", "ķ");  // the first two bytes of Hangul syllables such as 안
  v.types.assign(v.tokens.size(), 1);
  v.tokens.push_back("<|end|>");
  v.types.push_back(3);
  v.tokens.push_back("<added>");
  v.types.push_back(4);
  v.eos = static_cast<int32_t>(v.tokens.size()) - 2;
  return v;
}

/// sentencepiece BPE with byte fallback.
inline Vocabulary piece_vocabulary() {
  Vocabulary v;
  v.where = "sample";
  v.model = "llama";
  auto add = [&](std::string piece, float score, int32_t type) {
    v.tokens.push_back(std::move(piece));
    v.scores.push_back(score);
    v.types.push_back(type);
  };
  add("<unk>", 0, 2);
  add("<s>", 0, 3);
  add("</s>", 0, 3);
  for (int b = 0; b < 256; ++b) add(fmt::format("<0x{:02X}>", b), 0, 6);
  float score = 0;
  for (const char* piece : {"▁t", "he", "▁the", "안녕", "▁안녕", "▁▁", "▁", "t", "h", "e", "안", "녕", "하"})
    add(piece, --score, 1);
  add("<user>", 0, 4);
  v.unk = 0;
  v.bos = 1;
  v.eos = 2;
  return v;
}

/// The first of them as a tokenizer.json.
inline std::string json_sample() {
  Vocabulary v = byte_level_vocabulary();
  Json vocab = Json::object();
  for (size_t i = 0; i + 2 < v.tokens.size(); ++i) vocab[v.tokens[i]] = i;
  Json added = Json::array();
  for (size_t i = v.tokens.size() - 2; i < v.tokens.size(); ++i)
    added.push_back(
        {{"id", i}, {"content", v.tokens[i]}, {"special", i + 2 == v.tokens.size()}, {"normalized", false}});
  Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  return Json{{"added_tokens", added},
              {"normalizer", {{"type", "NFC"}}},
              {"pre_tokenizer", byte_level},
              {"decoder", byte_level},
              {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", v.merges}}}}
      .dump();
}

/// And as a .tiktoken file (bytes in rank order, joined ones last).
inline std::string tiktoken_sample(const std::vector<std::string>& joined = {"th", "the", "aa"}) {
  static const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  int rank = 0;
  auto line = [&](const std::string& bytes) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0);
    for (size_t i = 0; i < 4; ++i) out += i <= bytes.size() ? digits[bits >> (18 - 6 * i) & 63] : '=';
    out += " " + std::to_string(rank++) + "\n";
  };
  for (int b = 0; b < 256; ++b) line(std::string(1, static_cast<char>(b)));
  for (const std::string& bytes : joined) line(bytes);
  return out;
}

/// A tokenizer.model (protocol buffer) of the piece vocabulary.
inline std::string model_sample() {
  auto varint = [](uint64_t n) {
    std::string s;
    for (; n > 127; n >>= 7) s += static_cast<char>((n & 127) | 128);
    return s + static_cast<char>(n);
  };
  auto block = [&](int number, const std::string& body) {
    return varint(number << 3 | 2) + varint(body.size()) + body;
  };
  auto whole = [&](int number, uint64_t value) { return varint(number << 3) + varint(value); };
  Vocabulary v = piece_vocabulary();
  std::string out;
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    std::string score(reinterpret_cast<const char*>(&v.scores[i]), 4);
    out += block(1, block(1, v.tokens[i]) + varint(2 << 3 | 5) + score + whole(3, v.types[i]));
  }
  out += block(2, whole(3, 2) + whole(40, 0) + whole(41, 1) + whole(42, 2));
  return out + block(3, whole(3, 1) + whole(4, 0));
}

/// Characters of many scripts, blanks of all kinds, contractions, runs, names of tokens.
inline std::string random_text(std::mt19937_64& random, int parts) {
  static const std::vector<std::string> pieces = {"the",
                                                  " the",
                                                  "'s",
                                                  "'RE",
                                                  "'\u017F",
                                                  "’s",
                                                  "aaaaaaaa",
                                                  "  ",
                                                  "\n\n",
                                                  "\r\n",
                                                  "\t",
                                                  "\u00A0",
                                                  "\u3000",
                                                  "\u2028",
                                                  "\u0085",
                                                  "123",
                                                  "４",
                                                  "²",
                                                  "ⅷ",
                                                  "!?",
                                                  "...",
                                                  "//",
                                                  "한글",
                                                  "안녕",
                                                  "\u1112\u1161\u11AB",
                                                  "漢字",
                                                  "e\u0301",
                                                  "\u0301",
                                                  "ǅ",
                                                  "Ǆ",
                                                  "👨‍👩‍👧",
                                                  "<|end|>",
                                                  "<added>",
                                                  "<s>",
                                                  "▁",
                                                  "Ġ",
                                                  "\uFFFD",
                                                  "(",
                                                  "_",
                                                  "/",
                                                  "\x7F",
                                                  "İ",
                                                  "XMLHttp",
                                                  "iPhone",
                                                  "ไทย"};
  std::string out;
  for (int i = 0; i < parts; ++i) {
    if (random() % 3) {
      out += pieces[random() % pieces.size()];
      continue;
    }
    char32_t c = random() % 2 ? random() % 0x250 : random() % 0x30000;
    // Only what both property tables know: PCRE2's are of Unicode 14.
    if ((c >= 0xD800 && c < 0xE000) || age_of(c) > 14 || age_of(c) == 0) c = 'x';
    append_utf8(out, c);
  }
  return out;
}

}  // namespace madang::test
