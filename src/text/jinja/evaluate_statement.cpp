// Statements. Jinja's documentation: "List of Control Structures".
#include "text/jinja/evaluator.h"
#include "text/jinja/loop.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/tables.h"

namespace madang::jinja {

using Op = Expr::Op;
using Tag = Statement::Tag;

namespace {

/// A macro, or the body of a call block: a function of the template.
struct Macro final : Object {
  Macro(Evaluator& e, const Statement& s, Ref<Frame> f) : evaluator(e), statement(s), frame(std::move(f)) {}
  std::string_view type_name() const override { return "Macro"; }
  std::string repr(Runtime&) override {
    return statement.tag == Tag::macro ? "<Macro '" + statement.name + "'>" : "<Macro anonymous>";
  }
  bool callable() const override { return true; }
  Value call(Runtime&, Arguments& a) override { return evaluator.call_macro(statement, frame, a); }

  Value attribute(Runtime&, std::string_view name) override {
    if (name == "name") return statement.tag == Tag::macro ? Value(statement.name) : Value(None{});
    if (name == "catch_kwargs") return statement.takes_kwargs;
    if (name == "catch_varargs") return statement.takes_varargs;
    if (name == "caller") return statement.takes_caller;
    if (name != "arguments") return {};
    Values names;
    for (auto& p : statement.parameters) names.emplace_back(p.name);
    return make_tuple(std::move(names));
  }

