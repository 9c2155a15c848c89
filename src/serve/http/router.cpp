#include "serve/http/router.h"

#include <algorithm>
#include <tuple>

#include "base/nearest.h"

namespace madang {
namespace {

bool is_parameter(const std::string& segment) { return segment.size() > 2 && segment[0] == '{'; }

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  return std::ranges::equal(pattern, path, [](auto& p, auto& s) { return is_parameter(p) ? !s.empty() : p == s; });
}

}  // namespace

Router::Router(std::vector<Route> routes) {
  for (Route& route : routes) {
    auto target = parse_target(route.pattern);
    rows_.push_back({std::move(route), std::move(target.value().segments)});
  }
  std::ranges::sort(rows_, {}, [](const Row& row) {
    return std::tuple(std::ranges::count_if(row.segments, is_parameter), row.route.pattern, row.route.method);
  });
}

Match Router::find(const std::string& method, const Target& target) const {
  Match match;
  std::vector<std::string> methods;
  const std::string& wanted = method == "HEAD" ? "GET" : method;
  for (const Row& row : rows_) {
    if (!fits(row.segments, target.segments)) continue;
    methods.push_back(row.route.method);
    if (row.route.method == "GET") methods.push_back("HEAD");
    if (match.route || row.route.method != wanted) continue;
    match.route = &row.route;
    for (size_t i = 0; i < row.segments.size(); ++i)
      if (const std::string& p = row.segments[i]; is_parameter(p))
        match.parameters.emplace(p.substr(1, p.size() - 2), target.segments[i]);
  }
  if (methods.empty()) return match;
  methods.push_back("OPTIONS");
  std::ranges::sort(methods);
  for (auto at = methods.begin(), end = std::unique(at, methods.end()); at != end; ++at)
    match.allowed += (match.allowed.empty() ? "" : ", ") + *at;
  return match;
}

std::string Router::nearest_path(const std::string& path) const {
  std::vector<std::string_view> known;
  for (const Row& row : rows_) known.push_back(row.route.pattern);
  // Edit distance is quadratic: a path of kilobytes is no slip of the keyboard.
  return path.size() > 200 ? std::string() : nearest(path, known);
}

}  // namespace madang
