#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace madang {
namespace {

void check_least(const char* option, int64_t value, int64_t least) {
  if (value < least)
    throw Error(Kind::usage, say("{} is outside its range", option))
        .expected(fmt::format(">= {}", least))
        .found(std::to_string(value));
}

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, Bytes bytes, Reuse reuse)
    : options_(options), bytes_(std::move(bytes)), reuse_(std::move(reuse)) {
  check_least("chunk", options_.chunk, 1);
  check_least("step_tokens", options_.step_tokens, 2);  // one for an answer, one for a prompt
  check_least("running", options_.running, 1);
  check_least("memory", options_.memory, 0);
}

void Scheduler::add(Id id, int64_t known, int64_t limit, std::vector<int64_t> cuts) {
  if (options_.memory > 0 && bytes_(limit) > options_.memory)
    throw Error(Kind::limit, say("the state of {} tokens does not fit in the memory for states", limit))
        .expected(fmt::format("<= {} B", options_.memory))
        .found(fmt::format("{} B", bytes_(limit)));
  items_[id] = {.known = known, .arrival = ++arrivals_, .cuts = std::move(cuts)};
  queue_.push_back(id);
}

void Scheduler::add_running(Id id, int64_t known, int64_t computed, std::vector<int64_t> cuts) {
  items_[id] = {.known = known, .computed = computed, .arrival = ++arrivals_, .running = true, .cuts = std::move(cuts)};
}

int64_t Scheduler::memory() const {
  int64_t sum = 0;
  for (const auto& [id, item] : items_)
    if (item.running) sum += bytes_(item.known);
  return sum;
}

void Scheduler::preempt(Plan& plan) {
  if (options_.memory == 0) return;
  for (int64_t used = memory(); used > options_.memory;) {
    auto last = items_.end();
    int64_t running = 0;
    for (auto it = items_.begin(); it != items_.end(); ++it)
      if (it->second.running && (++running, last == items_.end() || it->second.arrival > last->second.arrival))
        last = it;
    if (running <= 1) return;
    used -= bytes_(last->second.known);
    last->second.running = false, last->second.computed = 0;
    queue_.push_front(last->first);
    plan.preempted.push_back(last->first);
  }
}

void Scheduler::admit() {
  int64_t running = std::ranges::count_if(items_, [](const auto& entry) { return entry.second.running; });
  int64_t used = options_.memory > 0 ? memory() : 0;
  while (!queue_.empty() && running < options_.running) {
    Item& item = items_.at(queue_.front());
    if (options_.memory > 0 && running > 0 && used + bytes_(item.known + 1) > options_.memory) return;
    item.computed = std::clamp<int64_t>(reuse_(queue_.front()), 0, item.known - 1);
    item.running = true, ++running;
    if (options_.memory > 0) used += bytes_(item.known);
    queue_.pop_front();
  }
}

int64_t Scheduler::piece_length(const Item& item, int64_t most) {
  int64_t length = std::min(item.known - item.computed, most);
  for (int64_t position : item.cuts)
    if (position > item.computed) length = std::min(length, position - item.computed);
  return length;
}

Scheduler::Plan Scheduler::plan() {
  Plan plan;
  ++steps_;
  preempt(plan);
  admit();
  std::vector<std::pair<Id, Item*>> answering, prompts;
  for (auto& [id, item] : items_)
    if (item.running && item.computed < item.known)
      (item.known - item.computed == 1 ? answering : prompts).emplace_back(id, &item);
  int64_t left = options_.step_tokens;
  auto serve = [&](auto& group, int64_t most) {
    std::ranges::sort(group, {},
                      [](const auto& entry) { return std::tuple(entry.second->served, entry.second->arrival); });
    for (auto& [id, item] : group) {
      const int64_t count = piece_length(*item, most);
      if (count <= 0) return;
      plan.pieces.push_back({id, item->computed, count, item->computed + count == item->known});
      item->computed += count, item->served = steps_;
      most -= count, left -= count;
    }
  };
  // Many answers must not shut out the prompts: half of a step, or a chunk, is theirs.
  const int64_t reserved = prompts.empty() ? 0 : std::min(options_.chunk, options_.step_tokens / 2);
  serve(answering, left - reserved);
  serve(prompts, std::min(options_.chunk, left));
  return plan;
}

void Scheduler::rewind(Id id, int64_t known, int64_t computed) {
  Item& item = items_.at(id);
  if (!item.running) std::erase(queue_, id);
  item.known = known, item.computed = computed, item.running = true;
}

void Scheduler::remove(Id id) {
  std::erase(queue_, id);
  items_.erase(id);
}

}  // namespace madang
