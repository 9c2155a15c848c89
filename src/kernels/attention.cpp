#include "kernels/attention.h"

#include <vector>

namespace madang {

void attend(const Kernels& kernels, const AttendTask& task) {
  const int64_t first = task.first_span(), end = task.end_span(), rows = task.n * task.heads;
  std::vector<float> memory(static_cast<size_t>(2 * rows + (end - first > 1 ? AttendPart::floats(task) : 0)));
  const AttendPart all = AttendPart::in_place(memory.data(), task),
                   next = AttendPart::in(memory.data() + 2 * rows, task);
  kernels.attend(task, first, all);
  for (int64_t span = first + 1; span < end; ++span) {
    kernels.attend(task, span, next);
    kernels.attend_join(task, all, next);
  }
  kernels.attend_end(task, all);
}

void attend_end(const Kernels& kernels, const AttendTask& task, std::span<const AttendPart> parts) {
  for (const AttendPart& next : parts.subspan(1)) kernels.attend_join(task, parts[0], next);
  kernels.attend_end(task, parts[0]);
}

}  // namespace madang
