#include "compress/importance.h"

#include <cstring>

#include "base/error.h"
#include "base/mapped_file.h"
#include "store/gguf.h"
#include "store/gguf_write.h"

namespace madang {
namespace {

std::vector<double> numbers_of(const StoredTensor& t) {
  std::vector<float> values(static_cast<size_t>(t.numel()));
  t.format->decode(t.bytes.data(), t.numel(), values.data());
  return {values.begin(), values.end()};
}

// The older file: count of entries, then for each: name, calls, count of values, values (sums of squares over calls).
class OldFile {
 public:
  explicit OldFile(const MappedFile& file) : file_(file), left_(file.bytes()) {}
  int32_t number() {
    int32_t v;
    std::memcpy(&v, take(4).data(), 4);
    return v;
  }
  /// A count of things of `size` bytes, which the file must be able to hold.
  size_t count(size_t size) {
    const int32_t n = number();
    if (n < 0 || static_cast<size_t>(n) > left_.size() / size) damaged();
    return static_cast<size_t>(n);
  }
  std::span<const uint8_t> take(size_t n) {
    if (n > left_.size()) damaged();
    const auto piece = left_.first(n);
    left_ = left_.subspan(n);
    return piece;
  }
  bool at_end() const { return left_.empty(); }

 private:
  [[noreturn]] void damaged() const {
    throw Error(Kind::format, say("not an importance matrix"))
        .at(file_.path())
        .found(fmt::format("{} B", file_.bytes().size()));
  }
  const MappedFile& file_;
  std::span<const uint8_t> left_;
};

}  // namespace

Importance Importance::read(const std::string& path) {
  Importance out;
  const auto file = MappedFile::open(path);
  if (file->bytes().size() >= 4 && std::memcmp(file->bytes().data(), "GGUF", 4) == 0) {
    const Gguf gguf(path);
    for (const StoredTensor& t : gguf.tensors()) {
      if (!t.name.ends_with(".in_sum2") || t.format != &f32_format) continue;
      const std::string name = t.name.substr(0, t.name.size() - std::strlen(".in_sum2"));
      const StoredTensor* counts = gguf.find(name + ".counts");
      if (!counts || counts->format != &f32_format || counts->numel() == 0 || t.numel() % counts->numel() != 0)
        throw Error(Kind::format, say("not an importance matrix")).at(path).found(t.name);
      out.entries_[name] = {numbers_of(t), numbers_of(*counts)};
    }
    out.chunks = gguf.integer("imatrix.chunk_count", 0), out.chunk_tokens = gguf.integer("imatrix.chunk_size", 512);
    if (const auto sets = gguf.texts("imatrix.datasets"); !sets.empty()) out.dataset = std::string(sets.front());
  } else {
    OldFile in(*file);
    for (size_t left = in.count(12); left > 0; --left) {
      const size_t length = in.count(1);
      const auto name = in.take(length);
      const int32_t calls = in.number();
      const size_t n = in.count(4);
      std::vector<float> values(n);
      std::memcpy(values.data(), in.take(4 * n).data(), 4 * n);
      Entry entry{{values.begin(), values.end()}, {calls > 0 ? static_cast<double>(calls) : 1.0}};
      out.entries_[std::string(name.begin(), name.end())] = std::move(entry);
    }
    if (!in.at_end()) out.chunks = in.number();
  }
  if (out.empty()) throw Error(Kind::format, say("not an importance matrix")).at(path);
  return out;
}

void Importance::write(const std::string& path) const {
  GgufWriter out(path);
  out.put("general.type", "imatrix");
  out.put("imatrix.datasets", std::vector<std::string>{dataset});
  out.put("imatrix.chunk_count", static_cast<uint32_t>(chunks));
  out.put("imatrix.chunk_size", static_cast<uint32_t>(chunk_tokens));
  for (const auto& [name, e] : entries_) {
    const auto matrices = static_cast<int64_t>(e.counts.size());
    out.declare(name + ".in_sum2", f32_format, {matrices, static_cast<int64_t>(e.sums.size()) / matrices});
    out.declare(name + ".counts", f32_format, {matrices, 1});
  }
  out.begin();
  for (const auto& [name, e] : entries_)
    for (const auto* values : {&e.sums, &e.counts}) {
      const std::vector<float> floats(values->begin(), values->end());
      out.write({reinterpret_cast<const uint8_t*>(floats.data()), floats.size() * 4});
    }
  out.finish();
}

void Importance::add(const std::string& tensor, int64_t matrix, int64_t matrices, std::span<const float> row) {
  Entry& e = entries_[tensor];
  if (e.counts.empty()) {
    e.counts.resize(static_cast<size_t>(matrices));
    e.sums.resize(row.size() * static_cast<size_t>(matrices));
  }
  const auto at = static_cast<size_t>(matrix) * row.size();
  for (size_t i = 0; i < row.size(); ++i) e.sums[at + i] += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  e.counts[static_cast<size_t>(matrix)] += 1;
}

std::vector<float> Importance::columns(std::string_view tensor, int64_t matrix, int64_t cols) const {
  const auto found = entries_.find(tensor);
  if (found == entries_.end()) return {};
  const Entry& e = found->second;
  const auto matrices = e.sums.size() / static_cast<size_t>(cols);
  if (e.sums.size() != matrices * static_cast<size_t>(cols) || static_cast<size_t>(matrix) >= matrices)
    throw Error(Kind::mismatch, say("the importance matrix does not fit tensor {}", tensor))
        .expected(std::to_string(cols))
        .found(std::to_string(e.sums.size()));
  const double count = e.counts[e.counts.size() == matrices ? static_cast<size_t>(matrix) : 0];
  if (!(count > 0)) return {};
  std::vector<float> out(static_cast<size_t>(cols));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(e.sums[static_cast<size_t>(matrix) * out.size() + i] / count);
  return out;
}

}  // namespace madang
