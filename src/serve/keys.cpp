#include "serve/keys.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/nearest.h"
#include "serve/http/lower.h"
#include "serve/http/trace.h"
#include "serve/limits.h"
#include "serve/store/store.h"

namespace madang {
namespace {

constexpr size_t key_bytes = 32;      // 256 bits
constexpr size_t longest_name = 100;  // stands in logs and metrics
constexpr std::string_view prefix = "madang-";

std::string hex(std::span<const unsigned char> bytes) {
  std::string out;
  for (unsigned char b : bytes) out += fmt::format("{:02x}", b);
  return out;
}

std::string read_file(const std::string& path) {
  auto file = MappedFile::open(path);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

void check_name(const std::string& name, const std::string& where) {
  const bool plain = std::ranges::all_of(name, [](unsigned char c) { return c > ' ' && c != 0x7f; });
  if (!name.empty() && name.size() <= longest_name && plain) return;
  throw Error(Kind::usage, say("a key's name has 1 to {} bytes and no blanks", longest_name)).at(where).found(name);
}

template <class T>
T value_of(const Json& row, std::string_view name, T fallback, const std::string& where) {
  const auto found = row.find(name);
  if (found == row.end()) return fallback;
  bool good = false;
  if constexpr (std::is_same_v<T, std::string>)
    good = found->is_string();
  else if constexpr (std::is_same_v<T, bool>)
    good = found->is_boolean();
  else  // whole, and far from every overflow
    good = found->is_number_integer() && *found >= 0 && *found <= INT32_MAX;
  if (!good) throw Error(Kind::format, say("{} has a value that it cannot have", name)).at(where).found(found->dump());
  return found->get<T>();
}

void check_fields(const Json& row, const std::string& where) {
  constexpr std::array<std::string_view, 8> known = {
      "name", "sha256", "priority", "weight", "requests_per_minute", "tokens_per_minute", "models", "admin"};
  if (!row.is_object()) throw Error(Kind::format, say("each line of a key file is one JSON object")).at(where);
  for (const auto& [name, value] : row.items())
    if (std::ranges::find(known, name) == known.end())
      throw Error(Kind::format, say("a key has no field {}", name))
          .at(where)
          .hint(say("did you mean {}?", nearest(name, known)));
}

}  // namespace

Keys::Hash Keys::hash_of(std::string_view key) {
  Hash hash{};
  EVP_Digest(key.data(), key.size(), hash.data(), nullptr, EVP_sha256(), nullptr);
  return hash;
}

Keys::Keys(const std::vector<std::string>& lines) : needed_(true) {
  for (const std::string& line : lines) add(line, "store");
}

Keys::Keys(const std::string& path) : needed_(true) {
  const std::string text = read_file(path);
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = std::string_view(text).substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t") == std::string_view::npos || line.starts_with('#')) continue;
    add(line, fmt::format("{}:{}", path, number));
  }
}

void Keys::add(std::string_view line, const std::string& where) {
  const Json row = parse_json(line, where);
  check_fields(row, where);
  Row key;
  key.client.name = value_of<std::string>(row, "name", "", where);
  check_name(key.client.name, where);
  if (std::ranges::count(rows_, key.client.name, [](auto& r) { return r.client.name; }))
    throw Error(Kind::format, say("there are two keys named {}", key.client.name)).at(where);
  const std::string hash = lower(value_of<std::string>(row, "sha256", "", where));
  if (hash.size() != 2 * key.hash.size() || hash.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw Error(Kind::format, say("sha256 is 64 hexadecimal digits")).at(where).found(hash.substr(0, 80));
  for (size_t i = 0; i < key.hash.size(); ++i)
    key.hash[i] = static_cast<unsigned char>(std::stoi(hash.substr(2 * i, 2), nullptr, 16));
  key.client.priority = static_cast<int>(value_of<int64_t>(row, "priority", 0, where));
  key.client.weight = std::max<int64_t>(1, value_of<int64_t>(row, "weight", 1, where));
  key.client.admin = value_of<bool>(row, "admin", false, where);
  key.requests_per_minute = value_of<int64_t>(row, "requests_per_minute", 0, where);
  key.tokens_per_minute = value_of<int64_t>(row, "tokens_per_minute", 0, where);
  const Json models = row.value("models", Json::array());
  if (!models.is_array() || !std::ranges::all_of(models, [](const Json& m) { return m.is_string(); }))
    throw Error(Kind::format, say("models is a list of names")).at(where);
  key.client.models = models.get<std::vector<std::string>>();
  rows_.push_back(std::move(key));
}

std::optional<Client> Keys::find(std::string_view key) const {
  const Hash hash = hash_of(key);
  const Row* found = nullptr;
  for (const Row& row : rows_)
    if (CRYPTO_memcmp(row.hash.data(), hash.data(), hash.size()) == 0) found = &row;
  return found ? std::optional(found->client) : std::nullopt;
}

void Keys::set_limits(Limits& limits) const {
  for (const Row& row : rows_) limits.set(row.client.name, row.requests_per_minute, row.tokens_per_minute);
}

Keys::Fresh Keys::make(const std::string& name, const std::string& facts) {
  check_name(name, "--new-key");
  Fresh fresh{std::string(prefix) + random_hex(key_bytes), {}};
  Json row = {{"name", name}, {"sha256", hex(hash_of(fresh.key))}};
  if (!facts.empty()) {
    const Json more = parse_json(facts, "--key-facts");
    check_fields(more, "--key-facts");
    for (const auto& [field, value] : more.items())
      if (!row.contains(field)) row[field] = value;
  }
  fresh.line = row.dump();
  Keys().add(fresh.line, "--key-facts");
  return fresh;
}

std::string Keys::create(Store& store, const std::string& name, const std::string& facts) {
  const Fresh fresh = make(name, facts);
  if (!store.add_key(name, fresh.line))
    throw Error(Kind::usage, say("there is a key named {} already", name)).at("store");
  return fresh.key;
}

std::string Keys::create(const std::string& path, const std::string& name, const std::string& facts) {
  const Fresh fresh = make(name, facts);
  auto fail = [&] {
    return Error(Kind::io, say("the key file cannot be written: {}", std::generic_category().message(errno))).at(path);
  };
  const bool there = access(path.c_str(), F_OK) == 0;
  bool line_open = false;
  if (there) {
    const Keys known(path);
    if (std::ranges::count(known.rows_, name, [](auto& r) { return r.client.name; }))
      throw Error(Kind::usage, say("there is a key named {} already", name)).at(path);
    const std::string text = read_file(path);
    line_open = !text.empty() && !text.ends_with('\n');
  }
  const std::string line = (line_open ? "\n" : "") + fresh.line + '\n';
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) throw fail();
  const bool good = write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && fsync(file) == 0;
  if (close(file) != 0 || !good) throw fail();
  return fresh.key;
}

std::string_view presented_key(const HttpRequest& request) {
  const std::string_view bearer = request.header("authorization");
  constexpr std::string_view scheme = "bearer ";
  if (bearer.size() > scheme.size() && lower(bearer.substr(0, scheme.size())) == scheme) {
    const std::string_view key = bearer.substr(scheme.size());
    return key.substr(std::min(key.find_first_not_of(' '), key.size()));
  }
  return request.header("x-api-key");
}

}  // namespace madang
