#include "serve/api/batch_runner.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <chrono>
#include <set>

#include "serve/api/batch_lines.h"
#include "serve/api/named_events.h"
#include "serve/http/elsewhere.h"
#include "serve/limits.h"
#include "serve/log.h"

namespace madang {
namespace {

// Enough that the engine's steps are shared by several sequences, few enough that a person who comes finds room.
constexpr int batches_at_once = 4, lines_at_once = 4;
constexpr int batch_priority = -1000;  // below every key: those are set by people, near 0
constexpr double longest_wait = 30;    // seconds, for a server that is too busy
// Long beside a slow database, short beside the 24 hours of a batch; servers' clocks may differ by less than that.
constexpr int64_t lease_seconds = 60;
constexpr auto beat_every = std::chrono::seconds(lease_seconds / 3);

int64_t now_seconds() { return now_microseconds() / 1'000'000; }

}  // namespace

struct BatchRunner::Job {
  Job(StoredBatch b, const boost::asio::any_io_executor& executor) : batch(std::move(b)), bell(executor) {}

  StoredBatch batch;
  std::vector<BatchLine> lines;  ///< still to be done
  size_t next = 0;               ///< of lines
  int workers = 0;
  bool begun = false, cancelled = false, expired = false;
  bool broken = false;             ///< the store failed
  boost::asio::steady_timer bell;  ///< rung when a worker ends, and to wake those who wait
  std::set<Inner*> exchanges;      ///< of lines under way
};

/// An exchange without a socket: the answer is kept.
class BatchRunner::Inner final : public Exchange {
 public:
  Inner(JobPtr job, HttpRequest request) : job_(std::move(job)), request_(std::move(request)) {
    job_->exchanges.insert(this);
  }
  ~Inner() override { job_->exchanges.erase(this); }

  const HttpRequest& request() const override { return request_; }
  void header(std::string, std::string) override {}
  Task<void> reply(int code, std::string_view, std::string text) override {
    keep(code, std::move(text));
    co_return;
  }
  Task<void> begin(int code, std::string_view) override {
    keep(code, "");
    co_return;
  }
  Task<void> write(std::string piece) override {
    body += piece;
    co_return;
  }
  Task<void> end() override { co_return; }
  bool begun() const override { return status != 0; }
  bool gone() const override { return gone_; }
  void on_gone(std::function<void()> act) override {
    act_ = std::move(act);
    if (gone_ && act_) act_();
  }
  void note(std::string_view, std::string) override {}

  void hang_up() {
    if (std::exchange(gone_, true)) return;
    if (auto act = act_) act();
  }

  int status = 0;
  std::string body;

 private:
  void keep(int code, std::string text) {
    status = code;
    body = std::move(text);
  }

  JobPtr job_;
  HttpRequest request_;
  std::function<void()> act_;
  bool gone_ = false;
};

std::vector<std::string> BatchRunner::endpoints() {
  return {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"};
}

BatchRunner::BatchRunner(boost::asio::any_io_executor executor, Services& services, const std::vector<Route>& routes,
                         std::string server)
    : executor_(std::move(executor)), services_(services), server_(std::move(server)), next_beat_(executor_) {
  const auto known = endpoints();
  for (const Route& route : routes)
    if (route.method == "POST" && std::ranges::count(known, route.pattern)) routes_[route.pattern] = route;
}

BatchRunner::~BatchRunner() = default;

void BatchRunner::start() { boost::asio::co_spawn(executor_, beat(), boost::asio::detached); }

/// Keeps what is ours, and looks for what nobody has.
Task<void> BatchRunner::beat() {
  ++running_;
  while (!stopping_ && services_.store.keeps()) {
    for (const JobPtr& job : std::vector(jobs_.begin(), jobs_.end()))
      if (job->begun) co_await renew(job);
    co_await take_up();
    next_beat_.expires_after(beat_every);
    boost::system::error_code rung;
    if (!stopping_) co_await next_beat_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, rung));
  }
  --running_;
}

bool BatchRunner::lease(const Job& job) const {
  return services_.store.lease(job.batch.id, server_, lease_seconds,
                               [this](const std::string& other) { return is_gone(other, server_); });
}

Task<void> BatchRunner::renew(JobPtr job) {
  bool held = true, cancelled = false;  // a database that does not answer now is asked again at the next beat
  try {
    co_await elsewhere(services_.helpers, [this, &job, &held, &cancelled] {
      held = lease(*job);
      const auto batch = services_.store.batch(job->batch.client, job->batch.id);
      cancelled = batch && batch->facts["status"] == "cancelling";
    });
  } catch (const std::exception& fault) {
    services_.log.write(LogLevel::error, "batch", {{"id", job->batch.id}, {"fault", fault.what()}});
  }
  if (cancelled) cancel(job->batch.id);  // told to another server
  if (held || over(*job)) co_return;
  job->broken = true;
  services_.log.write(LogLevel::warning, "batch", {{"id", job->batch.id}, {"fault", "another server works on it"}});
  hang_up(*job);
}

