// range, dict views, cycler, joiner.
#include "text/jinja/objects.h"

#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"

namespace madang::jinja {
namespace {

size_t steps_between(int64_t from, int64_t to, int64_t by) {
  if (by == 0) refuse(say("the step of a range is zero"));
  mpz_class span = by > 0 ? mpz_class(to) - mpz_class(from) : mpz_class(from) - mpz_class(to);
  if (span <= 0) return 0;
  mpz_class count = (span - 1) / abs(mpz_class(by)) + 1;
  constexpr unsigned long most = 100'000;  // MAX_RANGE of jinja2.sandbox
  if (count > most) throw Error(Kind::limit, say("a range is longer than {}", most));
  return count.get_ui();
}

// Reads `size` values by place, the source kept alive by `whole`.
template <class At>
Ref<Iterator> by_place(Value whole, size_t size, At at, std::string_view type) {
  int depth = depth_of(whole);
  size_t i = 0;
  auto next = [whole = std::move(whole), size, at, i](Runtime&) mutable -> std::optional<Value> {
    if (i >= size) return {};
    return at(i++);
  };
  return std::make_shared<Generator>(std::move(next), depth, type);
}

}  // namespace

Range::Range(int64_t from, int64_t to, int64_t by)
    : start(from), stop(to), step(by), count(steps_between(from, to, by)) {}

std::string Range::repr(Runtime&) {
  return step == 1 ? fmt::format("range({}, {})", start, stop) : fmt::format("range({}, {}, {})", start, stop, step);
}

Value Range::attribute(Runtime&, std::string_view name) {
  if (name == "start") return start;
  if (name == "stop") return stop;
  if (name == "step") return step;
  return {};
}

std::optional<Value> Range::item(Runtime&, const Value& key) {
  if (!key.is_int() || key.as<Value::Big>()) return {};
  int64_t i = to_index(key);
  if (i < 0) i += static_cast<int64_t>(count);
  if (i < 0 || i >= static_cast<int64_t>(count)) return {};
  return at(static_cast<size_t>(i));
}

Ref<Iterator> Range::iterate(Runtime&) {
  return by_place(Value(shared_from_this()), count, [this](size_t i) { return at(i); }, "range_iterator");
}

bool Range::same(Runtime&, const Object& other) const {
  auto* r = dynamic_cast<const Range*>(&other);
  return r && count == r->count && (count == 0 || (start == r->start && (count == 1 || step == r->step)));
}

Value Range::sliced(int64_t from, int64_t to, int64_t by) const {
  return make_object(std::make_shared<Range>(start + from * step, start + to * step, by * step));
}

std::string_view DictView::type_name() const {
  return of == Of::keys ? "dict_keys" : of == Of::values ? "dict_values" : "dict_items";
}

Value DictView::at(size_t i) const {
  auto& [key, value] = dict.dict()->entries[i];
  return of == Of::keys ? key : of == Of::values ? value : make_tuple({key, value});
}

std::string DictView::repr(Runtime& rt) {
  Values all;
  for (size_t i = 0; i < dict.dict()->entries.size(); ++i) all.push_back(at(i));
  return std::string(type_name()) + "(" + repr_of(rt, make_list(std::move(all))) + ")";
}

Ref<Iterator> DictView::iterate(Runtime&) {
  return by_place(
      Value(shared_from_this()), dict.dict()->entries.size(), [this](size_t i) { return at(i); }, "dict_itemiterator");
}

Value Cycler::attribute(Runtime&, std::string_view name) {
  if (name == "current") return items[at];
  if (name != "next" && name != "reset") return {};
  auto self = std::static_pointer_cast<Cycler>(shared_from_this());
  bool moves = name == "next";
  return make_object(std::make_shared<Function>(std::string(name), [self, moves](Runtime&, Arguments&) -> Value {
    Value current = self->items[self->at];
    self->at = moves ? (self->at + 1) % self->items.size() : 0;
    return moves ? current : Value(None{});
  }));
}

Value Joiner::call(Runtime&, Arguments&) {
  if (used) return separator;
  used = true;
  return "";
}

}  // namespace madang::jinja
