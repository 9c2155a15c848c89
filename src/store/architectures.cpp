// The rules of one architecture in one layout, out of the tables of layouts.h.
#include "store/layouts.h"

namespace madang {

Rules rules_of(Layout layout, std::string_view architecture) {
  Rules rules;
  for (const auto* rows : {&gguf_rules(), &hugging_face_rules(), &other_rules()})
    for (const LayoutRules& row : *rows)
      if (row.layout == layout && row.architecture == architecture) {
        rules.tables.push_back(row.rules);
        rules.ignorable.insert(rules.ignorable.end(), row.ignorable.begin(), row.ignorable.end());
      }
  if (layout == Layout::gguf) {
    rules.tables.emplace_back(gguf_transformer_rules());
    rules.ignorable.push_back("blk.{}.attn_rot_embd");  // frequencies, in files of 2023
  } else if (layout == Layout::hugging_face) {
    rules.ignorable.push_back("{...}.rotary_emb.inv_freq");  // frequencies, in repositories before 2024
  }
  return rules;
}

}  // namespace madang
