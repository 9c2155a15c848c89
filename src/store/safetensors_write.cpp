// The writing half of safetensors.h.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "store/safetensors.h"

namespace madang {
namespace {

std::string header_of(const std::vector<const NamedTensor*>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t at = 0;
  for (const NamedTensor* t : tensors) {
    Json shape = Json::array();
    for (int i = 0; i < t->tensor.shape.rank; ++i) shape.push_back(t->tensor.shape[i]);
    const int64_t end = at + t->tensor.bytes();
    header[t->name] = {{"dtype", name_of(t->tensor.dtype)}, {"shape", shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data starts at a multiple of 8
  return text;
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  // Wide elements first, so that every tensor is aligned to its own elements.
  std::vector<const NamedTensor*> order;
  for (int64_t size : {8, 4, 2, 1})
    for (const NamedTensor& t : tensors)
      if (size_of(t.tensor.dtype) == size) order.push_back(&t);
  const std::string header = header_of(order, metadata), temporary = path + ".part";
  const auto length = static_cast<uint64_t>(header.size());
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  for (const NamedTensor* t : order)
    if (t->tensor.bytes() > 0) out.write(static_cast<const char*>(t->tensor.data), t->tensor.bytes());
  out.close();
  std::error_code fault;
  if (!out)
    fault = std::error_code(errno, std::generic_category());
  else
    std::filesystem::rename(temporary, path, fault);
  if (fault) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw Error(Kind::io, say("cannot write the file: {}", fault.message())).at(path);
  }
}

}  // namespace madang
