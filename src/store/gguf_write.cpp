#include "store/gguf_write.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace madang {

GgufWriter::GgufWriter(std::string path, int64_t alignment)
    : path_(std::move(path)),
      temporary_(path_ + ".part"),
      file_(temporary_, std::ios::binary | std::ios::trunc),
      alignment_(alignment) {
  if (!file_) fail();
  if (alignment_ != 32) put("general.alignment", static_cast<uint32_t>(alignment_));
}

GgufWriter::~GgufWriter() {
  if (finished_) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void GgufWriter::fail() const {
  throw Error(Kind::io, say("cannot write the file: {}", std::error_code(errno, std::generic_category()).message()))
      .at(path_);
}

template <class T>
void GgufWriter::number(T value) {
  metadata_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void GgufWriter::text(std::string_view value) {
  number<uint64_t>(value.size());
  metadata_ += value;
}

void GgufWriter::key(std::string_view name, GgufType type) {
  if (!keys_.insert(std::string(name)).second)
    throw Error(Kind::internal, say("key {} is written twice", name)).at(path_);
  text(name);
  number(static_cast<uint32_t>(type));
  ++values_;
}

void GgufWriter::array(std::string_view name, GgufType element, int64_t count) {
  key(name, GgufType::array);
  number(static_cast<uint32_t>(element));
  number(static_cast<uint64_t>(count));
}

void GgufWriter::copy(const GgufValue& v) {
  if (v.key == "general.alignment") return;  // our own
  if (v.type == GgufType::array)
    array(v.key, v.element, v.count);
  else
    key(v.key, v.type);
  if (v.type == GgufType::string) number<uint64_t>(v.bytes.size());
  metadata_.append(reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size());
}

void GgufWriter::put(std::string_view name, std::string_view value) { key(name, GgufType::string), text(value); }
void GgufWriter::put(std::string_view name, uint32_t value) { key(name, GgufType::u32), number(value); }
void GgufWriter::put(std::string_view name, int32_t value) { key(name, GgufType::i32), number(value); }
void GgufWriter::put(std::string_view name, float value) { key(name, GgufType::f32), number(value); }
void GgufWriter::put(std::string_view name, bool value) {
  key(name, GgufType::boolean), number(static_cast<uint8_t>(value));
}
void GgufWriter::put(std::string_view name, std::span<const std::string> texts) {
  array(name, GgufType::string, static_cast<int64_t>(texts.size()));
  for (const std::string& t : texts) text(t);
}
void GgufWriter::put(std::string_view name, std::span<const int32_t> values) {
  array(name, GgufType::i32, static_cast<int64_t>(values.size()));
  for (int32_t v : values) number(v);
}
void GgufWriter::put(std::string_view name, std::span<const float> values) {
  array(name, GgufType::f32, static_cast<int64_t>(values.size()));
  for (float v : values) number(v);
}
void GgufWriter::put_flags(std::string_view name, const std::vector<bool>& values) {
  array(name, GgufType::boolean, static_cast<int64_t>(values.size()));
  for (bool v : values) number(static_cast<uint8_t>(v));
}

void GgufWriter::declare(std::string_view name, const Format& format, std::vector<int64_t> shape) {
  if (!names_.insert(std::string(name)).second)
    throw Error(Kind::internal, say("tensor {} is written twice", name)).at(path_);
  int64_t numel = 1, offset = 0;
  for (int64_t n : shape) numel *= n;
  if (shape.empty() || shape.back() % format.block != 0)
    throw Error(Kind::mismatch, say("rows of {} are no whole number of {} blocks", name, format.name)).at(path_);
  if (!entries_.empty()) {
    const Entry& last = entries_.back();
    offset = (last.offset + last.bytes + alignment_ - 1) / alignment_ * alignment_;
  }
  entries_.push_back({std::string(name), &format, std::move(shape), format.row_bytes(numel), offset});
}

int64_t GgufWriter::bytes_declared() const {
  int64_t sum = 0;
  for (const Entry& e : entries_) sum += e.bytes;
  return sum;
}

void GgufWriter::out(const void* data, size_t size) {
  file_.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  if (!file_) fail();
  written_ += static_cast<int64_t>(size);
}

void GgufWriter::pad() {
  static constexpr char zeros[4096] = {};
  const auto missing = static_cast<size_t>((alignment_ - written_ % alignment_) % alignment_);
  for (size_t left = missing; left > 0;) {
    const size_t piece = std::min(left, sizeof zeros);
    out(zeros, piece), left -= piece;
  }
}

void GgufWriter::begin() {
  const std::string values = std::move(metadata_);
  metadata_ = "GGUF";
  number<uint32_t>(3);
  number<uint64_t>(entries_.size());
  number<uint64_t>(static_cast<uint64_t>(values_));
  metadata_ += values;
  for (const Entry& e : entries_) {
    text(e.name);
    number<uint32_t>(static_cast<uint32_t>(e.shape.size()));
    for (size_t i = e.shape.size(); i-- > 0;) number<uint64_t>(static_cast<uint64_t>(e.shape[i]));  // innermost first
    number<uint32_t>(static_cast<uint32_t>(e.format->gguf_type));
    number<uint64_t>(static_cast<uint64_t>(e.offset));
  }
  out(metadata_.data(), metadata_.size());
  pad();
}

void GgufWriter::write(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    if (current_ == entries_.size()) throw Error(Kind::internal, say("more bytes than tensors")).at(path_);
    const int64_t left = entries_[current_].bytes - in_current_;
    const size_t piece = std::min(bytes.size(), static_cast<size_t>(left));
    out(bytes.data(), piece);
    bytes = bytes.subspan(piece);
    in_current_ += static_cast<int64_t>(piece);
    if (in_current_ < entries_[current_].bytes) return;
    pad();
    ++current_, in_current_ = 0;
  }
}

void GgufWriter::finish() {
  if (current_ != entries_.size()) throw Error(Kind::internal, say("fewer bytes than tensors")).at(path_);
  file_.close();
  if (!file_) fail();
  std::error_code fault;
  std::filesystem::rename(temporary_, path_, fault);
  if (fault) throw Error(Kind::io, say("cannot write the file: {}", fault.message())).at(path_);
  finished_ = true;
}

}  // namespace madang
