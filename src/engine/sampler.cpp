#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/random.h"

namespace madang {
namespace {

[[noreturn]] void refuse(const char* field, std::string range, std::string found) {
  throw Error(Kind::usage, say("{} is outside its range", field)).expected(std::move(range)).found(std::move(found));
}

void check_range(const char* field, double value, double low, double high, bool open_low = false) {
  if ((open_low ? value > low : value >= low) && value <= high) return;  // false for NaN
  refuse(field, fmt::format("{}{} to {}", open_low ? "above " : "", low, high), fmt::format("{}", value));
}

// Ids of the k largest, falling; of equals the lower id first. One pass, with a heap whose top is the least of them.
std::vector<int32_t> largest(std::span<const float> x, size_t k) {
  if (k == 0) return {};
  auto better = [&](int32_t a, int32_t b) {
    const float xa = x[static_cast<size_t>(a)], xb = x[static_cast<size_t>(b)];
    return xa > xb || (xa == xb && a < b);
  };
  std::vector<int32_t> best;
  best.reserve(std::min(k, x.size()));
  for (int32_t id = 0; id < static_cast<int32_t>(x.size()); ++id) {
    if (best.size() < k) {
      best.push_back(id), std::ranges::push_heap(best, better);
    } else if (better(id, best.front())) {
      std::ranges::pop_heap(best, better);
      best.back() = id;
      std::ranges::push_heap(best, better);
    }
  }
  std::ranges::sort_heap(best, better);
  return best;
}

// The first of the largest: their value in so many lanes, then where it is. A vocabulary is a quarter of a million
// numbers, and one comparison after the other takes as long as a layer.
int32_t largest_id(std::span<const float> x) {
  constexpr size_t lanes = 32;
  float top[lanes];
  std::ranges::fill(top, x.front());
  size_t i = 0;
  for (; i + lanes <= x.size(); i += lanes)
    for (size_t j = 0; j < lanes; ++j) top[j] = x[i + j] > top[j] ? x[i + j] : top[j];
  for (; i < x.size(); ++i) top[0] = std::max(top[0], x[i]);
  return static_cast<int32_t>(std::ranges::find(x, *std::ranges::max_element(top)) - x.begin());
}

// Finite somewhere, and nowhere NaN or +infinity. No early way out: the loop stays one of vectors.
bool usable(std::span<const float> logits) {
  bool possible = false, broken = false;
  for (float x : logits) {
    broken |= !(x < std::numeric_limits<float>::infinity());
    possible |= x > -std::numeric_limits<float>::infinity();
  }
  return possible && !broken;
}

// A token that may still be drawn. `weight` is its probability up to a factor, `key` the order in which a filter
// prefers tokens.
struct Candidate {
  double weight, key;
  int32_t id;
};
using Candidates = std::vector<Candidate>;

double total(const Candidates& all) {
  double sum = 0;
  for (const Candidate& c : all) sum += c.weight;
  return sum;
}

// Keeps the fewest, in order of key, whose weights reach `wanted`; with `equals`, also those whose key is the
// last one's. Sorts no more than it needs: few tokens hold most of the mass, so the front grows by steps.
void keep_mass(Candidates& all, double wanted, bool equals) {
  auto before = [](const Candidate& a, const Candidate& b) { return a.key < b.key || (a.key == b.key && a.id < b.id); };
  double reached = 0;
  size_t sorted = 0, kept = 0;
  for (size_t step = 64; kept < all.size() && reached < wanted; step *= 4) {
    const size_t end = std::min(all.size(), sorted + step);
    const auto from = all.begin() + static_cast<ptrdiff_t>(sorted), to = all.begin() + static_cast<ptrdiff_t>(end);
    if (to != all.end()) std::nth_element(from, to, all.end(), before);
    std::sort(from, to, before);
    sorted = end;
    for (; kept < sorted && reached < wanted; ++kept) reached += all[kept].weight;
  }
  auto end = all.begin() + static_cast<ptrdiff_t>(kept);
  if (equals && kept > 0)
    end = std::partition(end, all.end(), [key = all[kept - 1].key](const Candidate& c) { return c.key == key; });
  all.erase(end, all.end());
}

void keep_typical(Candidates& all, double mass) {
  const double sum = total(all);
  double entropy = 0;
  for (Candidate& c : all) c.key = -std::log(c.weight / sum), entropy += c.weight / sum * c.key;
  for (Candidate& c : all) c.key = std::fabs(c.key - entropy);
  keep_mass(all, mass * sum, true);
}

// Of usable logits.
Sampled judge(std::span<const float> logits, int32_t token, int top) {
  const double norm = log_sum_exp(logits);
  auto logprob = [&](int32_t id) {
    return static_cast<float>(static_cast<double>(logits[static_cast<size_t>(id)]) - norm);
  };
  Sampled result{.id = token, .logprob = logprob(token), .top = {}};
  for (int32_t id : largest(logits, static_cast<size_t>(top))) result.top.push_back({id, logprob(id)});
  return result;
}

}  // namespace

void SamplerOptions::check(int64_t vocabulary) const {
  check_range("temperature", temperature, 0, 100);
  if (top_k < 0) refuse("top_k", "0 or more", std::to_string(top_k));
  check_range("top_p", top_p, 0, 1, true);
  check_range("min_p", min_p, 0, 1);
  check_range("typical_p", typical_p, 0, 1, true);
  check_range("repetition_penalty", repetition_penalty, 0, 100, true);
  check_range("frequency_penalty", frequency_penalty, -2, 2);
  check_range("presence_penalty", presence_penalty, -2, 2);
  for (auto [id, bias] : logit_bias) {
    if (id < 0 || id >= vocabulary)
      refuse("logit_bias", fmt::format("ids 0 to {}", vocabulary - 1), std::to_string(id));
    check_range("logit_bias", bias, -100, 100);
  }
  if (logprobs) check_range("logprobs", *logprobs, 0, 20);
}

Sampler::Sampler(SamplerOptions options, std::span<const int32_t> prompt) : options_(std::move(options)) {
  if (options_.repetition_penalty != 1)
    for (int32_t id : prompt) seen_.emplace(id, 0);
}

void Sampler::penalize(std::vector<float>& logits) const {
  auto change = [&](int32_t id, auto&& f) {
    float& x = logits[static_cast<size_t>(id)];
    // Finite stays finite: -infinity would rule a token out that is only unwelcome.
    constexpr double most = std::numeric_limits<float>::max();
    if (std::isfinite(x)) x = static_cast<float>(std::clamp(f(static_cast<double>(x)), -most, most));
  };
  for (auto [id, bias] : options_.logit_bias) change(id, [&](double x) { return x + bias; });
  for (auto [id, count] : seen_) {
    const double repetition = options_.repetition_penalty;
    change(id, [&](double x) { return x > 0 ? x / repetition : x * repetition; });
    if (count > 0)
      change(id, [&](double x) {
        return x - static_cast<double>(count) * options_.frequency_penalty - options_.presence_penalty;
      });
  }
}

int32_t Sampler::draw(std::span<const float> logits) const {
  const float top = *std::ranges::max_element(logits);
  float least = -std::numeric_limits<float>::infinity();
  if (options_.top_k > 0 && options_.top_k < static_cast<int64_t>(logits.size()))
    least = logits[static_cast<size_t>(largest(logits, static_cast<size_t>(options_.top_k)).back())];
  Candidates all;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] < least) continue;
    // Relative to the largest: no temperature overflows.
    const double weight = std::exp((static_cast<double>(logits[i]) - top) / options_.temperature);
    if (weight > 0) all.push_back({weight, -weight, static_cast<int32_t>(i)});
  }
  if (options_.top_p < 1) {
    // Most of a vocabulary weighs nothing: what stays out below is, all together, half of what top_p leaves out.
    const double sum = total(all);
    const double nothing = (1 - options_.top_p) * sum / (2 * static_cast<double>(all.size()));
    std::erase_if(all, [&](const Candidate& c) { return c.weight < nothing; });
    keep_mass(all, options_.top_p * sum, false);
  }
  std::erase_if(all, [&](const Candidate& c) { return c.weight < options_.min_p; });  // the largest weighs 1
  if (options_.typical_p < 1) keep_typical(all, options_.typical_p);

  double left = Random(options_.seed, static_cast<uint64_t>(draws_)).uniform() * total(all);
  for (const Candidate& c : all)
    if ((left -= c.weight) < 0) return c.id;
  return all.back().id;  // rounding
}

