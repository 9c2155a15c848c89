// What a state says it takes is what it allocates: growing, windowed, recurrent and latent, at 100, 10,000 and 100,000
// tokens.
#include "kernels/table.h"
#include "nn/state.h"
#include "support.h"

namespace madang {
namespace {

constexpr int64_t lengths[] = {100, 10'000, 100'000};

/// Bytes held after so many tokens, fed as an attention layer feeds them.
int64_t allocated(const StateSpec& spec, KvType type, int64_t length) {
  const Kernels& kernels = pick_kernels("");
  KvState state(spec, type);
  const std::vector<float> key(static_cast<size_t>(spec.kv_heads * spec.key_dim), 0.5f),
      value(static_cast<size_t>(std::max<int64_t>(1, spec.kv_heads * spec.value_dim)), 0.25f);
  for (int64_t i = 0; i < length; ++i) {
    state.forget_before(i);
    state.append(kernels, key.data(), value.data(), 1);
  }
  return state.bytes();
}

/// Whole pages are allocated: at most one more than the tokens need, and of a window one at either end.
void expect_allocated(const StateSpec& spec, KvType type, int64_t length) {
  const int64_t page = kv_block * spec.bytes_per_token(type), said = spec.bytes_at(type, length),
                held = allocated(spec, type, length);
  EXPECT_GE(held, said);
  EXPECT_LT(held, said + (spec.kind == StateKind::rolling ? 2 : 1) * page);
}

TEST(Allocation, IsWhatTheStateSays) {
  const StateSpec full{.kind = StateKind::paged, .kv_heads = 2, .key_dim = 32, .value_dim = 32};
  const StateSpec window{.kind = StateKind::rolling, .kv_heads = 2, .key_dim = 32, .value_dim = 32, .window = 128};
  const StateSpec latent{.kind = StateKind::latent, .kv_heads = 1, .key_dim = 64};
  for (KvType type : {KvType::f32, KvType::f16, KvType::bf16, KvType::q8})
    for (const StateSpec& spec : {full, window, latent})
      for (int64_t length : lengths) expect_allocated(spec, KvState::kept_type(spec, type), length);
}

TEST(Allocation, FullAttentionGrowsWindowsStopRecurrencesStay) {
  const StateSpec full{.kind = StateKind::paged, .kv_heads = 2, .key_dim = 32, .value_dim = 32};
  EXPECT_EQ(allocated(full, KvType::f16, 100'096), 100'096 * full.bytes_per_token(KvType::f16));  // whole pages
  const StateSpec window{.kind = StateKind::rolling, .kv_heads = 2, .key_dim = 32, .value_dim = 32, .window = 128};
  EXPECT_EQ(allocated(window, KvType::f16, 10'000), allocated(window, KvType::f16, 100'000 + 10'000 % kv_block));
  EXPECT_EQ(window.bytes_at(KvType::f16, 100), 100 * window.bytes_per_token(KvType::f16));
  EXPECT_EQ(window.bytes_at(KvType::f16, 100'000), 128 * window.bytes_per_token(KvType::f16));
  const StateSpec recurrent{.kind = StateKind::recurrent, .floats = 640};
  for (int64_t length : lengths) {
    EXPECT_EQ(recurrent.bytes_at(KvType::f16, length), 640 * 4);
    EXPECT_EQ(make_state(recurrent, KvType::f16)->bytes(), 640 * 4);
  }
}

TEST(Allocation, GroupedQueriesHoldAQuarterAndLatentsNoHeads) {
  const StateSpec all{.kind = StateKind::paged, .kv_heads = 32, .key_dim = 128, .value_dim = 128};
  const StateSpec grouped{.kind = StateKind::paged, .kv_heads = 8, .key_dim = 128, .value_dim = 128};
  EXPECT_EQ(allocated(all, KvType::f16, 100), 4 * allocated(grouped, KvType::f16, 100));
  const StateSpec latent{.kind = StateKind::latent, .kv_heads = 1, .key_dim = 576};  // DeepSeek-V3
  EXPECT_EQ(latent.bytes_per_token(KvType::f16), 2 * 576);
  EXPECT_EQ(allocated(latent, KvType::f16, kv_block), kv_block * 2 * 576);
}

}  // namespace
}  // namespace madang
