// What a file's bytes are known by: SHA-256, and Git's own name of a small file.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

namespace madang {

enum class Digest {
  sha256,
  git_blob,  ///< SHA-1 over "blob SIZE\0" and the bytes: how Git, and so a hub's listing, names what is not LFS
};

/// Lower case hexadecimal. `alive` is told the bytes read so far and stops the reading by false (the result is "").
/// Throws Kind::missing or Kind::io.
std::string digest_of_file(const std::filesystem::path& path, Digest digest,
                           const std::function<bool(int64_t)>& alive = {});

}  // namespace madang
