// The writing half of safetensors.h.
#include "base/error.h"
#include "base/json.h"
#include "store/safetensors.h"

namespace madang {

bool names_weights(std::string_view file) {
  return file.starts_with("model") && (file.ends_with(".safetensors") || file.ends_with(".safetensors.index.json"));
}

void SafetensorsWriter::declare(const std::string& name, DType dtype, const std::vector<int64_t>& shape) {
  int64_t numel = 1;
  for (int64_t n : shape) numel *= n;
  entries_.push_back({name, dtype, shape, numel * size_of(dtype)});
  left_ += entries_.back().bytes;
}

void SafetensorsWriter::begin(const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t at = 0;
  for (const Entry& e : entries_) {
    header[e.name] = {{"dtype", name_of(e.dtype)}, {"shape", e.shape}, {"data_offsets", {at, at + e.bytes}}};
    at += e.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data starts at a multiple of 8
  const auto length = static_cast<uint64_t>(text.size());
  file_.need(static_cast<int64_t>(sizeof length + length) + left_);
  file_.append(std::span(reinterpret_cast<const char*>(&length), sizeof length));
  file_.append(text);
}

void SafetensorsWriter::write(std::span<const uint8_t> bytes) {
  left_ -= static_cast<int64_t>(bytes.size());
  if (left_ < 0) throw Error(Kind::internal, say("more bytes than tensors")).at(file_.path());
  file_.append(bytes);
}

void SafetensorsWriter::finish() {
  if (left_ != 0) throw Error(Kind::internal, say("fewer bytes than tensors")).at(file_.path());
  file_.finish();
}

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  // Wide elements first, so that every tensor is aligned to its own elements.
  std::vector<const NamedTensor*> order;
  for (int64_t size : {8, 4, 2, 1})
    for (const NamedTensor& t : tensors)
      if (size_of(t.tensor.dtype) == size) order.push_back(&t);
  SafetensorsWriter out(path);
  for (const NamedTensor* t : order) {
    const Shape& shape = t->tensor.shape;
    out.declare(t->name, t->tensor.dtype, {shape.dim.begin(), shape.dim.begin() + shape.rank});
  }
  out.begin(metadata);
  for (const NamedTensor* t : order)
    out.write({static_cast<const uint8_t*>(t->tensor.data), static_cast<size_t>(t->tensor.bytes())});
  out.finish();
}

}  // namespace madang
