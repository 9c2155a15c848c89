// The fields of a request's JSON object, taken by name, type and range; whatever nobody took is refused at the end, so
// nothing is silently ignored. null counts as absent, as OpenAI's clients mean it.
//
//   Fields f(body, "");
//   request.max_tokens = f.integer("max_tokens", 1, INT32_MAX);
//   ...
//   f.finish();                       // 400: Unknown parameter: 'max_token'. Did you mean 'max_tokens'?
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/problem.h"

namespace madang {

class Fields {
 public:
  /// `object` must outlive this. `path`: where it stands in the request ("tools[0].function"), "" at the top.
  /// Throws Problem unless it is an object.
  Fields(const Json& object, std::string path);

  bool has(std::string_view name);  ///< there and not null; counts as taken
  std::optional<std::string> text(std::string_view name);
  std::optional<int64_t> integer(std::string_view name, int64_t low, int64_t high);
  std::optional<double> number(std::string_view name, double low, double high);
  std::optional<bool> boolean(std::string_view name);
  const Json* object(std::string_view name);  ///< null: absent
  const Json* array(std::string_view name);
  const Json* any(std::string_view name);
  /// One of the choices; Problem lists them.
  std::optional<std::string> choice(std::string_view name, std::vector<std::string> choices);
  /// Problem "Missing required parameter" if the one before was absent.
  template <class T>
  T need(std::string_view name, std::optional<T> value) {
    if (!value) missing(name);
    return std::move(*value);
  }
  const Json& need(std::string_view name, const Json* value) {
    if (!value) missing(name);
    return *value;
  }
  /// A required text that is not empty: what something is called.
  std::string name(std::string_view name);
  /// Known to the API and without meaning here (user, metadata, service_tier...): taken, not checked.
  void accept(std::initializer_list<std::string_view> names);
  /// Known to the API and not built: Problem (400) if it is there.
  void refuse(std::string_view name, const Text& why);
  /// Problem for the first field that nobody took, with the nearest known one.
  void finish();

  std::string path(std::string_view name) const;  ///< "tools[0].function.name"
  [[noreturn]] void wrong(std::string_view name, std::string_view expected, const Json& found) const;

 private:
  [[noreturn]] void missing(std::string_view name) const;
  const Json* take(std::string_view name);

  const Json& object_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace madang
