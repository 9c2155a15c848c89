// What all connections of a server share.
#pragma once
#include <set>

#include "serve/http/gate.h"
#include "serve/http/http_options.h"
#include "serve/http/router.h"
#include "serve/keys.h"
#include "serve/services.h"

namespace madang {

class Connection;

struct House {
  const HttpOptions& options;
  Services& services;
  const Keys& keys;
  Router router;
  Gate gate;
  bool closing = false;    ///< no new requests
  int64_t body_bytes = 0;  ///< of all requests being received or answered
  std::set<Connection*> connections = {};
};

}  // namespace madang
