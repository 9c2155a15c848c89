// What a server keeps: responses that clients asked to be stored, files, batches with the progress of each line, keys,
// usage per key and day. Everything belongs to a client (the name of its key); what belongs to another is not there.
//
// What a call that writes has returned from is on the disk, and is there after kill -9 or a power cut at any moment;
// a call that was cut off has either happened as a whole or not at all. Each call is one transaction.
// Bytes of files are rows too, in parts, not files in a folder: a file and what is known of it are then acknowledged
// together, there is one thing to back up, and it is the same in PostgreSQL, where servers share no folder.
// Thread safe, and slow (it waits for the disk): call it through `elsewhere`.
// Throws Error: network, io or format for the database's own faults. What is not there is no error, but an empty
// answer.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace madang {

struct StoredResponse {
  std::string id;
  std::string previous;        ///< id of the response before it, or ""
  int64_t created = 0;         ///< Unix microseconds: what was made later sorts later, within a second too
  Json response;               ///< the object as the client got it
  Json input = Json::array();  ///< its own input items, each with an id
};

struct StoredFile {
  std::string id, name, purpose;
  int64_t bytes = 0;
  int64_t created = 0;             ///< Unix microseconds
  std::optional<int64_t> expires;  ///< Unix seconds
};

struct StoredBatch {
  std::string id, client;
  int64_t created = 0;                   ///< Unix microseconds
  bool unfinished = true;                ///< there is still work for the runner
  Json facts;                            ///< the object as clients see it, without the counts of lines
  std::vector<std::string> models = {};  ///< that the client might ask when it made the batch; empty: all
};

struct LineResult {
  int64_t line = 0;  ///< of the input file, from 0
  bool failed = false;
  std::string text;  ///< the line of the output or error file, without its end
};

struct LineCounts {
  int64_t completed = 0, failed = 0;
};

/// Which rows of a list: in the order of their making, after the one with the id `after`.
struct Window {
  int64_t limit = 20;
  bool ascending = false;
  std::string after;  ///< "": from the beginning
};

template <class T>
struct Listed {
  std::vector<T> rows;
  bool more = false;  ///< there are rows after the last
};

/// One row per client, day and model.
struct UsageRow {
  std::string client, day, model;  ///< day: "2026-11-24", in UTC
  int64_t requests = 0, prompt_tokens = 0, reused_tokens = 0, answer_tokens = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  /// False for a server that was started without a store: every call but usage then throws Kind::unsupported, saying
  /// how to start it with one.
  virtual bool keeps() const = 0;

  virtual void put(const std::string& client, const StoredResponse& response) = 0;
  virtual std::optional<StoredResponse> response(const std::string& client, const std::string& id) = 0;
  /// The response and all before it, oldest first; empty if one of them is not there.
  virtual std::vector<StoredResponse> thread(const std::string& client, const std::string& id) = 0;
  virtual bool remove_response(const std::string& client, const std::string& id) = 0;

  virtual void put(const std::string& client, const StoredFile& file, std::string_view bytes) = 0;
  virtual std::optional<StoredFile> file(const std::string& client, const std::string& id) = 0;
  virtual std::optional<std::string> bytes(const std::string& client, const std::string& id) = 0;
  /// `purpose` "": all.
  virtual Listed<StoredFile> files(const std::string& client, const std::string& purpose, const Window& window) = 0;
  virtual bool remove_file(const std::string& client, const std::string& id) = 0;

  virtual void put(const StoredBatch& batch) = 0;  ///< new, or in place of the one with its id, unless that is over
  virtual std::optional<StoredBatch> batch(const std::string& client, const std::string& id) = 0;
  virtual Listed<StoredBatch> batches(const std::string& client, const Window& window) = 0;
  virtual std::vector<StoredBatch> unfinished_batches() = 0;  ///< of all clients, oldest first
  /// For so many seconds from now, or from now again, only `server` works on the batch. False: another one does (unless
  /// it is `gone`), or the batch is over.
  virtual bool lease(const std::string& batch, const std::string& server, int64_t seconds,
                     const std::function<bool(const std::string& other)>& gone) = 0;
  /// `server` works on it no longer.
  virtual void release(const std::string& batch, const std::string& server) = 0;
  /// Of a line that has one already, the first stays.
  virtual void put(const std::string& batch, const LineResult& result) = 0;
  virtual std::vector<int64_t> lines_done(const std::string& batch) = 0;  ///< rising
  virtual LineCounts counts(const std::string& batch) = 0;
  /// Ends a batch: the texts of its lines become the files `output` and `errors` (with their sizes), in the order of
  /// the lines, where there are such lines; its facts get "output_file_id" and "error_file_id". Returns it as stored.
  virtual StoredBatch finish(StoredBatch batch, StoredFile output, StoredFile errors) = 0;

  /// Keys as lines of a key file (serve/keys.h), by name.
  virtual std::vector<std::string> keys() = 0;
  virtual bool add_key(const std::string& name, const std::string& line) = 0;  ///< false: the name is taken
  virtual bool remove_key(const std::string& name) = 0;                        ///< false: there is none

  virtual void add_usage(const UsageRow& usage) = 0;
  /// `client`: nothing means all. Days from and to, both included.
  virtual std::vector<UsageRow> usage(const std::optional<std::string>& client, const std::string& from,
                                      const std::string& to) = 0;
};

/// `where`: "" for a store that keeps nothing, a postgresql:// (or postgres://) URL, or the path of an SQLite file,
/// made if it is not there. Throws Error: io, network, format; mismatch if a newer madang has made it.
std::unique_ptr<Store> open_store(const std::string& where);

}  // namespace madang
