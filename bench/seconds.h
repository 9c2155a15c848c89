// How long a piece of work takes: what the ladders measure with.
#pragma once
#include <algorithm>
#include <chrono>
#include <vector>

namespace madang {

// Median seconds of one call, over at least half a second.
template <class Work>
double seconds(Work&& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  work();  // warm up
  for (auto end = Clock::now() + std::chrono::milliseconds(500); Clock::now() < end || times.size() < 3;) {
    const auto start = Clock::now();
    work();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::ranges::nth_element(times, times.begin() + static_cast<long>(times.size() / 2));
  return times[times.size() / 2];
}

}  // namespace madang
