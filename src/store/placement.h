// rules.h the other way: where a layout keeps the weights that layers ask for, and how each stored tensor is put
// together from them. What a rule undoes when it reads is done again here.
//   - experts are stacked, heads' rows paired (llama.cpp's rotation), matrices transposed (GPT-2), latents joined
// Refused: weights for which the layout has no name.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "store/rules.h"
#include "store/scope.h"

namespace madang {

/// One tensor as a layout stores it.
struct Placement {
  std::string name;
  std::vector<int64_t> shape;
  Make make = nullptr;              ///< what the rule does when it reads; null: nothing
  int64_t count = 0;                ///< what the rule's key counts: heads of `unpair`, rows of `flat`
  float added = 0;                  ///< to every number: norms that files store less one, or not
  bool regroup = false;             ///< a fused q, k, v: kv head by kv head in repositories, one after another in GGUF
  int64_t begin = 0, rows = 0;      ///< of `by_key_heads`: what is kept of the rows in their new order
  std::vector<NamedShape> weights;  ///< in the order in which they lie in it
};

/// Rows alone move, if anything does: columns and their formats stay.
bool moves_rows_only(const Placement& placement);

/// `weights` of a model whose source has `config`. Throws Kind::unsupported for an architecture without such a layout.
std::vector<Placement> placements(const std::vector<NamedShape>& weights, Layout layout, const Config& config);

using GetWeight = std::function<StoredTensor(const NamedShape&)>;
/// Calls `take` with the parts of the stored tensor, one behind another; each is held only meanwhile.
void put_together(const Placement& placement, const Config& config, const GetWeight& get,
                  const std::function<void(const StoredTensor&)>& take);

}  // namespace madang
