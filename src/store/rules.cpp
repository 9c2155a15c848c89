#include "store/rules.h"

#include <cmath>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "store/bounds.h"

namespace madang {
namespace {

/// A tensor with memory of its own, to be filled through the returned pointer.
uint8_t* allocate(StoredTensor& t, size_t bytes) {
  auto memory = std::make_shared_for_overwrite<uint8_t[]>(bytes);
  uint8_t* data = memory.get();
  t.bytes = {data, bytes}, t.owner = std::move(memory), t.file = nullptr;
  return data;
}

void give_back(const StoredTensor& t) {
  if (t.file) t.file->release(t.bytes);
}

[[noreturn]] void unfit(const StoredTensor& t, Text what, std::string expected) {
  throw Error(Kind::mismatch, std::move(what))
      .at(t.file ? t.file->path() : "")
      .expected(std::move(expected))
      .found(fmt::format("{} {}", t.type_name(), t.shape_text()));
}

int64_t rows_of(const StoredTensor& t) { return t.shape.empty() ? 1 : t.shape[0]; }

std::optional<int64_t> number(const std::string& piece) {
  if (piece.empty() || piece.size() > 9) return std::nullopt;
  int64_t n = 0;
  for (char c : piece) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + (c - '0');
  }
  return n;
}

}  // namespace

StoredTensor widened(const StoredTensor& from) {
  if (!from.format) unfit(from, say("tensor {} has a type that is no weight", shown(from.name)), "F32, F16, BF16");
  StoredTensor t = from;
  t.format = &f32_format, t.dtype = DType::f32;
  auto* values = reinterpret_cast<float*>(allocate(t, static_cast<size_t>(t.numel()) * sizeof(float)));
  from.decode(values);
  t.order = nullptr;
  return t;
}

StoredTensor rows_moved(const StoredTensor& from, const std::vector<int64_t>& order) {
  StoredTensor t = from;
  const size_t row = from.bytes.size() / static_cast<size_t>(rows_of(from));
  uint8_t* to = allocate(t, row * order.size());
  for (int64_t i : order) std::memcpy(to, from.bytes.data() + static_cast<size_t>(i) * row, row), to += row;
  t.shape[0] = static_cast<int64_t>(order.size());
  return t;
}

StoredTensor turned(const StoredTensor& from) {
  StoredTensor t = from;
  if (t.shape.size() != 2 || !t.format) unfit(t, say("tensor {} cannot be transposed", shown(t.name)), "[in, out]");
  const StoredTensor plain = t.format->block != 1 ? widened(from) : from;
  t.format = plain.format, t.dtype = plain.dtype;
  const auto rows = static_cast<size_t>(t.shape[0]), cols = static_cast<size_t>(t.shape[1]);
  const auto size = static_cast<size_t>(t.format->bytes);
  const uint8_t* bytes = plain.bytes.data();
  uint8_t* to = allocate(t, plain.bytes.size());
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < cols; ++c) std::memcpy(to + (c * rows + r) * size, bytes + (r * cols + c) * size, size);
  std::swap(t.shape[0], t.shape[1]);
  return t;
}

StoredTensor unpair(const Making& m) {
  StoredTensor t = m.part();
  const int64_t heads = m.config.integer(m.rule.key), rows = rows_of(t);
  if (heads < 1 || rows % (2 * heads) != 0)
    unfit(t, say("the rows of tensor {} do not divide into heads", shown(t.name)),
          fmt::format("a multiple of 2 x {}", heads));
  const int64_t head = rows / heads, half = head / 2;
  const auto row_bytes = t.bytes.size() / static_cast<size_t>(rows);
  const uint8_t* from = m.part().bytes.data();
  uint8_t* to = allocate(t, t.bytes.size());
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < head; ++i) {
      const int64_t row = h * head + (i < half ? 2 * i : 2 * (i - half) + 1);
      std::memcpy(to, from + static_cast<size_t>(row) * row_bytes, row_bytes);
      to += row_bytes;
    }
  give_back(m.part());
  return t;
}

