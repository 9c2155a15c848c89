// All arithmetic of madang as one struct of function pointers, forward and backward. ref/ fills every slot with
// plain loops and is the meaning; x86/ fills what it does better; pick.cpp chooses. Kernels know no model, no
// file and no thread: ops split the work over outputs and call a kernel for each piece.
//
// THE SAME BITS. The order of every sum depends on the length summed and on nothing else. Kernels that sum along a
// row use eight lanes:
//
//     lane[j] = fma(a[i + j], b[i + j], lane[j])      i = 0, 8, 16, ...; past the end a and b count as zero
//     sum     = ((lane0 + lane4) + (lane2 + lane6)) + ((lane1 + lane5) + (lane3 + lane7))
//
// (one AVX2 register and its usual fold; half an AVX-512 one). One-row and many-row kernels do the same, so a
// token's result does not depend on the tokens beside it. Exact products are the same bits on every instruction set;
// what goes through exp or tanh differs in its last bits between sets, never within one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "quant/panels.h"
#include "quant/weight.h"

namespace madang {

/// Element-wise functions, named as configurations name them.
enum class Act { silu, gelu_tanh, gelu_erf, relu, relu2, sigmoid, tanh, softplus, count };

/// Rows of activations as the integer kernels take them: 32 values share a scale,
/// x = scale * code, code = round to nearest even of x / scale, scale = max |x| / 127 over the group, no number if an x
/// is not finite.
/// Rows stand in tiles so that a kernel which takes some of them together (Kernels::tokens) reads one stream: group g
/// of row t has the slot (t / tile * groups + g) * tile + t % tile.
struct Int8Rows {
  int64_t rows = 0, cols = 0, tile = 1;
  int8_t* code = nullptr;  // [slots, 32]
  float* scale = nullptr;  // [slots]
  float* low = nullptr;    // [slots]: -scale * (sum of the codes), for minimums
  // [3, slots]: minus the sums of the codes of the group and of its halves, for offsets. Two sums of 16 bits each, as
  // products of bytes are added in pairs: codes 0 and 1 of every four in the low one, 2 and 3 in the high one.
  int32_t* less = nullptr;

  static int32_t both(int64_t low, int64_t high) { return static_cast<int32_t>(high * 65536 + (low & 0xFFFF)); }
  /// Low and high sum together.
  static int32_t whole(int32_t less) { return static_cast<int16_t>(less) + (less >> 16); }

  int64_t groups() const { return cols / 32; }
  int64_t slots() const { return tile ? (rows + tile - 1) / tile * tile * groups() : 0; }
  int64_t slot(int64_t row, int64_t group) const { return (row / tile * groups() + group) * tile + row % tile; }
};

/// Rows of activations rounded to bf16, to nearest even: 32 numbers of every row side by side, then the next 32.
struct Bf16Rows {
  int64_t rows = 0, cols = 0;  ///< cols a multiple of 32
  uint16_t* number = nullptr;  // [cols / 32, rows, 32]

  int64_t groups() const { return cols / 32; }
  uint16_t* at(int64_t group, int64_t row) const { return number + (group * rows + row) * 32; }
};

/// How keys and values are stored.
enum class KvType : uint8_t { f32, f16, bf16, q8 };

/// Attention walks keys in blocks of this many positions, at absolute multiples of it. 64 keys of 128 float32 are
/// 32 KiB: with the values one block stays in a second-level cache, and the block's rescaling costs little.
inline constexpr int64_t kv_block = 64;

/// Blocks are summed in spans of this many positions, each span on its own, and the spans join in order: so threads can
/// share the keys of one query, and no bit tells whether they did. Short enough that the keys of an ordinary chat are
/// several spans, long enough that joining costs a percent.
inline constexpr int64_t kv_span = 4 * kv_block;

/// Where one sequence's keys and values lie: a page holds kv_block positions of all kv heads.
struct KvPages {
  KvType type = KvType::f32;
  const std::byte* const* keys = nullptr;  // page pointers; page i holds block first_block + i
  const std::byte* const* values = nullptr;
  int64_t first_block = 0;
  int64_t key_row = 0, value_row = 0;    // bytes from one position to the next
  int64_t key_step = 0, value_step = 0;  // bytes from one kv head to the next
  int64_t key_head = 0, value_head = 0;  // byte offset of the kv head that is meant
  // Keys by columns: number d of all kv_block positions side by side, as they are multiplied; key_row is not used.
  // Never q8, whose numbers share scales.
  bool columns = false;