std::optional<int32_t> Sampler::pick(std::span<const float> logits) {
  if (!usable(logits)) return {};
  int32_t id = 0;
  if (options_.logit_bias.empty() && seen_.empty()) {
    id = options_.temperature == 0 ? largest_id(logits) : draw(logits);
  } else {
    std::vector<float> changed(logits.begin(), logits.end());
    penalize(changed);
    id = options_.temperature == 0 ? largest_id(changed) : draw(changed);
  }
  ++draws_;
  if (options_.repetition_penalty != 1 || options_.frequency_penalty != 0 || options_.presence_penalty != 0)
    ++seen_[id];
  return id;
}

std::optional<Sampled> Sampler::sample(std::span<const float> logits) {
  const std::optional<int32_t> id = pick(logits);
  if (!id) return {};
  if (options_.logprobs) return judge(logits, *id, *options_.logprobs);
  return Sampled{.id = *id, .top = {}};
}

std::optional<Sampled> judged(std::span<const float> logits, int32_t id, int top) {
  if (!usable(logits)) return {};
  return judge(logits, id, top);
}

Error not_numbers(Text what) {
  return Error(Kind::format, std::move(what))
      .hint(say("a weight may be damaged: fetch the file again, or convert it anew"));
}

double log_sum_exp(std::span<const float> x) {
  const double top = *std::ranges::max_element(x);
  double sum = 0;
  for (float v : x) sum += std::exp(static_cast<double>(v) - top);
  return top + std::log(sum);
}

}  // namespace madang