namespace {

/// Slice `index` of the first axis. A view.
StoredTensor slice(StoredTensor t, int64_t index) {
  const size_t size = t.bytes.size() / static_cast<size_t>(t.shape[0]);
  t.bytes = t.bytes.subspan(static_cast<size_t>(index) * size, size);
  t.shape.erase(t.shape.begin());
  return t;
}

std::optional<int64_t> last_number(const Making& m) {
  std::optional<int64_t> index;
  for (const std::string& piece : m.pieces)
    if (auto n = number(piece)) index = n;
  return index;
}

/// Rows begin, begin + step, ... Copies.
StoredTensor picked(const StoredTensor& from, int64_t begin, int64_t step, int64_t n) {
  StoredTensor t = from;
  const size_t row = from.bytes.size() / static_cast<size_t>(rows_of(from));
  uint8_t* to = allocate(t, row * static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i, to += row)
    std::memcpy(to, from.bytes.data() + static_cast<size_t>(begin + i * step) * row, row);
  t.shape[0] = n;
  return t;
}

/// The first or second half of the rows. A view.
StoredTensor half_rows(StoredTensor t, bool lower) {
  const int64_t rows = rows_of(t), n = rows / 2;
  if (rows % 2 != 0 || t.shape.empty()) unfit(t, say("tensor {} cannot be halved", shown(t.name)), "2 n");
  const size_t half = t.bytes.size() / 2;
  t.bytes = t.bytes.subspan(lower ? half : 0, half);
  t.shape[0] = n;
  return t;
}

enum class Half { all, even, odd, first, second };

StoredTensor turned_expert(const Making& m, Half half) {
  StoredTensor t = expert(m);
  if (t.shape.size() == 2) t = turned(t);
  const int64_t rows = rows_of(t), n = rows / 2;
  if (half == Half::all) return t;
  if (rows % 2 != 0 || !t.format || (t.shape.size() == 1 && t.format->block != 1))
    unfit(t, say("tensor {} cannot be halved", shown(t.name)), "2 n");
  if (half == Half::even || half == Half::odd) return picked(t, half == Half::odd ? 1 : 0, 2, n);
  return picked(t, half == Half::second ? n : 0, 1, n);
}

/// Rows [begin, begin + n) of one head's nope + value rows.
StoredTensor latent_rows(const Making& m, bool values) {
  StoredTensor t = m.part();
  const int64_t nope = m.config.integer("qk_nope_head_dim"), value = m.config.integer("v_head_dim");
  const auto head = last_number(m);
  if (t.shape.size() != 2 || !head || *head >= t.shape[0] / (nope + value))
    unfit(t, say("the rows of tensor {} do not divide into heads", shown(t.name)),
          fmt::format("a multiple of {}", nope + value));
  const size_t row = t.bytes.size() / static_cast<size_t>(t.shape[0]);
  const int64_t begin = *head * (nope + value) + (values ? nope : 0), n = values ? value : nope;
  t.bytes = t.bytes.subspan(static_cast<size_t>(begin) * row, static_cast<size_t>(n) * row);
  t.shape[0] = n;
  return t;
}

}  // namespace

StoredTensor expert(const Making& m) {
  const StoredTensor& t = m.part();
  const auto index = last_number(m);
  if (t.shape.size() < 2 || !index || *index >= t.shape[0])
    unfit(t, say("tensor {} does not hold expert {}", shown(t.name), index.value_or(-1)),
          fmt::format("[> {}, ...]", index.value_or(-1)));
  return slice(t, *index);
}

StoredTensor upper_rows(const Making& m) { return half_rows(m.part(), false); }
StoredTensor lower_rows(const Making& m) { return half_rows(m.part(), true); }
StoredTensor expert_upper(const Making& m) { return half_rows(expert(m), false); }
StoredTensor expert_lower(const Making& m) { return half_rows(expert(m), true); }
StoredTensor flat(const Making& m) {
  StoredTensor t = m.part();
  t.shape = {t.numel()};
  return t;
}
StoredTensor flat_rows(const Making& m) { return flat(m); }

StoredTensor expert_turned(const Making& m) { return turned_expert(m, Half::all); }
StoredTensor expert_turned_even(const Making& m) { return turned_expert(m, Half::even); }
StoredTensor expert_turned_odd(const Making& m) { return turned_expert(m, Half::odd); }
StoredTensor expert_turned_first(const Making& m) { return turned_expert(m, Half::first); }
StoredTensor expert_turned_second(const Making& m) { return turned_expert(m, Half::second); }
StoredTensor latent_keys(const Making& m) { return turned(latent_rows(m, false)); }
StoredTensor latent_values(const Making& m) { return latent_rows(m, true); }

StoredTensor join(const Making& m) { return one_under_other(m.parts); }

StoredTensor one_under_other(std::span<const StoredTensor* const> parts) {
  StoredTensor t = *parts[0];
  size_t size = 0;
  int64_t rows = 0;
  for (const StoredTensor* part : parts) {
    const bool same_order = part->order == t.order || (part->order && t.order && *part->order == *t.order);
    if (part->shape.empty() || part->format != t.format || part->dtype != t.dtype || !same_order ||
        !std::equal(part->shape.begin() + 1, part->shape.end(), t.shape.begin() + 1, t.shape.end()))
      unfit(*part, say("tensor {} does not join with {}", shown(part->name), shown(t.name)),
            fmt::format("{} {}", t.type_name(), t.shape_text()));
    size += part->bytes.size(), rows += part->shape[0];
  }
  uint8_t* to = allocate(t, size);
  for (const StoredTensor* part : parts) {
    std::memcpy(to, part->bytes.data(), part->bytes.size());
    to += part->bytes.size();
    give_back(*part);
  }
  t.shape[0] = rows;
  return t;
}

