#include "store/gguf_write.h"

#include <algorithm>

#include "base/error.h"

namespace madang {

namespace {

template <class T>
void add(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void add_text(std::string& to, std::string_view value) {
  add<uint64_t>(to, value.size());
  to += value;
}

}  // namespace

GgufHeader::GgufHeader(std::string path, int64_t alignment) : path_(std::move(path)), alignment_(alignment) {
  if (alignment_ != 32) put("general.alignment", static_cast<uint32_t>(alignment_));
}

void GgufHeader::key(std::string_view name, GgufType type) {
  if (!keys_.insert(std::string(name)).second)
    throw Error(Kind::internal, say("key {} is written twice", name)).at(path_);
  add_text(metadata_, name);
  add(metadata_, static_cast<uint32_t>(type));
  ++values_;
}

void GgufHeader::array(std::string_view name, GgufType element, int64_t count) {
  key(name, GgufType::array);
  add(metadata_, static_cast<uint32_t>(element));
  add(metadata_, static_cast<uint64_t>(count));
}

void GgufHeader::copy(const GgufValue& v) {
  if (v.key == "general.alignment") return;  // our own
  if (v.type == GgufType::array)
    array(v.key, v.element, v.count);
  else
    key(v.key, v.type);
  if (v.type == GgufType::string) add<uint64_t>(metadata_, v.bytes.size());
  metadata_.append(reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size());
}

void GgufHeader::put(std::string_view name, std::string_view value) {
  key(name, GgufType::string), add_text(metadata_, value);
}
void GgufHeader::put(std::string_view name, uint32_t value) { key(name, GgufType::u32), add(metadata_, value); }
void GgufHeader::put(std::string_view name, int32_t value) { key(name, GgufType::i32), add(metadata_, value); }
void GgufHeader::put(std::string_view name, float value) { key(name, GgufType::f32), add(metadata_, value); }
void GgufHeader::put(std::string_view name, bool value) {
  key(name, GgufType::boolean), add(metadata_, static_cast<uint8_t>(value));
}
void GgufHeader::put(std::string_view name, std::span<const std::string> texts) {
  array(name, GgufType::string, static_cast<int64_t>(texts.size()));
  for (const std::string& t : texts) add_text(metadata_, t);
}
void GgufHeader::put(std::string_view name, std::span<const int32_t> values) {
  array(name, GgufType::i32, static_cast<int64_t>(values.size()));
  for (int32_t v : values) add(metadata_, v);
}
void GgufHeader::put(std::string_view name, std::span<const float> values) {
  array(name, GgufType::f32, static_cast<int64_t>(values.size()));
  for (float v : values) add(metadata_, v);
}
void GgufHeader::put_flags(std::string_view name, const std::vector<bool>& values) {
  array(name, GgufType::boolean, static_cast<int64_t>(values.size()));
  for (bool v : values) add(metadata_, static_cast<uint8_t>(v));
}

void GgufHeader::declare(std::string_view name, const Format& format, std::vector<int64_t> shape) {
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

int64_t GgufHeader::bytes_declared() const {
  int64_t sum = 0;
  for (const Entry& e : entries_) sum += e.bytes;
  return sum;
}

std::string GgufHeader::bytes() const {
  std::string all = "GGUF";
  add<uint32_t>(all, 3);
  add<uint64_t>(all, entries_.size());
  add<uint64_t>(all, static_cast<uint64_t>(values_));
  all += metadata_;
  for (const Entry& e : entries_) {
    add_text(all, e.name);
    add<uint32_t>(all, static_cast<uint32_t>(e.shape.size()));
    for (size_t i = e.shape.size(); i-- > 0;) add<uint64_t>(all, static_cast<uint64_t>(e.shape[i]));  // innermost first
    add<uint32_t>(all, static_cast<uint32_t>(e.format->gguf_type));
    add<uint64_t>(all, static_cast<uint64_t>(e.offset));
  }
  return all;
}

GgufWriter::GgufWriter(std::string path, int64_t alignment) : GgufHeader(std::move(path), alignment), file_(path_) {}

void GgufWriter::pad() {
  static constexpr char zeros[4096] = {};
  const auto missing = static_cast<size_t>((alignment_ - file_.size() % alignment_) % alignment_);
  for (size_t left = missing; left > 0;) {
    const size_t piece = std::min(left, sizeof zeros);
    file_.append(std::span(zeros, piece)), left -= piece;
  }
}

void GgufWriter::begin() {
  const std::string header = bytes();
  const int64_t tensors = entries_.empty() ? 0 : entries_.back().offset + entries_.back().bytes;
  file_.need(static_cast<int64_t>(header.size()) + tensors);
  file_.append(header);
  pad();
}

void GgufWriter::write(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    if (current_ == entries_.size()) throw Error(Kind::internal, say("more bytes than tensors")).at(path_);
    const int64_t left = entries_[current_].bytes - in_current_;
    const size_t piece = std::min(bytes.size(), static_cast<size_t>(left));
    file_.append(bytes.first(piece));
    bytes = bytes.subspan(piece);
    in_current_ += static_cast<int64_t>(piece);
    if (in_current_ < entries_[current_].bytes) return;
    pad();
    ++current_, in_current_ = 0;
  }
}

void GgufWriter::finish(const std::function<void(const std::string&)>& check) {
  if (current_ != entries_.size()) throw Error(Kind::internal, say("fewer bytes than tensors")).at(path_);
  if (check) check(file_.part());
  file_.finish();
}

}  // namespace madang
