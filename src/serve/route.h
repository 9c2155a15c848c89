// Which handler answers which request: one table row each. serve/api/*.cpp each give their rows (routes.h).
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "serve/services.h"

namespace madang {

enum class Access {
  open,  ///< anyone: the page, /health
  key,   ///< whoever has a key, if the server has keys
};

enum class Dialect { openai, anthropic };  ///< how its errors are told

struct Route {
  std::string method;   ///< "POST"
  std::string pattern;  ///< "/v1/files/{id}/content"
  std::function<Task<void>(Services&, Exchange&)> handle;
  Access access = Access::key;
  Dialect dialect = Dialect::openai;
};

}  // namespace madang
