// What each op computes, against its formula written out in float64; what passes through a file of kernels is held
// against the formula in every table. Products, attention and cuts along the sequence are in forward_test.cpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "ops/gradients.h"

namespace madang {
namespace {

using test::as_weight, test::Bench, test::random_buffer;

class Meaning : public testing::TestWithParam<int> {
 protected:
  Random random{test::seed() + static_cast<uint64_t>(GetParam())};
  int64_t T = random.between(1, 9), D = random.between(1, 70);

  /// Runs `check` on every kernel table, with one thread and with two.
  template <class Check>
  void everywhere(Check&& check) {
    for (const Kernels* k : {&ref_kernels, &emulated_kernels(), &pick_kernels("")})
      for (int threads : {1, 2}) {
        SCOPED_TRACE(k->name);
        Bench bench(threads, *k);
        check(bench.c);
      }
  }
};

TEST_P(Meaning, LookingUp) {
  Buffer table = random_buffer(random, {6, D}), x = random_buffer(random, {T, D});
  const std::vector<int32_t> ids{5, 0, 5}, which{static_cast<int32_t>(T - 1), 0};
  const int64_t begin = random.between(0, D - 1), n = random.between(1, D - begin);
  everywhere([&](Ctx& c) {
    Tensor e = embed(c, as_weight(table), ids), r = rows(c, x, which), part = columns(c, x, begin, n);
    for (int64_t d = 0; d < D; ++d) {
      for (int64_t i = 0; i < 3; ++i) ASSERT_EQ(e.row(i)[d], table.view().row(ids[static_cast<size_t>(i)])[d]);
      for (int64_t i = 0; i < 2; ++i) ASSERT_EQ(r.row(i)[d], x.view().row(which[static_cast<size_t>(i)])[d]);
    }
    for (int64_t t = 0; t < T; ++t)
      for (int64_t d = 0; d < n; ++d) ASSERT_EQ(part.row(t)[d], x.view().row(t)[begin + d]);
  });
}

double activation(Act act, double x) {
  switch (act) {
    case Act::silu:
      return x / (1 + std::exp(-x));
    case Act::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Act::gelu_erf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Act::relu:
      return x > 0 ? x : 0;
    case Act::relu2:
      return x > 0 ? x * x : 0;
    case Act::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Act::tanh:
      return std::tanh(x);
    case Act::softplus:
      return std::log1p(std::exp(x));
    case Act::count:
      break;
  }
  return 0;
}

TEST_P(Meaning, Elements) {
  Buffer a = random_buffer(random, {T, D}, 3), b = random_buffer(random, {T, D});
  everywhere([&](Ctx& c) {
    Tensor sum = add(c, a, b), scaled = scale(c, a, -0.7f), minus = neg_exp(c, b);
    for (int64_t i = 0; i < T * D; ++i) {
      ASSERT_EQ(sum.f32()[i], a.f32()[i] + b.f32()[i]);
      ASSERT_EQ(scaled.f32()[i], a.f32()[i] * -0.7f);
      ASSERT_NEAR(minus.f32()[i], -std::exp(static_cast<double>(b.f32()[i])), 1e-5 * std::exp(b.f32()[i]));
    }
    for (int k = 0; k < static_cast<int>(Act::count); ++k) {
      Tensor y = act(c, static_cast<Act>(k), a), g = gated(c, static_cast<Act>(k), a, b);
      for (int64_t i = 0; i < T * D; ++i) {
        const double want = activation(static_cast<Act>(k), a.f32()[i]), near = 2e-6 * (1 + std::fabs(want));
        ASSERT_NEAR(y.f32()[i], want, near) << "activation " << k << " of " << a.f32()[i];
        ASSERT_NEAR(g.f32()[i], want * b.f32()[i], near * (1 + std::fabs(b.f32()[i]))) << "activation " << k;
      }
    }
  });
}

TEST_P(Meaning, NormAndSoftmax) {
  Buffer x = random_buffer(random, {T, D}, 4), w = random_buffer(random, {D});
  everywhere([&](Ctx& c) {
    Tensor plain = rms_norm(c, x, {}, 1e-5f), shifted = rms_norm(c, x, w, 1e-5f, 1), p = softmax(c, x);
    for (int64_t t = 0; t < T; ++t) {
      double squares = 0, total = 0;
      for (int64_t d = 0; d < D; ++d)
        squares += std::pow(x.view().row(t)[d], 2), total += std::exp(static_cast<double>(x.view().row(t)[d]));
      const double rms = std::sqrt(squares / static_cast<double>(D) + 1e-5);
      for (int64_t d = 0; d < D; ++d) {
        const double y = x.view().row(t)[d] / rms, want = y * (1.0 + w.f32()[d]);
        ASSERT_NEAR(plain.row(t)[d], y, 2e-6 * (1 + std::fabs(y)));
        ASSERT_NEAR(shifted.row(t)[d], want, 2e-6 * (1 + std::fabs(y)) * 4);
        ASSERT_NEAR(p.row(t)[d], std::exp(static_cast<double>(x.view().row(t)[d])) / total, 2e-6);
      }
    }
  });
}

TEST_P(Meaning, RopeTurnsPairs) {
  const int64_t heads = random.between(1, 3), half = random.between(1, 20), dim = 2 * half + random.between(0, 5);
  Buffer x = random_buffer(random, {T, heads, dim}), cos = random_buffer(random, {T, half}),
         sin = random_buffer(random, {T, half});
  everywhere([&](Ctx& c) {
    Tensor y = rope(c, x, cos, sin);
    for (int64_t r = 0; r < T * heads; ++r) {
      const float *in = x.view().row(r), *out = y.row(r), *co = cos.view().row(r / heads),
                  *si = sin.view().row(r / heads);
      for (int64_t i = 0; i < half; ++i) {
        ASSERT_NEAR(out[i], in[i] * co[i] - in[half + i] * si[i], 1e-5);
        ASSERT_NEAR(out[half + i], in[half + i] * co[i] + in[i] * si[i], 1e-5);
      }
      for (int64_t i = 2 * half; i < dim; ++i) ASSERT_EQ(out[i], in[i]);
    }
  });
}

TEST_P(Meaning, Recurrences) {
  const int64_t N = random.between(1, 17), width = random.between(1, 4), S = T + 3;
  Buffer x = random_buffer(random, {S, D}), w = random_buffer(random, {D, width}), bias = random_buffer(random, {D}),
         delta = random_buffer(random, {S, D}, 0.2f), A = random_buffer(random, {D, N}),
         B = random_buffer(random, {S, N}), C = random_buffer(random, {S, N}), skip = random_buffer(random, {D});
  const std::vector<RecurrentSegment> segments{{0, T, nullptr},
                                               {T, 3, nullptr}};  // the second must see nothing of the first
  everywhere([&](Ctx& c) {
    Tensor conv = causal_conv(c, x, w, bias, segments), y = selective_scan(c, x, delta, A, B, C, skip, segments);
    for (int64_t d = 0; d < D; ++d)
      for (const RecurrentSegment& s : segments) {
        std::vector<double> h(static_cast<size_t>(N), 0.0);
        for (int64_t t = 0; t < s.length; ++t) {
          const int64_t at = s.offset + t;
          double sum = bias.f32()[d], out = static_cast<double>(skip.f32()[d]) * x.view().row(at)[d];
          for (int64_t k = 0; k < width; ++k)
            if (t - width + 1 + k >= 0)
              sum += static_cast<double>(w.view().row(d)[k]) * x.view().row(at - width + 1 + k)[d];
          const double step = delta.view().row(at)[d];
          for (int64_t k = 0; k < N; ++k) {
            double& hk = h[static_cast<size_t>(k)];
            hk = std::exp(step * A.view().row(d)[k]) * hk + step * B.view().row(at)[k] * x.view().row(at)[d];
            out += C.view().row(at)[k] * hk;
          }
          ASSERT_NEAR(conv.row(at)[d], sum, 1e-5 * (1 + std::fabs(sum)));
          ASSERT_NEAR(y.row(at)[d], out, 1e-4 * (1 + std::fabs(out)));
        }
      }
  });
}

TEST_P(Meaning, SsdIsAScanWhoseHeadsShare) {
  const int64_t N = 8 * random.between(1, 2) - GetParam() % 2, groups = random.between(1, 3);
  const int64_t heads = groups * random.between(1, 3), dim = random.between(1, 5), S = T + 3;
  Buffer x = random_buffer(random, {S, heads * dim}), raw = random_buffer(random, {S, heads}, 2),
         shift = random_buffer(random, {heads}), A = random_buffer(random, {heads}, 0.3f),
         B = random_buffer(random, {S, groups * N}), C = random_buffer(random, {S, groups * N}),
         skip = random_buffer(random, {heads});
  const std::vector<RecurrentSegment> segments{{0, T, nullptr}, {T, 3, nullptr}};
  const float least = 0.3f, most = 1.5f;
  everywhere([&](Ctx& c) {
    Tensor delta = step_sizes(c, raw, shift, least, most), y = ssd(c, x, delta, A, B, C, skip, groups, segments);
    for (int64_t i = 0; i < heads; ++i)
      for (int64_t p = 0; p < dim; ++p)
        for (const RecurrentSegment& s : segments) {
          std::vector<double> h(static_cast<size_t>(N), 0.0);
          for (int64_t at = s.offset; at < s.offset + s.length; ++at) {
            const double sum = static_cast<double>(raw.view().row(at)[i]) + shift.f32()[i];
            const double step = std::clamp<double>(std::log1p(std::exp(sum)), least, most);
            ASSERT_NEAR(delta.row(at)[i], step, 1e-6 * (1 + step));
            const double in = x.view().row(at)[i * dim + p];
            double out = skip.f32()[i] * in;
            for (int64_t k = 0; k < N; ++k) {
              const int64_t shared = i * groups / heads * N + k;
              double& hk = h[static_cast<size_t>(k)];
              hk = std::exp(step * A.f32()[i]) * hk + step * B.view().row(at)[shared] * in;
              out += C.view().row(at)[shared] * hk;
            }
            ASSERT_NEAR(y.row(at)[i * dim + p], out, 1e-4 * (1 + std::fabs(out)));
          }
        }
  });
}

// In training keys and values lie packed, in inference on pages: the same bits, across page borders too.
TEST_P(Meaning, AttentionOfThisForwardIsAttentionThroughPages) {
  AttentionShape s;
  s.kv_heads = 2, s.heads = 4, s.key_dim = 8, s.value_dim = 8, s.scale = 0.3f;
  s.window = GetParam() % 2 ? 70 : 0, s.softcap = GetParam() % 3 ? 0.0f : 2.0f;
  if (GetParam() % 3 == 1) s.blocks = {kv_block, 1, 3, 0, 1};
  const int64_t first = random.between(60, 140), second = random.between(1, 70), S = first + second;
  Buffer q = random_buffer(random, {S, s.heads, s.key_dim}), k = random_buffer(random, {S, s.kv_heads, s.key_dim}),
         v = random_buffer(random, {S, s.kv_heads, s.value_dim});
  everywhere([&](Ctx& c) {
    const std::vector<AttendSegment> segments{{0, first, 0, {}}, {first, second, 0, {}}};
    Tensor packed = attention(c, q, k, v, segments, s);
    for (const AttendSegment& part : segments) {
      auto cut = [&](const Buffer& all, int heads, int dim) { return all.f32() + part.offset * heads * dim; };
      std::vector<std::byte> keys(static_cast<size_t>((S + kv_block) * s.kv_heads * s.key_dim * 4)),
          values(keys.size());
      std::vector<const std::byte*> key_pages, value_pages;
      const size_t row = static_cast<size_t>(s.kv_heads * s.key_dim) * 4, page = row * kv_block;
      std::memcpy(keys.data(), cut(k, s.kv_heads, s.key_dim), row * static_cast<size_t>(part.length));
      std::memcpy(values.data(), cut(v, s.kv_heads, s.value_dim), row * static_cast<size_t>(part.length));
      for (size_t at = 0; at < row * static_cast<size_t>(part.length); at += page)
        key_pages.push_back(keys.data() + at), value_pages.push_back(values.data() + at);
      const KvPages pages{.keys = key_pages.data(),
                          .values = value_pages.data(),
                          .key_row = static_cast<int64_t>(row),
                          .value_row = static_cast<int64_t>(row),
                          .key_step = s.key_dim * 4,
                          .value_step = s.value_dim * 4};
      const AttendSegment one{0, part.length, 0, pages};
      Tensor paged = attention(c, {cut(q, s.heads, s.key_dim), DType::f32, {part.length, s.heads, s.key_dim}},
                               std::span(&one, 1), s);
      EXPECT_EQ(std::memcmp(paged.data, packed.row(part.offset), static_cast<size_t>(paged.bytes())), 0);
    }
  });
}

TEST_P(Meaning, RowNorms) {  // || w + f b a ||
  const int64_t out = random.between(1, 70), r = random.between(1, 5);
  Buffer w = random_buffer(random, {out, D}), a = random_buffer(random, {r, D}), b = random_buffer(random, {out, r});
  everywhere([&](Ctx& c) {
    const Tensor norms = row_norms(c, as_weight(w), as_weight(a), as_weight(b), 0.5f);
    for (int64_t i = 0; i < out; ++i) {
      double sum = 0;
      for (int64_t d = 0; d < D; ++d) {
        double both = w.view().row(i)[d];
        for (int64_t k = 0; k < r; ++k) both += 0.5 * b.view().row(i)[k] * a.view().row(k)[d];
        sum += both * both;
      }
      ASSERT_NEAR(norms.f32()[i], std::sqrt(sum), 1e-5 * std::sqrt(sum) + 1e-6);
    }
  });
}

// The best of four groups holds two experts of the three: the third is torch.topk's (2.13, on a CPU).
TEST(Choosing, GoesOnBeyondTheGroupsAsTorchDoes) {
  const struct {
    std::array<float, 8> scores;
    std::array<int32_t, 3> chosen;
  } cases[] = {
      {{0.41f, 0.70f, 0.72f, 0.15f, 0.21f, 0.62f, 0.55f, 0.97f}, {4, 6, 7}},
      {{0.69f, 0.56f, 0.81f, 0.96f, 0.32f, 0.84f, 0.46f, 0.31f}, {2, 3, 6}},
      {{0.13f, 0.79f, 0.84f, 0.03f, 0.87f, 0.45f, 0.64f, 0.50f}, {4, 5, 6}},
      {{0.81f, 0.07f, 0.10f, 0.83f, 0.65f, 0.71f, 0.01f, 0.00f}, {4, 5, 6}},
      {{0.53f, 0.63f, 0.34f, 0.98f, 0.47f, 0.44f, 0.15f, 0.93f}, {2, 3, 6}},
      {{0.46f, 0.93f, 0.14f, 0.62f, 0.13f, 0.29f, 0.61f, 0.86f}, {4, 6, 7}},
      {{0.46f, 0.88f, 0.81f, 0.13f, 0.17f, 0.61f, 0.90f, 0.67f}, {4, 6, 7}},
      {{0.60f, 0.47f, 0.88f, 0.40f, 0.20f, 0.54f, 0.93f, 0.28f}, {2, 3, 4}},
      {{0.55f, 0.14f, 0.06f, 0.83f, 0.03f, 0.87f, 0.20f, 0.99f}, {4, 6, 7}},
      {{0.69f, 0.91f, 0.90f, 0.49f, 0.76f, 0.47f, 0.63f, 0.23f}, {0, 1, 7}},
  };
  for (const auto& one : cases) {
    Bench bench(1, ref_kernels);
    Buffer scores(DType::f32, {1, 8});
    std::ranges::copy(one.scores, scores.f32());
    const Routed routed =
        top_k(bench.c, scores, {.k = 3, .renormalize = true, .groups = 4, .groups_kept = 1, .judges = 2});
    std::vector<int32_t> chosen(routed.ids.begin(), routed.ids.end());
    float sum = 0;
    for (const int32_t e : chosen) sum += one.scores[static_cast<size_t>(e)];
    for (size_t i = 0; i < 3; ++i)
      EXPECT_FLOAT_EQ(routed.weights.f32()[i], one.scores[static_cast<size_t>(chosen[i])] / sum);
    std::ranges::sort(chosen);
    EXPECT_TRUE(std::ranges::equal(chosen, one.chosen));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Meaning, testing::Range(0, 6));

}  // namespace
}  // namespace madang
