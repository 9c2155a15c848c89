// What this machine can do at best, measured: the limits that speeds are shown beside.
#pragma once
#include "base/thread_pool.h"
#include "kernels/table.h"

namespace madang {

struct MachineLimits {
  double read_bytes = 0;      ///< bytes a second, reading memory on all threads
  double multiplies_f32 = 0;  ///< multiply-adds a second of the float32 kernel on weights that stay in the caches
};

/// Takes about a second.
MachineLimits measure_limits(ThreadPool& pool, const Kernels& kernels);

}  // namespace madang
