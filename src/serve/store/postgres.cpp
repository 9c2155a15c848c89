// PostgreSQL through libpqxx: one connection, guarded by one lock, in a schema of its own ("madang").
// A connection that broke is made anew, once per call; a commit whose end is not known is told as a fault.
// Refuses: text with a zero byte, which PostgreSQL cannot hold.
#include <map>
#include <mutex>
#include <optional>
#include <pqxx/pqxx>

#include "base/error.h"
#include "serve/store/database.h"

namespace madang {
namespace {

constexpr pqxx::oid bytea = 17, int8 = 20;  // pg_type.dat: fixed for built-in types

std::string hex(const std::string& bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out = "\\x";
  out.reserve(2 + 2 * bytes.size());
  for (unsigned char b : bytes) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

/// Values travel as text; the server knows the type of each place.
std::optional<std::string> written(const Value& value) {
  if (auto number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (auto blob = std::get_if<Blob>(&value)) return hex(blob->bytes);
  if (auto text = std::get_if<std::string>(&value)) {
    if (text->find('\0') != std::string::npos)
      throw Error(Kind::unsupported, say("PostgreSQL cannot store text with a zero byte"));
    return *text;
  }
  return {};
}

Value taken(const pqxx::field& field) {
  if (field.is_null()) return {};
  if (field.type() == int8) return field.as<int64_t>();
  if (field.type() == bytea) return Blob{pqxx::binarystring(field).str()};
  return std::string(field.c_str(), field.size());
}

class Postgres final : public Database {
 public:
  explicit Postgres(const std::string& url) : url_(url) {
    guarded([&] { connect(); });
  }

  void write(const std::function<void(Statements&)>& work) override { transact<pqxx::read_committed>(work); }
  void read(const std::function<void(Statements&)>& work) override { transact<pqxx::repeatable_read>(work); }

 private:
  struct Running final : Statements {
    Running(Postgres& of, pqxx::transaction_base& in) : postgres(of), transaction(in) {}
    std::vector<Row> run(const char* sql, const std::vector<Value>& values) override {
      return postgres.run(transaction, sql, values);
    }
    Postgres& postgres;
    pqxx::transaction_base& transaction;
  };

  void connect() {
    names_.clear();
    connection_.reset();
    auto fresh = std::make_unique<pqxx::connection>(url_);
    pqxx::nontransaction setup(*fresh);
    setup.exec("SET client_min_messages = warning");
    setup.exec("CREATE SCHEMA IF NOT EXISTS madang");
    setup.exec("SET search_path TO madang");
    setup.exec("SET synchronous_commit = on");  // acknowledged means on the disk, whatever the server's default
    setup.exec("SET client_encoding = 'UTF8'");
    connection_ = std::move(fresh);
  }

  template <pqxx::isolation_level level>
  void transact(const std::function<void(Statements&)>& work) {
    std::lock_guard lock(mutex_);
    guarded([&] {
      try {
        if (!connection_) connect();
        once<level>(work);
      } catch (const pqxx::broken_connection&) {  // nothing was committed, so it can be done again
        connect();
        once<level>(work);
      }
    });
  }

  template <pqxx::isolation_level level>
  void once(const std::function<void(Statements&)>& work) {
    pqxx::transaction<level> transaction(*connection_);
    Running running(*this, transaction);
    work(running);
    transaction.commit();
  }

  std::vector<Row> run(pqxx::transaction_base& transaction, const char* sql, const std::vector<Value>& values) {
    auto [name, fresh] = names_.try_emplace(sql, "s" + std::to_string(names_.size()));
    if (fresh) connection_->prepare(name->second, sql);
    std::vector<std::optional<std::string>> texts;
    for (const Value& value : values) texts.push_back(written(value));
    std::vector<const char*> pointers;
    for (const auto& text : texts) pointers.push_back(text ? text->c_str() : nullptr);
    const pqxx::result result = transaction.exec_prepared(name->second, pqxx::prepare::make_dynamic_params(pointers));
    std::vector<Row> rows;
    for (const pqxx::row& from : result) {
      Row& row = rows.emplace_back();
      for (const pqxx::field& field : from) row.push_back(taken(field));
    }
    return rows;
  }

  /// pqxx's exceptions as ours. The URL holds a password, so it is no part of them.
  template <class F>
  void guarded(F work) {
    try {
      work();
    } catch (const pqxx::broken_connection& fault) {
      connection_.reset();
      throw Error(Kind::network, say("PostgreSQL does not answer: {}", fault.what()));
    } catch (const pqxx::failure& fault) {
      throw Error(Kind::io, say("the store's database failed: {}", fault.what()));
    } catch (const std::logic_error& fault) {  // pqxx::usage_error and its kin
      throw Error(Kind::internal, say("the store's database failed: {}", fault.what()));
    }
  }

  std::string url_;
  std::mutex mutex_;
  std::unique_ptr<pqxx::connection> connection_;
  std::map<std::string, std::string, std::less<>> names_;  ///< of prepared statements, by their text
};

}  // namespace

std::unique_ptr<Database> open_postgres(const std::string& url) { return std::make_unique<Postgres>(url); }

}  // namespace madang
