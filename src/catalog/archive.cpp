#include "catalog/archive.h"

#include <zip.h>

#include <memory>

#include "base/error.h"

namespace madang {
namespace {
zip_t* handle(void* zip) { return static_cast<zip_t*>(zip); }
}  // namespace

Archive::Archive(const std::filesystem::path& path) : path_(path.string()) {
  int fault = 0;
  zip_ = zip_open(path_.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &fault);
  if (zip_) return;
  zip_error_t error;
  zip_error_init_with_code(&error, fault);
  std::string why = zip_error_strerror(&error);
  zip_error_fini(&error);
  throw Error(Kind::format, say("not a readable zip archive: {}", why)).at(path_);
}

Archive::~Archive() { zip_discard(handle(zip_)); }

std::vector<std::string> Archive::names() const {
  std::vector<std::string> out;
  for (zip_int64_t i = 0, n = zip_get_num_entries(handle(zip_), 0); i < n; ++i)
    if (const char* name = zip_get_name(handle(zip_), static_cast<zip_uint64_t>(i), 0)) out.emplace_back(name);
  return out;
}

int64_t Archive::size(const std::string& member) const {
  zip_stat_t about;
  if (zip_stat(handle(zip_), member.c_str(), 0, &about) != 0 || !(about.valid & ZIP_STAT_SIZE) ||
      about.size > INT64_MAX)
    throw Error(Kind::missing, say("the archive has no file {}", member)).at(path_);
  return static_cast<int64_t>(about.size);
}

bool Archive::extract(const std::string& member, GrowingFile& to, const std::function<bool(int64_t)>& alive) const {
  const int64_t expected = size(member);
  std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(zip_fopen(handle(zip_), member.c_str(), 0), zip_fclose);
  std::vector<char> piece(1 << 20);
  int64_t done = 0, got = file ? 0 : -1;
  while (file && (got = zip_fread(file.get(), piece.data(), piece.size())) > 0) {
    done += got;
    if (done > expected) break;
    to.append({piece.data(), static_cast<size_t>(got)});
    if (!alive(done)) return false;
  }
  if (got == 0 && done == expected) return true;  // at the end zip_fread has checked the CRC too
  throw Error(Kind::format, say("the archive's file {} is damaged", member))
      .at(path_)
      .expected(fmt::format("{} bytes", expected))
      .found(fmt::format("{} bytes", done));
}

}  // namespace madang
