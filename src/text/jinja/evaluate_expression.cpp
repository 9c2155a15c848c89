// Expressions. Jinja's documentation: "Expressions".
#include "text/jinja/evaluator.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/tables.h"

namespace madang::jinja {

using Op = Expr::Op;

Value Evaluator::evaluate(const Expr& e, const FramePtr& frame) {
  Level level(rt_.budget);
  rt_.budget.charge();
  rt_.line = e.line;
  auto part = [&](size_t i) { return evaluate(*e.parts[i], frame); };
  switch (e.op) {
    case Op::data:
    case Op::constant:
      return e.constant;
    case Op::name:
      return name(e, frame);
    case Op::tuple:
      return make_tuple(all(e.parts, frame));
    case Op::list:
      return make_list(all(e.parts, frame));
    case Op::dict:
      return dict(e, frame);
    case Op::binary: {
      Value left = part(0);
      return binary(rt_, e.operation, left, part(1));
    }
    case Op::concat:
      return concat(e, frame);
    case Op::negate:
      return negate(part(0));
    case Op::positive: {
      Value v = part(0);
      return v.is_int() ? make_integer(big_of(v)) : v.as<double>() ? v : (negate(v), v);
    }
    case Op::not_:
      return !truth(rt_, part(0));
    case Op::and_: {
      Value left = part(0);
      return truth(rt_, left) ? part(1) : left;
    }
    case Op::or_: {
      Value left = part(0);
      return truth(rt_, left) ? left : part(1);
    }
    case Op::compare:
      return compare_chain(e, frame);
    case Op::attribute:
      return get_attribute(rt_, part(0), e.name);
    case Op::item: {
      Value whole = part(0);
      return get_item(rt_, whole, part(1));
    }
    case Op::slice: {
      Value whole = part(0), start = evaluate_or_none(e.parts[1], frame), stop = evaluate_or_none(e.parts[2], frame);
      return slice(rt_, whole, start, stop, evaluate_or_none(e.parts[3], frame));
    }
    case Op::filter:
      return filter(e, part(0), frame);
    case Op::test:
      return test(e, frame);
    case Op::call:
      return call_expression(e, frame);
    case Op::conditional:
      return conditional(e, frame);
    case Op::attribute_of_namespace:
      break;  // only ever a target
  }
  throw Error(Kind::internal, say("an expression of no known kind"));
}

Value Evaluator::evaluate_or_none(const ExprPtr& e, const FramePtr& frame) {
  return e ? evaluate(*e, frame) : Value(None{});
}

Value Evaluator::name(const Expr& e, const FramePtr& frame) {
  const Value& v = frame->at(e.place);
  return v.is_missing() ? make_undefined(say("'{}' is undefined", e.name)) : v;
}

Values Evaluator::all(const std::vector<ExprPtr>& parts, const FramePtr& frame) {
  Values items;
  items.reserve(parts.size());
  for (auto& part : parts) items.push_back(evaluate(*part, frame));
  return items;
}

Value Evaluator::dict(const Expr& e, const FramePtr& frame) {
  DictMaker maker(rt_);
  for (size_t i = 0; i < e.parts.size(); i += 2) {
    Value key = evaluate(*e.parts[i], frame);
    maker.set(key, evaluate(*e.parts[i + 1], frame));
  }
  return maker.finish();
}

Value Evaluator::concat(const Expr& e, const FramePtr& frame) {
  Values parts = all(e.parts, frame);
  std::string out;
  for (auto& part : parts) {
    if (rt_.autoescape)
      print(out, part);
    else
      append(out, part.string() ? text_of(part) : str_of(rt_, part));
  }
  return Value(std::move(out), rt_.autoescape);
}

Value Evaluator::compare_chain(const Expr& e, const FramePtr& frame) {
  Value left = evaluate(*e.parts[0], frame);
  for (size_t i = 0; i < e.comparisons.size(); ++i) {
    Value right = evaluate(*e.parts[i + 1], frame);
    auto holds = [&] {
      auto order = [&](auto fits) {
        auto sign = compare(rt_, left, right);
        return sign && fits(*sign);
      };
      switch (e.comparisons[i]) {
        case Comparison::eq:
          return equal(rt_, left, right);
        case Comparison::ne:
          return !equal(rt_, left, right);
        case Comparison::lt:
          return order([](int s) { return s < 0; });
        case Comparison::le:
          return order([](int s) { return s <= 0; });
        case Comparison::gt:
          return order([](int s) { return s > 0; });
        case Comparison::ge:
          return order([](int s) { return s >= 0; });
        case Comparison::in:
          return contains(rt_, right, left);
        case Comparison::not_in:
          return !contains(rt_, right, left);
      }
      return false;
    };
    if (!holds()) return false;
    left = std::move(right);
  }
  return true;
}

Value Evaluator::conditional(const Expr& e, const FramePtr& frame) {
  if (truth(rt_, evaluate(*e.parts[1], frame))) return evaluate(*e.parts[0], frame);
  if (e.parts[2]) return evaluate(*e.parts[2], frame);
  return make_undefined(say("an inline if without else was false"));
}

Arguments Evaluator::arguments(const CallArguments& a, const FramePtr& frame) {
  Arguments out{all(a.positional, frame), {}};
  for (auto& [key, value] : a.keyword) out.keyword.emplace_back(key, evaluate(*value, frame));
  if (a.star) {
    Values more = collect(rt_, evaluate(*a.star, frame));
    out.positional.insert(out.positional.end(), more.begin(), more.end());
  }
  if (!a.star_star) return out;
  Value more = evaluate(*a.star_star, frame);
  if (!more.dict()) refuse(say("a dict is needed here, not a value of type '{}'", type_name(more)));
  for (auto& [key, value] : more.dict()->entries) {
    if (!key.string()) refuse(say("the names of arguments must be texts"));
    for (auto& [other, ignored] : out.keyword)
      if (other == text_of(key)) refuse(say("the argument '{}' is given twice", other));
    rt_.budget.charge(1 + out.keyword.size() / 8);
    out.keyword.emplace_back(text_of(key), value);
  }
  return out;
}

Value Evaluator::filter(const Expr& e, Value on, const FramePtr& frame) {
  auto* row = filter_named(e.name);
  if (!row) refuse(say("no filter is named '{}'", e.name));
  auto given = arguments(*e.arguments, frame);
  return invoke(rt_, *row, on, std::move(given));
}

Value Evaluator::test(const Expr& e, const FramePtr& frame) {
  auto* row = test_named(e.name);
  if (!row) refuse(say("no test is named '{}'", e.name));
  Value on = evaluate(*e.parts[0], frame);
  auto given = arguments(*e.arguments, frame);
  return invoke(rt_, *row, on, std::move(given));
}

Value Evaluator::call_expression(const Expr& e, const FramePtr& frame, const Value* caller) {
  Value callee = evaluate(*e.parts[0], frame);
  auto given = arguments(*e.arguments, frame);
  if (caller) given.keyword.emplace_back("caller", *caller);
  rt_.line = e.line;
  return call(rt_, callee, given);
}

}  // namespace madang::jinja