  Evaluator& evaluator;
  const Statement& statement;
  Ref<Frame> frame;
};

/// `self`: the blocks of the template by name.
struct Self final : Object {
  Self(Evaluator& e, const Program& p) : evaluator(e), program(p) {}
  std::string_view type_name() const override { return "TemplateReference"; }
  Value attribute(Runtime&, std::string_view name) override {
    if (!program.blocks.contains(name)) return {};
    return make_object(std::make_shared<Function>(
        std::string(name),
        [this, block = std::string(name)](Runtime&, Arguments&) { return evaluator.render_block(block); }));
  }
  Evaluator& evaluator;
  const Program& program;
};

}  // namespace

std::string Evaluator::run() {
  auto root = std::make_shared<Frame>(nullptr, program_.scope);
  enter(*root, program_.scope);
  if (program_.self_slot >= 0)
    root->slots[static_cast<size_t>(program_.self_slot)] = make_object(std::make_shared<Self>(*this, program_));
  std::string out;
  body(program_.body, root, out);
  return out;
}

Evaluator::Flow Evaluator::body(const Body& all, const FramePtr& frame, std::string& out) {
  for (auto& s : all)
    if (Flow flow = statement(*s, frame, out); flow != Flow::on) return flow;
  return Flow::on;
}

Evaluator::Flow Evaluator::statement(const Statement& s, const FramePtr& frame, std::string& out) {
  Level level(rt_.budget);
  rt_.budget.charge();
  rt_.line = s.line;
  switch (s.tag) {
    case Tag::output:
      output(s, frame, out);
      break;
    case Tag::for_:
      return for_(s, frame, out);
    case Tag::if_:
      return if_(s, frame, out);
    case Tag::with:
      return with(s, frame, out);
    case Tag::autoescape:
      return autoescape(s, frame, out);
    case Tag::set_block:
      return set_block(s, frame);
    case Tag::filter:
      return filter_block(s, frame, out);
    case Tag::set:
      set(s, frame);
      break;
    case Tag::call:
      call_block(s, frame, out);
      break;
    case Tag::block:
      block(s, frame, out);
      break;
    case Tag::break_:
      return Flow::break_;
    case Tag::continue_:
      return Flow::continue_;
    case Tag::macro: {
      Value macro = make_macro(s, frame);
      if (s.top_level) exported_[s.name] = macro;
      frame->at(s.place) = std::move(macro);
      break;
    }
    case Tag::generation: {
      Arguments none;
      print(out, call_macro(s, frame, none));
      break;
    }
    case Tag::load:
      evaluate(*s.value, frame);
      throw Error(Kind::unsupported, say("'{}' is refused: a chat template stands alone", s.name));
  }
  return Flow::on;
}

// --- Output ----------------------------------------------------------------------------------------------------

void Evaluator::append(std::string& out, std::string_view text) {
  rt_.budget.charge(1 + text.size() / 16);
  if (out.size() + text.size() > rt_.budget.longest()) rt_.budget.charge_text(out.size() + text.size());
  out += text;
}

void Evaluator::print(std::string& out, const Value& v) {
  auto* s = v.string();
  if (rt_.autoescape && !(s && s->markup))
    append(out, escape_html(rt_, str_of(rt_, v)));
  else if (s)
    append(out, s->bytes);
  else
    append(out, str_of(rt_, v));
}

void Evaluator::output(const Statement& s, const FramePtr& frame, std::string& out) {
  for (auto& e : s.values) {
    if (e->op == Op::data)
      append(out, text_of(e->constant));
    else
      print(out, evaluate(*e, frame));
  }
}

Value Evaluator::captured(std::string text) const { return Value(std::move(text), rt_.autoescape); }

// --- Scopes ----------------------------------------------------------------------------------------------------

Value Evaluator::resolve(std::string_view name) const {
  if (auto found = exported_.find(name); found != exported_.end()) return found->second;
  if (auto found = variables_.find(name); found != variables_.end()) return found->second;
  return global_named(name);
}

void Evaluator::enter(Frame& frame, const ScopeLayout& layout) {
  for (auto& load : layout.loads) {
    auto& slot = frame.slots[static_cast<size_t>(load.slot)];
    switch (load.action) {
      case ScopeLoad::Action::parameter:
        break;
      case ScopeLoad::Action::resolve:
        slot = resolve(load.name);
        break;
      case ScopeLoad::Action::alias:
        slot = frame.at(load.from);
        break;
      case ScopeLoad::Action::missing:
        slot = Value();
        break;
    }
  }
}

void Evaluator::assign(const Expr& target, Value value, const FramePtr& frame, bool top_level) {
  if (target.op == Op::name) {
    if (top_level) exported_[target.name] = value;
    frame->at(target.place) = std::move(value);
    return;
  }
  if (target.op == Op::attribute_of_namespace) {
    auto* ns = frame->at(target.parts[0]->place).object_as<Namespace>();
    if (!ns) refuse(say("only an attribute of a namespace can be set"));
    return ns->set(rt_, target.name, std::move(value));
  }
  auto it = iterate(rt_, value);
  Values items;
  while (items.size() <= target.parts.size()) {
    auto item = it->next(rt_);
    if (!item) break;
    items.push_back(std::move(*item));
  }
  if (items.size() != target.parts.size()) refuse(say("there are not {} values to unpack", target.parts.size()));
  for (size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], std::move(items[i]), frame, top_level);
}

void Evaluator::set(const Statement& s, const FramePtr& frame) {
  assign(*s.target, evaluate(*s.value, frame), frame, s.top_level);
}

Evaluator::Flow Evaluator::set_block(const Statement& s, const FramePtr& frame) {
  auto own = std::make_shared<Frame>(frame, s.scope);
  enter(*own, s.scope);
  std::string text;
  if (Flow flow = body(s.body, own, text); flow != Flow::on) return flow;
  Value v = captured(std::move(text));
  if (s.value) v = filter_chain(*s.value, std::move(v), own);
  assign(*s.target, std::move(v), frame, s.top_level);
  return Flow::on;
}

Evaluator::Flow Evaluator::filter_block(const Statement& s, const FramePtr& frame, std::string& out) {
  auto own = std::make_shared<Frame>(frame, s.scope);
  enter(*own, s.scope);
  std::string text;
  if (Flow flow = body(s.body, own, text); flow != Flow::on) return flow;
  print(out, filter_chain(*s.value, captured(std::move(text)), own));
  return Flow::on;
}

