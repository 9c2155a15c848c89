#include "store/gguf_read.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "store/bounds.h"

namespace madang {
namespace {

constexpr const char* type_names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                      "bool", "string", "array", "u64", "i64", "f64"};
constexpr int64_t type_sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr uint32_t type_count = 13;

/// Ids of tensor types that are no weight format.
struct PlainType {
  uint32_t id;
  DType dtype;
};
constexpr PlainType plain_types[] = {
    {24, DType::i8}, {25, DType::i16}, {26, DType::i32}, {27, DType::i64}, {28, DType::f64}};

/// Walks the file; every step is checked against its end.
class Cursor {
 public:
  explicit Cursor(const MappedFile& file) : file_(file), bytes_(file.bytes()) {}

  [[noreturn]] void fail(Text what, std::string expected = "", std::string found = "") const {
    throw Error(Kind::format, std::move(what))
        .at(fmt::format("{}, byte {}", file_.path(), at_))
        .expected(std::move(expected))
        .found(std::move(found));
  }
  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  std::span<const uint8_t> take(uint64_t n) {
    if (n > left())
      fail(say("the file ends inside its header"), fmt::format("{} bytes", n), fmt::format("{} bytes", left()));
    auto piece = bytes_.subspan(at_, n);
    at_ += n;
    return piece;
  }
  template <class T>
  T number() {
    T v;
    std::memcpy(&v, take(sizeof v).data(), sizeof v);
    return v;
  }
  std::string_view text() {
    auto piece = take(number<uint64_t>());
    return {reinterpret_cast<const char*>(piece.data()), piece.size()};
  }
  /// A count of things that take at least `least` bytes each.
  int64_t count(const char* what, uint64_t least) {
    const auto n = number<uint64_t>();
    if (n > left() / least)
      fail(say("the file cannot hold as many {} as it says", what), fmt::format("<= {}", left() / least),
           std::to_string(n));
    return static_cast<int64_t>(n);
  }
  GgufType type() {
    const auto id = number<uint32_t>();
    if (id >= type_count)
      fail(say("unknown type of metadata"), fmt::format("0 .. {}", type_count - 1), std::to_string(id));
    return static_cast<GgufType>(id);
  }

