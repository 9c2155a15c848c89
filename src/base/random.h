// Random numbers that are the same on every machine: the generator is counted, not carried, so that the k-th
// draw of a sequence depends on its seed and k alone, whatever ran beside it.
#pragma once
#include <cstdint>

namespace madang {

/// One step of splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
inline uint64_t splitmix64(uint64_t z) {
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

class Random {
 public:
  explicit Random(uint64_t seed, uint64_t counter = 0) : seed_(splitmix64(seed)), counter_(counter) {}

  uint64_t bits() { return splitmix64(seed_ ^ splitmix64(counter_++)); }
  /// In [0, 1), 53 bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// In [0, n), n > 0; the bias of the modulo is below 2^-32 for every n used here.
  uint64_t below(uint64_t n) { return bits() % n; }
  int64_t between(int64_t low, int64_t high) {  // both ends included
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  /// Standard normal, by the sum of twelve uniforms: for weights and tests, not for statistics of tails.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }
  uint64_t counter() const { return counter_; }

 private:
  uint64_t seed_, counter_;
};

}  // namespace madang
