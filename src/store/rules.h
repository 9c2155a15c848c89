// Where a file keeps what a layer asks for. A rule maps a canonical name (the one Hugging Face repositories of that
// architecture use) to stored names and says what was done to the tensor on the way, so that it can be undone:
//
//   {"model.layers.{}.self_attn.q_proj.{}", "blk.{}.attn_q.{}", unpair, "num_attention_heads"}
//
// `{}` stands for one piece between dots, `{...}` for any rest; stored names take the pieces in order, or by number
// ({0}). Several stored names with " + " between them are given to the operation together, and `*` in one stands for
// 0, 1, 2, ... as far as there are such tensors. Rules are tried in order,
// and one counts only if all its stored names are there, so that two layouts of one thing are two rules. A name that no
// rule knows stands for itself.
//
// The tables are in layouts.h, a file a layout; most architectures need no rule of their own.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/config.h"
#include "store/source.h"

namespace madang {

struct Rule;

/// What an operation is given.
struct Making {
  std::span<const StoredTensor* const> parts;
  const Rule& rule;
  const Config& config;
  const std::vector<std::string>& pieces;  ///< of the canonical name

  const StoredTensor& part() const { return *parts[0]; }
};
/// Makes the canonical tensor; a view if it can.
using Make = StoredTensor (*)(const Making&);

struct Rule {
  std::string_view name, stored;
  Make make = nullptr;        ///< null: as it is
  std::string_view key = "";  ///< the configuration's number that the operation needs
  /// A number of the configuration: without it, or if it is 0, files are not written so.
  std::string_view unless_zero = "";
  bool old = false;  ///< files are no longer written so
};

// The operations. Each works on rows of blocks, so on quantized tensors too, unless it says otherwise.

/// Rows of each head from neighbouring pairs (0 1, 2 3, ...), as llama.cpp's and Meta's rotation wants them, to halves
/// (0 2 4 ... 1 3 5 ...). `key` counts the heads. Copies.
StoredTensor unpair(const Making&);
/// Slice [e, ...] of a stack of experts, e being the last number among the pieces. A view.
StoredTensor expert(const Making&);
/// All parts one under the other. Copies.
StoredTensor join(const Making&);
// Of rows that are for each head one half, then the other (queries and their gates): the first or second halves. `key`
// counts the heads. Copies.
StoredTensor first_of_heads(const Making&);
StoredTensor second_of_heads(const Making&);
// All axes as one. `key`, where a rule has one, counts the rows of the stored tensor, or says how long they are. Views.
StoredTensor flat(const Making&);
StoredTensor flat_rows(const Making&);
/// Qwen3-Next's linear layers: q, k and v of all heads, then z of all, to q, k, v and z of each key head. Copies; parts
/// of two formats become float32.
StoredTensor by_key_heads(const Making&);
/// Where row i of the one order lies in the other.
std::vector<int64_t> rows_by_key_heads(const Config& config);
/// All parts, [n] each, as the rows of a matrix. Copies.
StoredTensor stack(const Making&);
/// [in, out] to [out, in] (GPT-2's Conv1D). Plain floats only. Copies.
StoredTensor transpose(const Making&);
// Of a matrix gate above up, or a stack of such: the upper or lower half of the rows, of slice e of a stack. Views.
StoredTensor upper_rows(const Making&);
StoredTensor lower_rows(const Making&);
StoredTensor expert_upper(const Making&);
StoredTensor expert_lower(const Making&);
// Of a stack of experts [e, in, rows]: slice e turned to [rows, in]; all rows, or the even or odd ones, or the first or
// second half of them. And of [e, rows] the same of a vector. Plain floats only. Copies.
StoredTensor expert_turned(const Making&);
StoredTensor expert_turned_even(const Making&);
StoredTensor expert_turned_odd(const Making&);
StoredTensor expert_turned_first(const Making&);
StoredTensor expert_turned_second(const Making&);
/// Of kv_b_proj [heads * (nope + value), rank]: the keys of one head as [rank, nope], or its values as they are. The
/// head is the last number among the pieces. A view, or plain floats.
StoredTensor latent_keys(const Making&);
StoredTensor latent_values(const Making&);
/// log(-x), computed in double: A_log from A = -exp(A_log). `key` as with flat(). Plain floats only. Makes float32.
StoredTensor log_negated(const Making&);

// What operations are made of, for whoever undoes them (placement.h). All copy.

/// Row i of the result is row order[i]; blocks move as they are.
StoredTensor rows_moved(const StoredTensor& from, const std::vector<int64_t>& order);
/// Throws Kind::mismatch if they are not of one kind.
StoredTensor one_under_other(std::span<const StoredTensor* const> parts);
/// [in, out] to [out, in]; blocks are decoded to float32.
StoredTensor turned(const StoredTensor& from);
/// Decoded to float32, in memory of its own.
StoredTensor widened(const StoredTensor& from);

/// The pieces of `name` if it fits the pattern.
bool fits(std::string_view pattern, std::string_view name, std::vector<std::string>& pieces);
/// `pattern` with its holes filled.
std::string filled(std::string_view pattern, const std::vector<std::string>& pieces);

/// An architecture's rules in one layout.
struct Rules {
  std::vector<std::span<const Rule>> tables;  ///< in order
  std::vector<std::string_view> ignorable;    ///< patterns of stored names that nobody needs to ask for
};
Rules rules_of(Layout layout, std::string_view architecture);

}  // namespace madang
