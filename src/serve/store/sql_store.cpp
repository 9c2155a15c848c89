// Responses and usage.
#include "serve/store/sql_store.h"

#include <algorithm>

#include "base/error.h"
#include "serve/store/schema.h"

namespace madang {
namespace {

[[noreturn]] void strange() { throw Error(Kind::format, say("the store's database holds what madang did not write")); }

StoredResponse response_of(const Row& row) {
  return {text_at(row, 0), text_at(row, 1), number_at(row, 2), json_at(row, 3), json_at(row, 4)};
}

}  // namespace

int64_t number_at(const Row& row, size_t i) {
  if (auto number = std::get_if<int64_t>(&row.at(i))) return *number;
  strange();
}

std::string text_at(const Row& row, size_t i) {
  if (auto text = std::get_if<std::string>(&row.at(i))) return *text;
  strange();
}

std::string stored_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json json_at(const Row& row, size_t i) { return parse_json(text_at(row, i), "store"); }

bool plausible_id(const std::string& id) {
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
}

SqlStore::SqlStore(std::unique_ptr<Database> database) : database_(std::move(database)) { prepare_schema(*database_); }

std::vector<Row> SqlStore::read(const char* sql, const std::vector<Value>& values) {
  std::vector<Row> rows;
  database_->read([&](Statements& s) { rows = s.run(sql, values); });
  return rows;
}

std::vector<Row> SqlStore::write(const char* sql, const std::vector<Value>& values) {
  std::vector<Row> rows;
  database_->write([&](Statements& s) { rows = s.run(sql, values); });
  return rows;
}

void SqlStore::put(const std::string& client, const StoredResponse& r) {
  write(
      "INSERT INTO responses (id, client, created, previous, response, input) VALUES ($1, $2, $3, $4, $5, $6)"
      " ON CONFLICT (id) DO UPDATE SET response = excluded.response WHERE responses.client = excluded.client",
      {r.id, client, r.created, r.previous, stored_text(r.response), stored_text(r.input)});
}

std::optional<StoredResponse> SqlStore::response(const std::string& client, const std::string& id) {
  if (!plausible_id(id)) return {};
  const auto rows =
      read("SELECT id, previous, created, response, input FROM responses WHERE id = $1 AND client = $2", {id, client});
  if (rows.empty()) return {};
  return response_of(rows[0]);
}

std::vector<StoredResponse> SqlStore::thread(const std::string& client, const std::string& id) {
  std::vector<StoredResponse> out;
  if (!plausible_id(id)) return out;
  database_->read([&](Statements& s) {
    out.clear();
    for (std::string next = id; !next.empty(); next = out.back().previous) {
      const auto rows = s.run(
          "SELECT id, previous, created, response, input FROM responses WHERE id = $1 AND client = $2", {next, client});
      // A response only ever follows one that was there before it, so this walk ends.
      if (rows.empty() || (!out.empty() && number_at(rows[0], 2) >= out.back().created)) return out.clear();
      out.push_back(response_of(rows[0]));
    }
  });
  std::ranges::reverse(out);
  return out;
}

bool SqlStore::remove_response(const std::string& client, const std::string& id) {
  if (!plausible_id(id)) return false;
  return !write("DELETE FROM responses WHERE id = $1 AND client = $2 RETURNING id", {id, client}).empty();
}

std::vector<std::string> SqlStore::keys() {
  std::vector<std::string> out;
  for (const Row& row : read("SELECT line FROM keys ORDER BY name", {})) out.push_back(text_at(row, 0));
  return out;
}

bool SqlStore::add_key(const std::string& name, const std::string& line) {
  return !write("INSERT INTO keys (name, line) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING name",
                {name, line})
              .empty();
}

bool SqlStore::remove_key(const std::string& name) {
  return !write("DELETE FROM keys WHERE name = $1 RETURNING name", {name}).empty();
}

void SqlStore::add_usage(const UsageRow& u) {
  write(
      "INSERT INTO usage (client, day, model, requests, prompt_tokens, reused_tokens, answer_tokens)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (client, day, model) DO UPDATE SET"
      " requests = usage.requests + excluded.requests,"
      " prompt_tokens = usage.prompt_tokens + excluded.prompt_tokens,"
      " reused_tokens = usage.reused_tokens + excluded.reused_tokens,"
      " answer_tokens = usage.answer_tokens + excluded.answer_tokens",
      {u.client, u.day, u.model, u.requests, u.prompt_tokens, u.reused_tokens, u.answer_tokens});
}

std::vector<UsageRow> SqlStore::usage(const std::optional<std::string>& client, const std::string& from,
                                      const std::string& to) {
  const auto rows = read(
      "SELECT client, day, model, requests, prompt_tokens, reused_tokens, answer_tokens FROM usage"
      " WHERE day >= $1 AND day <= $2 AND ($3 = 1 OR client = $4) ORDER BY day, client, model",
      {from, to, int64_t{!client}, client.value_or("")});
  std::vector<UsageRow> out;
  for (const Row& r : rows)
    out.push_back({text_at(r, 0), text_at(r, 1), text_at(r, 2), number_at(r, 3), number_at(r, 4), number_at(r, 5),
                   number_at(r, 6)});
  return out;
}

}  // namespace madang
