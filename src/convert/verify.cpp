#include "convert/verify.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/stop.h"
#include "engine/sampler.h"
#include "engine/windows.h"
#include "store/bounds.h"
#include "text/rewrite.h"

namespace madang {
namespace {

/// Weights in one common form: as a Hugging Face repository would store them, in float32.
class Common {
 public:
  explicit Common(const Checkpoint& c)
      : config_(c.config()), store_(c.shared_source(), c.config()), root_(store_.root()) {
    std::vector<NamedShape> weights = blueprint_of(config_).weights;
    std::erase_if(weights, [&](const NamedShape& w) { return w.name == "lm_head.weight" && !root_.has(w.name); });
    all_ = placements(weights, Layout::hugging_face, config_);
  }
  const std::vector<Placement>& all() const { return all_; }
  std::vector<float> read(const Placement& p, std::string_view& format) const {
    std::vector<float> values;
    const GetWeight get = [&](const NamedShape& w) {
      StoredTensor t = root_.stored(w.name, w.shape);
      format = t.type_name();
      return t;
    };
    put_together(p, config_, get, [&](const StoredTensor& part) {
      const size_t at = values.size();
      values.resize(at + static_cast<size_t>(part.numel()));
      part.decode(values.data() + at);
      if (part.file) part.file->release(part.bytes);
    });
    return values;
  }

 private:
  const Config& config_;
  WeightStore store_;
  Scope root_;
  std::vector<Placement> all_;
};

void compare_weights(const Checkpoint& a, const Checkpoint& b, const VerifyOptions& options, Verification& out) {
  const Common first(a), second(b);
  int64_t total = 0, done = 0;
  for (const Placement& p : first.all())
    for (const NamedShape& w : p.weights) total += 4 * w.numel();
  for (const Placement& p : first.all()) {
    const auto other = std::ranges::find(second.all(), p.name, &Placement::name);
    if (other == second.all().end() || other->shape != p.shape)
      throw Error(Kind::mismatch, say("the second model has no tensor like {}", p.name))
          .at(b.path())
          .expected(shape_text(p.shape))
          .found(other == second.all().end() ? "" : shape_text(other->shape));
    TensorDifference d;
    d.name = p.name;
    const std::vector<float> x = first.read(p, d.from), y = second.read(*other, d.to);
    double squares = 0, wrong = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double e = static_cast<double>(x[i]) - static_cast<double>(y[i]);
      squares += static_cast<double>(x[i]) * static_cast<double>(x[i]), wrong += e * e;
      d.largest = std::max(d.largest, std::isnan(e) ? INFINITY : std::abs(e));
    }
    d.relative = wrong == 0 ? 0 : squares > 0 ? std::sqrt(wrong / squares) : INFINITY;
    out.tensors.push_back(d);
    done += static_cast<int64_t>(4 * x.size());
    tell(options.progress, {say("comparing weights"), done, total, true});
  }
}

std::vector<int32_t> ids_for(const Checkpoint& a, const VerifyOptions& options) {
  if (!options.ids.empty()) return options.ids;
  std::vector<int32_t> ids;
  Random random(0x6d6164616e67);  // the same tokens for everyone
  const auto most = static_cast<uint64_t>(a.model().vocabulary());
  for (int64_t i = 0; i < options.tokens; ++i) ids.push_back(static_cast<int32_t>(random.below(most)));
  return ids;
}

void compare_answers(const Checkpoint& a, const Checkpoint& b, const std::vector<int32_t>& ids,
                     const VerifyOptions& options, Verification& out) {
  LogitsOptions asked{.work = options.work, .greedy = options.greedy, .progress = options.progress};
  const Logits x = logits_of(a.model(), ids, asked), y = logits_of(b.model(), ids, asked);
  const auto width = static_cast<size_t>(x.vocabulary);
  for (size_t t = 0; t < ids.size(); ++t) {
    const std::span<const float> p(x.values.data() + t * width, width), q(y.values.data() + t * width, width);
    const double norm = log_sum_exp(p), other = log_sum_exp(q);
    double kl = 0;
    for (size_t i = 0; i < width; ++i) {
      const double log_p = static_cast<double>(p[i]) - norm;
      kl += std::exp(log_p) * (log_p - (static_cast<double>(q[i]) - other));
      out.largest_logit = std::max(out.largest_logit, std::abs(static_cast<double>(p[i])));
      out.largest_difference =
          std::max(out.largest_difference, std::abs(static_cast<double>(p[i]) - static_cast<double>(q[i])));
    }
    kl = std::max(kl, 0.0);  // rounding
    out.kl_mean += kl / static_cast<double>(ids.size()), out.kl_most = std::max(out.kl_most, kl);
    out.same_top += std::ranges::max_element(p) - p.begin() == std::ranges::max_element(q) - q.begin();
  }
  out.positions = static_cast<int64_t>(ids.size()), out.greedy = options.greedy;
  out.greedy_same = std::ranges::mismatch(x.greedy, y.greedy).in1 - x.greedy.begin();
}

void compare_text(const Checkpoint& a, const Checkpoint& b, Verification& out) {
  out.same_template = a.chat_template_text() == b.chat_template_text();
  std::vector<int32_t> first = a.defaults().ends, second = b.defaults().ends;
  std::ranges::sort(first), std::ranges::sort(second);
  out.same_ends = first == second;
  if (!a.tokenizer() || !b.tokenizer()) {
    out.same_tokenizer = !a.tokenizer() && !b.tokenizer();
    return;
  }
  try {
    same_tokenizer(*a.tokenizer(), *b.tokenizer());
  } catch (const Error&) {
    out.same_tokenizer = false;
  }
}

}  // namespace

Verification verify(const Checkpoint& a, const Checkpoint& b, const VerifyOptions& options) {
  if (a.model().vocabulary() != b.model().vocabulary())
    throw Error(Kind::mismatch, say("the two models have different vocabularies"))
        .expected(std::to_string(a.model().vocabulary()))
        .found(std::to_string(b.model().vocabulary()));
  const std::vector<int32_t> ids = ids_for(a, options);
  check_ids(ids, a.model().vocabulary());
  Verification out;
  compare_weights(a, b, options, out);
  compare_answers(a, b, ids, options, out);
  compare_text(a, b, out);
  const bool equal = std::ranges::all_of(out.tensors, [](const TensorDifference& d) { return d.relative == 0; });
  if (!out.same_tokenizer || !(out.kl_mean <= options.most_kl))
    out.verdict = Verdict::different;
  else if (equal && out.largest_difference <= 1e-4 * out.largest_logit)
    out.verdict = Verdict::same;
  else
    out.verdict = out.kl_mean <= 1e-5 ? Verdict::rounding : Verdict::close;
  return out;
}

}  // namespace madang
