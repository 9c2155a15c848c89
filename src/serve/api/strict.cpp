#include "serve/api/strict.h"

#include "serve/problem.h"

namespace madang {

void refuse_strict(Fields& tool) {
  if (!tool.boolean("strict").value_or(false)) return;
  throw not_built(tool.path("strict"),
                  say("strict tools are not built yet: nothing holds the model to a schema. Send strict: false "
                      "(openai-agents: strict_mode=False) and check the arguments"));
}

}  // namespace madang
