#include "serve/store/schema.h"

#include "base/error.h"

namespace madang {
namespace {

// Step i leads from version i to version i + 1. A step that has been in a release is never changed: add one.
// "created" is in microseconds, and together with the id it is the order of every list.
const std::vector<std::vector<const char*>>& steps() {
  static const std::vector<std::vector<const char*>> all = {
      {
          "CREATE TABLE responses (id TEXT PRIMARY KEY, client TEXT NOT NULL, created BIGINT NOT NULL,"
          " previous TEXT NOT NULL, response TEXT NOT NULL, input TEXT NOT NULL)",
          "CREATE TABLE files (id TEXT PRIMARY KEY, client TEXT NOT NULL, created BIGINT NOT NULL,"
          " name TEXT NOT NULL, purpose TEXT NOT NULL, bytes BIGINT NOT NULL, expires BIGINT)",
          "CREATE INDEX files_of_client ON files (client, created, id)",
          "CREATE TABLE file_parts (file TEXT NOT NULL REFERENCES files(id), part BIGINT NOT NULL,"
          " data BYTEA NOT NULL, PRIMARY KEY (file, part))",
          "CREATE TABLE batches (id TEXT PRIMARY KEY, client TEXT NOT NULL, created BIGINT NOT NULL,"
          " unfinished BIGINT NOT NULL, facts TEXT NOT NULL, models TEXT NOT NULL)",
          "CREATE INDEX batches_of_client ON batches (client, created, id)",
          "CREATE TABLE batch_lines (batch TEXT NOT NULL REFERENCES batches(id), line BIGINT NOT NULL,"
          " failed BIGINT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (batch, line))",
          "CREATE TABLE usage (client TEXT NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL,"
          " requests BIGINT NOT NULL, prompt_tokens BIGINT NOT NULL, reused_tokens BIGINT NOT NULL,"
          " answer_tokens BIGINT NOT NULL, PRIMARY KEY (client, day, model))",
      },
      {
          "ALTER TABLE batches ADD COLUMN server TEXT NOT NULL DEFAULT ''",
          "ALTER TABLE batches ADD COLUMN leased_until BIGINT NOT NULL DEFAULT 0",  // Unix seconds
          "CREATE TABLE keys (name TEXT PRIMARY KEY, line TEXT NOT NULL)",
      },
  };
  return all;
}

}  // namespace

void prepare_schema(Database& database) {
  database.write([](Statements& s) {
    s.run("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)");
    const auto rows = s.run("SELECT version FROM schema_version");
    const int64_t newest = static_cast<int64_t>(steps().size());
    const int64_t* found = rows.empty() ? nullptr : std::get_if<int64_t>(&rows[0][0]);
    const int64_t version = found ? *found : 0;
    if (version < 0 || version > newest || (!rows.empty() && !found))
      throw Error(Kind::mismatch, say("the store was made by a newer madang"))
          .expected(std::to_string(newest))
          .found(found ? std::to_string(version) : "?")
          .hint(say("start that version, or begin a new store"));
    if (version == newest) return;
    for (int64_t i = version; i < newest; ++i)
      for (const char* statement : steps()[static_cast<size_t>(i)]) s.run(statement);
    s.run("DELETE FROM schema_version");
    s.run("INSERT INTO schema_version (version) VALUES ($1)", {newest});
  });
}

}  // namespace madang