  KvPages of_head(int64_t h) const {
    KvPages one = *this;
    one.key_head = h * key_step, one.value_head = h * value_step;
    return one;
  }
};

/// Bytes of one head of `dim` numbers: q8 keeps a float16 scale for each 32 (the last group may be shorter), scales
/// first.
int64_t kv_head_bytes(KvType type, int64_t dim);

/// Block-sparse attention (Phi-3, Abdin et al. 2024, section 2): of keys in blocks of `size` positions, a multiple of
/// kv_block, a query sees the last `local`, its own counted, and before them every `stride`-th. Head h counts the
/// blocks from shift + h * step, so that heads together see them all. Size 0: no blocks, all keys are seen.
struct SparseBlocks {
  int64_t size = 0, local = 0, stride = 0, shift = 0, step = 0;

  bool hides(int64_t position, int head, int64_t key) const {
    if (size == 0) return false;
    const int64_t block = key / size;
    return position / size - block >= local && (shift + head * step + block + 1) % stride != 0;
  }
};

/// One kv head and the query heads that share it, for a run of queries of one sequence.
struct AttendTask {
  const float* query = nullptr;  // head h of query i at query + i * query_stride + h * key_dim
  float* out = nullptr;          // head h of query i at out + i * out_stride + h * value_dim
  int64_t query_stride = 0, out_stride = 0;
  int64_t n = 0, first = 0;  // queries; absolute position of the first: query i sees keys 0 .. first + i
  int heads = 1, key_dim = 0, value_dim = 0;
  float scale = 1;
  int64_t window = 0;   // > 0: query at p sees keys above p - window only
  int64_t chunk = 0;    // > 0: query at p sees keys from the last multiple of chunk up to p on
  SparseBlocks blocks;  // and of those some blocks only
  float softcap = 0;    // > 0: scores become cap * tanh(score / cap)
  /// [heads, keys] at stride bias_stride, added to the scores of a head by the key's absolute position; or null.
  const float* bias = nullptr;
  int64_t bias_stride = 0;
  KvPages kv;
  float* log_sum = nullptr;  // [n, heads], stride log_sum_stride: log of the sum of exp(score), for backward
  int64_t log_sum_stride = 0;

  /// The first key that query i sees.
  int64_t first_key(int64_t i) const {
    const int64_t position = first + i;
    if (chunk > 0) return position - position % chunk;
    return window > 0 && position >= window ? position - window + 1 : 0;
  }
  /// The spans that hold keys which some query sees: [first_span, end_span).
  int64_t first_span() const { return first_key(0) / kv_span; }
  int64_t end_span() const { return (first + n - 1) / kv_span + 1; }
};

/// Scores may be larger by so much than what is taken from them before exp; only beyond is more taken and what was
/// gathered scaled down: e^8 is far from too large for float32, and most blocks of keys scale nothing.
inline constexpr float kv_slack = 8;

/// What a task's queries have gathered from a span, or from several that joined.
struct AttendPart {
  float* values = nullptr;  // head h of query i at values + i * stride + h * value_dim: sum of exp(score - top) value
  int64_t stride = 0;
  float* top = nullptr;  // [n, heads]: at most kv_slack below the largest score; -infinity: no key seen so far
  float* sum = nullptr;  // [n, heads]: sum of exp(score - top)

