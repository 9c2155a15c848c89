// Files and small documents from web servers, by libcurl: redirects bounded, never from https to http; a transfer
// that stalls is lost, a lost one is tried again from the byte it reached, and what came stays on disk.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "catalog/catalog.h"

namespace madang {

struct Download {
  std::string url;
  std::filesystem::path to;  ///< the finished file; until then TO.part, and TO.part.json says which version it is of
  int64_t bytes = -1;        ///< the size it must have; -1: not known
  bool hashed = false;       ///< the caller checks a hash: a part may be continued on the length alone
};

class Http {
 public:
  /// `token`, if any, is sent to addresses that begin with `token_home` and to no other host.
  explicit Http(const StoreSettings& settings, std::string token = "", std::string token_home = "");

  struct Document {
    std::string body, next;  ///< next: the address in the Link header with rel="next", or ""
  };
  /// A document of at most 64 MiB. Throws Kind::missing (404), refused (401, 403), network, limit. `alive` stops it
  /// by false: Document is then empty.
  Document document(const std::string& url, const std::function<bool()>& alive) const;

  /// Fetches the file, or the rest of it. `alive` gets its bytes so far and the size (0: unknown), and stops the work
  /// by false; the answer is then false too. Throws as document() does, and Kind::mismatch for a wrong size.
  bool download(const Download& what, const std::function<bool(int64_t done, int64_t total)>& alive) const;

  /// One answer's head: the last one's, where there were redirects.
  struct Head {
    long status = 0;
    std::map<std::string, std::string> fields;  ///< names in lower case
    const std::string& field(const std::string& name) const;
  };
  struct Exchange {
    std::string url;
    std::vector<std::string> headers;  ///< to send
    std::function<void(const Head&, std::string_view)> body;
    std::function<bool()> alive;
  };
  enum class Ending { whole, stopped, lost };
  struct Outcome {
    Ending ending;
    Head head;
    std::string why;  ///< of a loss, in the library's words
  };
  /// One request and its answer, once. Throws what `body` throws, and for what no second try can mend.
  Outcome exchange(const Exchange& request) const;

 private:
  const StoreSettings& settings_;
  std::string token_, token_home_;
};

/// Whether an answer of this status may be better in a moment.
bool is_passing(long status);
/// Throws what the status of a refused request means. Returns for 200 and 206.
void check_status(long status, const std::string& url);

}  // namespace madang
