// The rows of every API, one function per file of this folder.
#pragma once
#include <vector>

#include "serve/route.h"

namespace madang {

std::vector<Route> model_routes();       ///< GET /v1/models, /v1/models/{id}
std::vector<Route> chat_routes();        ///< POST /v1/chat/completions
std::vector<Route> completion_routes();  ///< POST /v1/completions
std::vector<Route> embedding_routes();   ///< POST /v1/embeddings
std::vector<Route> text_routes();        ///< POST /tokenize, /detokenize, /apply-template
std::vector<Route> response_routes();    ///< /v1/responses...
std::vector<Route> message_routes();     ///< POST /v1/messages, /v1/messages/count_tokens
std::vector<Route> file_routes();        ///< /v1/files...
std::vector<Route> batch_routes();       ///< /v1/batches...
std::vector<Route> health_routes();      ///< GET /health, /ready, /metrics, /status, /openapi.json
std::vector<Route> page_routes();        ///< GET /, /docs and what they load

}  // namespace madang
