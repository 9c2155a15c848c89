// Making, comparing and hashing values as Python does.
#include "text/jinja/value.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/runtime.h"

namespace madang::jinja {
namespace {

constexpr size_t scan_at_most = 8;  // below this, comparing beats hashing

bool is_ascii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool same_number(const Value& a, const Value& b) {
  if (auto *x = a.as<double>(), *y = b.as<double>(); x || y) {
    if (x && y) return *x == *y;
    double real = x ? *x : *y;
    return std::isfinite(real) && big_of(x ? b : a) == real;
  }
  if (auto *x = a.as<int64_t>(), *y = b.as<int64_t>(); x && y) return *x == *y;
  return big_of(a) == big_of(b);
}

size_t hash_number(const Value& v) {
  if (auto* i = v.as<int64_t>()) return std::hash<int64_t>()(*i);
  if (auto* b = v.as<bool>()) return std::hash<int64_t>()(*b);
  if (auto* d = v.as<double>()) {
    // An integral float must hash as its integer does; those outside int64 meet the big integers below.
    if (*d == std::trunc(*d) && std::fabs(*d) < 9e18) return std::hash<int64_t>()(static_cast<int64_t>(*d));
    return std::hash<double>()(*d);
  }
  return std::hash<double>()(big_of(v).get_d());
}

bool equal_sequences(Runtime& rt, const Sequence& a, const Sequence& b) {
  bool lists = a.kind == Sequence::Kind::list;
  if (lists != (b.kind == Sequence::Kind::list) || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i)
    if (!equal(rt, a.items[i], b.items[i])) return false;
  return true;
}

bool equal_dicts(Runtime& rt, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (auto& [key, value] : a.entries) {
    const Value* other = find(rt, b, key);
    if (!other || !equal(rt, value, *other)) return false;
  }
  return true;
}

}  // namespace

String::String(std::string text, bool is_markup) : bytes(std::move(text)), markup(is_markup), ascii(is_ascii(bytes)) {}

int depth_of(const Value& v) {
  if (auto* s = v.sequence()) return s->depth;
  if (auto* d = v.dict()) return d->depth;
  if (auto* o = v.object()) return o->depth();
  return 0;
}

int deeper(int depth) {
  constexpr int deepest = 500;
  if (depth >= deepest) throw Error(Kind::limit, say("the template nests values deeper than {} levels", deepest));
  return depth + 1;
}

Value make_sequence(Values items, Sequence::Kind kind) {
  int depth = 0;
  for (auto& item : items) depth = std::max(depth, depth_of(item));
  return Value(std::make_shared<const Sequence>(Sequence{std::move(items), kind, deeper(depth)}));
}

Value make_list(Values items) { return make_sequence(std::move(items), Sequence::Kind::list); }
Value make_tuple(Values items) { return make_sequence(std::move(items), Sequence::Kind::tuple); }
Value make_undefined(Text reason) { return Value(std::make_shared<const Undefined>(Undefined{std::move(reason)})); }

Value make_integer(mpz_class value) {
  static_assert(sizeof(long) == sizeof(int64_t));
  if (value.fits_slong_p()) return Value(int64_t{value.get_si()});
  return Value(std::make_shared<const mpz_class>(std::move(value)));
}

mpz_class big_of(const Value& v) {
  if (auto* i = v.as<int64_t>()) return mpz_class(static_cast<long>(*i));
  if (auto* b = v.as<bool>()) return mpz_class(*b ? 1 : 0);
  return **v.as<Value::Big>();
}

void DictMaker::set(const Value& key, Value value) {
  dict_->depth = std::max(dict_->depth, deeper(std::max(depth_of(key), depth_of(value))));
  rt_.budget.charge(2);
  if (auto* there = find(rt_, *dict_, key)) {
    *const_cast<Value*>(there) = std::move(value);  // ours until finish()
    return;
  }
  auto& d = *dict_;
  d.entries.emplace_back(key, std::move(value));
  if (d.entries.size() <= scan_at_most) return;
  if (d.index.empty())
    for (uint32_t i = 0; i + 1 < d.entries.size(); ++i) d.index.emplace(hash(rt_, d.entries[i].first), i);
  d.index.emplace(hash(rt_, key), static_cast<uint32_t>(d.entries.size() - 1));
}

Value DictMaker::finish() { return Value(Ref<const Dict>(std::move(dict_))); }

const Value* find(Runtime& rt, const Dict& dict, const Value& key) {
  if (dict.index.empty()) {
    if (!key.string()) hash(rt, key);  // a list as key is refused even where the dict is small
    for (auto& [k, v] : dict.entries)
      if (equal(rt, k, key)) return &v;
    return nullptr;
  }
  auto [from, to] = dict.index.equal_range(hash(rt, key));
  for (; from != to; ++from)
    if (equal(rt, dict.entries[from->second].first, key)) return &dict.entries[from->second].second;
  return nullptr;
}

const Value* find(Runtime& rt, const Dict& dict, std::string_view key) {
  if (!dict.index.empty()) return find(rt, dict, Value(key));
  for (auto& [k, v] : dict.entries)
    if (auto* s = k.string(); s && s->bytes == key) return &v;
  return nullptr;
}

bool truth(Runtime& rt, const Value& v) {
  if (auto* b = v.as<bool>()) return *b;
  if (auto* i = v.as<int64_t>()) return *i != 0;
  if (auto* d = v.as<double>()) return *d != 0;
  if (v.as<Value::Big>()) return true;
  if (auto* s = v.string()) return !s->bytes.empty();
  if (auto* s = v.sequence()) return !s->items.empty();
  if (auto* d = v.dict()) return !d->entries.empty();
  if (auto* o = v.object()) return o->length(rt).value_or(1) != 0;
  return false;  // none, undefined
}

bool equal(Runtime& rt, const Value& a, const Value& b) {
  rt.budget.charge();
  if (a.is_number() && b.is_number()) return same_number(a, b);
  if (auto *x = a.string(), *y = b.string(); x && y) {
    rt.budget.charge(std::min(x->bytes.size(), y->bytes.size()) / 64);
    return x->bytes == y->bytes;
  }
  if (auto *x = a.sequence(), *y = b.sequence(); x && y) return equal_sequences(rt, *x, *y);
  if (auto *x = a.dict(), *y = b.dict(); x && y) return equal_dicts(rt, *x, *y);
  if (a.undefined() || b.undefined()) return a.undefined() && b.undefined();
  if (a.object() && b.object()) return a.object() == b.object() || a.object()->same(rt, *b.object());
  return a.is_none() && b.is_none();
}

size_t hash(Runtime& rt, const Value& v) {
  rt.budget.charge();
  if (v.is_number()) return hash_number(v);
  if (auto* s = v.string()) {
    rt.budget.charge(s->bytes.size() / 64);
    return std::hash<std::string>()(s->bytes);
  }
  if (v.is_tuple()) {
    size_t h = 0x9e3779b97f4a7c15;
    for (auto& item : v.sequence()->items) h = h * 31 + hash(rt, item);
    return h;
  }
  if (v.sequence() || v.dict()) refuse(say("a value of type '{}' cannot be a key", type_name(v)));
  if (auto* o = v.object()) return std::hash<const Object*>()(o);
  return v.undefined() ? 1 : 2;
}

std::string_view type_name(const Value& v) {
  if (v.is_bool()) return "bool";
  if (v.is_int()) return "int";
  if (v.as<double>()) return "float";
  if (auto* s = v.string()) return s->markup ? "Markup" : "str";
  if (v.sequence()) return v.is_list() ? "list" : "tuple";
  if (v.dict()) return "dict";
  if (auto* o = v.object()) return o->type_name();
  return v.is_none() ? "NoneType" : "Undefined";
}

void require_defined(const Value& v) {
  if (auto* u = v.undefined()) throw Error(Kind::mismatch, u->reason);
}

}  // namespace madang::jinja
