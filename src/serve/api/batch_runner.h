// Works the lines of batches in the background, a few at a time and after everyone who waits for an answer, through
// the same handlers that answer over HTTP. Each line's result is in the store before the next takes its place; what
// was cut off by the end of the process goes on from there when it starts again. Of several servers on one store, each
// batch has one, by a lease that is renewed while it lives: what a dead one had goes on elsewhere when it runs out.
// All of it runs on the handlers' thread.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "serve/api/server_name.h"
#include "serve/route.h"
#include "serve/store/store.h"

namespace madang {

class BatchRunner {
 public:
  /// `services` must outlive it and all that runs on the executor. `routes`: those of the endpoints, at least.
  /// `server`: what other servers know it by.
  BatchRunner(boost::asio::any_io_executor executor, Services& services, const std::vector<Route>& routes,
              std::string server = server_name());
  ~BatchRunner();

  /// Takes up what the store holds unfinished, now and whenever another server has left something.
  void start();
  /// A batch that the store holds since a moment ago.
  void add(StoredBatch batch);
  /// Cancels it if it is not over; nothing if it is not here.
  std::optional<StoredBatch> cancel(const std::string& id);
  /// Lines under way are broken off, to be done again at the next start.
  void stop();
  bool idle() const { return running_ == 0; }

  /// The endpoints whose requests batches can hold.
  static std::vector<std::string> endpoints();

 private:
  struct Job;
  class Inner;
  using JobPtr = std::shared_ptr<Job>;

  void begin_some();
  Task<void> take_up();
  Task<void> beat();
  Task<void> renew(JobPtr job);
  bool lease(const Job& job) const;
  Task<void> work(JobPtr job);
  Task<void> work_lines(JobPtr job);
  Task<bool> read_input(JobPtr job);
  Task<void> finish(JobPtr job);
  Task<void> worker(JobPtr job);
  Task<void> run_line(JobPtr job, size_t index);
  Task<void> pause(JobPtr job, double seconds);
  Task<int> answer_line(JobPtr job, Inner& inner);
  Task<void> save(JobPtr job);
  void hang_up(const Job& job) const;
  void broke(Job& job, const std::exception& fault);
  bool over(const Job& job) const;

  boost::asio::any_io_executor executor_;
  Services& services_;
  std::map<std::string, Route> routes_;
  std::string server_;
  boost::asio::steady_timer next_beat_;
  std::list<JobPtr> jobs_;  ///< oldest first
  int running_ = 0;
  bool stopping_ = false;
};

}  // namespace madang
