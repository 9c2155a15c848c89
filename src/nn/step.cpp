#include "nn/step.h"

namespace madang {

void Step::add(std::span<const int32_t> tokens, SequenceState* state, Want want) {
  const auto length = static_cast<int64_t>(tokens.size());
  segments.push_back({this->tokens(), length, state ? state->length : 0, state ? state->limit : length, state});
  const auto first = static_cast<int32_t>(ids.size());
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  for (int32_t i = want == Want::all ? 0 : static_cast<int32_t>(length) - 1; want != Want::none && i < length; ++i)
    wanted.push_back(first + i);
}

void Step::add(std::span<const int32_t> tokens) { add(tokens, nullptr, Want::all); }

void Step::advance() {
  for (Segment& s : segments)
    if (s.state) s.state->length += s.length;
}

}  // namespace madang
