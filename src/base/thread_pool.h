// A fixed team of threads that works on one job at a time. Work is split over outputs, never over a sum, so the
// number of threads cannot change a bit of any result. Workers spin for a short, bounded time between jobs and
// then sleep, so an idle madang costs nothing.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace madang {

class ThreadPool {
 public:
  /// `threads` counts the caller too; 0 means the processors this process may use (cgroup limits included).
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls work(begin, end) over [0, n) in pieces of `grain`, on all threads; returns when all is done. `work`
  /// must not throw. Runs on the caller alone if n <= grain.
  void parallel(int64_t n, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& work);

  static int usable_processors();

 private:
  void worker();
  void drain();

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> job_{0};
  // A worker that wakes too late for a job must not hold it up: it says that it is in, and looks whether the job is
  // still open; the caller closes the job, and waits for those who are in. (Sequentially consistent, as in Dekker's.)
  std::atomic<int> inside_{0};
  std::atomic<bool> open_{false}, stop_{false};
  const std::function<void(int64_t, int64_t)>* work_ = nullptr;
  int64_t n_ = 0, grain_ = 1;
  std::atomic<int64_t> next_{0};
};

}  // namespace madang
