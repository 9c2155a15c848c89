// Finds the route of a request among the rows of all APIs.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "serve/http/target.h"
#include "serve/route.h"

namespace madang {

struct Match {
  const Route* route = nullptr;                   ///< null: none with this method
  std::map<std::string, std::string> parameters;  ///< {id}
  std::string allowed;                            ///< "GET, HEAD, OPTIONS": what this path takes; "": no such path
};

class Router {
 public:
  explicit Router(std::vector<Route> routes);
  /// HEAD is answered by what answers GET. Names before parameters: /v1/files/stats before /v1/files/{id}.
  Match find(const std::string& method, const Target& target) const;
  /// The known path nearest to one that is not there.
  std::string nearest_path(const std::string& path) const;

 private:
  struct Row {
    Route route;
    std::vector<std::string> segments;
  };
  std::vector<Row> rows_;
};

}  // namespace madang
