#include "catalog/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/mapped_file.h"

namespace madang {

std::string digest_of_file(const std::filesystem::path& path, Digest digest,
                           const std::function<bool(int64_t)>& alive) {
  auto file = MappedFile::open(path.string());
  auto bytes = file->bytes();
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> state(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool fine = state && EVP_DigestInit_ex(state.get(), digest == Digest::sha256 ? EVP_sha256() : EVP_sha1(), nullptr);
  if (fine && digest == Digest::git_blob) {
    std::string head = fmt::format("blob {}", bytes.size());
    fine = EVP_DigestUpdate(state.get(), head.c_str(), head.size() + 1);
  }
  constexpr size_t piece = 4 << 20;  // some ten milliseconds of hashing between two looks at `alive`
  for (size_t at = 0; fine && at < bytes.size(); at += piece) {
    auto part = bytes.subspan(at, std::min(piece, bytes.size() - at));
    fine = EVP_DigestUpdate(state.get(), part.data(), part.size());
    file->release(part);
    if (alive && !alive(static_cast<int64_t>(at + part.size()))) return "";
  }
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!fine || !EVP_DigestFinal_ex(state.get(), sum, &size))
    throw Error(Kind::internal, say("the hash could not be computed")).at(path.string());
  std::string out;
  for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", sum[i]);
  return out;
}

}  // namespace madang
