// `strict: true` promises arguments that fit the tool's schema. Nothing holds a model to a schema yet, and an answer that
// streams cannot be taken back once it does not fit: so the promise is refused, and not taken lightly.
// Clients that send it unasked: openai-agents for every function_tool, openai's pydantic_function_tool; not
// langchain-openai's bind_tools, nor its with_structured_output(method="function_calling").
#pragma once
#include "serve/fields.h"

namespace madang {

/// Reads the field. Throws Problem (400), saying what to send in its place.
void refuse_strict(Fields& tool);

}  // namespace madang
