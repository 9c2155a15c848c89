// What this machine can do at best, measured: the limits that speeds are shown beside.
#pragma once
#include "base/thread_pool.h"
#include "kernels/table.h"

namespace madang {

struct MachineLimits {
  double read_bytes = 0;  ///< bytes a second, reading memory on all threads
  // Multiply-adds a second on weights that stay in the caches.
  double multiplies_f32 = 0;   ///< of the float32 kernel
  double multiplies_int8 = 0;  ///< of the integer kernel, on Q8_0
};

/// Takes about a second.
MachineLimits measure_limits(ThreadPool& pool, const Kernels& kernels);

}  // namespace madang
