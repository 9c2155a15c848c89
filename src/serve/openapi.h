// The server's own description, OpenAPI 3.1: every route that a program calls, with its fields.
#pragma once
#include <string>

namespace madang {

std::string openapi_json();

}  // namespace madang
