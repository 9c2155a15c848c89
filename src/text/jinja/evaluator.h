// Running a parsed template.
#pragma once
#include "text/jinja/frame.h"

namespace madang::jinja {

class Evaluator {
 public:
  Evaluator(const Program& program, Runtime& rt, std::map<std::string, Value, std::less<>> variables)
      : program_(program), rt_(rt), variables_(std::move(variables)) {}

  std::string run();

  // For the objects that refer back into a template.
  Value call_macro(const Statement& macro, const Ref<Frame>& frame, Arguments& arguments);
  Value repeat_loop(const Statement& loop, const Ref<Frame>& frame, const Value& over, int depth);
  Value render_block(std::string_view name);

 private:
  using FramePtr = Ref<Frame>;
  enum class Flow : uint8_t { on, break_, continue_ };

  // Statements (evaluate_statement.cpp)
  Flow body(const Body& all, const FramePtr& frame, std::string& out);
  Flow statement(const Statement& s, const FramePtr& frame, std::string& out);
  Flow if_(const Statement& s, const FramePtr& frame, std::string& out);
  Flow for_(const Statement& s, const FramePtr& frame, std::string& out);
  Flow loop(const Statement& s, const FramePtr& frame, const Value& over, int depth, std::string& out);
  Flow with(const Statement& s, const FramePtr& frame, std::string& out);
  Flow autoescape(const Statement& s, const FramePtr& frame, std::string& out);
  Flow set_block(const Statement& s, const FramePtr& frame);
  Flow filter_block(const Statement& s, const FramePtr& frame, std::string& out);
  void output(const Statement& s, const FramePtr& frame, std::string& out);
  void set(const Statement& s, const FramePtr& frame);
  void call_block(const Statement& s, const FramePtr& frame, std::string& out);
  void block(const Statement& s, const FramePtr& frame, std::string& out);

  Ref<Iterator> filtered(const Statement& s, const FramePtr& frame, const Value& over);
  void fill_parameters(const Statement& macro, Frame& own, Arguments& arguments);
  void enter(Frame& frame, const ScopeLayout& layout);
  void assign(const Expr& target, Value value, const FramePtr& frame, bool top_level);
  Value make_macro(const Statement& s, const FramePtr& frame);
  Value captured(std::string text) const;
  void append(std::string& out, std::string_view text);
  void print(std::string& out, const Value& v);
  Value resolve(std::string_view name) const;

  // Expressions (evaluate_expression.cpp)
  Value evaluate(const Expr& e, const FramePtr& frame);
  Value evaluate_or_none(const ExprPtr& e, const FramePtr& frame);
  Value name(const Expr& e, const FramePtr& frame);
  Values all(const std::vector<ExprPtr>& parts, const FramePtr& frame);
  Value dict(const Expr& e, const FramePtr& frame);
  Value concat(const Expr& e, const FramePtr& frame);
  Value compare_chain(const Expr& e, const FramePtr& frame);
  Value conditional(const Expr& e, const FramePtr& frame);
  Value filter(const Expr& e, Value on, const FramePtr& frame);
  Value filter_chain(const Expr& e, Value text, const FramePtr& frame);  // of a block: its innermost has no value
  Value test(const Expr& e, const FramePtr& frame);
  Value call_expression(const Expr& e, const FramePtr& frame, const Value* caller = nullptr);
  Arguments arguments(const CallArguments& a, const FramePtr& frame);

  const Program& program_;
  Runtime& rt_;
  std::map<std::string, Value, std::less<>> variables_;
  std::map<std::string, Value, std::less<>> exported_;  // what the top level has set: blocks see it
};

}  // namespace madang::jinja
