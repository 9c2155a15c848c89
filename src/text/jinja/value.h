// The values a template computes with: Python's, since Jinja borrows them. A Value is 24 bytes; what it refers to is
// shared and never changes (the sandbox forbids changing lists and dicts), so that copying a Value copies nothing.
// Jinja's documentation: "Literals", "Undefined Types".
#pragma once
#include <gmpxx.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace madang::jinja {

struct Runtime;
struct Object;
class Value;

template <class T>
using Ref = std::shared_ptr<T>;

/// A variable that nothing was assigned to; becomes Undefined when it is read.
struct Missing {};
struct None {};

/// UTF-8, counted in characters as Python counts. `markup` is markupsafe's Markup: text that is HTML already.
struct String {
  std::string bytes;
  bool markup = false;
  bool ascii;  // one byte a character: indexed directly

  explicit String(std::string text, bool is_markup = false);
};

struct Sequence {
  enum class Kind : uint8_t { list, tuple, group };  // group: the named pair (grouper, list) that groupby makes
  std::vector<Value> items;
  Kind kind;
  int depth;  // containers within containers, bounded so that nothing that walks them can run out of stack
};

/// Insertion-ordered. The index is built where scanning would cost more (above 8 entries).
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_multimap<size_t, uint32_t> index;  // hash of the key -> place in entries
  int depth = 1;
};

/// What stands for a missing variable, key or attribute: prints as nothing, and using it raises `reason`.
struct Undefined {
  Text reason;
};

class Value {
 public:
  using Big = Ref<const mpz_class>;
  using Storage = std::variant<Missing, None, bool, int64_t, double, Big, Ref<const String>, Ref<const Sequence>,
                               Ref<const Dict>, Ref<const Undefined>, Ref<Object>>;

  Value() = default;  // Missing
  Value(None) : storage_(None{}) {}
  Value(bool b) : storage_(b) {}
  Value(int i) : storage_(int64_t{i}) {}
  Value(int64_t i) : storage_(i) {}
  Value(size_t i) : storage_(static_cast<int64_t>(i)) {}  // sizes of things in memory: always below 2^63
  Value(double d) : storage_(d) {}
  Value(std::string text, bool markup = false) : storage_(std::make_shared<const String>(std::move(text), markup)) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(Big b) : storage_(std::move(b)) {}
  Value(Ref<const Sequence> s) : storage_(std::move(s)) {}
  Value(Ref<const Dict> d) : storage_(std::move(d)) {}
  Value(Ref<const Undefined> u) : storage_(std::move(u)) {}
  Value(Ref<Object> o) : storage_(std::move(o)) {}

  template <class T>
  const T* as() const {
    return std::get_if<T>(&storage_);
  }
  bool is_missing() const { return as<Missing>(); }
  bool is_none() const { return as<None>(); }
  bool is_bool() const { return as<bool>(); }
  bool is_int() const { return as<int64_t>() || as<Big>() || as<bool>(); }  // bool is an int in Python
  bool is_number() const { return is_int() || as<double>(); }

  // What a value refers to, or null where it is something else.
  const String* string() const { return target<String>(); }
  const Sequence* sequence() const { return target<Sequence>(); }
  const Dict* dict() const { return target<Dict>(); }
  const Undefined* undefined() const { return target<Undefined>(); }
  Object* object() const {
    auto* held = as<Ref<Object>>();
    return held ? held->get() : nullptr;
  }
  template <class T>
  T* object_as() const {
    return dynamic_cast<T*>(object());
  }

  bool is_true() const { return as<bool>() && *as<bool>(); }
  bool is_tuple() const { return sequence() && sequence()->kind != Sequence::Kind::list; }
  bool is_list() const { return sequence() && sequence()->kind == Sequence::Kind::list; }

  const Storage& storage() const { return storage_; }

 private:
  template <class T>
  const T* target() const {
    auto* held = as<Ref<const T>>();
    return held ? held->get() : nullptr;
  }
  Storage storage_;
};

using Values = std::vector<Value>;

/// The text of a Value known to be a string.
inline const std::string& text_of(const Value& v) { return v.string()->bytes; }

// Makers. Containers nested deeper than 500 are Kind::limit (Python's own printing gives up near 1000).
Value make_list(Values items);
Value make_tuple(Values items);
Value make_sequence(Values items, Sequence::Kind kind);
Value make_undefined(Text reason);
Value make_integer(mpz_class value);  // the small form where it fits

mpz_class big_of(const Value& integer);  // of a value with is_int()

/// Filled in order; a key that is there already keeps its place and takes the new value.
class DictMaker {
 public:
  explicit DictMaker(Runtime& rt) : rt_(rt), dict_(std::make_shared<Dict>()) {}
  void set(const Value& key, Value value);
  Value finish();

 private:
  Runtime& rt_;
  Ref<Dict> dict_;
};

/// The value under a key, or null. Throws Kind::mismatch for a key that Python cannot hash.
const Value* find(Runtime& rt, const Dict& dict, const Value& key);
const Value* find(Runtime& rt, const Dict& dict, std::string_view key);

bool truth(Runtime& rt, const Value& v);
bool equal(Runtime& rt, const Value& a, const Value& b);
size_t hash(Runtime& rt, const Value& v);    // Kind::mismatch for lists and dicts
std::string_view type_name(const Value& v);  // Python's: "str", "NoneType", ...

/// Throws what an Undefined says when it is used; does nothing for other values.
void require_defined(const Value& v);

}  // namespace madang::jinja
