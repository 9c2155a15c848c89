// What the catalogue's tests share: a store in a folder of its own that gives up soon, bytes to fetch, wheels.
#pragma once
#include <zip.h>

#include "base/error.h"
#include "base/random.h"
#include "catalog/catalog.h"
#include "catalog/digest.h"
#include "support.h"

namespace madang::test {

/// Bytes that no compressor shortens, the same for a seed.
inline std::string random_bytes(size_t n, uint64_t from) {
  Random random(from);
  std::string out(n, '\0');
  for (char& c : out) c = static_cast<char>(random.bits());
  return out;
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string digest_of(const std::string& text, Digest digest = Digest::sha256) {
  TemporaryFolder folder;
  write_text(folder / "x", text);
  return digest_of_file(folder / "x", digest);
}

inline StoreSettings quick_settings(const TemporaryFolder& folder) {
  StoreSettings settings;
  settings.folder = folder.path / "models";
  settings.stall_seconds = 5;  // a busy test machine is no stall
  settings.connect_seconds = 2;
  settings.backoff_seconds = 0.01;
  settings.retries = 2;
  return settings;
}

inline void write_zip(const std::string& path, const std::vector<std::pair<std::string, std::string>>& members) {
  int fault = 0;
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &fault);
  for (const auto& [name, bytes] : members)
    zip_file_add(zip, name.c_str(), zip_source_buffer(zip, bytes.data(), bytes.size(), 0), 0);
  ASSERT_EQ(zip_close(zip), 0);
}

/// Runs `work` and expects an Error of this kind; returns it.
template <class Work>
Error expect_error(Kind kind, Work work) {
  try {
    work();
  } catch (const Error& fault) {
    EXPECT_EQ(static_cast<int>(fault.kind()), static_cast<int>(kind)) << fault.what();
    return fault;
  }
  ADD_FAILURE() << "no error was raised";
  return Error(kind, say("none"));
}

inline bool mentions(const Error& fault, const std::string& words) {
  return std::string(fault.what()).find(words) != std::string::npos;
}

}  // namespace madang::test
