// Reading large JSON as a stream of events: headers of weight files hold up to millions of keys, which a document in
// memory would search one by one. A reader overrides what it understands; whatever else comes is refused with its
// place.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace madang {

class Sax : public nlohmann::json_sax<nlohmann::json> {
 public:
  /// Parses `text`, `where` being the file it is from. Throws Kind::format.
  void read(std::string_view text, const std::string& where) {
    where_ = where;
    nlohmann::json::sax_parse(text, this);  // every fault is thrown from the events
  }

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("true, false"); }
  bool number_integer(number_integer_t) override { return refuse("a negative number"); }
  bool number_unsigned(number_unsigned_t) override { return refuse("a number"); }
  bool number_float(number_float_t, const string_t& text) override { return refuse(text); }
  bool string(string_t& text) override { return refuse(text); }
  bool binary(binary_t&) override { return refuse("binary"); }
  bool start_object(std::size_t) override {
    enter();
    return true;
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override {
    enter();
    return true;
  }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    path_.back() = name;
    return true;
  }
  bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception& fault) override {
    throw Error(Kind::format, say("not valid JSON: {}", fault.what())).at(fmt::format("{}, byte {}", where_, byte));
  }

 protected:
  /// The key at each level above what is being read; an empty one inside an array.
  const std::vector<std::string>& path() const { return path_; }
  bool refuse(std::string_view found) const {
    throw Error(Kind::format, say("the header's {} is not what it should be", place()))
        .at(where_)
        .found(std::string(found.substr(0, 120)));
  }
  std::string place() const;
  const std::string& where() const { return where_; }
  int deepest = 4;

 private:
  void enter() {
    if (static_cast<int>(path_.size()) >= deepest) refuse("{ or [");
    path_.emplace_back();
  }
  bool leave() {
    path_.pop_back();
    return true;
  }

  std::string where_;
  std::vector<std::string> path_;
};

}  // namespace madang
