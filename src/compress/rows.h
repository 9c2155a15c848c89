// Rows of weights from one format into another, a few million weights at a time. Rows are the unit of the threads'
// work, so that their number changes nothing.
#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "base/thread_pool.h"
#include "store/source.h"

namespace madang {

struct RowErrors {
  double squares = 0;  ///< of what is lost
  double total = 0;    ///< squares of all values

  double relative() const;  ///< sqrt(squares / total)
};

/// The importance of a row's columns; empty, or none: all alike.
using ColumnImportance = std::function<std::span<const float>(int64_t row)>;

/// `rows` in format `to`, handed to `out` in pieces; bytes that are in it already go as they are. `errors`: added to.
void write_rows(const StoredTensor& rows, const Format& to, const ColumnImportance& importance, ThreadPool& pool,
                const std::function<void(std::span<const uint8_t>)>& out, RowErrors* errors = nullptr);

}  // namespace madang