/// What is under way ends, and who waits looks up.
void BatchRunner::hang_up(const Job& job) const {
  for (Inner* inner : std::vector(job.exchanges.begin(), job.exchanges.end())) inner->hang_up();
}

Task<void> BatchRunner::take_up() {
  ++running_;
  std::vector<StoredBatch> found;
  try {
    found = co_await elsewhere(services_.helpers, [this] { return services_.store.unfinished_batches(); });
  } catch (const std::exception& fault) {
    // A database that does not answer now may do so at the next start; new batches are told of it as they come.
    services_.log.write(LogLevel::error, "batch", {{"fault", fault.what()}});
  }
  --running_;
  for (StoredBatch& batch : found) add(std::move(batch));
}

void BatchRunner::add(StoredBatch batch) {
  for (const JobPtr& job : jobs_)
    if (job->batch.id == batch.id) return;
  auto job = std::make_shared<Job>(std::move(batch), executor_);
  job->cancelled = job->batch.facts["status"] == "cancelling";
  jobs_.push_back(std::move(job));
  begin_some();
}

std::optional<StoredBatch> BatchRunner::cancel(const std::string& id) {
  for (const JobPtr& job : jobs_) {
    if (job->batch.id != id) continue;
    if (!job->cancelled) {
      job->cancelled = true;
      job->batch.facts["status"] = "cancelling";
      job->batch.facts["cancelling_at"] = now_seconds();
      hang_up(*job);
      job->bell.cancel();
    }
    return job->batch;
  }
  return {};
}

void BatchRunner::stop() {
  stopping_ = true;
  next_beat_.cancel();
  for (const JobPtr& job : jobs_) {
    hang_up(*job);
    job->bell.cancel();
  }
}

void BatchRunner::begin_some() {
  auto busy = std::ranges::count_if(jobs_, [](const JobPtr& job) { return job->begun; });
  for (const JobPtr& job : jobs_) {
    if (stopping_ || busy >= batches_at_once) return;
    if (std::exchange(job->begun, true)) continue;
    ++busy;
    ++running_;
    boost::asio::co_spawn(executor_, work(job), boost::asio::detached);
  }
}

/// The store failed: the batch stays as it is there, and goes on when the server starts again.
void BatchRunner::broke(Job& job, const std::exception& fault) {
  job.broken = true;
  services_.log.write(LogLevel::error, "batch", {{"id", job.batch.id}, {"fault", fault.what()}});
}

bool BatchRunner::over(const Job& job) const { return stopping_ || job.cancelled || job.expired || job.broken; }

Task<void> BatchRunner::save(JobPtr job) {
  const StoredBatch batch = job->batch;
  co_await elsewhere(services_.helpers, [this, &batch] { services_.store.put(batch); });
}

Task<void> BatchRunner::work(JobPtr job) {
  try {
    const bool ours = co_await elsewhere(services_.helpers, [this, &job] { return lease(*job); });
    if (ours) {
      co_await work_lines(job);
      if (stopping_)
        co_await elsewhere(services_.helpers, [this, &job] { services_.store.release(job->batch.id, server_); });
    }
  } catch (const std::exception& fault) {
    broke(*job, fault);
  }
  jobs_.remove(job);
  --running_;
  begin_some();
}

Task<void> BatchRunner::work_lines(JobPtr job) {
  const bool readable = co_await read_input(job);
  if (!readable) co_return;
  for (int i = 0; i < lines_at_once; ++i) {
    ++job->workers;
    boost::asio::co_spawn(executor_, worker(job), boost::asio::detached);
  }
  while (job->workers > 0) {
    job->bell.expires_after(std::chrono::hours(1));
    boost::system::error_code rung;
    co_await job->bell.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, rung));
  }
  if (stopping_ || job->broken) co_return;
  co_await finish(job);
}

