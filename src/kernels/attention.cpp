#include "kernels/attention.h"

#include <memory>

namespace madang {

void attend(const Kernels& kernels, const AttendTask& task) {
  auto memory = [](int64_t floats) { return std::make_unique_for_overwrite<float[]>(static_cast<size_t>(floats)); };
  const auto kept = memory(2 * task.n * task.heads);
  const AttendPart all = AttendPart::in_place(kept.get(), task);
  int64_t span = task.first_span();
  kernels.attend(task, span, all);
  if (++span < task.end_span()) {
    const auto more = memory(AttendPart::floats(task));
    const AttendPart next = AttendPart::in(more.get(), task);
    for (; span < task.end_span(); ++span) {
      kernels.attend(task, span, next);
      kernels.attend_join(task, all, next);
    }
  }
  kernels.attend_end(task, all);
}

void attend_end(const Kernels& kernels, const AttendTask& task, std::span<const AttendPart> parts) {
  for (const AttendPart& next : parts.subspan(1)) kernels.attend_join(task, parts[0], next);
  kernels.attend_end(task, parts[0]);
}

}  // namespace madang
