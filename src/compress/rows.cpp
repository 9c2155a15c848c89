#include "compress/rows.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "compress/encode.h"

namespace madang {
namespace {

// Weights decoded at a time: 16 MB of floats beside as many blocks, and enough rows for every thread.
constexpr int64_t chunk_weights = int64_t{1} << 22;

RowErrors lost(std::span<const float> values, std::span<const float> back) {
  RowErrors e;
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = values[i], wrong = value - static_cast<double>(back[i]);
    e.squares += wrong * wrong, e.total += value * value;
  }
  return e;
}

}  // namespace

double RowErrors::relative() const { return total > 0 ? std::sqrt(squares / total) : 0; }

void write_rows(const StoredTensor& t, const Format& to, const ColumnImportance& importance, ThreadPool& pool,
                const std::function<void(std::span<const uint8_t>)>& out, RowErrors* errors) {
  if (t.format == &to) return out(t.bytes);
  const int64_t cols = t.shape.back(), rows = t.numel() / cols;
  const int64_t chunk = std::clamp<int64_t>(chunk_weights / cols, 1, rows);
  const int64_t from_bytes = t.format->row_bytes(cols), to_bytes = to.row_bytes(cols);
  std::vector<uint8_t> blocks(static_cast<size_t>(chunk * to_bytes));
  std::vector<RowErrors> lost_in(errors ? static_cast<size_t>(chunk) : 0);
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t n = std::min(chunk, rows - begin);
    pool.parallel(n, 1, [&](int64_t first, int64_t last) {
      std::vector<float> values(static_cast<size_t>(cols)), back(errors ? values.size() : 0);
      for (int64_t i = first; i < last; ++i) {
        t.format->decode(t.bytes.data() + (begin + i) * from_bytes, cols, values.data());
        uint8_t* const written = blocks.data() + i * to_bytes;
        encode(to, values, importance ? importance(begin + i) : std::span<const float>(), written);
        if (!errors) continue;
        to.decode(written, cols, back.data());
        lost_in[static_cast<size_t>(i)] = lost(values, back);
      }
    });
    for (int64_t i = 0; errors && i < n; ++i)
      errors->squares += lost_in[static_cast<size_t>(i)].squares,
          errors->total += lost_in[static_cast<size_t>(i)].total;
    out(std::span(blocks).first(static_cast<size_t>(n * to_bytes)));
  }
}

}  // namespace madang