Value Evaluator::filter_chain(const Expr& e, Value text, const FramePtr& frame) {
  Value on = e.parts[0] ? filter_chain(*e.parts[0], std::move(text), frame) : std::move(text);
  return filter(e, std::move(on), frame);
}

Evaluator::Flow Evaluator::with(const Statement& s, const FramePtr& frame, std::string& out) {
  auto own = std::make_shared<Frame>(frame, s.scope);
  enter(*own, s.scope);
  for (size_t i = 0; i < s.targets.size(); ++i) assign(*s.targets[i], evaluate(*s.values[i], frame), own, false);
  return body(s.body, own, out);
}

Evaluator::Flow Evaluator::autoescape(const Statement& s, const FramePtr& frame, std::string& out) {
  auto own = std::make_shared<Frame>(frame, s.scope);
  enter(*own, s.scope);
  bool before = std::exchange(rt_.autoescape, truth(rt_, evaluate(*s.value, own)));
  Flow flow = body(s.body, own, out);
  rt_.autoescape = before;
  return flow;
}

void Evaluator::block(const Statement& s, const FramePtr& frame, std::string& out) {
  if (s.required) refuse(say("the required block '{}' is not given", s.name));
  auto own = std::make_shared<Frame>(s.scoped ? frame : nullptr, s.scope);
  enter(*own, s.scope);
  body(s.body, own, out);
}

Value Evaluator::render_block(std::string_view name) {
  const Statement& s = *program_.blocks.find(name)->second;
  if (s.scoped) throw Error(Kind::unsupported, say("a scoped block cannot be called by name"));
  Level level(rt_.budget);
  std::string out;
  block(s, nullptr, out);
  return captured(std::move(out));
}

// --- Branches and loops ----------------------------------------------------------------------------------------

Evaluator::Flow Evaluator::if_(const Statement& s, const FramePtr& frame, std::string& out) {
  for (size_t i = 0; i < s.values.size(); ++i)
    if (truth(rt_, evaluate(*s.values[i], frame))) return body(s.bodies[i], frame, out);
  return body(s.otherwise, frame, out);
}

Evaluator::Flow Evaluator::for_(const Statement& s, const FramePtr& frame, std::string& out) {
  Value over = evaluate(*s.value, frame);
  if (!s.recursive) return loop(s, frame, over, 0, out);
  print(out, repeat_loop(s, frame, over, 0));
  return Flow::on;
}

Value Evaluator::repeat_loop(const Statement& s, const FramePtr& frame, const Value& over, int depth) {
  Level level(rt_.budget);
  std::string out;
  loop(s, frame, over, depth, out);
  return captured(std::move(out));
}

// What `for target in over if test` yields: the items that pass, as the target holds them.
Ref<Iterator> Evaluator::filtered(const Statement& s, const FramePtr& frame, const Value& over) {
  auto own = std::make_shared<Frame>(frame, s.test_scope);
  enter(*own, s.test_scope);
  auto next = [this, &s, own, items = iterate(rt_, over)](Runtime& rt) -> std::optional<Value> {
    while (auto item = items->next(rt)) {
      rt.budget.charge();
      assign(*s.test_target, std::move(*item), own, false);
      if (!truth(rt, evaluate(*s.test, own))) continue;
      std::function<Value(const Expr&)> held = [&](const Expr& target) {
        if (target.op == Op::name) return own->at(target.place);
        Values parts;
        for (auto& part : target.parts) parts.push_back(held(*part));
        return make_tuple(std::move(parts));
      };
      return held(*s.test_target);
    }
    return {};
  };
  return std::make_shared<Generator>(std::move(next), depth_of(over));
}

