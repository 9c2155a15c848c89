// Binding arguments to parameters, as Python does for a def.
#include "text/jinja/arguments.h"

#include <algorithm>

#include "text/jinja/python_text.h"

namespace madang::jinja {
namespace {

struct Parameters {
  std::vector<std::string_view> names;
  std::vector<bool> optional;
  bool positional_only = false, takes_more = false;
};

Parameters read(std::string_view signature) {
  Parameters p;
  for (auto word : split_space(signature)) {
    if (word == "/") {
      p.positional_only = true;
    } else if (word == "*") {
      p.takes_more = true;
    } else {
      p.optional.push_back(word.ends_with("?"));
      p.names.push_back(word.substr(0, word.size() - (word.ends_with("?") ? 1 : 0)));
    }
  }
  return p;
}

}  // namespace

Value invoke(Runtime& rt, const Row& row, const Value& self, Arguments arguments) {
  auto p = read(row.parameters);
  Call call{rt, self, Values(p.names.size()), {}};
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    if (i < p.names.size())
      call.given[i] = std::move(arguments.positional[i]);
    else if (p.takes_more)
      call.others.positional.push_back(std::move(arguments.positional[i]));
    else
      refuse(say("{} takes at most {} arguments", row.name, p.names.size()));
  }
  for (auto& [name, value] : arguments.keyword) {
    auto found = std::find(p.names.begin(), p.names.end(), name);
    auto i = static_cast<size_t>(found - p.names.begin());
    if (found != p.names.end() && !p.positional_only) {
      if (call.has(i)) refuse(say("the argument '{}' is given twice", name));
      call.given[i] = std::move(value);
    } else if (p.takes_more) {
      call.others.keyword.emplace_back(name, std::move(value));
    } else {
      refuse(say("{} has no argument named '{}'", row.name, name));
    }
  }
  for (size_t i = 0; i < p.names.size(); ++i)
    if (!p.optional[i] && !call.has(i)) refuse(say("{} lacks the argument '{}'", row.name, p.names[i]));
  return row.body(call);
}

}  // namespace madang::jinja
