#include "catalog/work.h"

#include "base/stop.h"
#include "catalog/digest.h"

namespace madang {

bool Meter::tell(Text what, int64_t done, int64_t total) {
  auto now = std::chrono::steady_clock::now();
  if (!listener_ || (now < next_ && (done == 0 || done != total))) return true;
  next_ = now + std::chrono::milliseconds(50);  // as often as an eye can follow
  return listener_({std::move(what), done, total, true});
}

void Meter::stopped() const {
  Stopped stopped(say("stopped while fetching {}", name_));
  stopped.hint(say("run the same command again: it continues where it stopped"));
  throw stopped;
}

void check_digest(Work& work, const std::filesystem::path& path, Digest digest, const std::string& expected) {
  if (expected.empty()) return;
  const int64_t total = static_cast<int64_t>(std::filesystem::file_size(path));
  std::string found = digest_of_file(path, digest, [&](int64_t done) { return work.meter.checking(done, total); });
  if (found.empty()) work.meter.stopped();
  if (found == expected) return;
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  throw Error(Kind::mismatch, say("the hash of {} is wrong; the file was removed", path.filename().string()))
      .at(path.string())
      .expected(expected)
      .found(found);
}

}  // namespace madang
