// Batches and the progress of their lines.
#include <algorithm>
#include <chrono>

#include "serve/store/sql_files.h"
#include "serve/store/sql_store.h"

namespace madang {
namespace {

#define BATCH_COLUMNS "id, client, created, unfinished, facts, models"

StoredBatch batch_of(const Row& row) {
  StoredBatch batch{text_at(row, 0), text_at(row, 1), number_at(row, 2), number_at(row, 3) != 0, json_at(row, 4)};
  for (const Json& model : json_at(row, 5)) batch.models.push_back(model);
  return batch;
}

std::vector<StoredBatch> batches_of(const std::vector<Row>& rows) {
  std::vector<StoredBatch> out;
  for (const Row& row : rows) out.push_back(batch_of(row));
  return out;
}

void save(Statements& s, const StoredBatch& b) {
  s.run("INSERT INTO batches (" BATCH_COLUMNS
        ") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET"
        " unfinished = excluded.unfinished, facts = excluded.facts WHERE batches.unfinished = 1",
        {b.id, b.client, b.created, int64_t{b.unfinished}, stored_text(b.facts), stored_text(b.models)});
}

/// The lines of one kind as a file; false if there are none. A few rows at a time: the file may be larger than memory.
bool gather(Statements& s, const StoredBatch& batch, bool failed, const StoredFile& file) {
  std::optional<FileWriter> writer;
  for (int64_t next = 0;;) {
    const auto rows = s.run(
        "SELECT line, text FROM batch_lines WHERE batch = $1 AND failed = $2 AND line >= $3 ORDER BY line LIMIT 100",
        {batch.id, int64_t{failed}, next});
    if (rows.empty()) break;
    if (!writer) writer.emplace(s, batch.client, file);
    for (const Row& row : rows) writer->write(text_at(row, 1) + "\n");
    next = number_at(rows.back(), 0) + 1;
  }
  if (writer) writer->finish();
  return writer.has_value();
}

}  // namespace

void SqlStore::put(const StoredBatch& batch) {
  database_->write([&](Statements& s) { save(s, batch); });
}

std::optional<StoredBatch> SqlStore::batch(const std::string& client, const std::string& id) {
  if (!plausible_id(id)) return {};
  const auto rows = read("SELECT " BATCH_COLUMNS " FROM batches WHERE id = $1 AND client = $2", {id, client});
  if (rows.empty()) return {};
  return batch_of(rows[0]);
}

Listed<StoredBatch> SqlStore::batches(const std::string& client, const Window& window) {
  if (!window.after.empty() && !plausible_id(window.after)) return {};
  const auto rows = read(
      window.ascending ? "SELECT " BATCH_COLUMNS
                         " FROM batches WHERE client = $1 AND ($2 = '' OR (created, id) > (SELECT b.created, b.id"
                         " FROM batches b WHERE b.id = $2 AND b.client = $1)) ORDER BY created, id LIMIT $3"
                       : "SELECT " BATCH_COLUMNS
                         " FROM batches WHERE client = $1 AND ($2 = '' OR (created, id) < (SELECT b.created, b.id"
                         " FROM batches b WHERE b.id = $2 AND b.client = $1)) ORDER BY created DESC, id DESC LIMIT $3",
      {client, window.after, window.limit + 1});
  return cut(batches_of(rows), window.limit);
}

std::vector<StoredBatch> SqlStore::unfinished_batches() {
  return batches_of(read("SELECT " BATCH_COLUMNS " FROM batches WHERE unfinished = 1 ORDER BY created, id", {}));
}

bool SqlStore::lease(const std::string& batch, const std::string& server, int64_t seconds,
                     const std::function<bool(const std::string&)>& gone) {
  const auto clock = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const int64_t now = clock.time_since_epoch().count();
  bool held = false;
  database_->write([&](Statements& s) {
    held = false;
    const auto rows = s.run("SELECT server, leased_until FROM batches WHERE id = $1 AND unfinished = 1", {batch});
    if (rows.empty()) return;
    const std::string other = text_at(rows[0], 0);
    const int64_t until = number_at(rows[0], 1);
    if (other != server && until > now && !gone(other)) return;
    held = !s.run(
                 "UPDATE batches SET server = $2, leased_until = $3 WHERE id = $1 AND unfinished = 1 AND server = $4"
                 " AND leased_until = $5 RETURNING id",
                 {batch, server, now + seconds, other, until})
                .empty();
  });
  return held;
}

void SqlStore::release(const std::string& batch, const std::string& server) {
  write("UPDATE batches SET leased_until = 0 WHERE id = $1 AND server = $2", {batch, server});
}

void SqlStore::put(const std::string& batch, const LineResult& result) {
  write(
      "INSERT INTO batch_lines (batch, line, failed, text) VALUES ($1, $2, $3, $4)"
      " ON CONFLICT (batch, line) DO NOTHING",
      {batch, result.line, int64_t{result.failed}, result.text});
}

std::vector<int64_t> SqlStore::lines_done(const std::string& batch) {
  std::vector<int64_t> out;
  for (const Row& row : read("SELECT line FROM batch_lines WHERE batch = $1 ORDER BY line", {batch}))
    out.push_back(number_at(row, 0));
  return out;
}

LineCounts SqlStore::counts(const std::string& batch) {
  LineCounts out;
  for (const Row& row :
       read("SELECT failed, COUNT(*) FROM batch_lines WHERE batch = $1 GROUP BY failed ORDER BY failed", {batch}))
    (number_at(row, 0) ? out.failed : out.completed) = number_at(row, 1);
  return out;
}

StoredBatch SqlStore::finish(StoredBatch batch, StoredFile output, StoredFile errors) {
  database_->write([&](Statements& s) {
    batch.unfinished = false;
    if (gather(s, batch, false, output)) batch.facts["output_file_id"] = output.id;
    if (gather(s, batch, true, errors)) batch.facts["error_file_id"] = errors.id;
    save(s, batch);
  });
  return batch;
}

}  // namespace madang
