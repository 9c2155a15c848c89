#include "serve/services.h"

#include <algorithm>

#include "serve/problem.h"

namespace madang {

void check_allowed(const Client& client, const std::string& model) {
  if (client.models.empty() || std::ranges::count(client.models, model) > 0) return;
  throw Problem(say("The model '{}' does not exist or you do not have access to it.", model), "model",
                "model_not_found")
      .status(404);
}

}  // namespace madang