  /// In `memory`, of `floats(task)`.
  static int64_t floats(const AttendTask& task) { return task.n * task.heads * (task.value_dim + 2); }
  static AttendPart in(float* memory, const AttendTask& task) {
    const int64_t rows = task.n * task.heads;
    return {memory + 2 * rows, task.heads * task.value_dim, memory, memory + rows};
  }
  /// With the values where the task's results will stand; `memory` of 2 n heads.
  static AttendPart in_place(float* memory, const AttendTask& task) {
    return {task.out, task.out_stride, memory, memory + task.n * task.heads};
  }
  float* row(const AttendTask& task, int64_t i, int64_t h) const { return values + i * stride + h * task.value_dim; }
};

/// Mamba's selective scan (Gu and Dao 2023, algorithm 2) over one sequence, for channels [begin, end):
///   h = exp(delta A) h + delta B x;  y = C h + D x
struct ScanTask {
  int64_t n = 0, channels = 0, states = 0, begin = 0, end = 0;
  const float *x = nullptr, *delta = nullptr;  // [n, channels]
  const float *A = nullptr, *D = nullptr;      // [channels, states] (already negative), [channels]
  const float *B = nullptr, *C = nullptr;      // [n, states] at stride bc_stride
  int64_t bc_stride = 0;
  float* h = nullptr;        // [channels, states], in and out
  float* y = nullptr;        // [n, channels]
  float* history = nullptr;  // [n + 1, channels, states] or null: h before and after each step
};

/// RWKV-4's weighted average of the past (Peng et al. 2023, section 3.1; appendix D for the exponents) over one
/// sequence, for channels [begin, end):
///   y_t = (sum_{i<t} exp((t-1-i) w + k_i) v_i + exp(u + k_t) v_t) / (the same sum without v)
/// Both sums are kept divided by exp(p), p being the largest exponent so far.
struct WkvTask {
  int64_t n = 0, channels = 0, begin = 0, end = 0;
  const float *k = nullptr, *v = nullptr;  // [n, channels]
  const float *w = nullptr, *u = nullptr;  // [channels]: decay (negative already), bonus of the present
  float* state = nullptr;                  // [3, channels]: sum with v, sum without, p; all zero: nothing seen yet
  float* y = nullptr;                      // [n, channels]
  float* history = nullptr;                // [n, 3, channels] or null: the state before each step
};

/// A matrix for each head as memory (Schlag et al. 2021; Beck et al. 2024, eq. 19; Yang et al. 2024; Peng et al. 2024
/// and 2025, eq. 17), over one sequence, for rows [begin, end) of all heads' values:
///   S = S diag(w) + (S a) b^T + v k^T;   y = S r, of the new S or of the old one
struct MemoryTask {
  int64_t n = 0, heads = 0, keys = 0, values = 0, begin = 0, end = 0;
  const float *r = nullptr, *k = nullptr;  // [n, heads * keys]
  const float *a = nullptr, *b = nullptr;  // the same, or null: without that term
  const float* v = nullptr;                // [n, heads * values]
  const float* w = nullptr;                // number of token t, head h, key j at t * w_token + h * w_head + j * w_key
  int64_t w_token = 0, w_head = 0, w_key = 0;
  bool fresh = true;         // y is read from the new S
  float* S = nullptr;        // [heads, values, keys], in and out
  float* y = nullptr;        // [n, heads * values]
  float* history = nullptr;  // [n + 1, heads, values, keys] or null: S before and after each step
};

/// Mamba-2's scan (Dao and Gu 2024, section 3.2: A is a number for each head) over one sequence, for heads [begin,
/// end). The channels of a head share its decay and its step, the heads of a group their B and C:
///   h = exp(delta A) h + delta x B;  y = C h + D x
struct SsdTask {
  int64_t n = 0, heads = 0, head_dim = 0, groups = 0, states = 0, begin = 0, end = 0;
  const float *x = nullptr, *delta = nullptr;  // [n, heads * head_dim], [n, heads]
  const float *A = nullptr, *D = nullptr;      // [heads] (A already negative)
  const float *B = nullptr, *C = nullptr;      // [n, groups * states]
  float* h = nullptr;                          // [heads, head_dim, states], in and out
  float* y = nullptr;                          // [n, heads * head_dim]