namespace {

StoredTensor half_of_heads(const Making& m, int64_t which) {
  StoredTensor t = m.part();
  const int64_t heads = m.config.integer(m.rule.key), rows = rows_of(t);
  if (heads < 1 || rows % (2 * heads) != 0 || !t.format || (t.shape.size() == 1 && t.format->block != 1))
    unfit(t, say("the rows of tensor {} do not divide into heads", shown(t.name)),
          fmt::format("a multiple of 2 x {}", heads));
  const int64_t half = rows / heads / 2;
  const size_t piece = t.bytes.size() / static_cast<size_t>(2 * heads);
  const uint8_t* from = m.part().bytes.data() + static_cast<size_t>(which) * piece;
  uint8_t* to = allocate(t, piece * static_cast<size_t>(heads));
  for (int64_t h = 0; h < heads; ++h, from += 2 * piece, to += piece) std::memcpy(to, from, piece);
  t.shape[0] = heads * half;
  return t;
}

}  // namespace

StoredTensor first_of_heads(const Making& m) { return half_of_heads(m, 0); }
StoredTensor second_of_heads(const Making& m) { return half_of_heads(m, 1); }

std::vector<int64_t> rows_by_key_heads(const Config& config) {
  const int64_t heads = config.integer("linear_num_key_heads"), key = config.integer("linear_key_head_dim"),
                values = config.integer("linear_num_value_heads") * config.integer("linear_value_head_dim") / heads;
  std::vector<int64_t> order;
  int64_t at = 0;  // within a head's rows
  for (const int64_t n : {key, key, values, values}) {
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < n; ++i) order.push_back(h * 2 * (key + values) + at + i);
    at += n;
  }
  return order;
}

StoredTensor by_key_heads(const Making& m) {
  const std::vector<int64_t> order = rows_by_key_heads(m.config);
  const bool alike = m.parts.size() == 2 && m.parts[0]->format == m.parts[1]->format;
  std::vector<StoredTensor> wide;
  std::vector<const StoredTensor*> parts(m.parts.begin(), m.parts.end());
  if (!alike) {
    for (const StoredTensor* part : m.parts) wide.push_back(widened(*part));
    for (size_t i = 0; i < parts.size(); ++i) parts[i] = &wide[i];
  }
  const StoredTensor all = one_under_other(parts);
  if (all.shape.size() != 2 || rows_of(all) != static_cast<int64_t>(order.size()))
    unfit(all, say("the rows of tensor {} do not divide into heads", shown(all.name)), std::to_string(order.size()));
  std::vector<int64_t> back(order.size());
  for (size_t i = 0; i < order.size(); ++i) back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  return rows_moved(all, back);
}

StoredTensor stack(const Making& m) {
  StoredTensor t = join(m);
  t.shape = {static_cast<int64_t>(m.parts.size()), t.numel() / static_cast<int64_t>(m.parts.size())};
  return t;
}

StoredTensor transpose(const Making& m) {
  const StoredTensor& t = m.part();
  if (t.shape.size() != 2 || !t.format || t.format->block != 1)
    unfit(t, say("tensor {} cannot be transposed", shown(t.name)), "F32, F16, BF16 [in, out]");
  StoredTensor made = turned(t);
  give_back(t);
  return made;
}

StoredTensor log_negated(const Making& m) {
  StoredTensor t = m.part();
  if (!t.format || t.format->block != 1)
    unfit(t, say("tensor {} must be plain floats", shown(t.name)), "F32, F16, BF16");
  const auto n = static_cast<size_t>(t.numel());
  t.format = &f32_format, t.dtype = DType::f32;
  auto* values = reinterpret_cast<float*>(allocate(t, n * sizeof(float)));
  m.part().format->decode(m.part().bytes.data(), static_cast<int64_t>(n), values);
  for (size_t i = 0; i < n; ++i) {
    if (!(values[i] < 0)) unfit(m.part(), say("tensor {} must be negative everywhere", shown(t.name)), "< 0");
    values[i] = static_cast<float>(std::log(-static_cast<double>(values[i])));
  }
  return t;
}

bool fits(std::string_view pattern, std::string_view name, std::vector<std::string>& pieces) {
  pieces.clear();
  for (;;) {
    const size_t hole = pattern.find('{');
    if (hole == std::string_view::npos) return pattern == name;
    if (!name.starts_with(pattern.substr(0, hole))) return false;
    name.remove_prefix(hole), pattern.remove_prefix(hole);
    const bool rest = pattern.starts_with("{...}");
    pattern.remove_prefix(rest ? 5 : 2);
    size_t length = std::min(name.find('.'), name.size());
    if (rest) {
      if (name.size() <= pattern.size()) return false;
      length = name.size() - pattern.size();
    }
    if (length == 0) return false;
    pieces.emplace_back(name.substr(0, length));
    name.remove_prefix(length);
  }
}

std::string filled(std::string_view pattern, const std::vector<std::string>& pieces) {
  std::string text;
  size_t next = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') {
      text += pattern[i];
      continue;
    }
    const size_t end = pattern.find('}', i);
    const std::string_view hole = pattern.substr(i + 1, end - i - 1);
    text += pieces.at(hole.size() == 1 ? static_cast<size_t>(hole[0] - '0') : next++);
    i = end;
  }
  return text;
}

}  // namespace madang
