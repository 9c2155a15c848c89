#include "store/safetensors.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "store/bounds.h"
#include "store/config.h"
#include "store/sax.h"
#include "store/scheme.h"

namespace madang {

namespace fs = std::filesystem;

std::string Sax::place() const {
  std::string text;
  for (const std::string& key : path_) text += (text.empty() ? "" : ".") + key;
  return shown(text);
}

namespace {

constexpr uint64_t longest_header = 100'000'000;  // the reference reader's bound

constexpr DType types[] = {DType::f32, DType::f16, DType::bf16,    DType::f64,     DType::i8,
                           DType::u8,  DType::i16, DType::u16,     DType::i32,     DType::u32,
                           DType::i64, DType::u64, DType::boolean, DType::f8_e4m3, DType::f8_e5m2};

const Format* format_of(DType dtype) {
  return dtype == DType::f32    ? &f32_format
         : dtype == DType::f16  ? &f16_format
         : dtype == DType::bf16 ? &bf16_format
                                : nullptr;
}

struct Entry {
  StoredTensor tensor;
  std::vector<uint64_t> offsets;
  bool typed = false, shaped = false;
};

/// {"NAME": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {"key": "text"}}
class HeaderReader : public Sax {
 public:
  HeaderReader() { deepest = 3; }
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool key(string_t& name) override {
    Sax::key(name);
    if (path().size() == 1 && !names_.insert(name).second)
      throw Error(Kind::format, say("tensor {} comes twice", shown(name))).at(where());
    if (path().size() == 1 && name != "__metadata__") {
      entries.emplace_back();
      entries.back().tensor.name = name;
    }
    return true;
  }
  bool start_array(std::size_t n) override {
    const bool fits = path().size() == 2 && !in_metadata() && (last() == "shape" || last() == "data_offsets");
    if (!fits || (last() == "shape" && entries.back().shaped)) return refuse("[");
    if (last() == "shape") entries.back().shaped = true;
    in_ = last() == "shape" ? In::shape : In::offsets;
    return Sax::start_array(n);
  }
  bool end_array() override {
    in_ = In::none;
    return Sax::end_array();
  }
  bool number_unsigned(number_unsigned_t n) override {
    if (in_ == In::none) return refuse(std::to_string(n));
    if (in_ == In::offsets) {
      if (entries.back().offsets.size() >= 2) return refuse("more than two offsets");
      entries.back().offsets.push_back(n);
      return true;
    }
    auto& shape = entries.back().tensor.shape;
    if (n > INT64_MAX || shape.size() >= 64) return refuse(std::to_string(n));
    shape.push_back(static_cast<int64_t>(n));
    return true;
  }
  bool string(string_t& text) override {
    if (path().size() != 2) return refuse(text);
    if (in_metadata()) {
      metadata[last()] = text;
      return true;
    }
    if (last() != "dtype") return refuse(text);
    for (DType type : types)
      if (name_of(type) == text) {
        entries.back().tensor.dtype = type, entries.back().typed = true;
        return true;
      }
    throw Error(Kind::unsupported, say("tensor {} has type {}, which madang does not know",
                                       shown(entries.back().tensor.name), shown(text)))
        .at(where());
  }

 private:
  enum class In { none, shape, offsets };
  bool in_metadata() const { return path()[0] == "__metadata__"; }
  const std::string& last() const { return path().back(); }
  In in_ = In::none;
  std::set<std::string> names_;
};

void check(const Entry& e, const std::string& path) {
  const StoredTensor& t = e.tensor;
  if (!e.typed || !e.shaped || e.offsets.size() != 2)
    throw Error(Kind::format, say("tensor {} is not fully described", shown(t.name)))
        .at(path)
        .expected("dtype, shape, data_offsets");
  int64_t n = 0, size = 0;
  if (!count_elements(t.shape, n) || !multiply(n, size_of(t.dtype), size))
    throw Error(Kind::format, say("the size of tensor {} passes 2^63", shown(t.name))).at(path).found(t.shape_text());
  if (e.offsets[1] < e.offsets[0] || e.offsets[1] - e.offsets[0] != static_cast<uint64_t>(size))
    throw Error(Kind::format, say("the offsets of tensor {} do not span its shape", shown(t.name)))
        .at(path)
        .expected(fmt::format("{} bytes for {}", size, t.shape_text()))
        .found(fmt::format("{} .. {}", e.offsets[0], e.offsets[1]));
}

/// Tensors must fill the rest of the file without gap or overlap.
void place(std::vector<Entry>& entries, const std::shared_ptr<const MappedFile>& file, size_t start) {
  const auto data = file->bytes().subspan(start);
  std::vector<Entry*> order;
  for (Entry& e : entries) {
    check(e, file->path());
    if (e.offsets[1] > data.size())
      throw Error(Kind::format, say("tensor {} ends past the end of the file", shown(e.tensor.name)))
          .at(file->path())
          .expected(fmt::format("<= {}", data.size()))
          .found(std::to_string(e.offsets[1]));
    order.push_back(&e);
  }
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->offsets < b->offsets; });
  uint64_t end = 0;
  for (Entry* e : order) {
    if (e->offsets[0] != end)
      throw Error(Kind::format, e->offsets[0] < end ? say("tensor {} overlaps another", shown(e->tensor.name))
                                                    : say("there is a hole before tensor {}", shown(e->tensor.name)))
          .at(file->path())
          .expected(std::to_string(end))
          .found(std::to_string(e->offsets[0]));
    end = e->offsets[1];
    e->tensor.format = format_of(e->tensor.dtype);
    e->tensor.bytes = data.subspan(e->offsets[0], e->offsets[1] - e->offsets[0]);
    e->tensor.file = file, e->tensor.owner = file;
  }
  if (end != data.size())
    throw Error(Kind::format, say("the file is longer than its header says"))
        .at(file->path())
        .expected(std::to_string(start + end))
        .found(std::to_string(file->bytes().size()));
}

