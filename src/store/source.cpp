#include "store/source.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "store/bounds.h"
#include "store/gguf.h"
#include "store/llama2c.h"
#include "store/rwkv_cpp.h"
#include "store/safetensors.h"
#include "store/scheme.h"

namespace madang {
namespace fs = std::filesystem;

int64_t StoredTensor::numel() const {
  int64_t n = 1;
  for (int64_t axis : shape) n *= axis;
  return n;
}

std::string_view StoredTensor::type_name() const {
  return recipe ? std::string_view(recipe->label) : format ? format->name : std::string_view(name_of(dtype));
}

std::string StoredTensor::shape_text() const { return madang::shape_text(shape); }

std::vector<std::span<const uint8_t>> StoredTensor::spans() const {
  if (!recipe) return {bytes};
  std::vector<std::span<const uint8_t>> all;
  for (const StoredTensor& part : recipe->parts) all.push_back(part.bytes);
  return all;
}

int64_t StoredTensor::file_bytes() const {
  int64_t sum = 0;
  for (auto span : spans()) sum += static_cast<int64_t>(span.size());
  return sum;
}

StoredTensor StoredTensor::made() const {
  if (!recipe) return *this;
  StoredTensor t = recipe->make();
  t.name = name;
  for (const StoredTensor& part : recipe->parts)
    if (part.file) part.file->release(part.bytes);
  return t;
}

void StoredTensor::decode(float* values) const {
  format->decode(bytes.data(), numel(), values);
  if (!order) return;
  for (float* end = values + numel(); values != end; values += order->size()) put_back(*order, values);
}

Source::Source(std::string path) : path_(std::move(path)) {
  std::error_code ignored;
  folder_ = fs::is_directory(path_, ignored) ? path_ : fs::path(path_).parent_path().string();
  if (folder_.empty()) folder_.assign(1, '.');
}

void Source::add(StoredTensor tensor) {
  if (!index_.emplace(tensor.name, tensors_.size()).second)
    throw Error(Kind::format, say("tensor {} comes twice", shown(tensor.name))).at(path_);
  tensors_.push_back(std::move(tensor));
}

std::vector<StoredTensor> Source::take() {
  index_.clear();
  return std::exchange(tensors_, {});
}

void Source::replace(std::vector<StoredTensor> tensors) {
  for (StoredTensor& t : tensors) add(std::move(t));
}

const StoredTensor* Source::find(std::string_view name) const {
  auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

void Source::warm() const {
  for (const auto& file : files_) file->warm();
}

int64_t Source::file_bytes() const {
  int64_t sum = 0;
  for (const auto& file : files_) sum += static_cast<int64_t>(file->bytes().size());
  return sum;
}

namespace {

// Parts after the first of a split GGUF belong to the first.
bool later_part(const std::string& name) {
  size_t of = name.rfind("-of-");
  return of != std::string::npos && of >= 6 && name.substr(of - 6, 6) != "-00001";
}

std::shared_ptr<const Source> open_folder(const std::string& path) {
  bool safetensors = false, pickle = false;
  std::vector<std::string> ggufs, bins;
  std::error_code fault;
  for (fs::directory_iterator it(path, fault), end; !fault && it != end; it.increment(fault)) {
    const std::string name = it->path().filename().string(), extension = it->path().extension().string();
    if (extension == ".safetensors") safetensors = true;
    if (extension == ".gguf" && !later_part(name)) ggufs.push_back(it->path().string());
    if (extension == ".bin" && name.starts_with("pytorch_model"))
      pickle = true;
    else if (extension == ".bin" && !name.starts_with("tok"))
      bins.push_back(it->path().string());
  }
  if (fault) throw Error(Kind::io, say("cannot list the folder: {}", fault.message())).at(path);
  if (safetensors) return open_safetensors(path);
  const auto& files = ggufs.empty() ? bins : ggufs;
  if (files.size() > 1)
    throw Error(Kind::unsupported, say("the folder holds {} models", files.size()))
        .at(path)
        .hint(say("name one of its files"));
  if (files.size() == 1) return open_source(files[0]);
  Error error(Kind::missing, say("the folder holds no weights"));
  error.at(path).expected("*.safetensors, *.gguf, *.bin (llama2.c, rwkv.cpp)");
  if (pickle)
    error.hint(say("pickled PyTorch weights can run code when read and are refused; convert them to safetensors"));
  throw error;
}

}  // namespace

std::shared_ptr<const Source> open_source(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return open_folder(path);
  const std::string extension = fs::path(path).extension().string();
  if (extension == ".safetensors" || extension == ".json") return open_safetensors(path);
  auto file = MappedFile::open(path);
  auto bytes = file->bytes();
  if (bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0) return std::make_shared<Gguf>(path);
  if (bytes.size() >= 4 && std::memcmp(bytes.data(), &rwkv_cpp_magic, 4) == 0) return open_rwkv_cpp(path);
  if (bytes.size() >= 9 && bytes[8] == '{') return open_safetensors(path);
  if (extension == ".bin") return open_llama2c(path);
  throw Error(Kind::unsupported, say("not a weight file that madang reads"))
      .at(path)
      .expected("safetensors, GGUF, llama2.c, rwkv.cpp");
}

}  // namespace madang
