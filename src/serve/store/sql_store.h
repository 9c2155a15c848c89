// The store over a database: the same rows and statements for every driver.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "serve/store/database.h"
#include "serve/store/store.h"

namespace madang {

class SqlStore final : public Store {
 public:
  explicit SqlStore(std::unique_ptr<Database> database);

  bool keeps() const override { return true; }

  void put(const std::string& client, const StoredResponse& response) override;
  std::optional<StoredResponse> response(const std::string& client, const std::string& id) override;
  std::vector<StoredResponse> thread(const std::string& client, const std::string& id) override;
  bool remove_response(const std::string& client, const std::string& id) override;

  void put(const std::string& client, const StoredFile& file, std::string_view bytes) override;
  std::optional<StoredFile> file(const std::string& client, const std::string& id) override;
  std::optional<std::string> bytes(const std::string& client, const std::string& id) override;
  Listed<StoredFile> files(const std::string& client, const std::string& purpose, const Window& window) override;
  bool remove_file(const std::string& client, const std::string& id) override;

  void put(const StoredBatch& batch) override;
  std::optional<StoredBatch> batch(const std::string& client, const std::string& id) override;
  Listed<StoredBatch> batches(const std::string& client, const Window& window) override;
  std::vector<StoredBatch> unfinished_batches() override;
  bool lease(const std::string& batch, const std::string& server, int64_t seconds,
             const std::function<bool(const std::string&)>& gone) override;
  void release(const std::string& batch, const std::string& server) override;
  void put(const std::string& batch, const LineResult& result) override;
  std::vector<int64_t> lines_done(const std::string& batch) override;
  LineCounts counts(const std::string& batch) override;
  StoredBatch finish(StoredBatch batch, StoredFile output, StoredFile errors) override;

  std::vector<std::string> keys() override;
  bool add_key(const std::string& name, const std::string& line) override;
  bool remove_key(const std::string& name) override;

  void add_usage(const UsageRow& usage) override;
  std::vector<UsageRow> usage(const std::optional<std::string>& client, const std::string& from,
                              const std::string& to) override;

 private:
  std::vector<Row> read(const char* sql, const std::vector<Value>& values);
  std::vector<Row> write(const char* sql, const std::vector<Value>& values);

  std::unique_ptr<Database> database_;
};

// Of a row, column i as what it was written as. Throws Kind::format: somebody else has changed the database.
int64_t number_at(const Row& row, size_t i);
std::string text_at(const Row& row, size_t i);
Json json_at(const Row& row, size_t i);
/// JSON text that a database takes: of a token cut within a character, what is no UTF-8 becomes U+FFFD.
std::string stored_text(const Json& value);

/// An id as clients may send it. Anything else is in no table, and is not shown to a database.
bool plausible_id(const std::string& id);

/// Rows asked one beyond the limit, as a page.
template <class T>
Listed<T> cut(std::vector<T> rows, int64_t limit) {
  Listed<T> out;
  out.more = static_cast<int64_t>(rows.size()) > limit;
  if (out.more) rows.resize(static_cast<size_t>(limit));
  out.rows = std::move(rows);
  return out;
}

}  // namespace madang
