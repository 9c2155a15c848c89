// A repository of a Hugging Face hub, or of any server that speaks its two addresses: the listing
// /api/models/ID/tree/REVISION?recursive=1 and the files /ID/resolve/REVISION/FILE.
// Every file is checked: LFS files by the SHA-256 the listing gives, small ones by their Git name.
// Refuses listings with names that leave their folder, and pickled weights (.bin, .pt), which can run code.
#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "catalog/digest.h"
#include "catalog/disk.h"
#include "catalog/http.h"
#include "catalog/work.h"

namespace madang {
namespace fs = std::filesystem;
namespace {

struct Item {
  std::string path;
  int64_t bytes = 0;
  Digest digest = Digest::git_blob;
  std::string hash;
};

bool is_plain(std::string_view word) {
  constexpr std::string_view marks = "._-";
  return !word.empty() && word.size() <= 96 && word[0] != '.' && word[0] != '-' &&
         std::all_of(word.begin(), word.end(), [&](unsigned char c) {
           return std::isalnum(c) || marks.find(static_cast<char>(c)) != std::string_view::npos;
         });
}

// A path for an address: RFC 3986's unreserved characters and the slash stay, all else is %XX.
std::string escaped(std::string_view path) {
  std::string out;
  for (unsigned char c : path) {
    if (std::isalnum(c) || std::string_view("-._~/").find(static_cast<char>(c)) != std::string_view::npos)
      out += static_cast<char>(c);
    else
      out += fmt::format("%{:02X}", c);
  }
  return out;
}

Item read_item(const Json& row, const std::string& url) {
  auto text = [&](const Json& object, const char* key) {
    auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Item item{text(row, "path"), 0, Digest::git_blob, text(row, "oid")};
  if (auto size = row.find("size"); size != row.end() && size->is_number_integer()) item.bytes = size->get<int64_t>();
  if (auto lfs = row.find("lfs"); lfs != row.end() && lfs->is_object()) {
    item.digest = Digest::sha256;
    item.hash = text(*lfs, "oid");
    if (item.hash.empty()) item.hash = text(*lfs, "sha256");
    if (auto size = lfs->find("size"); size != lfs->end() && size->is_number_integer())
      item.bytes = size->get<int64_t>();
  }
  if (!is_safe_relative(item.path))
    throw Error(Kind::format, say("the listing names a file that would leave its folder: {}", Json(item.path).dump()))
        .at(url);
  if (item.bytes < 0) throw Error(Kind::format, say("the listing gives {} a negative size", item.path)).at(url);
  const size_t digits = item.digest == Digest::sha256 ? 64 : 40;
  if (item.hash.size() != digits || item.hash.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw Error(Kind::format, say("the listing gives {} no readable hash", item.path)).at(url);
  return item;
}

std::vector<Item> list_files(Work& work, const Http& http, const Repository& repository, const std::string& revision) {
  const std::string& hub = work.settings.hub;
  std::string url = fmt::format("{}/api/models/{}/tree/{}?recursive=1", hub, repository.id, escaped(revision));
  std::vector<Item> items;
  constexpr int most_pages = 1000;  // of a thousand files each: no model has them; a server that never ends has
  for (int page = 0; !url.empty(); ++page) {
    if (page == most_pages) throw Error(Kind::limit, say("the listing has more than {} pages", most_pages)).at(url);
    Http::Document listing = http.document(url, [&] { return work.meter.fetching(0, 0); });
    if (listing.body.empty()) work.meter.stopped();
    Json rows = parse_json(listing.body, url);
    if (!rows.is_array()) throw Error(Kind::format, say("the listing is not an array")).at(url);
    for (const Json& row : rows)
      if (row.is_object() && row.value("type", Json()) == "file") items.push_back(read_item(row, url));
    if (!listing.next.empty() && !listing.next.starts_with(hub + "/"))
      throw Error(Kind::format, say("the listing continues on another server")).at(listing.next);
    url = listing.next;
  }
  return items;
}

// The commit a revision stands for now, so that all files are of one moment, and the licence the card names.
struct Card {
  std::string revision, licence;
};
Card read_card(Work& work, const Http& http, const Repository& repository) {
  Card card{repository.revision, ""};
  std::string url =
      fmt::format("{}/api/models/{}/revision/{}", work.settings.hub, repository.id, escaped(repository.revision));
  Http::Document document;
  try {
    document = http.document(url, [&] { return work.meter.fetching(0, 0); });
  } catch (const Error& fault) {
    if (fault.kind() != Kind::missing) throw;
    return card;  // a plainer server: the listing will tell whether the repository is there
  }
  if (document.body.empty()) work.meter.stopped();
  Json facts = parse_json(document.body, url);
  if (!facts.is_object()) return card;
  if (auto sha = facts.find("sha"); sha != facts.end() && sha->is_string() && is_plain(sha->get<std::string>()))
    card.revision = sha->get<std::string>();
  if (auto data = facts.find("cardData"); data != facts.end() && data->is_object())
    if (auto licence = data->find("license"); licence != data->end() && licence->is_string())
      card.licence = licence->get<std::string>();
  return card;
}

// model-00001-of-00003.gguf: the part before the numbers, or "".
std::string split_stem(const std::string& path) {
  constexpr size_t tail = std::string_view("-00001-of-00003.gguf").size();
  if (path.size() <= tail || !path.ends_with(".gguf") || path.compare(path.size() - 14, 4, "-of-") != 0) return "";
  return path.substr(0, path.size() - tail);
}

std::vector<Item> choose_named(const std::vector<Item>& items, const Repository& repository) {
  std::vector<Item> chosen;
  const std::string stem = split_stem(repository.file);
  for (const Item& item : items)
    if (item.path == repository.file || (!stem.empty() && split_stem(item.path) == stem)) chosen.push_back(item);
  bool there = std::any_of(chosen.begin(), chosen.end(), [&](const Item& i) { return i.path == repository.file; });
  if (!there) throw Error(Kind::missing, say("the repository {} has no file {}", repository.id, repository.file));
  return chosen;
}

// Safetensors with what describes them, all in the root. Where weights come twice ("consolidated" beside "model"),
// the ones named model.
std::vector<Item> choose_folder(const std::vector<Item>& items) {
  auto in_root = [](const Item& item) { return item.path.find('/') == std::string::npos; };
  auto weights = [&](const Item& item) { return in_root(item) && item.path.ends_with(".safetensors"); };
  bool named_model = std::any_of(items.begin(), items.end(),
                                 [&](const Item& item) { return weights(item) && item.path.starts_with("model"); });
  constexpr std::string_view companions[] = {".json", ".model", ".jinja", ".txt", ".tiktoken"};
  std::vector<Item> chosen;
  for (const Item& item : items) {
    bool companion = std::any_of(std::begin(companions), std::end(companions),
                                 [&](std::string_view ending) { return item.path.ends_with(ending); });
    bool licence = item.path.starts_with("LICENSE") || item.path.starts_with("NOTICE");
    if (weights(item) ? !named_model || item.path.starts_with("model") : in_root(item) && (companion || licence))
      chosen.push_back(item);
  }
  return std::any_of(chosen.begin(), chosen.end(), weights) ? chosen : std::vector<Item>();
}

std::vector<Item> choose(const std::vector<Item>& items, Repository& repository) {
  if (!repository.file.empty()) return choose_named(items, repository);
  if (std::vector<Item> folder = choose_folder(items); !folder.empty()) return folder;
  std::vector<std::string> files;
  for (const Item& item : items) {
    std::string stem = split_stem(item.path);
    if (item.path.ends_with(".gguf") && (stem.empty() || item.path.starts_with(stem + "-00001-of-")))
      files.push_back(item.path);
  }
  if (files.empty())
    throw Error(Kind::unsupported, say("the repository {} has neither safetensors nor GGUF files", repository.id));
  if (files.size() > 1)
    throw Error(Kind::usage, say("the repository {} has several GGUF files: name one", repository.id))
        .found(fmt::format("{}", fmt::join(files, ", ")))
        .hint(say("for instance: madang pull {}:{}", repository.id, files[0]));
  repository.file = files[0];
  return choose_named(items, repository);
}

}  // namespace

Repository Repository::parse(const std::string& spec) {
  std::string_view rest = spec;
  Repository out{"", "main", ""};
  if (size_t colon = rest.find(':'); colon != std::string_view::npos) {
    out.file = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_safe_relative(out.file))
      throw Error(Kind::usage,
                  say("{} is not a file name", Json(out.file).dump(-1, ' ', false, Json::error_handler_t::replace)))
          .at(spec);
  }
  if (size_t at = rest.find('@'); at != std::string_view::npos) {
    out.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
    if (!is_safe_relative(out.revision))
      throw Error(Kind::usage, say("after @ stands a branch, tag or commit")).at(spec);
  }
  out.id = rest;
  size_t slash = rest.find('/');
  if (slash == std::string_view::npos || !is_plain(rest.substr(0, slash)) || !is_plain(rest.substr(slash + 1)))
    throw Error(Kind::usage, say("a repository is written OWNER/NAME, with @REVISION or :FILE after it")).at(spec);
  return out;
}

Fetched fetch_repository(Work& work, const Repository& asked) {
  Repository repository = asked;
  const std::string& hub = work.settings.hub;
  Http http(work.settings, work.settings.hub_token, hub + "/");
  const Card card = read_card(work, http, repository);
  const std::vector<Item> chosen = choose(list_files(work, http, repository, card.revision), repository);
  int64_t total = 0, before = 0;
  for (const Item& item : chosen)
    if (__builtin_add_overflow(total, item.bytes, &total))
      throw Error(Kind::format, say("the listing's sizes add up to more than a disk can hold")).at(repository.id);
  for (const Item& item : chosen) {
    const fs::path path = work.files / item.path;
    make_folder(path.parent_path());
    auto alive = [&](int64_t done, int64_t) { return work.meter.fetching(before + done, total); };
    if (!fs::exists(path)) {
      need_space(work.files, item.bytes);
      const std::string url =
          fmt::format("{}/{}/resolve/{}/{}", hub, repository.id, escaped(card.revision), escaped(item.path));
      if (!http.download({url, path, item.bytes, true}, alive)) work.meter.stopped();
    }
    check_digest(work, path, item.digest, item.hash);
    before += item.bytes;
  }
  return {repository.file, card.licence};
}

}  // namespace madang