  /// Where in a row of B and C the states of head i begin.
  int64_t states_of(int64_t i) const { return i / (heads / groups) * states; }
};

/// Depthwise causal convolution over one sequence: y[t] = bias + sum_k w[k] x[t - width + 1 + k]. `past` holds the
/// width - 1 inputs before the first, oldest first, and is updated.
struct ConvTask {
  int64_t n = 0, channels = 0, width = 0, begin = 0, end = 0;
  const float *x = nullptr, *w = nullptr, *bias = nullptr;  // [n, channels], [channels, width], [channels] or null
  float* past = nullptr;                                    // [width - 1, channels]
  float* y = nullptr;                                       // [n, channels]
};

struct Kernels {
  const char* name;  ///< as MADANG_ISA takes it
  int64_t tokens;    ///< that matmul_fast takes together where there are as many: its rows lie in tiles of int8_tile()

  int64_t int8_tile(int64_t rows) const { return rows < tokens ? rows : tokens; }  ///< Int8Rows::tile of so many rows

  // ---- products with a weight: y[t, r] = sum_k w[r, k] x[t, k] for rows [begin, end), tokens [0, n)
  /// float32 activations, the weight decoded to float32, eight lanes. y has stride y_stride.
  void (*matmul_exact)(const Weight& w, const float* x, int64_t n, int64_t begin, int64_t end, float* y,
                       int64_t y_stride);
  /// Int8 activations and a packed weight, panels [begin, end), all rows of x; y has stride y_stride. Inside a group
  /// (of 32 or 16) the sum is one of integers and exact; over the groups, in order, one accumulator for each result.
  /// Groups of 32 weights:
  ///   acc = fma(float(sum of (code - offset) * x_code), scale * x_scale, acc)
  ///   acc = fma(minimum, -x_scale * float(sum of x_code), acc)                    forms with minimums only
  /// Groups of 16, of which two share a scale of x:
  ///   part = fma(float(sum of (code - offset) * x_code), scale, part)             part = 0 before the first
  ///   part = fma(minimum, -float(sum of x_code), part)                            forms with minimums only
  ///   acc = fma(part, x_scale, acc)                                               after the second
  /// So every instruction set and every number of tokens gives the same bits.
  void (*matmul_fast)(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride);
  /// Fills rows [begin, end) of `out` from x [rows, cols].
  void (*to_int8)(const float* x, int64_t begin, int64_t end, const Int8Rows& out);
  bool bf16;  ///< whether fast mode multiplies BF16 weights so here, or in floats
  /// A BF16 weight with activations in bf16, rows [begin, end), begin a multiple of 32. For every 32 columns, in order,
  /// as the instructions have it (Intel SDM vol. 2, TDPBF16PS; subnormal numbers are zeros, as operands and results):
  ///   even = fma(w[2k], x[2k], even), odd = fma(w[2k + 1], x[2k + 1], odd)      k = 0 .. 15, both from 0
  ///   acc = acc + (even + odd)
  void (*matmul_bf16)(const Weight& w, const Bf16Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride);
  void (*to_bf16)(const float* x, int64_t begin, int64_t end, const Bf16Rows& out);

  // ---- rows and elements
  float (*dot)(const float* a, const float* b, int64_t n);
  /// y = x / sqrt(mean(x^2) + eps) * (w + offset); w null: no weight. Returns the factor 1 / sqrt(...).
  float (*rms_norm)(const float* x, const float* w, float offset, float eps, int64_t n, float* y);
  void (*act)(Act act, const float* x, int64_t n, float* y);
  void (*gated)(Act act, const float* gate, const float* up, int64_t n, float* y);  ///< act(gate) * up
  void (*add)(const float* a, const float* b, int64_t n, float* y);
  void (*scale)(const float* x, float s, int64_t n, float* y);
  void (*softmax)(const float* x, int64_t n, float* y);
  /// Rotates the first `rotary` numbers of a head, halves paired: (x[i], x[i + rotary/2]) by angle i; the rest is
  /// copied.
  void (*rope)(const float* x, const float* cos, const float* sin, int64_t dim, int64_t rotary, float* y);

