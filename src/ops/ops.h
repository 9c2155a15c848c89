// Every op on one screen. Each makes a new tensor in the arena, records its gradient on the tape when there is one,
// and splits its work over outputs. Shapes: T tokens of all sequences packed, D width, H heads.
// For each: what backward keeps [saves] beyond inputs and output.
#pragma once
#include <span>
#include <vector>

#include "ops/ctx.h"
#include "ops/tape.h"

namespace madang {

// ---- looking up and multiplying
Tensor embed(Ctx&, const Weight& table, std::span<const int32_t> ids);  // -> [T, D]
Tensor linear(Ctx&, const Weight& w, Tensor bias, Tensor x);            // [T, in] -> [T, out]; bias [out] or none
/// The same for several weights that multiply one input: it is quantized once, and the threads meet once. Fills in y.
struct Product {
  const Weight& w;
  Tensor bias, y;
};
void linear(Ctx&, std::span<Product> products, Tensor x);
Tensor linear_turned(Ctx&, const Weight& w, Tensor x);        // x w: [T, out] -> [T, in]
Tensor rows(Ctx&, Tensor x, std::span<const int32_t> which);  // [T, D] -> [which, D]
Tensor columns(Ctx&, Tensor x, int64_t begin, int64_t n);     // [T, D] -> [T, n]
Tensor beside(Ctx&, std::span<const Tensor> parts);           // [T, n] each -> [T, sum of n]

// ---- norms and elements
/// x / sqrt(mean(x^2) + eps) * (w + offset) over the last axis; w as of layer_norm, or none. [saves] 1/rms per row
Tensor rms_norm(Ctx&, Tensor x, Tensor w, float eps, float offset = 0);
/// (x - mean) / sqrt(var + eps) * w + b over the last axis; w [k * width]: row i takes piece i % k; b the same or none.
Tensor layer_norm(Ctx&, Tensor x, Tensor w, Tensor b, float eps);  // [saves] x - mean, 1 / deviation per row
Tensor add(Ctx&, Tensor a, Tensor b);
Tensor scale(Ctx&, Tensor x, float factor);
Tensor scale_rows(Ctx&, Tensor x, Tensor factors);  // [T, D] times [T, 1]
/// [T, D] times w / by of each column [D], plus bias [D] or none; `by` has no gradient (DoRA's norms).
Tensor scale_columns(Ctx&, Tensor x, Tensor w, Tensor by, Tensor bias);
/// ||w + factor b a|| of each row, for w [out, in], a [r, in], b [out, r]; has no gradient. -> [out]
Tensor row_norms(Ctx&, const Weight& w, const Weight& a, const Weight& b, float factor);
void row_norms(const Weight& w, const Weight& a, const Weight& b, float factor, int64_t begin, int64_t end,
               float* norms);  // of rows [begin, end) alone
Tensor act(Ctx&, Act kind, Tensor x);
Tensor gated(Ctx&, Act kind, Tensor gate, Tensor up);  // act(gate) * up
/// (up + 1) * gate * sigmoid(alpha * gate), gate cut above limit, up to -limit .. limit (gpt-oss).
Tensor clamped_swiglu(Ctx&, Tensor gate, Tensor up, float alpha, float limit);
Tensor mul(Ctx&, Tensor a, Tensor b);                // element by element; b may be one row for all
Tensor add_row(Ctx&, Tensor x, Tensor row);          // [T, n] plus [n]
Tensor mix(Ctx&, Tensor a, Tensor b, Tensor share);  // b + (a - b) * share; share may be one row for all
Tensor dots(Ctx&, Tensor a, Tensor b);               // [T, n] . [T, n] -> [T, 1]
Tensor exponential(Ctx&, Tensor x);
Tensor softmax(Ctx&, Tensor x);  // over the last axis
Tensor neg_exp(Ctx&, Tensor x);  // -exp(x): mamba's A from A_log

// ---- positions
Tensor rope(Ctx&, Tensor x, Tensor cos, Tensor sin);  // x [T, H, dim]; cos, sin [T, rotary / 2]
/// The first `rotary` numbers of each row, neighbours paired, as rope pairs them: 0 2 4 ... 1 3 5 ...; the rest stays.
Tensor unpaired(Ctx&, Tensor x, int64_t rotary);

// ---- along the sequence
/// One sequence's stretch of the packed tokens, with its keys and values.
struct AttendSegment {
  int64_t offset = 0, length = 0, start = 0;  ///< place in the packed tokens; absolute position of the first
  KvPages pages;                              ///< of all heads (head offsets are filled in by the op)
};
struct AttentionShape {
  int heads = 1, kv_heads = 1, key_dim = 0, value_dim = 0;
  float scale = 1, softcap = 0;
  int64_t window = 0, chunk = 0;  ///< as in AttendTask
  Tensor bias;   ///< [heads, positions], added to scores by the key's absolute position, or none; has no gradient
  Tensor sinks;  ///< [heads], a score beside the keys' that takes its share and gives nothing, or none; a parameter
  SparseBlocks blocks = {};  ///< of head 0
};
/// q [T, H, key_dim] against stored pages -> [T, H * value_dim]. No gradient: inference only.
Tensor attention(Ctx&, Tensor q, std::span<const AttendSegment> segments, const AttentionShape& shape);
/// The same arithmetic on keys and values of this very forward, k [T, kvH, key_dim], v [T, kvH, value_dim]; every
/// segment starts at position 0. [saves] log-sum per query and head.
Tensor attention(Ctx&, Tensor q, Tensor k, Tensor v, std::span<const AttendSegment> segments,
                 const AttentionShape& shape);

struct RecurrentSegment {
  int64_t offset = 0, length = 0;
  float* state = nullptr;  ///< updated in place; null in training: starts from zero
};
Tensor causal_conv(Ctx&, Tensor x, Tensor w, Tensor bias,
                   std::span<const RecurrentSegment> segments);  // x [T, C], w [C, width]
Tensor selective_scan(Ctx&, Tensor x, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor D,
                      std::span<const RecurrentSegment> segments);  // x, delta [T, C]; A [C, N]; B, C [T, N]; [saves] h

/// The token before of the same sequence; its state is that token, zeros at the beginning. [T, D] -> [T, D]
Tensor previous(Ctx&, Tensor x, std::span<const RecurrentSegment> segments);
/// RWKV-4's weighted average, see WkvTask: k, v [T, C]; w, u [C]. State: 3 C. [saves] the state at every step
Tensor wkv(Ctx&, Tensor w, Tensor u, Tensor k, Tensor v, std::span<const RecurrentSegment> segments);
/// What a matrix memory hears, see MemoryTask: r, k and, or neither, a, b [T, H * keys]; v [T, H * values]; decay
/// [H * keys] for all tokens, [T, H * keys], or [T, H] with one number for all keys of a head.
struct Heard {
  Tensor r, k, v, decay, a = {}, b = {};
  int64_t heads = 1;
  bool fresh = true;  ///< read after the update
};
/// -> [T, H * values]. State: H * values * keys. [saves] the memory at every step
Tensor matrix_memory(Ctx&, const Heard& heard, std::span<const RecurrentSegment> segments);

/// xLSTM's exponential gates (Beck et al. 2024, eq. 15, 25 to 27), kept in range by their running maximum m:
///   m_t = max(log sigmoid(f) + m_{t-1}, i);  keep = exp(log sigmoid(f) + m_{t-1} - m_t);  take = exp(i - m_t)
struct Gates {
  Tensor keep, take, least;  ///< [T, H]; least = exp(-m_t), below which a normalizer does not go
};
Gates exponential_gates(Ctx&, Tensor i, Tensor f, std::span<const RecurrentSegment> segments);  // [T, H]; state: H
/// What a memory of values and of ones answers, divided by the ones' answer: sums [R, n + 1], least [R]
/// -> sums[:n] / (max(|sums[n]|, least) + eps), [R, n].
Tensor normalized(Ctx&, Tensor sums, Tensor least, float eps);
/// How fast heads forget, and what they take in: softplus(x + bias), cut to least .. most. x [T, H], bias [H].
Tensor step_sizes(Ctx&, Tensor x, Tensor bias, float least, float most);
/// Mamba-2's scan, see SsdTask: x [T, H * head_dim], delta [T, H], A, D [H], B, C [T, groups * states]
/// -> [T, H * head_dim]. Goes through its states again in backward.
Tensor ssd(Ctx&, Tensor x, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor D, int64_t groups,
           std::span<const RecurrentSegment> segments);

// ---- experts
struct Routed {
  Tensor weights;                // [T, k], in order of falling score
  std::span<const int32_t> ids;  // [T, k]
};
/// How experts are chosen by their scores.
struct Choice {
  int k = 1;
  bool renormalize = false;         ///< divide the weights of the chosen by their sum
  Tensor bias = {};                 ///< [experts], added for the choice only, or none
  int groups = 1, groups_kept = 1;  ///< only experts of the best groups of neighbours
  int judges = 1;                   ///< a group is as good as the sum of so many of its best
};
/// The k largest of each row of scores, kept as weights. Ties go to the lower expert.
Routed top_k(Ctx&, Tensor scores, const Choice& choice);
inline Routed top_k(Ctx& c, Tensor scores, int k, bool renormalize) {
  return top_k(c, scores, Choice{.k = k, .renormalize = renormalize});
}
/// Two experts by SparseMixer (Liu et al. 2023) as it answers: the best logit, then the best of the rest, each weighed
/// by a softmax over the logits within 2 * jitter of it, relative to the larger of it and themselves.
Routed sparse_mixer(Ctx&, Tensor logits, float jitter);
/// One expert's results and the (token, slot) pairs they belong to.
struct ExpertRows {
  Tensor y;                              // [n, D]
  std::span<const int32_t> token, slot;  // [n]
};
/// out[t] = sum over experts, in the order given, of weights[t, slot] * y. -> [T, D]
Tensor combine(Ctx&, std::span<const ExpertRows> experts, const Routed& routed, int64_t tokens, int64_t width);

// ---- loss
inline constexpr int32_t no_label = -100;
/// Mean of -log softmax(logits)[label] over rows whose label is not no_label, summed in float64; puts its gradient on
/// the tape. 0 if no row counts.
double cross_entropy(Ctx&, Tensor logits, std::span<const int32_t> labels);

}  // namespace madang
