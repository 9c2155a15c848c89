// Files, whole or in lists.
#include <algorithm>
#include <chrono>

#include "serve/store/sql_files.h"
#include "serve/store/sql_store.h"

namespace madang {
namespace {

// A row of a file. Large enough that rows cost nothing beside bytes, small enough that a driver's copies of one (text
// in PostgreSQL's protocol is twice its size) do not matter.
constexpr size_t part_bytes = 1 << 20;

int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

#define FILE_COLUMNS "id, name, purpose, bytes, created, expires"

StoredFile file_of(const Row& row) {
  StoredFile file{text_at(row, 0), text_at(row, 1), text_at(row, 2), number_at(row, 3), number_at(row, 4), {}};
  if (auto expires = std::get_if<int64_t>(&row.at(5))) file.expires = *expires;
  return file;
}

void remove(Statements& s, const std::string& id) {
  s.run("DELETE FROM file_parts WHERE file = $1", {id});
  s.run("DELETE FROM files WHERE id = $1", {id});
}

}  // namespace

FileWriter::FileWriter(Statements& statements, const std::string& client, const StoredFile& file)
    : statements_(statements), id_(file.id) {
  statements_.run(
      "INSERT INTO files (id, client, created, name, purpose, bytes, expires) VALUES ($1, $2, $3, $4, $5, 0, $6)",
      {file.id, client, file.created, file.name, file.purpose, file.expires ? Value(*file.expires) : Value()});
}

void FileWriter::write(std::string_view bytes) {
  size_ += static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), part_bytes - held_.size());
    held_ += bytes.substr(0, n);
    bytes.remove_prefix(n);
    if (held_.size() == part_bytes) flush();
  }
}

int64_t FileWriter::finish() {
  if (!held_.empty()) flush();
  statements_.run("UPDATE files SET bytes = $2 WHERE id = $1", {id_, size_});
  return size_;
}

void FileWriter::flush() {
  statements_.run("INSERT INTO file_parts (file, part, data) VALUES ($1, $2, $3)", {id_, part_++, Blob{held_}});
  held_.clear();
}

void SqlStore::put(const std::string& client, const StoredFile& file, std::string_view bytes) {
  database_->write([&](Statements& s) {
    for (const Row& row : s.run("SELECT id FROM files WHERE expires <= $1", {now_seconds()}))
      remove(s, text_at(row, 0));
    FileWriter writer(s, client, file);
    writer.write(bytes);
    writer.finish();
  });
}

std::optional<StoredFile> SqlStore::file(const std::string& client, const std::string& id) {
  if (!plausible_id(id)) return {};
  const auto rows =
      read("SELECT " FILE_COLUMNS " FROM files WHERE id = $1 AND client = $2 AND (expires IS NULL OR expires > $3)",
           {id, client, now_seconds()});
  if (rows.empty()) return {};
  return file_of(rows[0]);
}

std::optional<std::string> SqlStore::bytes(const std::string& client, const std::string& id) {
  if (!plausible_id(id)) return {};
  std::optional<std::string> out;
  database_->read([&](Statements& s) {
    out.reset();
    const auto rows =
        s.run("SELECT bytes FROM files WHERE id = $1 AND client = $2 AND (expires IS NULL OR expires > $3)",
              {id, client, now_seconds()});
    if (rows.empty()) return;
    out.emplace();
    for (int64_t part = 0;; ++part) {
      const auto data = s.run("SELECT data FROM file_parts WHERE file = $1 AND part = $2", {id, part});
      const Blob* blob = data.empty() ? nullptr : std::get_if<Blob>(&data[0][0]);
      if (!blob) return;
      *out += blob->bytes;
    }
  });
  return out;
}

Listed<StoredFile> SqlStore::files(const std::string& client, const std::string& purpose, const Window& window) {
  if (!window.after.empty() && !plausible_id(window.after)) return {};
  // The row after which to go on may be gone: then nothing comes after it.
  const auto rows =
      read(window.ascending
               ? "SELECT " FILE_COLUMNS
                 " FROM files WHERE client = $1 AND ($2 = '' OR purpose = $2) AND (expires IS NULL OR expires > $3)"
                 " AND ($4 = '' OR (created, id) > (SELECT f.created, f.id FROM files f WHERE f.id = $4 AND"
                 " f.client = $1)) ORDER BY created, id LIMIT $5"
               : "SELECT " FILE_COLUMNS
                 " FROM files WHERE client = $1 AND ($2 = '' OR purpose = $2) AND (expires IS NULL OR expires > $3)"
                 " AND ($4 = '' OR (created, id) < (SELECT f.created, f.id FROM files f WHERE f.id = $4 AND"
                 " f.client = $1)) ORDER BY created DESC, id DESC LIMIT $5",
           {client, purpose, now_seconds(), window.after, window.limit + 1});
  std::vector<StoredFile> out;
  for (const Row& row : rows) out.push_back(file_of(row));
  return cut(std::move(out), window.limit);
}

bool SqlStore::remove_file(const std::string& client, const std::string& id) {
  if (!plausible_id(id)) return false;
  bool there = false;
  database_->write([&](Statements& s) {
    there = !s.run("SELECT id FROM files WHERE id = $1 AND client = $2", {id, client}).empty();
    if (there) remove(s, id);
  });
  return there;
}

}  // namespace madang
