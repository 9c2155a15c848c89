// Which store a word on the command line means, and the one that keeps nothing.
#include "base/error.h"
#include "serve/store/sql_store.h"

namespace madang {
namespace {

class NoStore final : public Store {
  [[noreturn]] static void none() {
    throw Error(Kind::unsupported,
                say("this server keeps nothing: start it with --store FILE or --store postgresql://..."));
  }

 public:
  bool keeps() const override { return false; }

  void put(const std::string&, const StoredResponse&) override { none(); }
  std::optional<StoredResponse> response(const std::string&, const std::string&) override { none(); }
  std::vector<StoredResponse> thread(const std::string&, const std::string&) override { none(); }
  bool remove_response(const std::string&, const std::string&) override { none(); }
  void put(const std::string&, const StoredFile&, std::string_view) override { none(); }
  std::optional<StoredFile> file(const std::string&, const std::string&) override { none(); }
  std::optional<std::string> bytes(const std::string&, const std::string&) override { none(); }
  Listed<StoredFile> files(const std::string&, const std::string&, const Window&) override { none(); }
  bool remove_file(const std::string&, const std::string&) override { none(); }
  void put(const StoredBatch&) override { none(); }
  std::optional<StoredBatch> batch(const std::string&, const std::string&) override { none(); }
  Listed<StoredBatch> batches(const std::string&, const Window&) override { none(); }
  std::vector<StoredBatch> unfinished_batches() override { return {}; }
  bool lease(const std::string&, const std::string&, int64_t, const std::function<bool(const std::string&)>&) override {
    none();
  }
  void release(const std::string&, const std::string&) override { none(); }
  void put(const std::string&, const LineResult&) override { none(); }
  std::vector<int64_t> lines_done(const std::string&) override { none(); }
  LineCounts counts(const std::string&) override { none(); }
  StoredBatch finish(StoredBatch, StoredFile, StoredFile) override { none(); }
  std::vector<std::string> keys() override { none(); }
  bool add_key(const std::string&, const std::string&) override { none(); }
  bool remove_key(const std::string&) override { none(); }
  void add_usage(const UsageRow&) override {}
  std::vector<UsageRow> usage(const std::optional<std::string>&, const std::string&, const std::string&) override {
    return {};
  }
};

}  // namespace

std::unique_ptr<Store> open_store(const std::string& where) {
  if (where.empty()) return std::make_unique<NoStore>();
  const bool url = where.starts_with("postgresql://") || where.starts_with("postgres://");
  return std::make_unique<SqlStore>(url ? open_postgres(where) : open_sqlite(where));
}

}  // namespace madang
