#include "engine/scheduler.h"

#include <algorithm>
#include <compare>

#include "base/error.h"

namespace madang {
namespace {

// Work of one token at weight 1: the least that every weight up to a million divides into a whole number above 0.
// 2^63 of it are nine million million tokens.
constexpr int64_t token_work = 1'000'000;

void check_least(const char* option, int64_t value, int64_t least) {
  if (value < least)
    throw Error(Kind::usage, say("{} is outside its range", option))
        .expected(fmt::format(">= {}", least))
        .found(std::to_string(value));
}

}  // namespace

// Smaller is more urgent.
struct Scheduler::Urgency {
  int behind_others;
  int64_t work, tag, arrival;
  explicit Urgency(const Item& item)
      : behind_others(-item.flow->priority), work(item.flow->work), tag(item.tag), arrival(item.arrival) {}
  auto operator<=>(const Urgency&) const = default;
};

Scheduler::Scheduler(const SchedulerOptions& options, Bytes bytes, Begin begin)
    : options_(options), bytes_(std::move(bytes)), begin_(std::move(begin)) {
  check_least("chunk", options_.chunk, 1);
  check_least("step_tokens", options_.step_tokens, 2);  // one for an answer, one for a prompt
  check_least("running", options_.running, 1);
  check_least("memory", options_.memory, 0);
}

Scheduler::Flow& Scheduler::join(const Share& share) {
  const std::pair key{share.priority, share.flow};
  // The least work of the flows of this priority that have something to do; nothing if there is none.
  const Flow* least = nullptr;
  for (const auto& [name, flow] : flows_)
    if (name.first == share.priority && flow.items > 0 && (!least || flow.work < least->work)) least = &flow;
  const int64_t now = least ? least->work : 0;
  // Those that are away are remembered only while they have had more than others.
  std::erase_if(flows_, [&](const auto& entry) {
    return entry.first.first == share.priority && entry.second.items == 0 && (!least || entry.second.work <= now);
  });
  Flow& flow = flows_.try_emplace(key, Flow{.priority = share.priority, .work = now}).first->second;
  flow.weight = std::clamp<int64_t>(share.weight, 1, token_work);
  ++flow.items;
  return flow;
}

Scheduler::Item& Scheduler::place(Id id, const Share& share, Item item) {
  Flow& flow = join(share);
  item.flow = &flow, item.arrival = ++arrivals_, item.cost = std::max<int64_t>(1, share.cost);
  item.tag = flow.prompts + item.known * item.cost;
  running_ += item.running;
  return items_[id] = std::move(item);
}

void Scheduler::add(Id id, int64_t known, int64_t limit, const Share& share, std::vector<int64_t> cuts) {
  if (options_.memory > 0 && bytes_(limit) > options_.memory)
    throw Error(Kind::limit, say("the state of {} tokens does not fit in the memory for states", limit))
        .expected(fmt::format("<= {} B", options_.memory))
        .found(fmt::format("{} B", bytes_(limit)));
  place(id, share, {.known = known, .cuts = std::move(cuts)});
}

void Scheduler::add_running(Id id, int64_t known, int64_t computed, const Share& share, std::vector<int64_t> cuts) {
  place(id, share, {.known = known, .computed = computed, .running = true, .cuts = std::move(cuts)});
}

int64_t Scheduler::memory() const {
  int64_t sum = 0;
  for (const auto& [id, item] : items_)
    if (item.running) sum += bytes_(item.known);
  return sum;
}

void Scheduler::preempt(Plan& plan) {
  if (options_.memory == 0) return;
  auto stays = [](const Item& item) { return std::pair(item.flow->priority, -item.arrival); };
  for (int64_t used = memory(); used > options_.memory && running_ > 1;) {
    Entry* least = nullptr;
    for (Entry& entry : items_)
      if (entry.second.running && (!least || stays(entry.second) < stays(least->second))) least = &entry;
    used -= bytes_(least->second.known);
    least->second.running = least->second.again = false, least->second.computed = least->second.guesses = 0, --running_;
    plan.preempted.push_back(least->first);
  }
}

void Scheduler::fit_guesses() {
  if (options_.memory == 0) return;
  int64_t bytes = 0;
  for (const auto& [id, item] : items_)
    if (item.running) bytes += bytes_(item.known + item.guesses);
  if (bytes > options_.memory)
    for (auto& [id, item] : items_) item.guesses = 0;
}

bool Scheduler::held(const Item& item) const {
  if (item.behind == 0) return false;
  const auto leader = items_.find(item.behind);
  return leader != items_.end() && leader->second.running && leader->second.computed < item.until;
}

void Scheduler::admit() {
  if (waiting() == 0) return;
  std::vector<Entry*> open;
  for (Entry& entry : items_)
    if (!entry.second.running && !held(entry.second)) open.push_back(&entry);
  std::ranges::sort(open, {}, [](const Entry* e) { return Urgency(e->second); });
  int64_t used = options_.memory > 0 ? memory() : 0;
  for (Entry* entry : open) {
    Item& item = entry->second;
    if (static_cast<int64_t>(running_) >= options_.running) return;
    if (options_.memory > 0 && running_ > 0 && used + bytes_(item.known + 1) > options_.memory) return;
    const Start start = begin_(entry->first);
    item.behind = start.behind, item.until = start.until;
    if (held(item)) continue;
    item.behind = 0, item.computed = std::clamp<int64_t>(start.computed, 0, item.known - 1);
    item.running = true, ++running_;
    if (options_.memory > 0) used += bytes_(item.known);
  }
}

void Scheduler::take(Entry& entry, int64_t most, int64_t guesses, Plan& plan, int64_t& left) {
  Item& item = entry.second;
  const int64_t lacking = item.known - item.computed, cost = lacking > 1 && !item.again ? item.cost : 1;
  int64_t count = std::min(lacking, std::max<int64_t>(1, most / cost));
  for (int64_t position : item.cuts)
    if (position > item.computed)
      count = std::min(count, position - item.computed), guesses = std::min(guesses, position - item.computed - count);
  const bool last = count == lacking;
  if (!last) guesses = 0;
  plan.pieces.push_back({entry.first, item.computed, count, last, guesses});
  item.computed += count, item.guesses = 0, item.again &= !last, item.served = steps_;
  left -= count * cost + guesses;
  item.flow->work += (count * cost + guesses) * (token_work / item.flow->weight);
}

void Scheduler::answer(std::vector<Entry*> group, int64_t most, Plan& plan, int64_t& left) {
  int64_t wanted = 0;
  for (const Entry* entry : group) wanted += entry->second.known - entry->second.computed;
  if (wanted > most)
    std::ranges::sort(group, {}, [](const Entry* e) { return std::pair(e->second.served, e->second.arrival); });
  int64_t spare = std::max<int64_t>(0, most - wanted);
  for (Entry* entry : group) {
    if (most <= 0) return;
    const int64_t guesses = std::min(entry->second.guesses, spare), before = left;
    spare -= guesses;
    take(*entry, most, guesses, plan, left), most -= before - left;
  }
}

void Scheduler::read(std::vector<Entry*> group, int64_t most, Plan& plan, int64_t& left) {
  // Whoever is waited for stands where the most urgent of those that wait would.
  std::map<Id, Item*> stands_for;
  for (auto& [id, item] : items_)
    if (!item.running && held(item))
      if (Item*& best = stands_for[item.behind]; !best || Urgency(item) < Urgency(*best)) best = &item;
  auto urgency = [&](const Entry* e) {
    const auto other = stands_for.find(e->first);
    const Urgency own(e->second);
    return other == stands_for.end() ? own : std::min(own, Urgency(*other->second));
  };
  while (most > 0 && !group.empty()) {
    const auto next = std::ranges::min_element(group, {}, urgency);  // anew each time: work has grown
    Item& item = (*next)->second;
    const int64_t before = left;
    take(**next, most, 0, plan, left);
    item.flow->prompts += before - left, most -= before - left;
    group.erase(next);
  }
}

Scheduler::Plan Scheduler::plan() {
  Plan plan;
  ++steps_;
  preempt(plan);
  if (plan.preempted.empty()) admit();  // what was put back still holds its state until the plan is followed
  fit_guesses();
  std::vector<Entry*> answering, prompts;
  for (Entry& entry : items_)
    if (const Item& item = entry.second; item.running && item.computed < item.known)
      (item.known - item.computed == 1 || item.again ? answering : prompts).push_back(&entry);
  int64_t left = options_.step_tokens;
  // Many answers must not shut out the prompts: half of a step, or a chunk, is theirs.
  const int64_t reserved = prompts.empty() ? 0 : std::min(options_.chunk, options_.step_tokens / 2);
  answer(std::move(answering), left - reserved, plan, left);
  read(std::move(prompts), std::min(options_.chunk, left), plan, left);
  return plan;
}

void Scheduler::rewind(Id id, int64_t known, int64_t computed) {
  Item& item = items_.at(id);
  running_ += !item.running;
  item.known = known, item.computed = computed, item.guesses = 0, item.behind = 0;
  item.running = true, item.again = false;
}

bool Scheduler::answering(Id id) const {
  const Item& item = items_.at(id);
  return item.running && item.known - item.computed == 1;
}

void Scheduler::judged(Id id, int64_t computed) {
  Item& item = items_.at(id);
  item.computed = computed, item.again = item.known - computed > 1;
}

void Scheduler::remove(Id id) {
  const auto it = items_.find(id);
  if (it == items_.end()) return;
  running_ -= it->second.running, --it->second.flow->items;
  items_.erase(it);
}

}  // namespace madang
