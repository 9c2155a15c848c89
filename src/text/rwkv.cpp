// RWKV World's vocabulary: lines of "id literal length". Longest match over the bytes is all there is to it.
#include <charconv>

#include "base/error.h"
#include "text/literal.h"
#include "text/tokenizer_parts.h"

namespace madang {
namespace {

int64_t number(std::string_view text, const std::string& where) {
  int64_t value = 0;
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size())
    throw Error(Kind::format, say("not a whole number")).at(where).found(std::string(text.substr(0, 80)));
  return value;
}

}  // namespace

std::unique_ptr<TokenizerParts> read_rwkv(std::string_view text, const std::string& where) {
  auto parts = std::make_unique<TokenizerParts>();
  parts->where = where;
  parts->kind = "RWKV World";
  size_t at = 0;
  for (int64_t line_number = 1; at < text.size(); ++line_number) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    std::string place = fmt::format("{}, line {}", where, line_number);
    size_t first = line.find(' '), last = line.rfind(' ');
    if (first == line.npos || first == last)
      throw Error(Kind::format, say("a line is not: id, literal, length")).at(place);
    std::string bytes = parse_literal(line.substr(first + 1, last - first - 1), place);
    int64_t id = number(line.substr(0, first), place), size = number(line.substr(last + 1), place);
    if (size != static_cast<int64_t>(bytes.size()))
      throw Error(Kind::format, say("a token is not as long as its line says"))
          .at(place)
          .expected(fmt::format("{}", size))
          .found(fmt::format("{}", bytes.size()));
    if (id < 0 || id > INT32_MAX) throw Error(Kind::format, say("token id {} is out of range", id)).at(place);
    auto token = static_cast<int32_t>(id);
    parts->tokens.add(token, bytes, place);
    parts->spellings.add(token, bytes, place);
    parts->decoder.rest.add_unreachable(token, bytes, place);
  }
  // Id 0 is the one token that the file leaves out: the end of a text.
  if (!parts->spellings.has(0)) {
    parts->spellings.add(0, "<|endoftext|>", where);
    parts->decoder.rest.add_unreachable(0, "<|endoftext|>", where);
    parts->raw_added.add({.id = 0, .content = "<|endoftext|>"});
    parts->mark_special(0);
    parts->eos = 0;
  }
  parts->model = make_longest_match(parts->tokens, -1);
  return parts;
}

}  // namespace madang