  // ---- what looks along the sequence
  /// The keys of one span alone (kernels/attention.h: all of them).
  void (*attend)(const AttendTask& task, int64_t span, const AttendPart& part);
  /// `next` joins what the spans before it gave.
  void (*attend_join)(const AttendTask& task, const AttendPart& all, const AttendPart& next);
  /// The task's out and log_sum, from all spans, gathered in_place.
  void (*attend_end)(const AttendTask& task, const AttendPart& all);
  void (*scan)(const ScanTask& task);
  void (*ssd)(const SsdTask& task);
  void (*conv)(const ConvTask& task);
  void (*wkv)(const WkvTask& task);
  void (*memory)(const MemoryTask& task);

  // ---- storing keys and values: one head
  void (*kv_encode)(KvType type, const float* x, int64_t dim, std::byte* out);
  void (*kv_decode)(KvType type, const std::byte* in, int64_t dim, float* out);

  // ---- backward: d... accumulate (+=)
  void (*matmul_dx)(const Weight& w, const float* dy, int64_t n, int64_t begin, int64_t end,
                    float* dx);  // tokens [begin, end)
  void (*matmul_dw)(const float* x, const float* dy, int64_t n, int64_t rows, int64_t cols, int64_t begin, int64_t end,
                    float* dw);  // weight rows
  void (*rms_norm_back)(const float* x, const float* w, float offset, float factor, const float* dy, int64_t n,
                        float* dx, float* dw);
  void (*act_back)(Act act, const float* x, const float* dy, int64_t n, float* dx);
  void (*gated_back)(Act act, const float* gate, const float* up, const float* dy, int64_t n, float* dgate, float* dup);
  void (*softmax_back)(const float* y, const float* dy, int64_t n, float* dx);
  void (*rope_back)(const float* dy, const float* cos, const float* sin, int64_t dim, int64_t rotary, float* dx);
  /// Keys and values lie as plain float32 pages. dk, dv point at this kv head of position 0; strides in floats.
  void (*attend_back)(const AttendTask& task, const float* dout, float* dquery, float* dk, int64_t dk_stride, float* dv,
                      int64_t dv_stride);
  /// Needs task.history. dB, dC [n, states] are this call's own (channels are summed by the caller in order).
  void (*scan_back)(const ScanTask& task, const float* dy, float* dx, float* ddelta, float* dA, float* dD, float* dB,
                    float* dC);
  /// From an h of zeros; goes through the states a second time instead of keeping them. dB, dC [heads, n, states] are
  /// each head's own (the caller sums them over a group in order).
  void (*ssd_back)(const SsdTask& task, const float* dy, float* dx, float* ddelta, float* dA, float* dD, float* dB,
                   float* dC);
  void (*conv_back)(const ConvTask& task, const float* dy, float* dx, float* dw, float* dbias);
  /// Needs task.history.
  void (*wkv_back)(const WkvTask& task, const float* dy, float* dk, float* dv, float* dw, float* du);
  /// Needs task.history; rows of whole heads. d... lie as what they belong to; da, db null where a, b are.
  void (*memory_back)(const MemoryTask& task, const float* dy, float* dr, float* dk, float* da, float* db, float* dv,
                      float* dw);
};

extern const Kernels ref_kernels;
const Kernels& emulated_kernels();  ///< the vector kernels in plain C++, for tests
#if defined(__x86_64__)
const Kernels& avx2_kernels();    ///< to be called only where the processor has AVX2, FMA and F16C
const Kernels& avx512_kernels();  ///< likewise: AVX-512 F, BW, DQ, VL and VNNI
#endif

/// The best table that the processor and the operating system grant, or the one named by `forced` ("" for none).
/// Throws Kind::usage naming the known ones if `forced` is unknown, Kind::unsupported if this machine lacks it.
const Kernels& pick_kernels(std::string_view forced = "");

}  // namespace madang
