// The tables behind rules_of(): one file a layout. Rows of one architecture are asked in their order.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "store/rules.h"

namespace madang {

struct LayoutRules {
  Layout layout;
  std::string_view architecture;
  std::span<const Rule> rules;
  std::vector<std::string_view> ignorable;  ///< names of tensors that no layer asks for
};

const std::vector<LayoutRules>& gguf_rules();
const std::vector<LayoutRules>& hugging_face_rules();
const std::vector<LayoutRules>& other_rules();
/// What nearly all transformers share in GGUF; asked last.
std::span<const Rule> gguf_transformer_rules();

}  // namespace madang
