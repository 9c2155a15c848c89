#include "ops/ctx.h"

#include <cstring>

namespace madang {

Tensor Ctx::keep(Arena::Mark mark, Tensor result) {
  arena.rewind(mark);
  Tensor kept = make(result.shape);
  // The result lies at or behind the mark, perhaps overlapping where it goes.
  std::memmove(kept.data, result.data, static_cast<size_t>(result.bytes()));
  return kept;
}

}  // namespace madang
