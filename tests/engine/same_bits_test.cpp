// The same bits: random mixes of requests, batches, chunks, threads, cached prefixes, forks, restores, preemption and
// cancelling; every row of logits that anyone was sampled from equals, bit by bit, that of its tokens computed alone,
// at once, on one thread.
#include <cstring>

#include "models.h"

namespace madang {
namespace {

struct Row {
  std::vector<int32_t> tokens;
  std::vector<float> logits;
};

struct Coverage {
  int64_t rows = 0, hits = 0, preemptions = 0, restores = 0, forks = 0, batched = 0;
};

class SameBits : public test::OnTinyModels {
 protected:
  EngineOptions scheduled(int trial) {
    EngineOptions o = options(trial, 200);
    o.schedule = {.chunk = between(1, 70), .step_tokens = between(2, 100), .running = between(1, 6)};
    if (trial % 2 == 0) o.schedule.running = 6, o.schedule.memory = 1;  // see trial()
    o.cache_bytes = trial % 3 == 2 ? 0 : int64_t{1} << between(18, 24);
    return o;
  }

  void act(Engine& engine, std::vector<std::pair<int64_t, Mark>>& marks, int64_t requests) {
    try {
      switch (const int64_t request = between(1, requests); between(0, 11)) {
        case 0:
        case 1:
        case 2:
          marks.emplace_back(request, engine.mark(request));
          break;
        case 3:
        case 4:
          if (!marks.empty()) engine.restore(marks.back().first, 0, marks.back().second), ++coverage_.restores;
          break;
        case 5:
          engine.fork(request, 0, random_.bits()), ++coverage_.forks;
          break;
        case 6:
          if (!marks.empty()) engine.resume(marks.front().second, random_.bits()), ++coverage_.forks;
          break;
        case 7:
          engine.cancel(request);
          break;
        default:
          break;
      }
    } catch (const Error& fault) {
      ASSERT_EQ(fault.kind(), Kind::missing) << fault.what();  // has ended
    }
  }

  std::vector<Row> mix(const Model& model, const EngineOptions& o, int64_t& context) {
    std::vector<Row> rows;
    Engine engine(model, nullptr, 0, o);
    context = engine.context();
    engine.on_logits = [&](int64_t request, int choice, std::span<const float> logits) {
      rows.push_back({engine.mark(request, choice)->tokens, {logits.begin(), logits.end()}});
    };
    const std::vector<int32_t> common = some_ids(150);
    std::vector<std::pair<int64_t, Mark>> marks;
    int64_t requests = 0;
    // Bounded: forks and restores for ever would never come to an end.
    for (int64_t left = 8, acts = 60; left > 0 || engine.busy();) {
      if (left > 0 && between(0, 2) == 0) {
        Request r{.prompt = {common.begin(), common.begin() + between(1, 150)}};
        const auto own = some_ids(between(0, 20));
        r.prompt.insert(r.prompt.end(), own.begin(), own.end());
        r.sampler.seed = random_.bits();
        r.max_tokens = between(1, 12), r.n = static_cast<int>(between(1, 3));
        if (between(0, 1)) r.marks = {between(1, static_cast<int64_t>(r.prompt.size()))};
        requests = engine.submit(std::move(r)), --left;
      }
      if (requests > 0 && acts-- > 0) act(engine, marks, requests);
      const size_t before = rows.size();
      for (const Event& e : engine.step()) EXPECT_NE(e.finish, Finish::failed) << e.fault->what();
      coverage_.batched += rows.size() > before + 1;
    }
    coverage_.hits += engine.stats().cache.hits, coverage_.preemptions += engine.stats().preemptions;
    return rows;
  }

  void compare(const Model& model, std::vector<Row> rows, const EngineOptions& o, int64_t context) {
    // From the last in order of tokens to the first: what begins another's tokens comes right behind it.
    std::ranges::sort(rows, std::greater{}, &Row::tokens);
    Workplace alone({.threads = 1, .compute = o.work.compute});
    const std::vector<StateSpec> specs = model.states();
    std::vector<int32_t> done;
    Tensor all;
    for (const Row& row : rows) {
      if (!std::ranges::equal(row.tokens, std::span(done).first(std::min(row.tokens.size(), done.size())))) {
        SequenceState state(specs, o.kv, context);
        Step step;
        step.add(done = row.tokens, &state, Step::Want::all);
        all = alone.forward(model, step);
      }
      const float* want = all.row(static_cast<int64_t>(row.tokens.size()) - 1);
      ASSERT_EQ(0, std::memcmp(want, row.logits.data(), row.logits.size() * sizeof(float)))
          << "after " << row.tokens.size() << " tokens: other bits than alone";
      ++coverage_.rows;
    }
  }

  Coverage coverage_;
};

TEST_P(SameBits, AloneAndInAnyCompany) {
  const Model& model = checkpoint_->model();
  for (int trial = 0; trial < 8; ++trial) {
    SCOPED_TRACE("trial " + std::to_string(trial));
    EngineOptions o = scheduled(trial);
    if (o.schedule.memory) {  // room for about two long sequences
      int64_t bytes = 0;
      for (const StateSpec& s : model.states())
        bytes += s.kind == StateKind::paged
                     ? s.bytes_per_token(o.kv) * 448
                     : s.bytes_at(o.kv, 200) + s.bytes_per_token(o.kv) * (200 + o.schedule.chunk);
      o.schedule.memory = bytes + (model.states()[0].kind == StateKind::recurrent ? bytes : 0);
    }
    int64_t context = 0;
    std::vector<Row> rows = mix(model, o, context);
    ASSERT_NO_FATAL_FAILURE(compare(model, std::move(rows), o, context));
  }
  // The mixes were mixes.
  EXPECT_GT(coverage_.rows, 100);
  EXPECT_GT(coverage_.hits, 0);
  EXPECT_GT(coverage_.restores, 0);
  EXPECT_GT(coverage_.forks, 0);
  EXPECT_GT(coverage_.batched, 0);
  RecordProperty("preemptions", std::to_string(coverage_.preemptions));
  std::cout << coverage_.rows << " rows, " << coverage_.hits << " hits, " << coverage_.preemptions << " preemptions, "
            << coverage_.restores << " restores, " << coverage_.forks << " forks, " << coverage_.batched
            << " batched steps\n";
}

INSTANTIATE_TEST_SUITE_P(Models, SameBits, test::on_tiny_models(), test::tiny_model_name);

}  // namespace
}  // namespace madang
