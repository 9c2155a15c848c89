#include "store/code_rows.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "quant/grouped.h"

namespace madang {
namespace {

constexpr int block = grouped::block;

const Format& own(int id) { return *format_by_gguf_type(id); }

bool symmetric(const CodeRows& m) {
  return std::ranges::all_of(m.zero, [&](int16_t z) { return z == 1 << (m.bits - 1); });
}

/// Scales kept as bfloat16 or float32 mostly are float16 values too.
bool half_scales(const CodeRows& m) {
  return std::ranges::all_of(m.scale, [](float s) { return float_of_half(half_of_float(s)) == s; });
}

/// Of integers the format follows from the width of codes and scales and from the zero points. GGUF's own formats are
/// taken where they are the same thing.
const Format& format_of(const CodeRows& m) {
  switch (m.kind) {
    case CodeKind::nf4:
      return own(grouped::nf4_id);
    case CodeKind::fp4:
      return own(grouped::fp4_id);
    case CodeKind::e4m3:
      return own(grouped::fp8_id);
    case CodeKind::e2m1:
      return own(grouped::fp4_e2m1_id);
    case CodeKind::levels:
      return f32_format;
    case CodeKind::integer:
      break;
  }
  if (m.bits > 4) {
    if (!symmetric(m)) return own(grouped::int8_zero_id);
    return half_scales(m) ? *format_by_name("Q8_0") : own(grouped::int8_id);
  }
  if (!half_scales(m)) return own(grouped::int4_id);
  return symmetric(m) ? *format_by_name("Q4_0") : own(grouped::int4_f16_id);
}

// Where columns go: order[i] is the column that stands at place i.
std::vector<int32_t> grouped_columns(const CodeRows& m) {
  std::vector<int32_t> order(static_cast<size_t>(m.cols));
  std::iota(order.begin(), order.end(), 0);
  auto group = [&](int32_t c) { return m.group[static_cast<size_t>(c)]; };
  std::ranges::sort(order, [&](int32_t a, int32_t b) { return std::pair(group(a), a) < std::pair(group(b), b); });
  return order;
}

bool whole_blocks(const CodeRows& m, const std::vector<int32_t>& order, int each) {
  if (m.cols % block != 0) return false;
  auto group = [&](int64_t place) { return m.group[static_cast<size_t>(order[static_cast<size_t>(place)])]; };
  for (int64_t at = 0; at < m.cols; at += each)
    if (group(at) != group(at + each - 1)) return false;
  return true;
}

/// One block: `code` in order; scale and zero of its group.
class BlockWriter {
 public:
  BlockWriter(const CodeRows& m, const Format& format)
      : m_(m), format_(format), half_(format.in_files() || format.gguf_type == grouped::int4_f16_id) {}

  uint8_t* write(uint8_t* to, int64_t row, const int32_t* column) const {
    const uint8_t* code = m_.code.get() + row * m_.cols;
    const auto index = static_cast<size_t>(row * m_.groups + m_.group[static_cast<size_t>(column[0])]);
    uint8_t* const end = to + format_.bytes;
    to = put_scale(to, m_.scale[index]);
    const int middle = 1 << (m_.bits - 1), zero = m_.zero.empty() ? middle : m_.zero[index];
    int shift = 0;  // of codes, to where the format's own zero lies
    switch (format_.gguf_type) {
      case grouped::int4_f16_id:
      case grouped::int4_id:
        *to++ = static_cast<uint8_t>(zero);
        break;
      case grouped::int8_zero_id: {
        const auto z = static_cast<int16_t>(zero);
        std::memcpy(to, &z, 2), to += 2;
        break;
      }
      case grouped::fp4_e2m1_id:
        to = put_scale(to, m_.scale[static_cast<size_t>(row * m_.groups + m_.group[static_cast<size_t>(column[16])])]);
        break;
      case grouped::nf4_id:
      case grouped::fp4_id:
      case grouped::fp8_id:
        break;
      default:
        shift = (is_wide(end - to) ? 0 : 8) - middle;  // Q4_0, Q8_0, INT8
    }
    auto at = [&](int i) { return static_cast<uint8_t>(code[column[i]] + shift); };
    if (is_wide(end - to))
      for (int i = 0; i < block; ++i) to[i] = at(i);
    else
      for (int i = 0; i < 16; ++i) to[i] = static_cast<uint8_t>(at(i) | at(i + 16) << 4);
    return end;
  }

