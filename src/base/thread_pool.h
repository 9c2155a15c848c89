// A fixed team of threads that works on one job at a time. Work is split over outputs, never over a sum, so the
// number of threads cannot change a bit of any result. Every thread has a share of its own, one stretch of memory after
// the other, and helps the others when it is done: a thread that the machine holds up holds up nobody. Workers spin for
// a short, bounded time between jobs, give way, and then sleep, so an idle madang costs nothing.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace madang {

class ThreadPool {
 public:
  /// work(begin, end) by reference, for the time of a call: nothing is copied or allocated.
  class Work {
   public:
    Work() = default;
    template <class F>
    Work(const F& work)
        : work_(&work),
          call_([](const void* f, int64_t begin, int64_t end) { (*static_cast<const F*>(f))(begin, end); }) {}
    void operator()(int64_t begin, int64_t end) const { call_(work_, begin, end); }

   private:
    const void* work_ = nullptr;
    void (*call_)(const void* work, int64_t begin, int64_t end) = nullptr;
  };

  /// `threads` counts the caller too; 0 means the processors this process may use (cgroup limits included).
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls work(begin, end) over [0, n) in pieces of `grain`, on all threads; returns when all is done. `work`
  /// must not throw. Runs on the caller alone if n <= grain.
  void parallel(int64_t n, int64_t grain, Work work);

  static int usable_processors();

 private:
  // What a thread takes from first, a cache line of its own.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  void worker(size_t number);
  void wait(uint64_t seen);
  void drain(size_t number);

  std::vector<std::thread> workers_;
  std::vector<Share> shares_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> job_{0};
  // A worker that wakes too late for a job must not hold it up: it says that it is in, and looks whether the job is
  // still open; the caller closes the job, and waits for those who are in. In the same way a worker says that it
  // sleeps and looks for a job, and the caller gives one and looks for sleepers. (Sequentially consistent, as in
  // Dekker's.)
  alignas(64) std::atomic<int> inside_{0};
  std::atomic<int> asleep_{0};
  std::atomic<bool> open_{false}, stop_{false};
  Work work_;
  int64_t grain_ = 1;
};

}  // namespace madang
