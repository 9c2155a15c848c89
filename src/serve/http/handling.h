// From a request's header to the end of its answer: who may come in, which handler, what its faults look like.
#pragma once
#include <optional>

#include "serve/http/connection.h"
#include "serve/http/request_reader.h"
#include "serve/problem.h"

namespace madang {

/// `wrong`: what was wrong with the header already. True if another request may follow on the connection.
Task<bool> handle_request(Connection& connection, RequestReader& reader, std::optional<Problem> wrong);

}  // namespace madang
