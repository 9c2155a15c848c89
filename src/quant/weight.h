// A matrix as files hold it and kernels take it: rows of blocks. Only Linear, Embed and Moe look inside.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "quant/format.h"
#include "quant/panels.h"

namespace madang {

/// Which of the input's numbers each column of a matrix meets, where its columns were put in another order so that
/// those of one group stand together (GPTQ's act-order); null: as they come.
using ColumnOrder = std::shared_ptr<const std::vector<int32_t>>;

/// A row whose columns are in `order`, put back as they come.
void put_back(const std::vector<int32_t>& order, float* row);

/// [rows, cols], row-major, each row a whole number of blocks. A view that shares its owner (a mapped file or a
/// buffer), so copying is cheap and safe.
struct Weight {
  const Format* format = nullptr;
  const uint8_t* bytes = nullptr;
  int64_t rows = 0, cols = 0;
  std::shared_ptr<const void> owner;
  std::shared_ptr<Packing> packing;  ///< null: packed anew for every product
  // Where the file keeps it, for those who watch products (the importance matrix).
  std::string_view stored{};  ///< lives as long as the source
  int64_t matrix = 0;         ///< which one, where a tensor holds several: the expert
  int64_t matrices = 1;
  ColumnOrder order{};

  explicit operator bool() const { return bytes != nullptr; }
  int64_t row_bytes() const { return format->row_bytes(cols); }
  const uint8_t* row(int64_t i) const { return bytes + i * row_bytes(); }
  int64_t size() const { return rows * row_bytes(); }
  const float* f32() const { return reinterpret_cast<const float*>(bytes); }  ///< only if format is F32
  /// Rows [begin, begin + n) of this matrix.
  Weight slice(int64_t begin, int64_t n) const {
    return {format, row(begin), n, cols, owner, nullptr, stored, matrix, matrices, order};
  }
};

}  // namespace madang
