// What this machine can do at best, measured: the limits that speeds are shown beside.
#pragma once
#include "base/thread_pool.h"
#include "kernels/table.h"

namespace madang {

struct MachineLimits {
  double read_bytes = 0;  ///< bytes a second, reading memory on all threads
  // Multiply-adds a second on weights that stay in the caches.
  double multiplies_f32 = 0;    ///< of the float32 kernel
  double multiplies_int8 = 0;   ///< of the integer kernel, on Q8_0
  double multiplies_bf16 = 0;   ///< of the bf16 kernel; 0: there is none
  double multiplies_alone = 0;  ///< of the float32 kernel on one thread

  /// On weights of this format in fast mode.
  double multiplies(const Format& format) const {
    if (&format == &bf16_format && multiplies_bf16 > 0) return multiplies_bf16;
    return format.codes ? multiplies_int8 : multiplies_f32;
  }
  /// What the threads are worth, in threads that have a core each: virtual processors are often two to a core, whatever
  /// the system says, and multiply no more than one.
  double cores() const { return multiplies_f32 / multiplies_alone; }
};

/// Takes a second or two.
MachineLimits measure_limits(ThreadPool& pool, const Kernels& kernels);

}  // namespace madang
