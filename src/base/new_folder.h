// A folder of files that comes whole or not at all: files are written into a draft beside it, and moved when all are
// there. An end by error or Ctrl-C leaves nothing; only a kill leaves the draft, PATH.XXXXXX.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace madang {

class NewFolder {
 public:
  /// Throws Kind::io. `path` may exist: files of the same names are replaced, others stay.
  explicit NewFolder(const std::string& path);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  /// Where to write until then.
  const std::string& draft() const { return draft_; }
  /// Throws Kind::io. Of the files that were there already, those that are `outdated` by name and have no successor are
  /// removed.
  void finish(const std::function<bool(std::string_view name)>& outdated = {});

 private:
  std::string path_, draft_;
};

}  // namespace madang
