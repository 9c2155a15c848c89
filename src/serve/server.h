// A whole server: what it keeps, who may ask, the models, the engine room, all APIs, and the sockets they are reached
// by. Refuses to listen beyond this machine without keys, unless told that anyone may come.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "serve/http/http_options.h"
#include "serve/log.h"
#include "serve/room/models.h"

namespace madang {

struct ServeOptions {
  HttpOptions http;
  ModelsOptions models;
  std::string keys;   ///< a file, or "store" for those kept there; "": nobody needs a key
  std::string store;  ///< as open_store() takes it
  bool open = false;  ///< beyond loopback without keys
  std::string log = "-";
  LogLevel log_level = LogLevel::info;
};

class Server {
 public:
  /// Listens from here on. Throws Error.
  explicit Server(ServeOptions options);
  ~Server();

  std::vector<std::string> addresses() const;
  size_t keys() const;  ///< how many; 0: nobody needs one
  /// Until SIGINT or SIGTERM. False if it had to leave something running: the process should end then, without taking
  /// the server apart.
  bool run();
  void stop();  ///< any thread

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace madang
