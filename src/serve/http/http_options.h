// Where the server listens and how much it lets anyone take: every bound of the HTTP floor, with its reason.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace madang {

struct HttpOptions {
  std::string host = "127.0.0.1";  ///< a name or an address; all addresses of a name are listened on
  int port = 8080;                 ///< 0: the system chooses
  std::string unix_path;           ///< a socket in the file system instead of host and port
  std::string certificate, key;    ///< PEM files; both or none. TLS 1.2 and newer

  std::vector<std::string> origins;  ///< whose pages may call ("https://page.example", "*"); else only our own
  std::vector<std::string> hosts;    ///< more names that a Host header may hold

  int64_t body_bytes = int64_t{32} << 20;       ///< of one request: a long conversation with files in it
  int64_t all_body_bytes = int64_t{256} << 20;  ///< of all requests being received: 503 beyond
  int64_t header_bytes = int64_t{32} << 10;     ///< keys, traces and cookies of a proxy are a few KiB
  int64_t connections = 4096;                   ///< 503 beyond
  double header_seconds = 10;                   ///< from the first byte to the end of the header (slowloris)
  double body_seconds = 30;                     ///< for a body, and then a second for each `least_rate` of it
  double write_seconds = 30;                    ///< the same for what a slow reader takes
  double least_rate = 16 << 10;                 ///< bytes a second: a phone in a tunnel, and not a trickle
  double idle_seconds = 620;                    ///< between requests; load balancers keep theirs for 600
  double shutdown_seconds = 30;                 ///< what runs may take to finish
};

}  // namespace madang