/// The lines that are still to be done. False if there is nothing to go on with.
Task<bool> BatchRunner::read_input(JobPtr job) {
  Json& facts = job->batch.facts;
  const std::string endpoint = facts["endpoint"];
  int64_t total = 0;
  auto input = co_await elsewhere(services_.helpers, [this, &job, &endpoint, &total] {
    BatchInput out;
    const auto bytes = services_.store.bytes(job->batch.client, job->batch.facts["input_file_id"]);
    if (bytes)
      out = read_batch_input(*bytes, endpoint);
    else
      out.faults.push_back({{"code", "file_not_found"},
                            {"message", "the input file is not there any more"},
                            {"param", "input_file_id"},
                            {"line", nullptr}});
    const auto done = services_.store.lines_done(job->batch.id);
    std::erase_if(out.lines, [&](const BatchLine& line) { return std::ranges::binary_search(done, line.line); });
    total = static_cast<int64_t>(out.lines.size() + done.size());
    return out;
  });
  if (!input.faults.empty()) {
    facts["status"] = "failed";
    facts["failed_at"] = now_seconds();
    facts["errors"] = {{"object", "list"}, {"data", input.faults}};
    job->batch.unfinished = false;
    co_await save(job);
    co_return false;
  }
  job->lines = std::move(input.lines);
  facts["request_counts"]["total"] = total;
  if (!job->cancelled) {
    facts["status"] = "in_progress";
    if (!facts.contains("in_progress_at")) facts["in_progress_at"] = now_seconds();
  }
  const bool was = job->cancelled;
  co_await save(job);
  if (job->cancelled != was) co_await save(job);  // whichever of the two came last to the store, it says so now
  co_return true;
}

Task<void> BatchRunner::finish(JobPtr job) {
  Json& facts = job->batch.facts;
  const int64_t now = now_seconds();
  facts["finalizing_at"] = now;
  const std::string status = job->cancelled ? "cancelled" : job->expired ? "expired" : "completed";
  facts["status"] = status;
  facts[status + "_at"] = now;
  StoredFile output{new_id("file-"), job->batch.id + "_output.jsonl", "batch_output", 0, now_microseconds(), {}};
  StoredFile errors{new_id("file-"), job->batch.id + "_error.jsonl", "batch_output", 0, now_microseconds(), {}};
  const StoredBatch batch = job->batch;
  co_await elsewhere(services_.helpers,
                     [this, &batch, &output, &errors] { services_.store.finish(batch, output, errors); });
}

Task<void> BatchRunner::worker(JobPtr job) {
  try {
    while (!over(*job) && job->next < job->lines.size()) {
      if (now_seconds() >= job->batch.facts["expires_at"].get<int64_t>()) {
        job->expired = true;
        break;
      }
      const size_t index = job->next++;
      co_await run_line(job, index);
    }
  } catch (const std::exception& fault) {
    broke(*job, fault);
  }
  --job->workers;
  job->bell.cancel();
}

Task<void> BatchRunner::run_line(JobPtr job, size_t index) {
  const BatchLine line = job->lines[index];
  for (double wait = 1;; wait = std::min(wait * 2, longest_wait)) {
    // The key's limits hold here too; what it has left is for those who wait for an answer.
    while (!over(*job)) {
      const double until = services_.limits.wait_for_half(job->batch.client);
      if (until <= 0) break;
      co_await pause(job, std::min(until, 1.0));
    }
    if (over(*job)) co_return;
    HttpRequest request;
    request.method = "POST";
    request.path = job->batch.facts["endpoint"];
    request.headers = {{"content-type", "application/json"}};
    request.body = line.body;
    request.id = new_id("req_");
    request.client.name = job->batch.client;
    request.client.priority = batch_priority;
    request.client.models = job->batch.models;
    Inner inner(job, std::move(request));
    const int status = co_await answer_line(job, inner);
    if (status == 0) co_return;  // broken off: it has no result
    if (status != 429 && status != 503) {
      LineResult result{line.line, status >= 400,
                        batch_output_line(line.custom_id, inner.request().id, status, inner.body)};
      co_await elsewhere(services_.helpers, [this, &job, &result] { services_.store.put(job->batch.id, result); });
      co_return;
    }
    co_await pause(job, wait);
    if (over(*job)) co_return;
  }
}

Task<void> BatchRunner::pause(JobPtr job, double seconds) {
  for (double waited = 0; waited < seconds && !over(*job); waited += 0.1) {
    boost::asio::steady_timer timer(executor_, std::chrono::milliseconds(100));
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

/// The status of the answer that `inner` then holds; 0 if there is none.
Task<int> BatchRunner::answer_line(JobPtr job, Inner& inner) {
  const auto route = routes_.find(inner.request().path);
  std::optional<Problem> problem;
  try {
    if (route == routes_.end()) throw not_built("endpoint", say("'{}' is not built", inner.request().path));
    co_await route->second.handle(services_, inner);
  } catch (const Gone&) {
    co_return 0;
  } catch (const Problem& fault) {
    problem = fault;
  } catch (const Error& fault) {
    problem = Problem(fault);
  } catch (const std::exception&) {
    problem = Problem(say("the server had an error while answering")).status(500);
  }
  if (over(*job) && (problem || inner.gone())) co_return 0;
  if (problem) {
    inner.status = problem->status();
    inner.body = json_text(problem->openai());
  }
  co_return inner.status;
}

}  // namespace madang
