// Every op's backward against finite differences, over random shapes.
#include "ops/gradients.h"

namespace madang {
namespace {

using test::as_weight, test::check_gradients, test::random_buffer;

class Gradient : public testing::TestWithParam<int> {
 protected:
  Random random{test::seed() + static_cast<uint64_t>(GetParam())};
  int64_t T = random.between(1, 6), D = random.between(1, 11);
};

TEST_P(Gradient, Embed) {
  Buffer table = random_buffer(random, {7, D});
  const std::vector<int32_t> ids{3, 0, 3, 6};
  check_gradients([&](Ctx& c) { return embed(c, as_weight(table), ids); }, {}, {table}, random);
}

TEST_P(Gradient, Linear) {
  const int64_t out = random.between(1, 40);
  Buffer x = random_buffer(random, {T, D}), w = random_buffer(random, {out, D}), b = random_buffer(random, {out});
  check_gradients([&](Ctx& c) { return linear(c, as_weight(w), b, x); }, {x}, {w, b}, random);
  check_gradients([&](Ctx& c) { return linear(c, as_weight(w), {}, x); }, {x}, {w}, random);
}

TEST_P(Gradient, LinearInAnOrderOfItsOwn) {
  Buffer x = random_buffer(random, {T, D}), w = random_buffer(random, {7, D});
  Weight ordered = as_weight(w);
  ordered.order = std::make_shared<const std::vector<int32_t>>(test::random_order(random, D));
  check_gradients([&](Ctx& c) { return linear(c, ordered, {}, x); }, {x}, {w}, random);
}

TEST_P(Gradient, LinearUsedTwice) {  // a tied matrix sums both uses
  Buffer x = random_buffer(random, {T, D}), w = random_buffer(random, {D, D});
  check_gradients([&](Ctx& c) { return linear(c, as_weight(w), {}, linear(c, as_weight(w), {}, x)); }, {x}, {w},
                  random);
}

TEST_P(Gradient, LinearTurned) {
  const int64_t out = random.between(1, 40);
  Buffer x = random_buffer(random, {T, out}), w = random_buffer(random, {out, D});
  check_gradients([&](Ctx& c) { return linear_turned(c, as_weight(w), x); }, {x}, {w}, random);
}

TEST_P(Gradient, SliceOfAParameter) {  // its gradient is a slice of the parameter's
  const int64_t all = D + random.between(1, 5), begin = random.between(0, all - 1), n = all - begin;
  Buffer x = random_buffer(random, {T, D}), w = random_buffer(random, {all, D});
  check_gradients([&](Ctx& c) { return linear(c, as_weight(w).slice(begin, n), {}, x); }, {x}, {w}, random);
}

TEST_P(Gradient, ScaleColumns) {
  Buffer x = random_buffer(random, {T, D}), w = random_buffer(random, {D}), b = random_buffer(random, {D}),
         by = random_buffer(random, {D});
  for (int64_t i = 0; i < D; ++i) by.f32()[i] = 1 + std::fabs(by.f32()[i]);
  check_gradients([&](Ctx& c) { return scale_columns(c, x, w, by, b); }, {x}, {w, b}, random);
  check_gradients([&](Ctx& c) { return scale_columns(c, x, w, by, {}); }, {x}, {w}, random);
}

TEST_P(Gradient, RowsAndColumns) {
  Buffer x = random_buffer(random, {T, D});
  const std::vector<int32_t> which{0, static_cast<int32_t>(T - 1), 0};
  check_gradients([&](Ctx& c) { return rows(c, x, which); }, {x}, {}, random);
  const int64_t begin = random.between(0, D - 1), n = random.between(1, D - begin);
  check_gradients([&](Ctx& c) { return columns(c, x, begin, n); }, {x}, {}, random);
}

TEST_P(Gradient, RmsNorm) {
  Buffer x = random_buffer(random, {T, D}, 2), w = random_buffer(random, {D});
  const float offset = GetParam() % 2 ? 1.0f : 0.0f;
  check_gradients([&](Ctx& c) { return rms_norm(c, x, w, 0.1f, offset); }, {x}, {w}, random);
  check_gradients([&](Ctx& c) { return rms_norm(c, x, {}, 0.1f); }, {x}, {}, random);
  Buffer groups = random_buffer(random, {T * 2, D}, 2), pieces = random_buffer(random, {2, D});
  check_gradients([&](Ctx& c) { return rms_norm(c, groups, pieces, 0.1f, offset); }, {groups}, {pieces}, random);
}

TEST_P(Gradient, LayerNorm) {
  const int64_t width = D + 1, pieces = random.between(1, 3);
  Buffer x = random_buffer(random, {T * pieces, width}, 2), w = random_buffer(random, {pieces, width}),
         b = random_buffer(random, {pieces, width});
  check_gradients([&](Ctx& c) { return layer_norm(c, x, w, b, 0.1f); }, {x}, {w, b}, random);
  check_gradients([&](Ctx& c) { return layer_norm(c, x, w, {}, 0.1f); }, {x}, {w}, random);
}

TEST_P(Gradient, ClampedSwiglu) {
  Buffer gate = random_buffer(random, {T, D}, 2), up = random_buffer(random, {T, D}, 2);
  const float limit = 1.5f;
  for (Buffer* b : {&gate, &up})  // corners at the limits: step away from them
    for (int64_t i = 0; i < b->view().numel(); ++i)
      if (std::fabs(std::fabs(b->f32()[i]) - limit) < 0.05f) b->f32()[i] = 0.3f;
  check_gradients([&](Ctx& c) { return clamped_swiglu(c, gate, up, 1.7f, limit); }, {gate, up}, {}, random);
}

TEST_P(Gradient, BesideAndUnpaired) {
  const int64_t half = random.between(1, 4);
  Buffer a = random_buffer(random, {T, D}), b = random_buffer(random, {T, 2 * half});
  check_gradients(
      [&](Ctx& c) {
        const Tensor parts[] = {a, unpaired(c, b, 2 * half), a};
        return beside(c, parts);
      },
      {a, b}, {}, random);
}

TEST_P(Gradient, AddAndScale) {
  Buffer a = random_buffer(random, {T, D}), b = random_buffer(random, {T, D});
  check_gradients([&](Ctx& c) { return add(c, a, scale(c, add(c, b, a), -1.7f)); }, {a, b}, {}, random);
}

TEST_P(Gradient, ScaleRows) {
  Buffer x = random_buffer(random, {T, D}), factors = random_buffer(random, {T, 1});
  check_gradients([&](Ctx& c) { return scale_rows(c, x, factors); }, {x, factors}, {}, random);
}

TEST_P(Gradient, Activations) {
  Buffer x = random_buffer(random, {T, D}, 2), up = random_buffer(random, {T, D});
  for (int64_t i = 0; i < x.view().numel(); ++i)  // relu has a corner at zero: step away from it
    if (std::fabs(x.f32()[i]) < 0.05f) x.f32()[i] = 0.3f;
  for (int kind = 0; kind < static_cast<int>(Act::count); ++kind) {
    SCOPED_TRACE(kind);
    check_gradients([&](Ctx& c) { return act(c, static_cast<Act>(kind), x); }, {x}, {}, random);
    check_gradients([&](Ctx& c) { return gated(c, static_cast<Act>(kind), x, up); }, {x, up}, {}, random);
  }
}

TEST_P(Gradient, SoftmaxAndNegExp) {
  Buffer x = random_buffer(random, {T, D}), a = random_buffer(random, {D, 3}, 0.3f);
  check_gradients([&](Ctx& c) { return softmax(c, x); }, {x}, {}, random);
  check_gradients([&](Ctx& c) { return neg_exp(c, a); }, {}, {a}, random);
}

TEST_P(Gradient, Rope) {
  const int64_t heads = random.between(1, 3), half = random.between(1, 4), dim = 2 * half + random.between(0, 3);
  Buffer x = random_buffer(random, {T, heads, dim}), cos = random_buffer(random, {T, half}),
         sin = random_buffer(random, {T, half});
  check_gradients([&](Ctx& c) { return rope(c, x, cos, sin); }, {x}, {}, random);
}

TEST_P(Gradient, Attention) {
  AttentionShape shape;
  shape.kv_heads = static_cast<int>(random.between(1, 2)),
  shape.heads = shape.kv_heads * static_cast<int>(random.between(1, 2));
  shape.key_dim = static_cast<int>(random.between(1, 5)), shape.value_dim = static_cast<int>(random.between(1, 5));
  shape.scale = 0.5f, shape.window = GetParam() % 3 == 1 ? 2 : 0, shape.softcap = GetParam() % 3 == 2 ? 2.0f : 0.0f;
  const int64_t first = random.between(1, 5), second = random.between(1, 4), tokens = first + second;
  Buffer q = random_buffer(random, {tokens, shape.heads, shape.key_dim}),
         k = random_buffer(random, {tokens, shape.kv_heads, shape.key_dim}),
         v = random_buffer(random, {tokens, shape.kv_heads, shape.value_dim});
  const std::vector<AttendSegment> segments{{0, first, 0, {}}, {first, second, 0, {}}};
  check_gradients([&](Ctx& c) { return attention(c, q, k, v, segments, shape); }, {q, k, v}, {}, random);
}

TEST_P(Gradient, AttentionWithBiasAndSinks) {
  AttentionShape shape;
  shape.kv_heads = 2, shape.heads = 4, shape.key_dim = 3, shape.value_dim = 2, shape.scale = 0.5f;
  const int64_t first = random.between(1, 5), second = random.between(1, 4), tokens = first + second;
  Buffer q = random_buffer(random, {tokens, 4, 3}), k = random_buffer(random, {tokens, 2, 3}),
         v = random_buffer(random, {tokens, 2, 2}), bias = random_buffer(random, {4, tokens}),
         sinks = random_buffer(random, {4});
  shape.bias = bias, shape.sinks = sinks;
  const std::vector<AttendSegment> segments{{0, first, 0, {}}, {first, second, 0, {}}};
  check_gradients([&](Ctx& c) { return attention(c, q, k, v, segments, shape); }, {q, k, v}, {sinks}, random);
}

TEST_P(Gradient, AttentionAcrossPages) {
  AttentionShape shape;
  shape.kv_heads = 1, shape.heads = 2, shape.key_dim = 2, shape.value_dim = 2, shape.scale = 0.5f;
  shape.window = GetParam() % 3 == 1 ? 30 : 0;
  if (GetParam() % 3 == 2) shape.blocks = {kv_block, 1, 2, random.between(0, 1), 1};
  const int64_t tokens = (shape.blocks.size ? 2 : 1) * kv_block + random.between(1, 6);
  Buffer q = random_buffer(random, {tokens, 2, 2}), k = random_buffer(random, {tokens, 1, 2}),
         v = random_buffer(random, {tokens, 1, 2});
  const std::vector<AttendSegment> segments{{0, tokens, 0, {}}};
  check_gradients([&](Ctx& c) { return attention(c, q, k, v, segments, shape); }, {q, k, v}, {}, random);
}

TEST_P(Gradient, FramesAreKeptForBackward) {
  // Small weights: three tanh in a row of unit ones bend more within a step than finite differences can follow.
  Buffer w = random_buffer(random, {D, D}, 0.3f), start = random_buffer(random, {T, D});
  check_gradients(
      [&](Ctx& c) {
        Tensor x = scale(c, start, 1);
        for (int i = 0; i < 3; ++i)
          x = c.frame(x, [&](Tensor in) { return add(c, in, act(c, Act::tanh, linear(c, as_weight(w), {}, in))); });
        return x;
      },
      {start}, {w}, random);
}

TEST_P(Gradient, CausalConv) {
  const int64_t width = random.between(1, 4), first = random.between(1, 5), tokens = first + 2;
  Buffer x = random_buffer(random, {tokens, D}), w = random_buffer(random, {D, width}), b = random_buffer(random, {D});
  const std::vector<RecurrentSegment> segments{{0, first, nullptr}, {first, 2, nullptr}};
  check_gradients([&](Ctx& c) { return causal_conv(c, x, w, b, segments); }, {x}, {w, b}, random);
}

TEST_P(Gradient, SelectiveScan) {
  const int64_t states = random.between(1, 4), first = random.between(1, 5), tokens = first + 2;
  Buffer x = random_buffer(random, {tokens, D}), delta = random_buffer(random, {tokens, D}, 0.3f),
         a = random_buffer(random, {D, states}, 0.3f), B = random_buffer(random, {tokens, states}),
         C = random_buffer(random, {tokens, states}), d = random_buffer(random, {D});
  const std::vector<RecurrentSegment> segments{{0, first, nullptr}, {first, 2, nullptr}};
  check_gradients(
      [&](Ctx& c) { return selective_scan(c, x, act(c, Act::softplus, delta), neg_exp(c, a), B, C, d, segments); },
      {x, delta, B, C}, {a, d}, random);
}

TEST_P(Gradient, Ssd) {
  const int64_t groups = random.between(1, 2), heads = groups * random.between(1, 2), dim = random.between(1, 4);
  const int64_t states = random.between(1, 4), first = random.between(1, 5), tokens = first + 2;
  Buffer x = random_buffer(random, {tokens, heads * dim}), delta = random_buffer(random, {tokens, heads}, 0.3f),
         shift = random_buffer(random, {heads}, 0.3f), a = random_buffer(random, {heads}, 0.3f),
         B = random_buffer(random, {tokens, groups * states}), C = random_buffer(random, {tokens, groups * states}),
         d = random_buffer(random, {heads});
  const std::vector<RecurrentSegment> segments{{0, first, nullptr}, {first, 2, nullptr}};
  check_gradients(
      [&](Ctx& c) { return ssd(c, x, step_sizes(c, delta, shift, 0, 1e9f), neg_exp(c, a), B, C, d, groups, segments); },
      {x, delta, B, C}, {shift, a, d}, random);
}

TEST_P(Gradient, StepSizesThatWereCut) {
  Buffer x = random_buffer(random, {T, D}, 3), shift = random_buffer(random, {D}, 0);
  for (int64_t i = 0; i < x.view().numel(); ++i)  // corners at the limits: step away from them
    for (double limit : {0.5, 2.0})
      if (std::fabs(std::log1p(std::exp(x.f32()[i])) - limit) < 0.05) x.f32()[i] = 0.3f;
  check_gradients([&](Ctx& c) { return step_sizes(c, x, shift, 0.5f, 2.0f); }, {x}, {shift}, random);
}

TEST_P(Gradient, Routing) {  // scores far enough apart that a nudge never changes the choice
  const int experts = 6;
  Buffer logits(DType::f32, {T, experts}), bias(DType::f32, {experts});
  for (int64_t t = 0; t < T; ++t)
    for (int e = 0; e < experts; ++e)
      logits.f32()[t * experts + e] = static_cast<float>(0.1 * random.uniform() + 0.4 * ((e * 5 + t) % experts));
  for (int e = 0; e < experts; ++e) bias.f32()[e] = 3.0f * static_cast<float>(e % 2);
  for (bool renormalize : {false, true})
    check_gradients(
        [&](Ctx& c) {
          const Choice choice{
              .k = 2, .renormalize = renormalize, .bias = bias, .groups = 3, .groups_kept = 2, .judges = 2};
          return top_k(c, act(c, Act::sigmoid, logits), choice).weights;
        },
        {logits}, {}, random);
  // Masks of SparseMixer: relative distances here are 0.15 and more, or the jitter lets everything pass.
  for (float jitter : {0.001f, 10.0f})
    check_gradients([&](Ctx& c) { return sparse_mixer(c, logits, jitter).weights; }, {logits}, {}, random);
}

TEST_P(Gradient, Experts) {
  const int experts = 4, k = 2;
  Buffer logits = random_buffer(random, {T, experts}), x = random_buffer(random, {T, D}),
         w = random_buffer(random, {experts * D, D}, 0.5f);
  for (int64_t t = 0; t < T; ++t)  // at least 1.2 apart, so that a nudge never changes the choice
    for (int e = 0; e < experts; ++e)
      logits.f32()[t * experts + e] =
          static_cast<float>(0.8 * random.uniform() + 2.0 * static_cast<double>((e + t) % experts));
  for (bool renormalize : {false, true})
    check_gradients(
        [&](Ctx& c) {
          Routed routed = top_k(c, softmax(c, logits), k, renormalize);
          std::vector<ExpertRows> answers;
          for (int e = 0; e < experts; ++e) {
            auto* token = c.arena.take_array<int32_t>(T);
            auto* slot = c.arena.take_array<int32_t>(T);
            size_t n = 0;
            for (int64_t i = 0; i < T * k; ++i)
              if (routed.ids[static_cast<size_t>(i)] == e)
                token[n] = static_cast<int32_t>(i / k), slot[n++] = static_cast<int32_t>(i % k);
            if (n == 0) continue;
            answers.push_back(
                {linear(c, as_weight(w).slice(e * D, D), {}, rows(c, x, {token, n})), {token, n}, {slot, n}});
          }
          return combine(c, answers, routed, T, D);
        },
        {logits, x}, {}, random);
}

TEST_P(Gradient, CrossEntropy) {
  const int64_t vocabulary = random.between(2, 20);
  Buffer logits = random_buffer(random, {5, vocabulary});
  const std::vector<int32_t> labels{0, no_label, 1, static_cast<int32_t>(vocabulary - 1), no_label};
  test::Bench bench;
  Tape tape(bench.arena);
  bench.c.tape = &tape;
  const double loss = cross_entropy(bench.c, logits, labels);
  std::vector<float> gradient(tape.grad(logits), tape.grad(logits) + logits.view().numel());
  bench.c.tape = nullptr;
  double mean = 0;  // by the definition
  for (size_t t = 0; t < labels.size(); ++t) {
    if (labels[t] == no_label) continue;
    double sum = 0;
    for (int64_t i = 0; i < vocabulary; ++i)
      sum += std::exp(static_cast<double>(logits.view().row(static_cast<int64_t>(t))[i]));
    mean += (std::log(sum) - logits.view().row(static_cast<int64_t>(t))[labels[t]]) / 3;
  }
  EXPECT_NEAR(loss, mean, 1e-6);
  for (int64_t i = 0; i < logits.view().numel(); ++i) {
    float& x = logits.f32()[i];
    const float kept = x;
    x = kept + 1e-2f;
    const double up = cross_entropy(bench.c, logits, labels);
    x = kept - 1e-2f;
    const double down = cross_entropy(bench.c, logits, labels);
    x = kept;
    EXPECT_NEAR(gradient[static_cast<size_t>(i)], (up - down) / 2e-2, 1e-4);
  }
  const std::vector<int32_t> nothing(5, no_label);
  EXPECT_EQ(cross_entropy(bench.c, logits, nothing), 0);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Gradient, testing::Range(0, 6));

}  // namespace
}  // namespace madang
