// Gemma 4 and FunctionGemma, which have tokens for calls: <|tool_call>call:f{a:1,b:<|"|>x<|"|>}<tool_call|>, and the
// same between <start_function_call> and <end_function_call> with <escape> around texts.
#include "chat/family.h"
#include "chat/marker.h"

namespace madang::families {
namespace {

struct Marks {
  std::string_view open, close, quote;
};
constexpr Marks gemma4 = {"<|tool_call>", "<tool_call|>", "<|\"|>"},
                function = {"<start_function_call>", "<end_function_call>", "<escape>"};

const Marks& marks_of(std::string_view body) { return body.starts_with(function.open) ? function : gemma4; }

// A value as these templates write it, as JSON. Keys stand bare or in quotes.
class Reader {
 public:
  Reader(std::string_view text, std::string_view quote) : text_(text), quote_(quote) {}

  bool done() const { return at_ >= text_.size(); }
  bool take(std::string_view mark) {
    at_ = std::min(text_.find_first_not_of(blanks, at_), text_.size());
    if (!text_.substr(at_).starts_with(mark)) return false;
    return at_ += mark.size(), true;
  }
  std::string word(std::string_view ends) {
    const size_t from = at_;
    at_ = std::min(text_.find_first_of(ends, at_), text_.size());
    return std::string(trimmed(text_.substr(from, at_ - from)));
  }
  // Behind the opening brace. `cut`: what came whole is taken.
  std::optional<Json> object(bool cut, int depth = 0) {
    Json out = Json::object();
    while (!take("}")) {
      const std::optional<std::string> key = take(quote_) ? quoted() : word(":,{}[]");
      auto value = key && !key->empty() && take(":") ? this->value(depth + 1) : std::nullopt;
      if (value) out[*key] = std::move(*value);
      if (value && (take(",") || (!done() && text_[at_] == '}'))) continue;
      if (cut) return out;
      return std::nullopt;
    }
    return out;
  }

 private:
  std::optional<std::string> quoted() {
    const size_t end = text_.find(quote_, at_);
    if (end == text_.npos) return std::nullopt;
    std::string out(text_.substr(at_, end - at_));
    at_ = end + quote_.size();
    return out;
  }
  std::optional<Json> list(int depth) {
    Json out = Json::array();
    while (!take("]")) {
      auto v = value(depth + 1);
      if (!v) return v;
      out.push_back(std::move(*v));
      if (!take(",") && (done() || text_[at_] != ']')) return std::nullopt;
    }
    return out;
  }
  std::optional<Json> value(int depth) {
    if (depth > 64) return std::nullopt;
    if (take(quote_)) {
      auto text = quoted();
      if (!text) return std::nullopt;
      return Json(std::move(*text));
    }
    if (take("{")) return object(false, depth);
    if (take("[")) return list(depth);
    const std::string bare = word(",}]");
    if (bare.empty() || done()) return std::nullopt;
    Json json = Json::parse(bare, nullptr, false);
    return json.is_discarded() ? Json(bare) : std::move(json);
  }

  std::string_view text_, quote_;
  size_t at_ = 0;
};

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  const Marks& marks = marks_of(body);
  std::string_view inner = body.substr(skipped(body, marks.open));
  if (inner.ends_with(marks.close)) inner.remove_suffix(marks.close.size());
  Reader in(inner, marks.quote);
  if (!in.take("call:")) return {};
  std::string name = in.word("{");
  if (name.empty() || name.find_first_of(" \t\r\n<>\"") != name.npos || (in.done() && !cut)) return {};
  in.take("{");
  const auto arguments = in.object(cut);
  in.take("");
  if (!arguments || (!in.done() && !cut)) return {};
  return {{std::move(name), arguments->dump(-1, ' ', false, Json::error_handler_t::replace)}};
}

std::string forced(const Marks& marks, std::string_view f) {
  return std::string(marks.open) + "call:" + (f.empty() ? std::string() : std::string(f) + "{");
}

size_t length(std::string_view body) { return end_of(body, marks_of(body).close); }

}  // namespace

const ChatFamily gemma_4 = {
    .name = "gemma-4",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, gemma4.open); },
    .openings = {gemma4.open},
    .length = length,
    .calls = calls,
    .forced = [](std::string_view f) { return forced(gemma4, f); },
    .ending = "}<tool_call|>",
    .markers = {gemma4.close, gemma4.quote},
};

const ChatFamily function_gemma = {
    .name = "function-gemma",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, function.open); },
    .openings = {function.open},
    .length = length,
    .calls = calls,
    .forced = [](std::string_view f) { return forced(function, f); },
    .ending = "}<end_function_call>",
    .markers = {function.close, function.quote},
};

}  // namespace madang::families
