// SQLite: one file, one connection, guarded by one lock, since SQLite writes one transaction at a time anyway.
// Write-ahead log with synchronous=FULL: a commit returns when the log is on the disk.
// Refuses: files that are no SQLite database, a database that another program holds for longer than five seconds.
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "base/error.h"
#include "serve/store/database.h"

namespace madang {
namespace {

// Transactions here take milliseconds: who waits longer than this waits for something that does not end.
constexpr int patience_ms = 5000;

struct Closer {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

class Sqlite final : public Database, Statements {
 public:
  explicit Sqlite(const std::string& path) : path_(path) {
    make_private();
    sqlite3* raw = nullptr;
    const int result = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    database_.reset(raw);
    check(result);
    sqlite3_busy_timeout(raw, patience_ms);
    // Declared lengths in the file's schema and its triggers are not trusted: it may come from anywhere.
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("PRAGMA secure_delete = ON");  // what a client deletes is not left readable in free pages
  }

  void write(const std::function<void(Statements&)>& work) override { transact("BEGIN IMMEDIATE", work); }
  void read(const std::function<void(Statements&)>& work) override { transact("BEGIN", work); }

  std::vector<Row> run(const char* sql, const std::vector<Value>& values) override {
    sqlite3_stmt* statement = prepared(sql);
    struct Reset {
      sqlite3_stmt* statement;
      ~Reset() {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
      }
    } reset{statement};
    for (size_t i = 0; i < values.size(); ++i) bind(statement, i, values[i]);
    std::vector<Row> rows;
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) rows.push_back(row(statement));
    if (result != SQLITE_DONE) check(result);
    return rows;
  }
  std::vector<Row> run(const char* sql) { return run(sql, {}); }

 private:
  void transact(const char* begin, const std::function<void(Statements&)>& work) {
    std::lock_guard lock(mutex_);
    run(begin);
    try {
      work(*this);
      run("COMMIT");
    } catch (...) {
      // A commit or statement that failed may have ended the transaction already.
      if (!sqlite3_get_autocommit(database_.get()))
        sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

  /// Prompts and answers are nobody else's to read; SQLite gives its log the permissions of the file.
  void make_private() const {
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
      throw Error(Kind::io, say("cannot open the store: {}", std::generic_category().message(errno))).at(path_);
    ::close(file);
  }

  sqlite3_stmt* prepared(const char* sql) {
    auto found = statements_.find(sql);
    if (found != statements_.end()) return found->second.get();
    sqlite3_stmt* raw = nullptr;
    check(sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr));
    return statements_.emplace(sql, raw).first->second.get();
  }

  void bind(sqlite3_stmt* statement, size_t i, const Value& value) {
    // "$1" is a name to SQLite, numbered by where it comes first.
    const int at = sqlite3_bind_parameter_index(statement, ("$" + std::to_string(i + 1)).c_str());
    if (at == 0) throw Error(Kind::internal, say("a statement of the store has too few places for its values"));
    if (auto number = std::get_if<int64_t>(&value))
      check(sqlite3_bind_int64(statement, at, *number));
    else if (auto text = std::get_if<std::string>(&value))
      check(sqlite3_bind_text64(statement, at, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8));
    else if (auto blob = std::get_if<Blob>(&value))
      check(sqlite3_bind_blob64(statement, at, blob->bytes.data(), blob->bytes.size(), SQLITE_STATIC));
    else
      check(sqlite3_bind_null(statement, at));
  }

  static Row row(sqlite3_stmt* statement) {
    Row out;
    for (int i = 0, n = sqlite3_column_count(statement); i < n; ++i) {
      const int type = sqlite3_column_type(statement, i);
      if (type == SQLITE_INTEGER) {
        out.emplace_back(int64_t{sqlite3_column_int64(statement, i)});
      } else if (type == SQLITE_TEXT) {
        auto text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        out.emplace_back(std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement, i))));
      } else if (type == SQLITE_BLOB) {
        auto bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
        out.emplace_back(Blob{std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement, i)))});
      } else {
        out.emplace_back();
      }
    }
    return out;
  }

  void check(int result) const {
    if (result == SQLITE_OK) return;
    const int primary = result & 0xff;
    const bool damaged = primary == SQLITE_NOTADB || primary == SQLITE_CORRUPT;
    throw Error(
        damaged ? Kind::format : Kind::io,
        say("the store's database failed: {}", database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(result)))
        .at(path_);
  }

  std::string path_;
  std::mutex mutex_;
  std::unique_ptr<sqlite3, Closer> database_;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Closer>, std::less<>> statements_;  // gone before the database
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::string& path) { return std::make_unique<Sqlite>(path); }

}  // namespace madang
