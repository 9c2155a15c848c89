// Attention over all keys that a task's queries see: span by span on one thread, or every span where there is a thread
// for it. The result is the same.
#pragma once
#include <span>

#include "kernels/table.h"

namespace madang {

/// task.out and task.log_sum, of all spans.
void attend(const Kernels& kernels, const AttendTask& task);

/// For who has given every span to kernels.attend: the rest of the work where parts[i] is of span first_span() + i,
/// parts[0] in_place.
void attend_end(const Kernels& kernels, const AttendTask& task, std::span<const AttendPart> parts);

}  // namespace madang
