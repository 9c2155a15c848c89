// What remembers in a fixed number of floats: what it means, in float64; its gradients; and that pieces of a sequence,
// side by side with another, give the same bits as the whole.
#include <cmath>
#include <cstring>
#include <functional>

#include "ops/gradients.h"

namespace madang {
namespace {

using test::Bench, test::check_gradients, test::random_buffer;

const std::vector<const Kernels*>& tables() {
  static const std::vector<const Kernels*> all{&ref_kernels, &emulated_kernels(), &pick_kernels("")};
  return all;
}

Buffer between(Random& random, Shape shape, float least, float most) {
  Buffer b(DType::f32, shape);
  for (int64_t i = 0; i < shape.numel(); ++i)
    b.f32()[i] = least + (most - least) * static_cast<float>(random.uniform());
  return b;
}

class Memories : public testing::TestWithParam<int> {
 protected:
  Random random{test::seed() + static_cast<uint64_t>(GetParam())};
  int64_t first = random.between(1, 5), second = random.between(1, 3), T = first + second;
  std::vector<RecurrentSegment> segments{{0, first, nullptr}, {first, second, nullptr}};
};

TEST_P(Memories, GradientsOfProducts) {
  const int64_t D = random.between(1, 9);
  Buffer a = random_buffer(random, {T, D}), b = random_buffer(random, {T, D}), row = random_buffer(random, {D});
  check_gradients([&](Ctx& c) { return mul(c, a, b); }, {a, b}, {}, random);
  check_gradients([&](Ctx& c) { return mul(c, a, row); }, {a}, {row}, random);
  check_gradients([&](Ctx& c) { return mix(c, a, b, row); }, {a, b}, {row}, random);
  check_gradients([&](Ctx& c) { return mix(c, a, b, exponential(c, a)); }, {a, b}, {}, random);
  check_gradients([&](Ctx& c) { return add_row(c, a, row); }, {a}, {row}, random);
  check_gradients([&](Ctx& c) { return dots(c, a, b); }, {a, b}, {}, random);
  check_gradients([&](Ctx& c) { return previous(c, a, segments); }, {a}, {}, random);
}

TEST_P(Memories, GradientsOfTheAverage) {
  const int64_t C = random.between(1, 9);
  Buffer w = random_buffer(random, {C}, 0.5f), u = random_buffer(random, {C}), k = random_buffer(random, {T, C}),
         v = random_buffer(random, {T, C});
  check_gradients([&](Ctx& c) { return wkv(c, neg_exp(c, w), u, k, v, segments); }, {k, v}, {w, u}, random);
}

struct Inputs {
  int64_t heads, keys, values;
  Buffer r, k, v, a, b, decay;

