#include "serve/fields.h"

#include <algorithm>
#include <cmath>

#include "base/nearest.h"

namespace madang {
namespace {

constexpr size_t longest_name = 64;  // of a field, in an error: enough for every real one

const char* kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::number_float:
      return "a decimal number";
    default:
      return "an integer";
  }
}

// At most so many bytes, whole characters.
std::string cut(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return std::string(text.substr(0, most)) + "...";
}

std::string quoted(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "'" : ", '") + word + "'";
  return out;
}

// OpenAI's words and codes: integer_below_min_value, decimal_above_max_value...
template <class T>
void check_range(const std::string& path, T value, T low, T high) {
  const std::string kind = std::is_integral_v<T> ? "integer" : "decimal";
  if (value < low)
    throw Problem(say("Invalid '{}': {} below minimum value. Expected a value >= {}, but got {} instead.", path, kind,
                      low, value),
                  path, kind + "_below_min_value");
  if (!(value <= high))
    throw Problem(say("Invalid '{}': {} above maximum value. Expected a value <= {}, but got {} instead.", path, kind,
                      high, value),
                  path, kind + "_above_max_value");
}

}  // namespace

Fields::Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (object.is_object()) return;
  if (path_.empty())
    throw Problem(say("The request body must be a JSON object, but it is {}.", kind_of(object)), "", "invalid_type");
  throw Problem(say("Invalid type for '{}': expected {}, but got {} instead.", path_, "an object", kind_of(object)),
                path_, "invalid_type");
}

std::string Fields::path(std::string_view name) const {
  const std::string last = cut(name, longest_name);
  return path_.empty() ? last : path_ + "." + last;
}

void Fields::wrong(std::string_view name, std::string_view expected, const Json& found) const {
  throw Problem(say("Invalid type for '{}': expected {}, but got {} instead.", path(name), expected, kind_of(found)),
                path(name), "invalid_type");
}

void Fields::missing(std::string_view name) const {
  throw Problem(say("Missing required parameter: '{}'.", path(name)), path(name), "missing_required_parameter");
}

const Json* Fields::take(std::string_view name) {
  taken_.emplace(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool Fields::has(std::string_view name) { return take(name); }

const Json* Fields::any(std::string_view name) { return take(name); }

std::optional<std::string> Fields::text(std::string_view name) {
  const Json* value = take(name);
  if (!value) return {};
  if (!value->is_string()) wrong(name, "a string", *value);
  return value->get<std::string>();
}

std::optional<int64_t> Fields::integer(std::string_view name, int64_t low, int64_t high) {
  const Json* value = take(name);
  if (!value) return {};
  int64_t number = 0;
  if (value->is_number_unsigned()) {
    number = static_cast<int64_t>(std::min<uint64_t>(value->get<uint64_t>(), INT64_MAX));
  } else if (value->is_number_integer()) {
    number = value->get<int64_t>();
  } else if (value->is_number_float()) {  // 5.0 is an integer in JSON Schema, and to clients without integers
    const double d = value->get<double>();
    if (d != std::floor(d) || !(std::fabs(d) < 0x1p63)) wrong(name, "an integer", *value);
    number = static_cast<int64_t>(d);
  } else {
    wrong(name, "an integer", *value);
  }
  check_range(path(name), number, low, high);
  return number;
}

std::optional<double> Fields::number(std::string_view name, double low, double high) {
  const Json* value = take(name);
  if (!value) return {};
  if (!value->is_number()) wrong(name, "a number", *value);
  const auto number = value->get<double>();
  check_range(path(name), number, low, high);
  return number;
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const Json* value = take(name);
  if (!value) return {};
  if (!value->is_boolean()) wrong(name, "a boolean", *value);
  return value->get<bool>();
}

const Json* Fields::object(std::string_view name) {
  const Json* value = take(name);
  if (value && !value->is_object()) wrong(name, "an object", *value);
  return value;
}

const Json* Fields::array(std::string_view name) {
  const Json* value = take(name);
  if (value && !value->is_array()) wrong(name, "an array", *value);
  return value;
}

std::optional<std::string> Fields::choice(std::string_view name, std::vector<std::string> choices) {
  std::optional<std::string> value = text(name);
  if (value && std::ranges::find(choices, *value) == choices.end())
    throw Problem(say("Invalid value: '{}'. Supported values are: {}.", cut(*value, longest_name), quoted(choices)),
                  path(name), "invalid_value");
  return value;
}

std::string Fields::name(std::string_view name) {
  std::string found = need(name, text(name));
  if (found.empty())
    throw Problem(say("'{}' must be a text that is not empty", path(name)), path(name), "invalid_value");
  return found;
}

void Fields::accept(std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) taken_.emplace(name);
}

void Fields::refuse(std::string_view name, const Text& why) {
  if (take(name)) throw not_built(path(name), why);
}

void Fields::finish() {
  for (const auto& [name, value] : object_.items()) {
    if (taken_.contains(name)) continue;
    const std::vector<std::string_view> known(taken_.begin(), taken_.end());
    const std::string near = nearest(name, known);
    // A word of which more than half would have to change is no typing slip.
    const bool alike = !near.empty() && name.size() <= longest_name && edit_distance(name, near) * 2 <= near.size();
    throw Problem(alike ? say("Unknown parameter: '{}'. Did you mean '{}'?", path(name), path(near))
                        : say("Unknown parameter: '{}'.", path(name)),
                  path(name), "unknown_parameter");
  }
}

}  // namespace madang