 private:
  const MappedFile& file_;
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

int read_version(Cursor& in, const std::string& path) {
  if (in.left() < 4 || std::memcmp(in.take(4).data(), "GGUF", 4) != 0) in.fail(say("not a GGUF file"), "GGUF");
  const auto version = in.number<uint32_t>();
  if (version == 2 || version == 3) return static_cast<int>(version);
  if (version != 0 && (version & 0xFFFF) == 0)
    throw Error(Kind::unsupported, say("a big-endian GGUF file; madang reads little-endian ones"))
        .at(path)
        .found(fmt::format("version {:#010x}", version))
        .hint(say("convert it again on a little-endian machine"));
  throw Error(Kind::unsupported, say("GGUF version {} is not one that madang reads", version))
      .at(path)
      .expected("2, 3");
}

GgufValue read_value(Cursor& in) {
  GgufValue v;
  v.key = in.text();
  v.type = v.element = in.type();
  if (v.type == GgufType::string) {
    auto text = in.text();
    v.bytes = {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  } else if (v.type == GgufType::array) {
    v.element = in.type();
    if (v.element == GgufType::array) in.fail(say("key {} is an array of arrays", shown(v.key)));
    const int64_t size = gguf_size_of(v.element);
    v.count = in.count("elements", static_cast<uint64_t>(size ? size : 8));
    if (size) {
      v.bytes = in.take(static_cast<uint64_t>(v.count * size));
    } else {
      const uint8_t* begin = in.take(0).data();
      const size_t from = in.at();
      for (int64_t i = 0; i < v.count; ++i) in.text();
      v.bytes = {begin, in.at() - from};
    }
  } else {
    v.bytes = in.take(static_cast<uint64_t>(gguf_size_of(v.type)));
  }
  return v;
}

struct TensorEntry {
  StoredTensor tensor;
  uint64_t offset = 0, size = 0;
};

void set_type(Cursor& in, StoredTensor& t, uint32_t id) {
  if ((t.format = format_by_gguf_type(id))) {
    t.dtype = t.format == &f32_format    ? DType::f32
              : t.format == &f16_format  ? DType::f16
              : t.format == &bf16_format ? DType::bf16
                                         : DType::u8;
    return;
  }
  for (const PlainType& plain : plain_types)
    if (plain.id == id) {
      t.dtype = plain.dtype;
      return;
    }
  throw Error(Kind::unsupported, say("tensor {} has type {}, which madang does not know", shown(t.name), id))
      .at(fmt::format("byte {}", in.at()));
}

TensorEntry read_entry(Cursor& in) {
  TensorEntry e;
  StoredTensor& t = e.tensor;
  t.name = in.text();
  const auto rank = in.number<uint32_t>();
  if (rank > 4) in.fail(say("tensor {} has too many axes", shown(t.name)), "<= 4", std::to_string(rank));
  for (uint32_t i = 0; i < rank; ++i) {
    const auto axis = in.number<uint64_t>();
    if (axis == 0 || axis > INT64_MAX)
      in.fail(say("tensor {} has an axis that cannot be", shown(t.name)), "1 .. 2^63 - 1", std::to_string(axis));
    t.shape.insert(t.shape.begin(), static_cast<int64_t>(axis));
  }
  set_type(in, t, in.number<uint32_t>());
  e.offset = in.number<uint64_t>();
  const int64_t block = t.format ? t.format->block : 1, bytes = t.format ? t.format->bytes : size_of(t.dtype);
  int64_t n = 0, size = 0;
  if (!count_elements(t.shape, n) || !multiply(n / block, bytes, size))
    in.fail(say("the size of tensor {} passes 2^63", shown(t.name)), "", t.shape_text());
  if (t.shape.empty() ? block != 1 : t.shape.back() % block != 0)
    in.fail(say("rows of tensor {} are not whole blocks", shown(t.name)), fmt::format("a multiple of {}", block),
            t.shape_text());
  e.size = static_cast<uint64_t>(size);
  return e;
}

uint64_t alignment_of(const Cursor& in, const std::vector<GgufValue>& values) {
  for (const GgufValue& v : values)
    if (v.key == "general.alignment") {
      if (v.type != GgufType::u32) in.fail(say("key {} has the wrong type", shown(v.key)), "u32", gguf_type_text(v));
      uint32_t n;
      std::memcpy(&n, v.bytes.data(), sizeof n);
      // A power of two, as ggml asks; 1 MiB is far above any real one.
      if (n == 0 || (n & (n - 1)) != 0 || n > 1 << 20)
        in.fail(say("the alignment cannot be"), "2^n <= 2^20", std::to_string(n));
      return n;
    }
  return 32;
}

/// Gives every tensor its bytes, inside the file and apart from one another.
void place(const Cursor& in, GgufPart& part, std::vector<TensorEntry>& entries, uint64_t alignment) {
  const auto bytes = part.file->bytes();
  const uint64_t start = (in.at() + alignment - 1) / alignment * alignment;
  const uint64_t room = bytes.size() > start ? bytes.size() - start : 0;
  for (TensorEntry& e : entries) {
    if (e.offset % alignment != 0)
      in.fail(say("tensor {} does not start at a multiple of the alignment", shown(e.tensor.name)),
              fmt::format("a multiple of {}", alignment), std::to_string(e.offset));
    if (e.offset > room || e.size > room - e.offset)
      in.fail(say("tensor {} ends past the end of the file", shown(e.tensor.name)), fmt::format("<= {}", room),
              fmt::format("{} + {}", e.offset, e.size));
    e.tensor.bytes = bytes.subspan(start + e.offset, e.size);
    e.tensor.file = part.file, e.tensor.owner = part.file;
  }
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& e : entries) order.push_back(&e);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->size)
      in.fail(say("tensors {} and {} overlap", shown(order[i - 1]->tensor.name), shown(order[i]->tensor.name)));
}

}  // namespace

int64_t gguf_size_of(GgufType type) { return type_sizes[static_cast<uint32_t>(type)]; }

std::string gguf_type_text(const GgufValue& v) {
  const std::string element = type_names[static_cast<uint32_t>(v.element)];
  return v.type == GgufType::array ? "array of " + element : element;
}

GgufPart read_gguf_part(const std::string& path) {
  GgufPart part;
  part.file = MappedFile::open(path);
  Cursor in(*part.file);
  part.version = read_version(in, path);
  // The least a tensor takes: length of its name, rank, type, offset. The least a pair takes: length, type, a byte.
  const int64_t tensors = in.count("tensors", 24), values = in.count("keys", 13);
  for (int64_t i = 0; i < values; ++i) part.values.push_back(read_value(in));
  std::vector<TensorEntry> entries;
  try {
    for (int64_t i = 0; i < tensors; ++i) entries.push_back(read_entry(in));
  } catch (Error& error) {
    if (error.kind() == Kind::unsupported) error.within(path);
    throw;
  }
  place(in, part, entries, alignment_of(in, part.values));
  for (TensorEntry& e : entries) part.tensors.push_back(std::move(e.tensor));
  return part;
}

}  // namespace madang
