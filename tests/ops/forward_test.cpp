// What ops mean, and that the same numbers come out whatever the cut: threads, pieces of a sequence, pages of any type.
#include <cstring>

#include "nn/state.h"
#include "ops/gradients.h"

namespace madang {
namespace {

using test::as_weight, test::Bench, test::random_buffer;

std::vector<const Kernels*> tables() { return {&ref_kernels, &emulated_kernels(), &pick_kernels("")}; }

bool same_bits(Tensor a, Tensor b) {
  return a.numel() == b.numel() && std::memcmp(a.data, b.data, static_cast<size_t>(a.bytes())) == 0;
}

TEST(Forward, LinearIsTheProduct) {
  Random random(test::seed());
  for (const Kernels* k : tables()) {
    Bench bench(2, *k);
    const int64_t T = random.between(1, 9), in = random.between(1, 300), out = random.between(1, 200);
    Buffer x = random_buffer(random, {T, in}), w = random_buffer(random, {out, in}), b = random_buffer(random, {out});
    Tensor y = linear(bench.c, as_weight(w), b, x);
    for (int64_t t = 0; t < T; ++t)
      for (int64_t r = 0; r < out; ++r) {
        double sum = b.f32()[r];
        for (int64_t i = 0; i < in; ++i) sum += static_cast<double>(w.f32()[r * in + i]) * x.f32()[t * in + i];
        ASSERT_NEAR(y.row(t)[r], sum, 2e-4) << k->name;
      }
    Bench single(1, *k);
    EXPECT_TRUE(same_bits(linear(single.c, as_weight(w), b, x), y)) << k->name << ": one thread";
    for (int64_t t = 0; t < T; ++t)
      EXPECT_TRUE(same_bits(linear(single.c, as_weight(w), b, {x.view().row(t), DType::f32, {1, in}}),
                            {y.row(t), DType::f32, {1, out}}))
          << k->name;
  }
}

// Columns put in another order, and some of several products only: the same product.
TEST(Forward, LinearFollowsTheColumnsOfItsWeight) {
  Random random(test::seed());
  Bench bench(2);
  const int64_t in = random.between(2, 100), out = 9;
  Buffer x = random_buffer(random, {3, in}), w = random_buffer(random, {out, in}), moved(DType::f32, {out, in});
  const auto order = std::make_shared<const std::vector<int32_t>>(test::random_order(random, in));
  for (int64_t r = 0; r < out; ++r)
    for (int64_t i = 0; i < in; ++i) moved.f32()[r * in + i] = w.f32()[r * in + (*order)[static_cast<size_t>(i)]];
  Weight ordered = as_weight(moved);
  ordered.order = order;
  const Weight straight = as_weight(w), some = ordered.slice(2, 5);
  Product products[] = {{ordered, {}, {}}, {straight, {}, {}}, {ordered, {}, {}}, {some, {}, {}}};
  linear(bench.c, products, x);
  const Tensor plain = products[1].y;
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t r = 0; r < out; ++r) {
      EXPECT_NEAR(products[0].y.row(t)[r], plain.row(t)[r], 1e-4);
      EXPECT_EQ(products[2].y.row(t)[r], products[0].y.row(t)[r]);
      if (r >= 2 && r < 7) {
        EXPECT_EQ(products[3].y.row(t)[r - 2], products[0].y.row(t)[r]);
      }
    }
  const int32_t ids[] = {4, 0};
  const Tensor rows = embed(bench.c, ordered, ids);
  EXPECT_EQ(std::memcmp(rows.row(0), w.f32() + 4 * in, static_cast<size_t>(in) * 4), 0);
}

// Whether a head sees a key before it, as block-sparse attention has it.
bool sees(const SparseBlocks& blocks, int64_t position, int head, int64_t key) {
  if (blocks.size == 0) return true;
  const int64_t mine = position / blocks.size, its = key / blocks.size;
  return mine - its < blocks.local || (its + blocks.shift + head * blocks.step) % blocks.stride == blocks.stride - 1;
}

// Plain attention in double, a query at a time.
void naive(const float* q, const Buffer& k, const Buffer& v, const AttentionShape& s, int64_t position, int head,
           std::vector<double>& out) {
  const int kv = head / (s.heads / s.kv_heads);
  std::vector<double> p;
  double sum = 0;
  const int64_t begin = s.window > 0 ? std::max<int64_t>(0, position - s.window + 1) : 0;
  for (int64_t j = begin; j <= position; ++j) {
    double score = 0;
    for (int d = 0; d < s.key_dim; ++d)
      score += static_cast<double>(q[d]) * k.f32()[(j * s.kv_heads + kv) * s.key_dim + d];
    score *= s.scale;
    if (s.softcap > 0) score = s.softcap * std::tanh(score / s.softcap);
    p.push_back(sees(s.blocks, position, head, j) ? std::exp(score) : 0.0), sum += p.back();
  }
  out.assign(static_cast<size_t>(s.value_dim), 0.0);
  for (int64_t j = begin; j <= position; ++j)
    for (int d = 0; d < s.value_dim; ++d)
      out[static_cast<size_t>(d)] +=
          p[static_cast<size_t>(j - begin)] / sum * v.f32()[(j * s.kv_heads + kv) * s.value_dim + d];
}

TEST(Forward, AttentionThroughPagesIsAttention) {
  Random random(test::seed());
  for (const Kernels* kernels : tables())
    for (KvType type : {KvType::f32, KvType::f16, KvType::bf16, KvType::q8}) {
      Bench bench(2, *kernels);
      AttentionShape s;
      s.kv_heads = 2, s.heads = 4, s.key_dim = 16, s.value_dim = 8, s.scale = 0.25f;
      s.window = random.below(2) ? random.between(1, 90) : 0, s.softcap = random.below(2) ? 3.0f : 0.0f;
      if (random.below(2))
        s.blocks = {kv_block * random.between(1, 2), random.between(1, 2), random.between(1, 4), random.between(0, 3),
                    random.between(0, 2)};
      const int64_t T = s.blocks.size ? random.between(300, 500) : random.between(100, 3 * kv_span);
      Buffer q = random_buffer(random, {T, s.heads, s.key_dim}), k = random_buffer(random, {T, s.kv_heads, s.key_dim}),
             v = random_buffer(random, {T, s.kv_heads, s.value_dim});
      const StateSpec spec{.kind = s.window ? StateKind::rolling : StateKind::paged,
                           .kv_heads = s.kv_heads,
                           .key_dim = s.key_dim,
                           .value_dim = s.value_dim,
                           .window = s.window};
      std::vector<Buffer> results;
      for (int64_t chunk : {T, int64_t{7}, int64_t{1}}) {
        KvState state(spec, type);
        Buffer out(DType::f32, {T, s.heads * s.value_dim});
        for (int64_t at = 0; at < T; at += chunk) {
          const int64_t n = std::min(chunk, T - at);
          state.append(*kernels, k.f32() + at * s.kv_heads * s.key_dim, v.f32() + at * s.kv_heads * s.value_dim, n);
          const AttendSegment segment{0, n, at, state.pages()};
          Tensor part = attention(bench.c, {q.f32() + at * s.heads * s.key_dim, DType::f32, {n, s.heads, s.key_dim}},
                                  std::span(&segment, 1), s);
          std::memcpy(out.f32() + at * s.heads * s.value_dim, part.data, static_cast<size_t>(part.bytes()));
          state.forget_before(at + n);
          if (s.window) {
            EXPECT_LE(state.held_tokens(), s.window + kv_block);
          }
        }
        results.push_back(out);
      }
      EXPECT_TRUE(same_bits(results[0], results[1])) << kernels->name << " in pieces of 7";
      EXPECT_TRUE(same_bits(results[0], results[2])) << kernels->name << " one by one";
      const double tolerance = type == KvType::f32 ? 1e-5 : type == KvType::f16 ? 5e-3 : 5e-2;
      std::vector<double> want;
      for (int64_t t = 0; t < T; ++t)
        for (int h = 0; h < s.heads; ++h) {
          naive(q.f32() + (t * s.heads + h) * s.key_dim, k, v, s, t, h, want);
          for (int d = 0; d < s.value_dim; ++d)
            ASSERT_NEAR(results[0].f32()[(t * s.heads + h) * s.value_dim + d], want[static_cast<size_t>(d)], tolerance)
                << kernels->name << " type " << static_cast<int>(type);
        }
    }
}

TEST(Forward, RecurrencesInPiecesAreTheWhole) {
  Random random(test::seed());
  for (const Kernels* kernels : tables()) {
    Bench bench(2, *kernels);
    const int64_t T = 23, C = 70, N = 16, width = 4;
    Buffer x = random_buffer(random, {T, C}), w = random_buffer(random, {C, width}), b = random_buffer(random, {C}),
           delta = random_buffer(random, {T, C}, 0.1f), A = random_buffer(random, {C, N}),
           B = random_buffer(random, {T, N}), K = random_buffer(random, {T, N}), D = random_buffer(random, {C});
    for (int64_t i = 0; i < C * N; ++i) A.f32()[i] = -std::fabs(A.f32()[i]);
    for (int64_t i = 0; i < T * C; ++i) delta.f32()[i] = std::fabs(delta.f32()[i]);
    auto cut = [](const Buffer& all, int64_t at, int64_t n) {
      return Tensor{all.view().row(at), DType::f32, {n, all.view().cols()}};
    };
    std::vector<Buffer> results;
    for (int64_t chunk : {T, int64_t{5}, int64_t{1}}) {
      Buffer out(DType::f32, {2 * T, C});
      std::vector<float> past(static_cast<size_t>((width - 1) * C)), h(static_cast<size_t>(C * N));
      for (int64_t at = 0; at < T; at += chunk) {
        const int64_t n = std::min(chunk, T - at);
        const RecurrentSegment conv{0, n, past.data()}, scan{0, n, h.data()};
        Tensor u = causal_conv(bench.c, cut(x, at, n), w, b, std::span(&conv, 1));
        Tensor y =
            selective_scan(bench.c, u, cut(delta, at, n), A, cut(B, at, n), cut(K, at, n), D, std::span(&scan, 1));
        std::memcpy(out.f32() + at * C, u.data, static_cast<size_t>(u.bytes()));
        std::memcpy(out.f32() + (T + at) * C, y.data, static_cast<size_t>(y.bytes()));
      }
      results.push_back(out);
    }
    EXPECT_TRUE(same_bits(results[0], results[1])) << kernels->name;
    EXPECT_TRUE(same_bits(results[0], results[2])) << kernels->name;
  }
}

TEST(Forward, SsdInPiecesIsTheWhole) {
  Random random(test::seed());
  for (const Kernels* kernels : tables())
    for (int64_t N : {16, 12}) {  // as vectors, and as it comes
      Bench bench(2, *kernels);
      const int64_t T = 23, heads = 6, C = heads * 13, groups = 3;
      Buffer x = random_buffer(random, {T, C}), delta = random_buffer(random, {T, heads}, 0.1f),
             A = random_buffer(random, {heads}), B = random_buffer(random, {T, groups * N}),
             K = random_buffer(random, {T, groups * N}), D = random_buffer(random, {heads});
      for (int64_t i = 0; i < heads; ++i) A.f32()[i] = -std::fabs(A.f32()[i]);
      for (int64_t i = 0; i < T * heads; ++i) delta.f32()[i] = std::fabs(delta.f32()[i]);
      auto cut = [](const Buffer& all, int64_t at, int64_t n) {
        return Tensor{all.view().row(at), DType::f32, {n, all.view().cols()}};
      };
      std::vector<Buffer> results;
      for (int64_t chunk : {T, int64_t{5}, int64_t{1}}) {
        Buffer out(DType::f32, {T, C});
        std::vector<float> h(static_cast<size_t>(C * N));
        for (int64_t at = 0; at < T; at += chunk) {
          const int64_t n = std::min(chunk, T - at);
          const RecurrentSegment part{0, n, h.data()};
          Tensor y = ssd(bench.c, cut(x, at, n), cut(delta, at, n), A, cut(B, at, n), cut(K, at, n), D, groups,
                         std::span(&part, 1));
          std::memcpy(out.f32() + at * C, y.data, static_cast<size_t>(y.bytes()));
        }
        results.push_back(out);
      }
      EXPECT_TRUE(same_bits(results[0], results[1])) << kernels->name;
      EXPECT_TRUE(same_bits(results[0], results[2])) << kernels->name;
    }
}

TEST(Forward, FrameGivesBackAllButTheResult) {
  Bench bench;
  Tensor x = bench.c.make({3, 5});
  for (int64_t i = 0; i < 15; ++i) x.f32()[i] = static_cast<float>(i);
  const Arena::Mark before = bench.arena.mark();
  Tensor y = bench.c.frame(x, [&](Tensor in) { return scale(bench.c, add(bench.c, in, in), 2); });
  EXPECT_EQ(bench.arena.mark().used, before.used);
  EXPECT_EQ(y.data, x.data);
  for (int64_t i = 0; i < 15; ++i) EXPECT_EQ(y.f32()[i], 4 * static_cast<float>(i));
}

TEST(Forward, TopKPrefersTheLowerExpertOnTies) {
  Bench bench;
  Buffer p(DType::f32, {1, 4});
  for (int i = 0; i < 4; ++i) p.f32()[i] = i == 3 ? 0.4f : 0.2f;
  Routed r = top_k(bench.c, p, 2, true);
  EXPECT_EQ(r.ids[0], 3);
  EXPECT_EQ(r.ids[1], 0);
  EXPECT_FLOAT_EQ(r.weights.f32()[0] + r.weights.f32()[1], 1);
}

}  // namespace
}  // namespace madang
