// API keys: who may ask, and how much. A file, or the server's store, holds one JSON object a line; the keys themselves
// are in neither.
//
//   {"name":"web","sha256":"9f86...","priority":1,"weight":2,"requests_per_minute":60,"tokens_per_minute":100000,
//    "models":["smollm2"],"admin":false}
//
// Only name and sha256 are needed; empty lines and lines that begin with # are none. A key is 256 random bits, so a
// fast hash is enough: slow ones (Argon2, bcrypt) make guessing passwords dear, and nobody guesses 256 bits.
// Refuses: fields it does not know, two keys of one name, a hash that is none.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/exchange.h"

namespace madang {

class Limits;
class Store;

class Keys {
 public:
  Keys() = default;  ///< nobody needs one
  /// Throws Error: missing, io, format.
  explicit Keys(const std::string& path);
  /// Of a store. Throws Error: format.
  explicit Keys(const std::vector<std::string>& lines);

  /// Also if there is none: then nobody comes in.
  bool needed() const { return needed_; }
  size_t size() const { return rows_.size(); }
  /// In a time that does not depend on how much of a wrong key is right.
  std::optional<Client> find(std::string_view key) const;
  void set_limits(Limits& limits) const;

  /// Makes a key, appends its line to the file (made for its owner's eyes alone if it is not there), and returns it:
  /// the only time it is seen. `facts`: the line's other fields, as a JSON object. Throws Error: usage for a name that
  /// is taken or no name, format for facts that no key has, io.
  static std::string create(const std::string& path, const std::string& name, const std::string& facts = "");
  /// The same in a store.
  static std::string create(Store& store, const std::string& name, const std::string& facts = "");

 private:
  using Hash = std::array<unsigned char, 32>;
  struct Row {
    Hash hash;
    Client client;
    int64_t requests_per_minute = 0, tokens_per_minute = 0;
  };
  struct Fresh {
    std::string key, line;
  };
  void add(std::string_view line, const std::string& where);
  static Fresh make(const std::string& name, const std::string& facts);
  static Hash hash_of(std::string_view key);

  std::vector<Row> rows_;
  bool needed_ = false;
};

/// Of "Authorization: Bearer KEY" or "x-api-key: KEY"; "" without.
std::string_view presented_key(const HttpRequest& request);

}  // namespace madang
