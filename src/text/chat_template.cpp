// The door to the Jinja interpreter in jinja/: JSON in, text out.
#include "text/chat_template.h"

#include <charconv>

#include "text/jinja/evaluator.h"
#include "text/jinja/lexer.h"
#include "text/jinja/parser.h"
#include "text/jinja/scope.h"

namespace madang {
namespace {

using jinja::Value;

Value to_value(jinja::Runtime& rt, const Json& json, int depth = 0) {
  jinja::deeper(depth);
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_integer:
      return json.get<int64_t>();
    case Json::value_t::number_unsigned:
      return jinja::make_integer(mpz_class(json.get<unsigned long>()));
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return Value(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      jinja::Values items;
      items.reserve(json.size());
      for (auto& item : json) items.push_back(to_value(rt, item, depth + 1));
      return jinja::make_list(std::move(items));
    }
    case Json::value_t::object: {
      jinja::DictMaker maker(rt);
      for (auto& [key, item] : json.items()) maker.set(Value(key), to_value(rt, item, depth + 1));
      return maker.finish();
    }
    default:
      return jinja::None{};
  }
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, std::string name) {
  auto program = std::make_shared<jinja::Program>(jinja::parse(source, name));
  jinja::resolve_names(*program);
  program_ = std::move(program);
}

std::string ChatTemplate::render(const Json& variables, const RenderOptions& options) const {
  jinja::Runtime rt(options);
  try {
    if (!variables.is_object()) throw Error(Kind::usage, say("the variables of a template must be a JSON object"));
    std::map<std::string, Value, std::less<>> values;
    for (auto& [key, item] : variables.items()) values.emplace(key, to_value(rt, item));
    return jinja::Evaluator(*program_, rt, std::move(values)).run();
  } catch (Error& fault) {
    if (rt.line > 0) fault.within(jinja::place_in_template(program_->name, rt.line));
    throw;
  }
}

std::chrono::local_seconds parse_local_time(std::string_view text) {
  auto fail = [&]() -> std::chrono::local_seconds {
    throw Error(Kind::usage, say("not a date: '{}'", text)).expected("2026-03-09 | 2026-03-09T14:05:06");
  };
  // Digits stand where the form has 0; every other character is itself.
  std::string_view form = "0000-00-00T00:00:00";
  if (text.size() != 10 && text.size() != 16 && text.size() != form.size()) return fail();
  for (size_t i = 0; i < text.size(); ++i) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !digit : text[i] != form[i] && !(i == 10 && text[i] == ' ')) return fail();
  }
  auto number = [&](size_t at, size_t size) {
    int n = 0;
    if (at < text.size()) std::from_chars(text.data() + at, text.data() + at + size, n);
    return n;
  };
  std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                  std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                  std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return fail();
  return std::chrono::local_days(day) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace madang
