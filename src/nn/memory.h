// A layer's recurrent memory of a step's sequences, cut into what each of its recurrences keeps.
#pragma once
#include <initializer_list>
#include <vector>

#include "nn/step.h"
#include "ops/ops.h"

namespace madang {

class Memory {
 public:
  /// Of layer `layer`, cut into parts of so many floats. Counts the step's tokens as seen.
  Memory(const Step& step, int layer, std::initializer_list<int64_t> parts) : parts_(parts.size()) {
    for (const Segment& s : step.segments) {
      float* at = nullptr;
      if (s.state) {
        auto& state = static_cast<RecurrentState&>(*s.state->layers[static_cast<size_t>(layer)]);
        at = state.values();
        state.advance(s.length);
      }
      size_t part = 0;
      for (int64_t floats : parts) {
        parts_[part++].push_back({s.offset, s.length, at});
        if (at) at += floats;
      }
    }
  }
  std::span<const RecurrentSegment> operator[](size_t part) const { return parts_[part]; }

 private:
  std::vector<std::vector<RecurrentSegment>> parts_;
};

}  // namespace madang
