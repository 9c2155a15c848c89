// Global functions: Jinja's own, and the two that chat templates may rely on (raise_exception, strftime_now).
// Jinja's documentation: "List of Global Functions"; lipsum is refused, as random text is no prompt.
#include <locale.h>
#include <chrono>
#include <ctime>

#include "text/jinja/objects.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/tables.h"

namespace madang::jinja {
namespace {

// dict(mapping or pairs, **more).
Value make_dict(Runtime& rt, const Arguments& a) {
  if (a.positional.size() > 1) refuse(say("{} takes at most {} arguments", "dict", 1));
  DictMaker maker(rt);
  if (!a.positional.empty() && a.positional[0].dict()) {
    for (auto& [key, value] : a.positional[0].dict()->entries) maker.set(key, value);
  } else if (!a.positional.empty()) {
    auto pairs = iterate(rt, a.positional[0]);
    while (auto pair = pairs->next(rt)) {
      Values both = collect(rt, *pair);
      if (both.size() != 2) refuse(say("there are not {} values to unpack", 2));
      maker.set(both[0], both[1]);
    }
  }
  for (auto& [name, value] : a.keyword) maker.set(Value(name), value);
  return maker.finish();
}

struct DictFunction final : Object {
  std::string_view type_name() const override { return "TemplateDict"; }
  bool callable() const override { return true; }
  Value call(Runtime& rt, Arguments& a) override { return make_dict(rt, a); }
  Value attribute(Runtime& rt, std::string_view name) override {
    return name == "fromkeys" ? own_attribute(rt, DictMaker(rt).finish(), name) : Value();
  }
};

Value make_namespace(Call& c) {
  auto ns = std::make_shared<Namespace>();
  c.rt.changeable.push_back(ns);
  Value attributes = make_dict(c.rt, c.others);
  for (auto& [key, value] : attributes.dict()->entries) {
    if (!key.string()) refuse(say("the names of arguments must be texts"));
    ns->set(c.rt, text_of(key), value);
  }
  return make_object(ns);
}

Value range(Call& c) {
  auto number = [&](size_t i) {
    int64_t n = to_index(c[i]);
    constexpr int64_t most = int64_t{1} << 40;  // so that no sum of start and steps can wrap
    if (n > most || n < -most) throw Error(Kind::limit, say("a number is too large here: {}", n));
    return n;
  };
  if (!c.has(1)) return make_object(std::make_shared<Range>(0, number(0), 1));
  return make_object(std::make_shared<Range>(number(0), number(1), c.has(2) ? number(2) : 1));
}

Value cycler(Call& c) {
  if (c.others.positional.empty() || !c.others.keyword.empty()) refuse(say("there is nothing to cycle through"));
  auto made = std::make_shared<Cycler>(c.others.positional);
  made->depth();  // refuses what nests too deeply
  return make_object(made);
}

Value joiner(Call& c) { return make_object(std::make_shared<Joiner>(c.or_else(0, ", "))); }

// The words are the template's own, and stay untranslated.
Value raise_exception(Call& c) { throw Error(Kind::refused, Text{"{}", {str_of(c.rt, c[0])}}); }

std::tm broken_down(const RenderOptions& options) {
  std::tm time{};
  if (options.now) {
    std::time_t seconds = options.now->time_since_epoch().count();
    gmtime_r(&seconds, &time);
  } else {
    std::time_t seconds = std::time(nullptr);
    localtime_r(&seconds, &time);
  }
  return time;
}

// datetime.strftime of a time without zone: the C library's, in the C locale whatever the program's is.
Value strftime_now(Call& c) {
  if (!c[0].string()) refuse(say("a text is needed here, not a value of type '{}'", type_name(c[0])));
  std::string form;
  std::string_view given = text_of(c[0]);
  for (size_t i = 0; i < given.size(); ++i) {
    char next = given[i] == '%' && i + 1 < given.size() ? given[i + 1] : '\0';
    if (next == 'f')
      form += "000000";
    else if (next && next != 'z' && next != 'Z')
      form.append(given.substr(i, 2));
    else if (!next)
      form += given[i];
    i += next != '\0';
  }
  form += '.';  // so that an empty answer is not taken for one that did not fit
  std::tm time = broken_down(c.rt.options);
  c.rt.budget.charge_text(form.size() * 32);
  std::string out(form.size() * 32 + 64, '\0');
  locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
  out.resize(strftime_l(out.data(), out.size(), form.c_str(), &time, plain));
  freelocale(plain);
  if (!out.empty()) out.pop_back();
  return out;
}

Value lipsum(Call&) {
  throw Error(Kind::unsupported, say("'{}' is refused: a prompt must not depend on chance", "lipsum"));
}

constexpr Row rows[] = {
    {"cycler", "*", cycler},
    {"joiner", "sep?", joiner},
    {"lipsum", "*", lipsum},
    {"namespace", "*", make_namespace},
    {"raise_exception", "message", raise_exception},
    {"range", "start stop? step? /", range},
    {"strftime_now", "format", strftime_now},
};

}  // namespace

Value global_named(std::string_view name) {
  if (name == "dict") return make_object(std::make_shared<DictFunction>());
  const Row* row = find_row(rows, name);
  if (!row) return {};
  return make_object(std::make_shared<Function>(
      std::string(name), [row](Runtime& rt, Arguments& a) { return invoke(rt, *row, None{}, std::move(a)); }));
}

const Row* filter_named(std::string_view name) {
  for (auto family : {text_filter, sequence_filter, mapping_filter, number_filter, html_filter})
    if (auto* row = family(name)) return row;
  return nullptr;
}

}  // namespace madang::jinja