  Inputs(Random& random, int64_t tokens, int form)
      : heads(random.between(1, 3)), keys(random.between(1, 5)), values(random.between(1, 4)) {
    const Shape key{tokens, heads * keys};
    r = random_buffer(random, key), k = random_buffer(random, key), a = random_buffer(random, key, 0.3f),
    b = random_buffer(random, key, 0.3f), v = random_buffer(random, {tokens, heads * values});
    decay = between(random, form == 0 ? Shape{heads * keys} : form == 1 ? key : Shape{tokens, heads}, 0.3f, 1);
  }
  Heard heard(bool unlearns, bool fresh) const {
    Heard h{.r = r, .k = k, .v = v, .decay = decay, .heads = heads, .fresh = fresh};
    if (unlearns) h.a = a, h.b = b;
    return h;
  }
};

TEST_P(Memories, GradientsOfTheMatrix) {
  const bool unlearns = GetParam() % 2, fresh = GetParam() / 2 % 2;
  const int form = GetParam() % 3;
  const Inputs in(random, T, form);
  std::vector<Buffer> inputs{in.r, in.k, in.v}, parameters;
  if (unlearns) inputs.push_back(in.a), inputs.push_back(in.b);
  (form == 0 ? parameters : inputs).push_back(in.decay);
  check_gradients([&](Ctx& c) { return matrix_memory(c, in.heard(unlearns, fresh), segments); }, inputs, parameters,
                  random);
  // The same tensor in two roles, as the delta rule has it.
  Heard twice = in.heard(true, fresh);
  twice.b = twice.k;
  check_gradients([&](Ctx& c) { return matrix_memory(c, twice, segments); }, {in.k, in.a, in.v}, {}, random);
}

TEST_P(Memories, GradientsOfGates) {
  const int64_t H = random.between(1, 3), n = random.between(1, 4);
  // Gates far enough apart that a nudge never changes which one is the maximum.
  Buffer i(DType::f32, {T, H}), f = random_buffer(random, {T, H});
  for (int64_t k = 0; k < T * H; ++k) i.f32()[k] = static_cast<float>(k % 2 ? 6 + k : -20 - k);
  for (int part = 0; part < 3; ++part)
    check_gradients(
        [&](Ctx& c) {
          const Gates g = exponential_gates(c, scale(c, i, 0.25f), f, segments);
          return part == 0 ? g.keep : part == 1 ? g.take : g.least;
        },
        {i, f}, {}, random);
  Buffer sums = random_buffer(random, {T, n + 1}), least(DType::f32, {T, 1});
  for (int64_t t = 0; t < T; ++t) {
    float& ones = sums.f32()[t * (n + 1) + n];
    ones = ones < 0 ? ones - 1 : ones + 1, least.f32()[t] = t % 2 ? 0.5f : 6.0f;
  }
  check_gradients([&](Ctx& c) { return normalized(c, sums, least, 1e-6f); }, {sums, least}, {}, random);
}

TEST_P(Memories, TheAverageIsTheSumOfThePast) {
  const int64_t C = random.between(1, 40);
  Buffer w = between(random, {C}, -2, -0.01f), u = random_buffer(random, {C}), k = random_buffer(random, {T, C}, 30),
         v = random_buffer(random, {T, C});
  for (const Kernels* kernels : tables()) {
    Bench bench(2, *kernels);
    const Tensor y = wkv(bench.c, w, u, k, v, segments);
    for (const RecurrentSegment& s : segments)
      for (int64_t t = 0; t < s.length; ++t)
        for (int64_t c = 0; c < C; ++c) {
          double with = 0, without = 0, top = -1e300;
          auto exponent = [&](int64_t i) {
            return k.view().row(s.offset + i)[c] + (i == t ? u.f32()[c] : static_cast<double>(t - 1 - i) * w.f32()[c]);
          };
          for (int64_t i = 0; i <= t; ++i) top = std::max(top, exponent(i));
          for (int64_t i = 0; i <= t; ++i) {
            without += std::exp(exponent(i) - top);
            with += std::exp(exponent(i) - top) * v.view().row(s.offset + i)[c];
          }
          ASSERT_NEAR(y.row(s.offset + t)[c], with / without, 5e-5) << kernels->name;
        }
  }
}

TEST_P(Memories, TheMatrixLearnsAndUnlearns) {
  const bool unlearns = GetParam() % 2, fresh = GetParam() / 2 % 2;
  const Inputs in(random, T, GetParam() % 3);
  const int64_t H = in.heads, K = in.keys, V = in.values;
  for (const Kernels* kernels : tables()) {
    Bench bench(2, *kernels);
    const Tensor y = matrix_memory(bench.c, in.heard(unlearns, fresh), segments);
    for (const RecurrentSegment& s : segments)
      for (int64_t h = 0; h < H; ++h) {
        std::vector<double> S(static_cast<size_t>(V * K), 0.0);
        for (int64_t t = s.offset; t < s.offset + s.length; ++t)
          for (int64_t i = 0; i < V; ++i) {
            double* row = S.data() + i * K;
            auto at = [&](const Buffer& b, int64_t j) { return static_cast<double>(b.view().row(t)[h * K + j]); };
            auto read = [&](const Buffer& b) {
              double sum = 0;
              for (int64_t j = 0; j < K; ++j) sum += row[j] * at(b, j);
              return sum;
            };
            const double old = read(in.r), heard = unlearns ? read(in.a) : 0;
            for (int64_t j = 0; j < K; ++j) {
              const double w = GetParam() % 3 == 0   ? in.decay.f32()[h * K + j]
                               : GetParam() % 3 == 1 ? at(in.decay, j)
                                                     : static_cast<double>(in.decay.f32()[t * H + h]);
              row[j] = row[j] * w + (unlearns ? heard * at(in.b, j) : 0) + in.v.view().row(t)[h * V + i] * at(in.k, j);
            }
            ASSERT_NEAR(y.row(t)[h * V + i], fresh ? read(in.r) : old, 1e-4) << kernels->name;
          }
      }
  }
}

TEST(MemoryPieces, AreTheWhole) {
  Random random(test::seed());
  const int64_t T = 21, H = 3, K = 16, V = 10, C = H * K;
  Buffer x = random_buffer(random, {T, C}), k = random_buffer(random, {T, C}), a = random_buffer(random, {T, C}, 0.1f),
         v = random_buffer(random, {T, H * V}), decay = between(random, {T, C}, 0.5f, 1),
         w = between(random, {C}, -1, 0), i = random_buffer(random, {T, H}), f = random_buffer(random, {T, H});
  auto cut = [](const Buffer& all, int64_t at, int64_t n) {
    return Tensor{all.view().row(at), DType::f32, {n, all.view().cols()}};
  };
  for (const Kernels* kernels : tables()) {
    Bench bench(2, *kernels);
    std::vector<std::vector<float>> results;
    for (int64_t chunk : {T, int64_t{4}, int64_t{1}}) {
      std::vector<float> last(C), average(3 * C), matrix(H * V * K), maxima(H), out;
      for (int64_t at = 0; at < T; at += chunk) {
        const int64_t n = std::min(chunk, T - at);
        auto one = [&](std::vector<float>& state) { return std::vector<RecurrentSegment>{{0, n, state.data()}}; };
        Ctx& c = bench.c;
        const Tensor p = previous(c, cut(x, at, n), one(last));
        const Tensor y = wkv(c, w, w, p, cut(x, at, n), one(average));
        const Gates gates = exponential_gates(c, cut(i, at, n), cut(f, at, n), one(maxima));
        Heard heard{.r = cut(x, at, n), .k = cut(k, at, n), .v = cut(v, at, n), .decay = cut(decay, at, n)};
        heard.a = cut(a, at, n), heard.b = heard.k, heard.heads = H;
        const Tensor m = matrix_memory(c, heard, one(matrix));
        for (int64_t t = 0; t < n; ++t)
          for (const Tensor& part : {p, y, gates.keep, gates.take, gates.least, m})
            out.insert(out.end(), part.row(t), part.row(t) + part.cols());
      }
      results.push_back(out);
    }
    for (size_t r : {1, 2})
      EXPECT_EQ(std::memcmp(results[0].data(), results[r].data(), results[0].size() * 4), 0) << kernels->name;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Memories, testing::Range(0, 12));

}  // namespace
}  // namespace madang
