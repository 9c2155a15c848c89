// The loop variable. It looks ahead by one item at most, and only when asked.
#include "text/jinja/loop.h"

namespace madang::jinja {
namespace {

// Reads from a list that was made when the length of a generator was asked for.
struct Rest final : Iterator {
  explicit Rest(Values all) : items(std::move(all)) {}
  std::optional<Value> next(Runtime&) override {
    if (at >= items.size()) return {};
    return items[at++];
  }
  Values items;
  size_t at = 0;
};

}  // namespace

std::optional<Value> Loop::advance(Runtime& rt) {
  auto next = after_ ? std::exchange(after_, std::nullopt) : items_->next(rt);
  if (!next) return {};
  ++index0_;
  before_ = std::exchange(current_, next);
  return next;
}

const std::optional<Value>& Loop::peek(Runtime& rt) {
  if (!after_) after_ = items_->next(rt);
  return after_;
}

std::optional<size_t> Loop::length(Runtime& rt) {
  if (!length_) {
    if (auto known = madang::jinja::length(rt, over_); known && !over_.is_missing()) {
      length_ = static_cast<int64_t>(*known);
    } else {
      auto rest = std::make_shared<Rest>(collect(rt, Value(Ref<Object>(items_))));
      length_ = static_cast<int64_t>(rest->items.size()) + index0_ + 1 + (after_ ? 1 : 0);
      items_ = rest;
    }
  }
  return static_cast<size_t>(*length_);
}

Value Loop::attribute(Runtime& rt, std::string_view name) {
  auto size = [&] { return static_cast<int64_t>(*length(rt)); };
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !peek(rt);
  if (name == "length") return size();
  if (name == "revindex") return size() - index0_;
  if (name == "revindex0") return size() - index0_ - 1;
  if (name == "depth") return depth0_ + 1;
  if (name == "depth0") return depth0_;
  if (name == "previtem") return index0_ > 0 ? *before_ : make_undefined(say("there is no previous item"));
  if (name == "nextitem") return peek(rt) ? *after_ : make_undefined(say("there is no next item"));
  if (name != "cycle" && name != "changed") return {};
  auto self = std::static_pointer_cast<Loop>(shared_from_this());
  bool cycles = name == "cycle";
  return make_object(std::make_shared<Function>(std::string(name), [self, cycles](Runtime& r, Arguments& a) {
    if (!a.keyword.empty()) refuse(say("{} has no argument named '{}'", "loop", a.keyword[0].first));
    return cycles ? self->cycle(a.positional) : self->changed(r, std::move(a.positional));
  }));
}

Value Loop::cycle(const Values& all) const {
  if (all.empty()) refuse(say("there is nothing to cycle through"));
  return all[static_cast<size_t>(index0_) % all.size()];
}

Value Loop::changed(Runtime& rt, Values now) {
  Value fresh = make_tuple(std::move(now));
  bool same = last_changed_ && equal(rt, *last_changed_, fresh);
  if (!last_changed_) rt.changeable.push_back(shared_from_this());  // it may be asked about itself
  if (!same) last_changed_ = fresh;
  return !same;
}

void Loop::forget() {
  last_changed_.reset();
  repeat_ = nullptr;
}

Value Loop::call(Runtime& rt, Arguments& arguments) {
  if (!repeat_) refuse(say("only a recursive loop can be called"));
  if (arguments.positional.size() != 1 || !arguments.keyword.empty())
    refuse(say("{} takes at most {} arguments", "loop", 1));
  rt.budget.charge();
  return repeat_(arguments.positional[0], depth0_ + 1);
}

std::string Loop::repr(Runtime& rt) { return fmt::format("<LoopContext {}/{}>", index0_ + 1, *length(rt)); }

}  // namespace madang::jinja
