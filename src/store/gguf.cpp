#include "store/gguf.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "store/bounds.h"
#include "store/config.h"
#include "store/gguf_read.h"

namespace madang {
namespace {

// NAME-00002-of-00003.gguf
struct PartName {
  std::string stem;
  int64_t number = 1, count = 1;

  std::string path(int64_t i) const { return fmt::format("{}-{:05}-of-{:05}.gguf", stem, i, count); }
};

std::optional<PartName> part_name(const std::string& path) {
  const std::string_view tail = "-00001-of-00001.gguf";
  if (path.size() <= tail.size()) return std::nullopt;
  const std::string end = path.substr(path.size() - tail.size());
  auto digits = [&](size_t at) {
    return std::all_of(end.begin() + static_cast<long>(at), end.begin() + static_cast<long>(at) + 5,
                       [](char c) { return c >= '0' && c <= '9'; });
  };
  if (end[0] != '-' || end.substr(6, 4) != "-of-" || end.substr(15) != ".gguf" || !digits(1) || !digits(10))
    return std::nullopt;
  return PartName{path.substr(0, path.size() - tail.size()), std::stoll(end.substr(1, 5)),
                  std::stoll(end.substr(10, 5))};
}

}  // namespace

Gguf::Gguf(const std::string& path) : Source(path) {
  auto take = [&](GgufPart& part) {
    for (StoredTensor& t : part.tensors) add(std::move(t));
    add_file(part.file);
  };
  auto name = part_name(path);
  const bool split = name && name->count > 1;
  GgufPart first = read_gguf_part(split ? name->path(1) : path);
  version_ = first.version, values_ = std::move(first.values), first_ = first.file;
  for (size_t i = 0; i < values_.size(); ++i)
    if (!keys_.emplace(values_[i].key, i).second)
      throw Error(Kind::format, say("key {} comes twice", shown(values_[i].key))).at(first_->path());
  take(first);
  const int64_t count = integer("split.count", 1);
  if (count > 1 && (!split || name->count != count))
    throw Error(Kind::format, say("a part of a split model must keep its name"))
        .at(path)
        .expected(fmt::format("*-00001-of-{:05}.gguf", count))
        .found(std::filesystem::path(path).filename().string());
  for (int64_t i = 2; split && i <= name->count; ++i) {
    GgufPart part = read_gguf_part(name->path(i));
    take(part);
  }
  const int64_t expected = integer("split.tensors.count", static_cast<int64_t>(tensors().size()));
  if (expected != static_cast<int64_t>(tensors().size()))
    throw Error(Kind::format, say("the parts do not hold as many tensors as the first says"))
        .at(path)
        .expected(std::to_string(expected))
        .found(std::to_string(tensors().size()));
}

Config Gguf::config() const { return config_of_gguf(*this); }

const GgufValue* Gguf::value(std::string_view key) const {
  auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : &values_[found->second];
}

const GgufValue& Gguf::need(std::string_view key) const {
  const GgufValue* v = value(key);
  if (!v) throw Error(Kind::missing, say("the file has no key {}", shown(key))).at(first_->path());
  return *v;
}

namespace {

template <class T>
T load(const uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

std::optional<int64_t> integer_at(GgufType type, const uint8_t* p) {
  switch (type) {
    case GgufType::u8:
      return load<uint8_t>(p);
    case GgufType::i8:
      return load<int8_t>(p);
    case GgufType::u16:
      return load<uint16_t>(p);
    case GgufType::i16:
      return load<int16_t>(p);
    case GgufType::u32:
      return load<uint32_t>(p);
    case GgufType::i32:
      return load<int32_t>(p);
    case GgufType::i64:
      return load<int64_t>(p);
    case GgufType::u64: {
      const auto v = load<uint64_t>(p);
      if (v > INT64_MAX) return std::nullopt;
      return static_cast<int64_t>(v);
    }
    case GgufType::boolean:
      return load<uint8_t>(p) != 0;
    default:
      return std::nullopt;
  }
}

std::optional<double> real_at(GgufType type, const uint8_t* p) {
  if (type == GgufType::f32) return load<float>(p);
  if (type == GgufType::f64) return load<double>(p);
  auto whole = integer_at(type, p);
  return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

[[noreturn]] void wrong_type(const GgufValue& v, const std::string& path, const char* expected) {
  throw Error(Kind::format, say("key {} has the wrong type", shown(v.key)))
      .at(path)
      .expected(expected)
      .found(gguf_type_text(v));
}

}  // namespace

std::string_view Gguf::text(std::string_view key) const {
  const GgufValue& v = need(key);
  if (v.type != GgufType::string) wrong_type(v, first_->path(), "string");
  return {reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size()};
}

std::string_view Gguf::text(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : fallback;
}

int64_t Gguf::integer(std::string_view key) const {
  const GgufValue& v = need(key);
  auto n = v.type == GgufType::boolean ? std::nullopt : integer_at(v.type, v.bytes.data());
  if (!n) wrong_type(v, first_->path(), "integer below 2^63");
  return *n;
}

int64_t Gguf::integer(std::string_view key, int64_t fallback) const { return has(key) ? integer(key) : fallback; }

double Gguf::real(std::string_view key) const {
  const GgufValue& v = need(key);
  auto x = real_at(v.type, v.bytes.data());
  if (!x) wrong_type(v, first_->path(), "number");
  return *x;
}

double Gguf::real(std::string_view key, double fallback) const { return has(key) ? real(key) : fallback; }

bool Gguf::flag(std::string_view key, bool fallback) const {
  const GgufValue* v = value(key);
  if (!v) return fallback;
  if (v->type != GgufType::boolean) wrong_type(*v, first_->path(), "bool");
  return v->bytes[0] != 0;
}

std::vector<std::string_view> Gguf::texts(std::string_view key) const {
  const GgufValue* v = value(key);
  if (!v) return {};
  if (v->type != GgufType::array || v->element != GgufType::string) wrong_type(*v, first_->path(), "array of string");
  std::vector<std::string_view> all;
  all.reserve(static_cast<size_t>(v->count));
  const uint8_t* p = v->bytes.data();  // lengths were checked when the file was opened
  for (int64_t i = 0; i < v->count; ++i) {
    const auto length = load<uint64_t>(p);
    all.emplace_back(reinterpret_cast<const char*>(p + 8), length);
    p += 8 + length;
  }
  return all;
}

std::vector<int64_t> Gguf::integers(std::string_view key) const {
  const GgufValue* v = value(key);
  if (!v) return {};
  std::vector<int64_t> all;
  all.reserve(static_cast<size_t>(v->count));
  const int64_t step = gguf_size_of(v->element);
  for (int64_t i = 0; i < v->count; ++i) {
    auto n = integer_at(v->element, v->bytes.data() + i * step);
    if (!n) wrong_type(*v, first_->path(), "array of integers below 2^63");
    all.push_back(*n);
  }
  return all;
}

std::vector<float> Gguf::reals(std::string_view key) const {
  const GgufValue* v = value(key);
  if (!v) return {};
  std::vector<float> all;
  all.reserve(static_cast<size_t>(v->count));
  const int64_t step = gguf_size_of(v->element);
  for (int64_t i = 0; i < v->count; ++i) {
    auto x = real_at(v->element, v->bytes.data() + i * step);
    if (!x) wrong_type(*v, first_->path(), "array of numbers");
    all.push_back(static_cast<float>(*x));
  }
  return all;
}

}  // namespace madang
