// The little that the store asks of a database: transactions, and statements with values. SQLite and PostgreSQL
// understand the same statements ($1, ON CONFLICT, RETURNING), so there is one store over two drivers.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace madang {

struct Blob {
  std::string bytes;
  bool operator==(const Blob&) const = default;
};

using Value = std::variant<std::monostate, int64_t, std::string, Blob>;  // NULL, BIGINT, TEXT, BYTEA
using Row = std::vector<Value>;

class Statements {
 public:
  virtual ~Statements() = default;
  /// Value i stands for $(i+1). A statement is prepared once and remembered by its text, so texts are few.
  virtual std::vector<Row> run(const char* sql, const std::vector<Value>& values = {}) = 0;
};

class Database {
 public:
  virtual ~Database() = default;
  /// All or nothing; an exception of `work` undoes it and goes on. `work` may be called a second time, after the first
  /// was undone. Once it has returned, what was written stays.
  virtual void write(const std::function<void(Statements&)>& work) = 0;
  /// One state of the database, seen whole.
  virtual void read(const std::function<void(Statements&)>& work) = 0;
};

std::unique_ptr<Database> open_sqlite(const std::string& path);
std::unique_ptr<Database> open_postgres(const std::string& url);

}  // namespace madang
