// What one render carries along, and what values other than data look like from outside.
#pragma once
#include <functional>
#include <optional>

#include "text/chat_template.h"
#include "text/jinja/value.h"

namespace madang::jinja {

/// Steps, sizes and depth spent so far; every place that makes or walks something charges it. No template can
/// loop, grow or nest without meeting one of the three bounds.
class Budget {
 public:
  explicit Budget(const RenderOptions& o) : steps_(o.steps), longest_(o.output_bytes), deepest_(o.depth) {}
  void charge(uint64_t steps = 1) {
    if (steps > steps_) out_of_steps();
    steps_ -= steps;
  }
  /// To be asked before a text of so many bytes is made.
  void charge_text(size_t bytes) {
    if (bytes > longest_) too_long();
    charge(1 + bytes / 16);
  }
  size_t longest() const { return longest_; }
  void enter() {
    if (++depth_ > deepest_) too_deep();
  }
  void leave() { --depth_; }

 private:
  [[noreturn]] void out_of_steps() const;
  [[noreturn]] void too_long() const;
  [[noreturn]] void too_deep() const;
  uint64_t steps_;
  size_t longest_;
  int deepest_, depth_ = 0;
};

/// One level of nested evaluation.
struct Level {
  explicit Level(Budget& b) : budget(b) { budget.enter(); }
  ~Level() { budget.leave(); }
  Level(const Level&) = delete;
  Budget& budget;
};

struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

struct Iterator;

/// Everything that is not plain data: ranges, iterators, functions, macros, namespaces, the loop variable.
struct Object : std::enable_shared_from_this<Object> {
  virtual ~Object() = default;
  virtual std::string_view type_name() const = 0;
  virtual std::string repr(Runtime&);
  virtual Value attribute(Runtime&, std::string_view) { return {}; }        // Missing: there is none
  virtual std::optional<Value> item(Runtime&, const Value&) { return {}; }  // nothing: cannot be subscripted
  virtual bool subscriptable() const { return false; }
  virtual std::optional<size_t> length(Runtime&) { return {}; }
  virtual Ref<Iterator> iterate(Runtime&) { return nullptr; }  // null: not iterable
  virtual bool callable() const { return false; }
  virtual Value call(Runtime&, Arguments&);
  virtual bool same(Runtime&, const Object&) const { return false; }  // == beyond identity (two equal ranges)
  virtual int depth() const { return 1; }
  virtual void forget() {}  // drops what it refers to: objects that can change may refer to themselves
};

/// A source of values, used up by reading (Python's generators and iterators).
struct Iterator : Object {
  virtual std::optional<Value> next(Runtime&) = 0;
  std::string_view type_name() const override { return "generator"; }
  Ref<Iterator> iterate(Runtime&) override { return std::static_pointer_cast<Iterator>(shared_from_this()); }
};

/// An Iterator made of a function. `source_depth` is the depth of what it reads: chains are bounded like containers.
struct Generator : Iterator {
  using Next = std::function<std::optional<Value>(Runtime&)>;
  Generator(Next next, int source_depth, std::string_view type = "generator");
  std::optional<Value> next(Runtime& rt) override;
  std::string_view type_name() const override { return type_; }
  int depth() const override { return depth_; }

 private:
  Next next_;
  int depth_;
  std::string_view type_;
};

/// A native function as a value.
struct Function : Object {
  using Body = std::function<Value(Runtime&, Arguments&)>;
  Function(std::string name_of_it, Body body_of_it) : name(std::move(name_of_it)), body(std::move(body_of_it)) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  std::string repr(Runtime&) override { return "<built-in function " + name + ">"; }
  bool callable() const override { return true; }
  Value call(Runtime& rt, Arguments& a) override { return body(rt, a); }
  std::string name;
  Body body;
};

/// {% set ns.name = ... %} writes here: the one thing a template can change.
struct Namespace : Object {
  std::string_view type_name() const override { return "Namespace"; }
  std::string repr(Runtime&) override;
  Value attribute(Runtime&, std::string_view name) override;
  void set(Runtime& rt, const std::string& name, Value value);
  void forget() override { attributes.clear(); }
  std::vector<std::pair<std::string, Value>> attributes;
};

struct Frame;

struct Runtime {
  explicit Runtime(const RenderOptions& o) : options(o), budget(o) {}
  ~Runtime();  // breaks the circles of namespaces and frames that hold themselves
  Runtime(const Runtime&) = delete;

  const RenderOptions& options;
  Budget budget;
  int line = 0;                         // of the template, for the place of an error
  bool autoescape = false;              // {% autoescape %}
  std::vector<Ref<Object>> changeable;  // objects that may refer to themselves
  std::vector<Ref<Frame>> kept_frames;  // frames that a macro refers to, and that may hold the macro
};

int depth_of(const Value& v);
int deeper(int depth);  // depth + 1, or Kind::limit

/// Throws Kind::mismatch: the template does something that Python refuses.
[[noreturn]] void refuse(Text what);

Ref<Iterator> iterate(Runtime& rt, const Value& v);         // Kind::mismatch where v is not iterable
Ref<Iterator> try_iterate(Runtime& rt, const Value& v);     // null where v is not iterable
Values collect(Runtime& rt, const Value& v);                // list(v)
std::optional<size_t> length(Runtime& rt, const Value& v);  // len(v), or nothing
Value call(Runtime& rt, const Value& callee, Arguments& arguments);
Value make_object(Ref<Object> object);

}  // namespace madang::jinja
