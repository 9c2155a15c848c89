// "a.b.0": how filters name what they look at inside an element (map, sort, groupby ... of Jinja's filters).
#pragma once
#include "text/jinja/runtime.h"

namespace madang::jinja {

/// Reads the element's item at the path; `otherwise` (unless none) stands for what is undefined on the way.
class AttributePath {
 public:
  AttributePath(Runtime& rt, const Value& path, Value otherwise = None{});
  Value of(Runtime& rt, Value element) const;

 private:
  Values parts_;
  Value otherwise_;
};

/// v in lower case where it is a text and case does not count.
Value fold_case(Runtime& rt, const Value& v, bool case_sensitive);

}  // namespace madang::jinja
