// Who may come in from a browser: the Host header (a page elsewhere whose name was rebound to our address still says
// its own name) and the Origin header (a page elsewhere that calls us by our right name).
#pragma once
#include <set>
#include <string>
#include <vector>

#include "serve/http/exchange.h"
#include "serve/http/http_options.h"

namespace madang {

class Gate {
 public:
  /// `checks_host`: off where anyone may come anyway (beyond loopback, where keys decide) and no names were given.
  Gate(const HttpOptions& options, bool checks_host);

  /// Throws Problem: 400 for a request without Host, 403 for a host or an origin that is not ours.
  void check(const HttpRequest& request, bool old) const;
  /// What a browser needs to show the answer to the page that asked; empty for our own and for no page.
  std::vector<std::pair<std::string, std::string>> headers(const HttpRequest& request) const;
  /// More of them for OPTIONS before the request itself.
  std::vector<std::pair<std::string, std::string>> preflight(const HttpRequest& request,
                                                             const std::string& allowed) const;

 private:
  bool knows_origin(std::string_view origin) const;

  std::set<std::string, std::less<>> hosts_, origins_;
  bool checks_host_, any_origin_;
};

}  // namespace madang
