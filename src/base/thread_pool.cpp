#include "base/thread_pool.h"

#include <algorithm>

#include "base/host.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MADANG_PAUSE() _mm_pause()
#else
#define MADANG_PAUSE() std::this_thread::yield()
#endif

namespace madang {
namespace {

// Some tens of microseconds on current machines: longer than the gap between two ops of one step, shorter than anything
// a person or a scheduler would notice. Then as many offers to whoever else wants the processor as one token's sampling
// takes, where nobody does.
constexpr int spins = 2000, offers = 200;

}  // namespace

int ThreadPool::usable_processors() { return Host::detect().usable(); }

ThreadPool::ThreadPool(int threads) : shares_(static_cast<size_t>(threads > 0 ? threads : usable_processors())) {
  for (size_t i = 1; i < shares_.size(); ++i) workers_.emplace_back([this, i] { worker(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    ++job_;
  }
  wake_.notify_all();
  for (auto& w : workers_) w.join();
}

// The own share, then what the others have left of theirs.
void ThreadPool::drain(size_t number) {
  for (size_t i = 0; i < shares_.size(); ++i) {
    Share& share = shares_[(number + i) % shares_.size()];
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      const int64_t begin = share.next.fetch_add(grain_, std::memory_order_relaxed);
      if (begin < share.end) work_(begin, std::min(begin + grain_, share.end));
    }
  }
}

// Returns when there is another job than the one seen last.
void ThreadPool::wait(uint64_t seen) {
  for (int i = 0; i < spins + offers; ++i) {
    if (job_.load(std::memory_order_acquire) != seen) return;
    if (i < spins)
      MADANG_PAUSE();
    else
      std::this_thread::yield();
  }
  std::unique_lock lock(mutex_);
  ++asleep_;
  wake_.wait(lock, [&] { return job_ != seen; });
  --asleep_;
}

void ThreadPool::worker(size_t number) {
  for (uint64_t seen = 0;;) {
    wait(seen);
    seen = job_;
    if (stop_) return;
    ++inside_;
    if (open_) drain(number);
    --inside_;
  }
}

void ThreadPool::parallel(int64_t n, int64_t grain, Work work) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (workers_.empty() || n <= grain) return work(0, n);
  work_ = work, grain_ = grain;
  const int64_t pieces = (n + grain - 1) / grain;
  for (int64_t i = 0, threads = size(); i < threads; ++i) {
    Share& share = shares_[static_cast<size_t>(i)];
    share.next.store(pieces * i / threads * grain, std::memory_order_relaxed);
    share.end = std::min(n, pieces * (i + 1) / threads * grain);
  }
  open_ = true;
  ++job_;
  if (asleep_ > 0) {
    std::lock_guard lock(mutex_);
    wake_.notify_all();
  }
  drain(0);
  open_ = false;
  for (int i = 0; inside_ != 0; ++i)
    if (i < spins)
      MADANG_PAUSE();
    else
      std::this_thread::yield();
}

}  // namespace madang
