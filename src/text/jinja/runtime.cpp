// Bounds, iteration and calls.
#include "text/jinja/runtime.h"

#include "text/jinja/frame.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"

namespace madang::jinja {
namespace {

struct SequenceIterator final : Iterator {
  SequenceIterator(const Value& v) : whole(v) {}
  std::optional<Value> next(Runtime&) override {
    auto& items = whole.sequence()->items;
    if (at >= items.size()) return {};
    return items[at++];
  }
  std::string_view type_name() const override { return whole.is_list() ? "list_iterator" : "tuple_iterator"; }
  int depth() const override { return deeper(depth_of(whole)); }
  Value whole;
  size_t at = 0;
};

struct TextIterator final : Iterator {
  TextIterator(const Value& v) : whole(v) {}
  std::optional<Value> next(Runtime& rt) override {
    auto& s = *whole.string();
    if (at >= s.bytes.size()) return {};
    size_t size = character_size(s.bytes[at]);
    rt.budget.charge(4);  // a text of its own is some 80 bytes
    Value c(s.bytes.substr(at, size), s.markup);
    at += size;
    return c;
  }
  std::string_view type_name() const override { return "str_iterator"; }
  Value whole;
  size_t at = 0;
};

struct KeyIterator final : Iterator {
  KeyIterator(const Value& v) : whole(v) {}
  std::optional<Value> next(Runtime&) override {
    auto& entries = whole.dict()->entries;
    if (at >= entries.size()) return {};
    return entries[at++].first;
  }
  std::string_view type_name() const override { return "dict_keyiterator"; }
  int depth() const override { return deeper(depth_of(whole)); }
  Value whole;
  size_t at = 0;
};

struct Nothing final : Iterator {
  std::optional<Value> next(Runtime&) override { return {}; }
};

}  // namespace

void Budget::out_of_steps() const { throw Error(Kind::limit, say("the template takes too many steps")); }
void Budget::too_long() const {
  throw Error(Kind::limit, say("the template makes a text longer than {} bytes", longest_));
}
void Budget::too_deep() const {
  throw Error(Kind::limit, say("the template nests deeper than {} evaluations", deepest_));
}

Runtime::~Runtime() {
  for (auto& o : changeable) o->forget();
  for (auto& f : kept_frames) f->slots.clear();
}

std::string Object::repr(Runtime&) { return "<" + std::string(type_name()) + " object>"; }

Value Object::call(Runtime&, Arguments&) { refuse(say("a value of type '{}' cannot be called", type_name())); }

Generator::Generator(Next next, int source_depth, std::string_view type)
    : next_(std::move(next)), depth_(deeper(source_depth)), type_(type) {}

std::optional<Value> Generator::next(Runtime& rt) {
  if (!next_) return {};
  Level level(rt.budget);
  rt.budget.charge();
  auto value = next_(rt);
  if (!value) next_ = nullptr;  // a finished generator stays finished, and lets go of its source
  return value;
}

std::string Namespace::repr(Runtime& rt) {
  Level level(rt.budget);
  std::string out = "<Namespace {";
  for (auto& [name, value] : attributes) {
    if (out.size() > 12) out += ", ";
    out += repr_of(rt, Value(name)) + ": " + repr_of(rt, value);
  }
  rt.budget.charge_text(out.size());
  return out + "}>";
}

Value Namespace::attribute(Runtime& rt, std::string_view name) {
  rt.budget.charge(attributes.size() / 16);
  for (auto& [n, v] : attributes)
    if (n == name) return v;
  return {};
}

void Namespace::set(Runtime& rt, const std::string& name, Value value) {
  if (name.starts_with("_"))
    refuse(say("a namespace cannot have an attribute that begins with an underscore: '{}'", name));
  rt.budget.charge(1 + attributes.size() / 16);
  for (auto& [n, v] : attributes)
    if (n == name) {
      v = std::move(value);
      return;
    }
  attributes.emplace_back(name, std::move(value));
}

void refuse(Text what) { throw Error(Kind::mismatch, std::move(what)); }

Ref<Iterator> try_iterate(Runtime& rt, const Value& v) {
  if (v.sequence()) return std::make_shared<SequenceIterator>(v);
  if (v.string()) return std::make_shared<TextIterator>(v);
  if (v.dict()) return std::make_shared<KeyIterator>(v);
  if (v.undefined()) return std::make_shared<Nothing>();
  return v.object() ? v.object()->iterate(rt) : nullptr;
}

Ref<Iterator> iterate(Runtime& rt, const Value& v) {
  auto it = try_iterate(rt, v);
  if (!it) refuse(say("a value of type '{}' cannot be iterated over", type_name(v)));
  return it;
}

Values collect(Runtime& rt, const Value& v) {
  Values out;
  if (auto* s = v.sequence()) {
    rt.budget.charge(s->items.size());
    return s->items;
  }
  auto it = iterate(rt, v);
  while (auto item = it->next(rt)) {
    rt.budget.charge();
    out.push_back(std::move(*item));
  }
  return out;
}

std::optional<size_t> length(Runtime& rt, const Value& v) {
  if (auto* s = v.string()) return character_count(*s);
  if (auto* s = v.sequence()) return s->items.size();
  if (auto* d = v.dict()) return d->entries.size();
  if (v.undefined()) return 0;
  if (auto* o = v.object()) return o->length(rt);
  return {};
}

Value call(Runtime& rt, const Value& callee, Arguments& arguments) {
  Level level(rt.budget);
  rt.budget.charge();
  require_defined(callee);
  if (auto* o = callee.object()) {
    auto alive = o->shared_from_this();  // a namespace may let go of a macro while it runs
    return o->call(rt, arguments);
  }
  refuse(say("a value of type '{}' cannot be called", type_name(callee)));
}

Value make_object(Ref<Object> object) { return Value(std::move(object)); }

}  // namespace madang::jinja
