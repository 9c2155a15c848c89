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
#include "serve/log.h"

namespace madang {
namespace {

// Enough that the engine's steps are shared by several sequences, few enough that a person who comes finds room.
constexpr int batches_at_once = 4, lines_at_once = 4;
constexpr int batch_priority = -1000;  // below every key: those are set by people, near 0
constexpr double longest_wait = 30;    // seconds, for a server that is too busy

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

BatchRunner::BatchRunner(boost::asio::any_io_executor executor, Services& services, const std::vector<Route>& routes)
    : executor_(std::move(executor)), services_(services) {
  const auto known = endpoints();
  for (const Route& route : routes)
    if (route.method == "POST" && std::ranges::count(known, route.pattern)) routes_[route.pattern] = route;
}

BatchRunner::~BatchRunner() = default;

void BatchRunner::start() { boost::asio::co_spawn(executor_, take_up(), boost::asio::detached); }

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
      for (Inner* inner : std::vector(job->exchanges.begin(), job->exchanges.end())) inner->hang_up();
      job->bell.cancel();
    }
    return job->batch;
  }
  return {};
}

void BatchRunner::stop() {
  stopping_ = true;
  for (const JobPtr& job : jobs_) {
    for (Inner* inner : std::vector(job->exchanges.begin(), job->exchanges.end())) inner->hang_up();
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
    co_await work_lines(job);
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
    for (double waited = 0; waited < wait && !over(*job); waited += 0.1) {
      boost::asio::steady_timer timer(executor_, std::chrono::milliseconds(100));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    if (over(*job)) co_return;
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
