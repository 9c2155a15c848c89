// One model file at a plain web address.
#include <algorithm>

#include "base/error.h"
#include "catalog/digest.h"
#include "catalog/disk.h"
#include "catalog/http.h"
#include "catalog/work.h"

namespace madang {
namespace {

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Address Address::parse(const std::string& spec) {
  Address out;
  size_t fragment = std::min(spec.find('#'), spec.size());
  out.url = spec.substr(0, fragment);
  if (fragment < spec.size()) {
    std::string_view hash = std::string_view(spec).substr(fragment + 1);
    if (!hash.starts_with("sha256=") || !is_sha256(hash.substr(7)))
      throw Error(Kind::usage, say("after # stands sha256= and 64 lower case hexadecimal digits")).at(spec);
    out.sha256 = hash.substr(7);
  }
  std::string path = out.url.substr(0, out.url.find('?'));
  out.file = path.substr(path.rfind('/') + 1);
  if (!is_safe_relative(out.file) || !(out.file.ends_with(".gguf") || out.file.ends_with(".safetensors")))
    throw Error(Kind::usage, say("the address does not end in the name of a .gguf or .safetensors file"))
        .at(spec)
        .hint(say("for a whole repository: madang pull hf:OWNER/NAME"));
  return out;
}

Fetched fetch_address(Work& work, const Address& address) {
  const std::filesystem::path path = work.files / address.file;
  auto alive = [&](int64_t done, int64_t total) { return work.meter.fetching(done, total); };
  Http http(work.settings);
  if (!http.download({address.url, path, -1, !address.sha256.empty()}, alive)) work.meter.stopped();
  check_digest(work, path, Digest::sha256, address.sha256);
  return {address.file, ""};
}

}  // namespace madang
