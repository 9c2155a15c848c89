#include "text/decode.h"

#include <algorithm>

#include "text/normalize.h"
#include "text/unicode.h"

namespace madang {

std::string Decoder::decode(std::span<const int32_t> ids) const {
  std::string out;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0 && ends_word(ids[i - 1])) out += ' ';
    out += bytes(ids[i], i == 0);
  }
  size_t begin = 0, end = out.size();
  for (int32_t n = 0; n < strip_start && begin < end && out[begin] == strip; ++n) ++begin;
  for (int32_t n = 0; n < strip_end && end > begin && out[end - 1] == strip; ++n) --end;
  std::string_view kept = std::string_view(out).substr(begin, end - begin);
  return repair_utf8(kept);
}

int byte_of_piece(std::string_view piece) {
  auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  int high = digit(piece[3]), low = digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

DecodeStep decode_byte_letters() {
  return [](TokenText& t) {
    std::string bytes;
    if (bytes_of_letters(t.text, bytes)) t.text = std::move(bytes);
  };
}

DecodeStep decode_metaspace(std::string replacement, bool drops_first) {
  return
      [=](TokenText& t) { t.text = replace_all(std::move(t.text), replacement, t.is_first && drops_first ? "" : " "); };
}

DecodeStep decode_wordpiece(std::string prefix, bool cleanup) {
  return [=](TokenText& t) {
    if (!t.is_first) {
      if (!prefix.empty() && t.text.starts_with(prefix))
        t.text.erase(0, prefix.size());
      else
        t.text.insert(0, 1, ' ');
    }
    if (!cleanup) return;
    constexpr std::pair<std::string_view, std::string_view> english[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (auto [from, to] : english) t.text = replace_all(std::move(t.text), from, to);
  };
}

DecodeStep decode_suffix(std::string suffix) {
  return [=](TokenText& t) {
    if (suffix.empty() || !t.text.ends_with(suffix)) return;
    t.text.resize(t.text.size() - suffix.size());
    t.blank_after = true;
  };
}

DecodeStep decode_replace(std::string from, std::string to) {
  return [=](TokenText& t) { t.text = replace_all(std::move(t.text), from, to); };
}

DecodeStep decode_byte_fallback() {
  return [](TokenText& t) {
    if (int byte = byte_of_piece(t.text); byte >= 0) t.text = std::string(1, static_cast<char>(byte));
  };
}

DecodeStep decode_strip(char what, int32_t start, int32_t end) {
  return [=](TokenText& t) {
    for (int32_t n = 0; n < start && t.text.starts_with(what); ++n) t.text.erase(0, 1);
    for (int32_t n = 0; n < end && t.text.ends_with(what); ++n) t.text.pop_back();
  };
}

DecodeStep decode_apart() {
  return [](TokenText& t) {
    if (!t.is_first) t.text.insert(0, 1, ' ');
  };
}

void build_decoder(const TokenTable& spellings, const std::vector<DecodeStep>& steps, bool position_matters,
                   Decoder& decoder) {
  auto through = [&](int32_t id, bool is_first) {
    TokenText token{std::string(spellings[id]), is_first};
    for (const DecodeStep& step : steps) step(token);
    return token;
  };
  for (int32_t id = 0; id < spellings.size(); ++id) {
    if (!spellings.has(id)) continue;
    TokenText token = through(id, false);
    decoder.rest.add_unreachable(id, token.text, "");
    if (position_matters) decoder.first.add_unreachable(id, through(id, true).text, "");
    if (!token.blank_after) continue;
    decoder.blank_after.resize(static_cast<size_t>(spellings.size()));
    decoder.blank_after[id] = true;
  }
}

}  // namespace madang
