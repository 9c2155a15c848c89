#include "engine/guesser.h"

#include <algorithm>

namespace madang {

int64_t Luck::worth(double cost, int64_t most) const {
  int64_t count = 0;
  for (double all_right = chance_; count < most && all_right > cost; all_right *= chance_) ++count;
  return count;
}

void Luck::judged(int64_t right, bool wrong) {
  // What happened counts a quarter, what was known three: texts change from repeating to new within a few tokens.
  const double share = static_cast<double>(right) / static_cast<double>(right + wrong);
  chance_ += (share - chance_) / 4;
}

void Luck::passed() {
  // After a run of wrong guesses another is tried once in about ten tokens, which costs two or three hundredths.
  chance_ += (unknown - chance_) / 64;
}

}  // namespace madang
