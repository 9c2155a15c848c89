#include "engine/prompt_lookup.h"

#include <algorithm>

namespace madang {
namespace {

// One token stands in many places by chance; two that stood together mostly belong together.
constexpr size_t shortest = 2;
// What shares sixteen tokens with the end shares the text; a bound keeps a text of one token repeated cheap to search.
constexpr size_t longest = 16;

}  // namespace

std::vector<int32_t> looked_up(std::span<const int32_t> tokens, int64_t most) {
  size_t best = shortest - 1, place = 0;  // of the token that came then
  for (size_t at = tokens.size() - 1; at >= shortest && best < longest; --at) {
    if (tokens[at - 1] != tokens.back()) continue;
    size_t shared = 1;
    while (shared < std::min(at, longest) && tokens[at - 1 - shared] == tokens[tokens.size() - 1 - shared]) ++shared;
    if (shared > best) best = shared, place = at;
  }
  std::vector<int32_t> guessed;
  // Past the end the guesses themselves go on: what repeats may do so with a shorter period.
  for (size_t at = place; place > 0 && static_cast<int64_t>(guessed.size()) < most; ++at)
    guessed.push_back(at < tokens.size() ? tokens[at] : guessed[at - tokens.size()]);
  return guessed;
}

void PromptLookup::guess(Workplace&, std::span<Guess> all) {
  for (Guess& g : all) g.guessed = looked_up(g.tokens, g.most);
}

}  // namespace madang
