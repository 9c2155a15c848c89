// The variable `loop` inside a for. Jinja's documentation: "For" (special variables).
#pragma once
#include <functional>

#include "text/jinja/runtime.h"

namespace madang::jinja {

struct Loop final : Object {
  using Repeat = std::function<Value(const Value& over, int depth)>;
  /// `repeat` renders the loop again over inner data: only where it is recursive.
  Loop(Value over, Ref<Iterator> items, int depth0, Repeat repeat)
      : over_(std::move(over)), items_(std::move(items)), depth0_(depth0), repeat_(std::move(repeat)) {}

  /// The next item, which becomes the current one.
  std::optional<Value> advance(Runtime& rt);

  std::string_view type_name() const override { return "LoopContext"; }
  std::string repr(Runtime& rt) override;
  Value attribute(Runtime& rt, std::string_view name) override;
  std::optional<size_t> length(Runtime& rt) override;
  bool callable() const override { return true; }
  Value call(Runtime& rt, Arguments& arguments) override;
  void forget() override;

 private:
  const std::optional<Value>& peek(Runtime& rt);
  Value cycle(const Values& all) const;
  Value changed(Runtime& rt, Values now);

  Value over_;
  Ref<Iterator> items_;
  int64_t index0_ = -1;
  int depth0_;
  std::optional<int64_t> length_;
  std::optional<Value> before_, current_, after_;
  std::optional<Value> last_changed_;
  Repeat repeat_;
};

}  // namespace madang::jinja
