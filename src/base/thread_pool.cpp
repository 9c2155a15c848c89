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

// About 20 microseconds on current machines: longer than the gap between two ops of one step, shorter than
// anything a person or a scheduler would notice.
constexpr int spins = 4000;

}  // namespace

int ThreadPool::usable_processors() { return Host::detect().usable(); }

ThreadPool::ThreadPool(int threads) {
  if (threads <= 0) threads = usable_processors();
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { worker(); });
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

void ThreadPool::drain() {
  for (;;) {
    int64_t begin = next_.fetch_add(grain_, std::memory_order_relaxed);
    if (begin >= n_) return;
    (*work_)(begin, std::min(begin + grain_, n_));
  }
}

void ThreadPool::worker() {
  uint64_t seen = 0;
  for (;;) {
    for (int i = 0; i < spins && job_.load(std::memory_order_acquire) == seen; ++i) MADANG_PAUSE();
    if (job_.load(std::memory_order_acquire) == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return job_.load() != seen; });
    }
    seen = job_.load(std::memory_order_acquire);
    if (stop_) return;
    ++inside_;
    if (open_) drain();
    --inside_;
  }
}

void ThreadPool::parallel(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& work) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (workers_.empty() || n <= grain) return work(0, n);
  work_ = &work, n_ = n, grain_ = grain;
  next_.store(0, std::memory_order_relaxed);
  open_ = true;
  {
    std::lock_guard lock(mutex_);
    job_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  drain();
  open_ = false;
  for (int i = 0; inside_ != 0; ++i)
    if (i < spins)
      MADANG_PAUSE();
    else
      std::this_thread::yield();
}

}  // namespace madang