Evaluator::Flow Evaluator::loop(const Statement& s, const FramePtr& frame, const Value& over, int depth,
                                std::string& out) {
  Loop::Repeat repeat;
  if (s.recursive) repeat = [this, &s, frame](const Value& inner, int d) { return repeat_loop(s, frame, inner, d); };
  auto items = s.test ? filtered(s, frame, over) : iterate(rt_, over);
  auto state = std::make_shared<Loop>(s.test ? Value(Ref<Object>(items)) : over, items, depth, std::move(repeat));
  auto own = std::make_shared<Frame>(frame, s.scope);
  bool untouched = true;  // Jinja renders the else where no turn came to its end, so also behind a break in the first
  while (auto item = state->advance(rt_)) {
    rt_.budget.charge();
    assign(*s.target, std::move(*item), own, false);
    enter(*own, s.scope);
    own->slots[static_cast<size_t>(s.loop_slot)] = Value(Ref<Object>(state));
    Flow flow = body(s.body, own, out);
    if (flow == Flow::break_) break;
    if (flow == Flow::on) untouched = false;
  }
  if (!untouched || s.otherwise.empty()) return Flow::on;
  auto other = std::make_shared<Frame>(frame, s.otherwise_scope);
  enter(*other, s.otherwise_scope);
  return body(s.otherwise, other, out);
}

// --- Macros ----------------------------------------------------------------------------------------------------

Value Evaluator::make_macro(const Statement& s, const FramePtr& frame) {
  if (!frame->kept) {
    frame->kept = true;
    rt_.kept_frames.push_back(frame);
  }
  return make_object(std::make_shared<Macro>(*this, s, frame));
}

void Evaluator::call_block(const Statement& s, const FramePtr& frame, std::string& out) {
  Value caller = make_macro(s, frame);
  print(out, call_expression(*s.value, frame, &caller));
}

// Arguments by position, then by name; what is left over goes to varargs and kwargs where the body reads them.
void Evaluator::fill_parameters(const Statement& s, Frame& own, Arguments& given) {
  auto& keyword = given.keyword;
  auto taken = [&](std::string_view name) -> Value {
    for (size_t i = 0; i < keyword.size(); ++i)
      if (keyword[i].first == name) {
        Value v = std::move(keyword[i].second);
        keyword.erase(keyword.begin() + static_cast<ptrdiff_t>(i));
        return v;
      }
    return {};
  };
  size_t count = s.parameters.size();
  for (size_t i = 0; i < count; ++i) {
    auto& slot = own.slots[static_cast<size_t>(s.parameters[i].slot)];
    slot = i < given.positional.size() ? given.positional[i] : taken(s.parameters[i].name);
  }
  if (s.takes_caller) {
    Value caller = taken("caller");
    if (caller.is_missing() || caller.is_none()) caller = make_undefined(say("there is no caller"));
    own.slots[static_cast<size_t>(s.caller_slot)] = std::move(caller);
  }
  if (s.takes_kwargs) {
    DictMaker maker(rt_);
    for (auto& [name, value] : keyword) maker.set(Value(name), value);
    own.slots[static_cast<size_t>(s.kwargs_slot)] = maker.finish();
  } else if (!keyword.empty()) {
    refuse(say("{} has no argument named '{}'", s.name, keyword[0].first));
  }
  auto& all = given.positional;
  Values more(all.begin() + static_cast<ptrdiff_t>(std::min(count, all.size())), all.end());
  if (!s.takes_varargs && !more.empty()) refuse(say("{} takes at most {} arguments", s.name, count));
  if (s.takes_varargs) own.slots[static_cast<size_t>(s.varargs_slot)] = make_tuple(std::move(more));
}

Value Evaluator::call_macro(const Statement& s, const FramePtr& frame, Arguments& given) {
  Level level(rt_.budget);
  auto own = std::make_shared<Frame>(frame, s.scope);
  fill_parameters(s, *own, given);
  enter(*own, s.scope);
  for (auto& p : s.parameters) {
    auto& slot = own->slots[static_cast<size_t>(p.slot)];
    if (!slot.is_missing()) continue;
    Value v =
        p.otherwise ? evaluate(*p.otherwise, own) : make_undefined(say("the parameter '{}' was not given", p.name));
    own->slots[static_cast<size_t>(p.slot)] = std::move(v);
  }
  std::string out;
  body(s.body, own, out);
  return captured(std::move(out));
}

}  // namespace madang::jinja
