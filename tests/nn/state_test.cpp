// What layers remember: pages that grow, windows that let go, forks that share until they write, truncation that
// refuses what is no longer held.
#include <cstring>

#include "base/random.h"
#include "nn/step.h"
#include "support.h"

namespace madang {
namespace {

constexpr StateSpec full{.kind = StateKind::paged, .kv_heads = 2, .key_dim = 8, .value_dim = 4};
constexpr StateSpec window{.kind = StateKind::rolling, .kv_heads = 1, .key_dim = 8, .value_dim = 8, .window = 40};

std::vector<float> numbers(Random& random, int64_t n) {
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = static_cast<float>(random.normal());
  return out;
}

void grow(KvState& state, const StateSpec& spec, Random& random, int64_t n) {
  for (; n > 0; --n) {
    const auto k = numbers(random, spec.kv_heads * spec.key_dim), v = numbers(random, spec.kv_heads * spec.value_dim);
    state.append(ref_kernels, k.data(), v.data(), 1);
    state.forget_before(state.length());
  }
}

float first_key(const KvState& state, int64_t position) {
  const KvPages p = state.pages();
  float x;
  std::memcpy(&x, p.keys[position / kv_block - p.first_block] + position % kv_block * (p.columns ? 4 : p.key_row), 4);
  return x;
}

TEST(State, FullAttentionGrowsByPages) {
  Random random(test::seed());
  KvState state(full, KvType::f32);
  grow(state, full, random, 3 * kv_block + 1);
  EXPECT_EQ(state.held_tokens(), 3 * kv_block + 1);
  EXPECT_EQ(state.bytes(), 4 * kv_block * full.bytes_per_token(KvType::f32));
  EXPECT_EQ(full.bytes_per_token(KvType::f32), 2 * (8 + 4) * 4);
  EXPECT_EQ(full.bytes_per_token(KvType::f16), 2 * (8 + 4) * 2);
  EXPECT_EQ(full.bytes_at(KvType::bf16, 10), 10 * 2 * (8 + 4) * 2);
}

TEST(State, WindowsHoldAtMostThemselvesAndAPage) {
  Random random(test::seed());
  KvState state(window, KvType::f16);
  for (int i = 0; i < 1000; ++i) {
    grow(state, window, random, 1);
    EXPECT_LE(state.held_tokens(), window.window + kv_block);
    EXPECT_GE(state.held_tokens(),
              std::min<int64_t>(window.window - 1, state.length()));  // the next query brings its own
    EXPECT_LE(state.bytes(), 2 * kv_block * window.bytes_per_token(KvType::f16));
  }
  EXPECT_FALSE(state.truncate(500));  // what a query there would look at is gone
  EXPECT_TRUE(state.truncate(999));
  EXPECT_EQ(state.length(), 999);
}

TEST(State, ForksShareUntilOneWrites) {
  Random random(test::seed());
  KvState state(full, KvType::f32);
  grow(state, full, random, kv_block + 10);
  const float last = first_key(state, kv_block + 9);
  auto fork = state.fork();
  auto& copy = static_cast<KvState&>(*fork);
  EXPECT_EQ(copy.pages().keys[0], state.pages().keys[0]);
  ASSERT_TRUE(copy.truncate(kv_block + 9));
  grow(copy, full, random, 1);
  EXPECT_NE(first_key(copy, kv_block + 9), last);
  EXPECT_EQ(first_key(state, kv_block + 9), last);
  EXPECT_EQ(copy.pages().keys[0], state.pages().keys[0]);  // the full page is still one
  EXPECT_NE(copy.pages().keys[1], state.pages().keys[1]);
}

TEST(State, RecurrentStatesAreConstantAndCannotGoBack) {
  RecurrentState state(100);
  EXPECT_EQ(state.bytes(), 400);
  state.values()[3] = 5;
  state.advance(7);
  EXPECT_TRUE(state.truncate(7));
  EXPECT_FALSE(state.truncate(6));
  auto fork = state.fork();
  static_cast<RecurrentState&>(*fork).values()[3] = 6;
  EXPECT_EQ(state.values()[3], 5);
  EXPECT_TRUE(state.truncate(0));
  EXPECT_EQ(state.values()[3], 0);
}

TEST(State, ASequenceIsItsLayersTogether) {
  Random random(test::seed());
  const StateSpec specs[] = {full, window, {.kind = StateKind::recurrent, .floats = 10}, {}};
  SequenceState sequence(specs, KvType::f32, 500);
  EXPECT_EQ(sequence.layers.size(), 4u);
  EXPECT_EQ(sequence.layers[3], nullptr);
  grow(static_cast<KvState&>(*sequence.layers[0]), full, random, 5);
  grow(static_cast<KvState&>(*sequence.layers[1]), window, random, 5);
  static_cast<RecurrentState&>(*sequence.layers[2]).advance(5);
  sequence.length = 5;
  SequenceState fork = sequence.fork();
  EXPECT_EQ(fork.length, 5);
  EXPECT_EQ(fork.limit, 500);
  EXPECT_TRUE(fork.truncate(5));
  EXPECT_FALSE(fork.truncate(4));  // the recurrent layer cannot
  EXPECT_EQ(sequence.bytes(),
            kv_block * (full.bytes_per_token(KvType::f32) + window.bytes_per_token(KvType::f32)) + 40);
}

TEST(StepBuilding, PacksSequencesAndWantedRows) {
  SequenceState state;
  state.length = 7, state.limit = 100;
  Step step;
  const std::vector<int32_t> a{1, 2, 3}, b{4, 5};
  step.add(a, &state, Step::Want::last);
  step.add(b);
  EXPECT_EQ(step.ids, (std::vector<int32_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(step.wanted, (std::vector<int32_t>{2, 3, 4}));
  EXPECT_EQ(step.segments[0].start, 7);
  EXPECT_EQ(step.segments[0].limit, 100);
  EXPECT_EQ(step.segments[1].offset, 3);
  EXPECT_EQ(step.segments[1].limit, 2);
  step.advance();
  EXPECT_EQ(state.length, 10);
}

}  // namespace
}  // namespace madang
