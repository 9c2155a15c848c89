#include "text/json_members.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"

namespace madang {
namespace {

// A score as serde_json reads it, the parser behind the reference tokenizers: digits as an integer, scaled by one power
// of ten. The last bit may be wrong, and decides between equally good segmentations of runs such as "-----".
double rust_number(const std::string& spelled) {
  uint64_t digits = 0;
  int exponent = 0;
  bool behind_point = false, full = false;
  size_t at = 0;
  for (; at < spelled.size() && spelled[at] != 'e' && spelled[at] != 'E'; ++at) {
    char c = spelled[at];
    if (c == '.') behind_point = true;
    if (c < '0' || c > '9') continue;
    auto digit = static_cast<uint64_t>(c - '0');
    full |= digits > (UINT64_MAX - digit) / 10;
    if (!full) digits = digits * 10 + digit;
    exponent += full && !behind_point ? 1 : !full && behind_point ? -1 : 0;
  }
  double plain = std::strtod(spelled.c_str(), nullptr);
  if (at < spelled.size()) exponent += std::atoi(spelled.c_str() + at + 1);
  if (exponent < -300 || exponent > 300) return plain;
  double scale = std::strtod(fmt::format("1e{}", std::abs(exponent)).c_str(), nullptr);
  double value = exponent < 0 ? static_cast<double>(digits) / scale : static_cast<double>(digits) * scale;
  return spelled.starts_with('-') ? -value : value;
}

// Follows the parser's events. `depth_` counts open objects and arrays; the lists lie at depth 2 ("model" / "vocab").
class Reader final : public nlohmann::json_sax<Json> {
 public:
  Reader(JsonMembers& out, std::initializer_list<std::string_view> wanted, const std::string& where)
      : out_(out), wanted_(wanted), where_(where) {}

  bool null() override { return value(Json()); }
  bool boolean(bool v) override { return value(v); }
  bool number_integer(number_integer_t v) override {
    return list_ != List::none ? number(static_cast<double>(v)) : value(v);
  }
  bool number_unsigned(number_unsigned_t v) override {
    return list_ != List::none ? number(static_cast<double>(v)) : value(v);
  }
  bool number_float(number_float_t v, const string_t& spelled) override {
    return list_ != List::none ? number(rust_number(spelled)) : value(v);
  }
  bool binary(binary_t&) override { return false; }
  bool string(string_t& v) override { return list_ != List::none ? text(v) : value(std::move(v)); }

  bool key(string_t& v) override {
    if (list_ == List::vocab) {
      out_.vocab.emplace_back(std::move(v), 0);
      return true;
    }
    if (list_ == List::merges) fail("object");
    if (depth_ == 1) {
      top_ = v;
      kept_ = std::find(wanted_.begin(), wanted_.end(), v) != wanted_.end();
    }
    key_ = std::move(v);
    return true;
  }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception& fault) override {
    throw Error(Kind::format, say("not valid JSON: {}", fault.what())).at(fmt::format("{}, byte {}", where_, at));
  }

 private:
  enum class List { none, vocab, merges };
  static constexpr int deepest = 512;
  static constexpr size_t most_members = 4096;

  [[noreturn]] void fail(const char* found) const {
    throw Error(Kind::format,
                say("the tokenizer's {} is not a list of tokens", list_ == List::merges ? "merges" : "vocab"))
        .at(where_)
        .found(found);
  }

  bool open(Json empty) {
    if (++depth_ > deepest) throw Error(Kind::format, say("JSON nests deeper than {} levels", deepest)).at(where_);
    bool is_object = empty.is_object();
    if (depth_ == 1) {
      if (!is_object) throw Error(Kind::format, say("the file does not hold a JSON object")).at(where_);
      stack_.push_back(&out_.settings);
      return true;
    }
    if (list_ != List::none) {
      // Inside a list only pairs open, and they count their elements.
      if (is_object || depth_ != list_depth_ + 1 || (list_ == List::vocab && !out_.vocab_is_list))
        fail("nested values");
      element_ = 0;
      return true;
    }
    if (kept_ && depth_ == 3 && top_ == "model" && (key_ == "vocab" || (key_ == "merges" && !is_object))) {
      list_ = key_ == "vocab" ? List::vocab : List::merges;
      list_depth_ = depth_;
      if (list_ == List::vocab) out_.vocab_is_list = !is_object;
      return true;
    }
    if (kept_) stack_.push_back(place(std::move(empty)));
    return true;
  }

  bool close() {
    --depth_;
    if (list_ != List::none) {
      if (depth_ < list_depth_)
        list_ = List::none;
      else if (element_ != 2)
        fail("not a pair");
      return true;
    }
    if (kept_ || depth_ == 0) stack_.pop_back();
    if (depth_ == 1) kept_ = false;
    return true;
  }

  // A number of the vocabulary: the id of the key before it, or the score of a pair.
  bool number(double v) {
    bool in_pair = depth_ == list_depth_ + 1;
    if (list_ != List::vocab || out_.vocab.empty() || in_pair != out_.vocab_is_list || (in_pair && element_ != 1))
      fail("number");
    out_.vocab.back().second = v;
    ++element_;
    return true;
  }

  bool text(std::string& v) {
    bool in_pair = depth_ == list_depth_ + 1;
    if (list_ == List::vocab) {
      if (!in_pair || element_ != 0) fail("string");
      out_.vocab.emplace_back(std::move(v), 0);
    } else if (in_pair) {
      if (element_ > 1) fail("not a pair");
      if (element_ == 0)
        out_.merges.emplace_back(std::move(v), "");
      else
        out_.merges.back().second = std::move(v);
    } else {
      size_t blank = v.find(' ');
      if (blank == v.npos || v.find(' ', blank + 1) != v.npos)
        throw Error(Kind::format, say("a merge is not two pieces")).at(where_).found(v);
      out_.merges.emplace_back(v.substr(0, blank), v.substr(blank + 1));
    }
    ++element_;
    return true;
  }

  bool value(Json v) {
    if (depth_ == 0) throw Error(Kind::format, say("the file does not hold a JSON object")).at(where_);
    if (list_ != List::none) fail(v.type_name());
    if (kept_) place(std::move(v));
    if (depth_ == 1) kept_ = false;
    return true;
  }

  Json* place(Json v) {
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(v));
      return &parent.back();
    }
    if (parent.size() >= most_members)
      throw Error(Kind::format, say("an object has more than {} members", most_members)).at(where_).found(key_);
    return &(parent[key_] = std::move(v));
  }

  JsonMembers& out_;
  std::vector<std::string_view> wanted_;
  const std::string& where_;
  std::vector<Json*> stack_;  // the open values that are kept; a parent does not grow while a child is open
  std::string key_, top_;
  bool kept_ = false;
  int depth_ = 0, list_depth_ = 0, element_ = 0;
  List list_ = List::none;
};

}  // namespace

JsonMembers read_json_members(std::string_view text, const std::string& where,
                              std::initializer_list<std::string_view> wanted) {
  JsonMembers out;
  Reader reader(out, wanted, where);
  try {
    Json::sax_parse(text, &reader);
  } catch (const nlohmann::detail::exception& fault) {
    throw Error(Kind::format, say("not valid JSON: {}", fault.what())).at(where);
  }
  return out;
}

}  // namespace madang