/// {"metadata": {...}, "weight_map": {"NAME": "FILE"}}
class IndexReader : public Sax {
 public:
  std::vector<std::pair<std::string, std::string>> files;  // tensor, file

  IndexReader() { deepest = 16; }
  bool null() override { return elsewhere("null"); }
  bool boolean(bool) override { return elsewhere("true, false"); }
  bool number_integer(number_integer_t) override { return elsewhere("a negative number"); }
  bool number_unsigned(number_unsigned_t) override { return elsewhere("a number"); }
  bool number_float(number_float_t, const string_t& text) override { return elsewhere(text); }
  bool string(string_t& text) override {
    if (path().empty()) return refuse(text);
    if (path()[0] != "weight_map") return true;
    if (path().size() != 2) return refuse(text);
    // A shard lies beside its index: a name that leads elsewhere is not followed.
    if (text.empty() || text.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos || text.front() == '.')
      throw Error(Kind::format, say("the index names a file outside its folder")).at(where()).found(shown(text));
    files.emplace_back(path()[1], text);
    return true;
  }

 private:
  bool elsewhere(std::string_view found) { return !path().empty() && path()[0] != "weight_map" ? true : refuse(found); }
};

class Safetensors : public Source {
 public:
  explicit Safetensors(const std::string& path) : Source(path) {}
  Layout layout() const override { return Layout::hugging_face; }
  Config config() const override { return read_config(folder()); }
  std::map<std::string, std::string> metadata() const override { return metadata_; }

  void read_file(const std::string& path) {
    auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    uint64_t length = 0;
    if (bytes.size() >= 8) std::memcpy(&length, bytes.data(), 8);
    if (bytes.size() < 8 || length > bytes.size() - 8 || length > longest_header || length < 2)
      throw Error(Kind::format, say("the length of the header cannot be"))
          .at(path)
          .expected(fmt::format("2 .. {}", std::min<uint64_t>(longest_header, bytes.size() < 8 ? 0 : bytes.size() - 8)))
          .found(std::to_string(length));
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
    if (text[0] != '{')
      throw Error(Kind::format, say("the header is not JSON")).at(path).expected("{").found(shown(text.substr(0, 1)));
    HeaderReader header;
    header.read(text, path);
    place(header.entries, file, 8 + length);
    for (Entry& e : header.entries) add(std::move(e.tensor));
    metadata_.insert(header.metadata.begin(), header.metadata.end());
    add_file(std::move(file));
  }

  /// Matrices that a scheme keeps in several tensors become one each.
  void rearrange() { replace(by_scheme(folder(), take())); }

  void read_index(const std::string& path) {
    auto file = MappedFile::open(path);
    IndexReader index;
    index.read({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()}, path);
    if (index.files.empty())
      throw Error(Kind::format, say("the index names no tensors")).at(path).expected("weight_map");
    std::set<std::string> shards;
    for (const auto& [name, shard] : index.files)
      if (shards.insert(shard).second) read_file((fs::path(folder()) / shard).string());
    for (const auto& [name, shard] : index.files) {
      const StoredTensor* t = find(name);
      if (!t || fs::path(t->file->path()).filename() != shard)
        throw Error(Kind::missing, say("tensor {} is not in the file that the index names", shown(name)))
            .at(path)
            .expected(shown(shard));
    }
  }

 private:
  std::map<std::string, std::string> metadata_;
};

}  // namespace

std::shared_ptr<const Source> open_safetensors(const std::string& path) {
  auto source = std::make_shared<Safetensors>(path);
  std::error_code ignored;
  const fs::path folder(path);
  if (!fs::is_directory(path, ignored)) {
    path.ends_with(".json") ? source->read_index(path) : source->read_file(path);
  } else if (fs::exists(folder / "model.safetensors.index.json", ignored)) {
    source->read_index((folder / "model.safetensors.index.json").string());
  } else if (fs::exists(folder / "model.safetensors", ignored)) {
    source->read_file((folder / "model.safetensors").string());
  } else {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(folder, ignored))
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path().string());
    if (files.size() != 1)
      throw Error(Kind::missing, say("the folder holds no model.safetensors and no index"))
          .at(path)
          .found(fmt::format("{} *.safetensors", files.size()));
    source->read_file(files[0]);
  }
  source->rearrange();
  return source;
}

}  // namespace madang
