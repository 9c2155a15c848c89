// The small objects of the language: range, the views of a dict, cycler and joiner.
// Jinja's documentation: "List of Global Functions".
#pragma once
#include "text/jinja/runtime.h"

namespace madang::jinja {

/// range(start, stop, step), at most 100,000 long as Jinja's sandbox has it.
struct Range final : Object {
  Range(int64_t from, int64_t to, int64_t by);
  std::string_view type_name() const override { return "range"; }
  std::string repr(Runtime&) override;
  Value attribute(Runtime& rt, std::string_view name) override;
  std::optional<Value> item(Runtime&, const Value& key) override;
  bool subscriptable() const override { return true; }
  std::optional<size_t> length(Runtime&) override { return count; }
  Ref<Iterator> iterate(Runtime&) override;
  bool same(Runtime&, const Object& other) const override;
  Value at(size_t i) const { return Value(start + static_cast<int64_t>(i) * step); }
  Value sliced(int64_t from, int64_t to, int64_t by) const;

  int64_t start, stop, step;
  size_t count;
};

/// dict.keys(), .values(), .items().
struct DictView final : Object {
  enum class Of { keys, values, items };
  DictView(Value whole, Of part) : dict(std::move(whole)), of(part) {}
  std::string_view type_name() const override;
  std::string repr(Runtime&) override;
  std::optional<size_t> length(Runtime&) override { return dict.dict()->entries.size(); }
  Ref<Iterator> iterate(Runtime&) override;
  int depth() const override { return deeper(depth_of(dict)); }
  Value at(size_t i) const;

  Value dict;
  Of of;
};

struct Cycler final : Object {
  explicit Cycler(Values all) : items(std::move(all)) {}
  std::string_view type_name() const override { return "Cycler"; }
  Value attribute(Runtime& rt, std::string_view name) override;
  int depth() const override { return depth_of(make_list(items)); }

  Values items;
  size_t at = 0;
};

struct Joiner final : Object {
  explicit Joiner(Value between) : separator(std::move(between)) {}
  std::string_view type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }
  Value call(Runtime&, Arguments&) override;
  int depth() const override { return deeper(depth_of(separator)); }

  Value separator;
  bool used = false;
};

}  // namespace madang::jinja