 private:
  static bool is_wide(int64_t code_bytes) { return code_bytes == block; }
  uint8_t* put_scale(uint8_t* to, float scale) const {
    if (half_) {
      const uint16_t half = half_of_float(scale);
      std::memcpy(to, &half, 2);
      return to + 2;
    }
    std::memcpy(to, &scale, 4);
    return to + 4;
  }
  const CodeRows& m_;
  const Format& format_;
  const bool half_;  // Q4_0, Q8_0 and INT4_F16 have float16 scales
};

StoredTensor allocated(const CodeRows& m, const Format& format, size_t bytes) {
  StoredTensor t;
  t.format = &format, t.dtype = &format == &f32_format ? DType::f32 : DType::u8;
  t.shape = {m.rows, m.cols};
  auto memory = std::make_shared_for_overwrite<uint8_t[]>(bytes);
  t.bytes = {memory.get(), bytes}, t.owner = std::move(memory);
  return t;
}

uint8_t* start(const StoredTensor& t) { return const_cast<uint8_t*>(t.bytes.data()); }

}  // namespace

CodeRows::CodeRows(int64_t r, int64_t c, int64_t g)
    : rows(r), cols(c), groups(g), code(std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(r * c))) {}

float CodeRows::value(int64_t row, int64_t column) const {
  const auto at = static_cast<size_t>(row * groups + group[static_cast<size_t>(column)]);
  const uint8_t q = code[static_cast<size_t>(row * cols + column)];
  switch (kind) {
    case CodeKind::integer:
      return scale[at] * static_cast<float>(q - (zero.empty() ? 1 << (bits - 1) : zero[at]));
    case CodeKind::nf4:
      return grouped::nf4_levels[q] * scale[at];
    case CodeKind::fp4:
      return grouped::fp4_levels[q] * scale[at];
    case CodeKind::levels:
      return level[q] * scale[at];
    case CodeKind::e4m3:
      return float_of_e4m3(q) * scale[at];
    case CodeKind::e2m1:
      return static_cast<float>(small_floats::e2m1_doubled[q]) / 2 * scale[at];
  }
  return 0;
}

std::vector<int32_t> groups_in_order(int64_t cols, int64_t size) {
  std::vector<int32_t> group(static_cast<size_t>(cols));
  for (int64_t c = 0; c < cols; ++c) group[static_cast<size_t>(c)] = static_cast<int32_t>(c / size);
  return group;
}

StoredTensor stored_rows(CodeRows&& m) {
  std::vector<int32_t> order = grouped_columns(m);
  const Format& format = format_of(m);
  if (&format == &f32_format || !whole_blocks(m, order, format.group)) {
    StoredTensor t = allocated(m, f32_format, static_cast<size_t>(m.rows * m.cols) * 4);
    auto* values = reinterpret_cast<float*>(start(t));
    for (int64_t r = 0; r < m.rows; ++r)
      for (int64_t c = 0; c < m.cols; ++c) *values++ = m.value(r, c);
    return t;
  }
  StoredTensor t = allocated(m, format, static_cast<size_t>(m.rows * format.row_bytes(m.cols)));
  const BlockWriter writer(m, format);
  uint8_t* to = start(t);
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < m.cols; c += block) to = writer.write(to, r, order.data() + c);
  if (!std::ranges::is_sorted(order)) t.order = std::make_shared<const std::vector<int32_t>>(std::move(order));
  return t;
}

}  // namespace madang
