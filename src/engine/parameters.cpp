#include "engine/parameters.h"

#include <algorithm>

namespace madang {
namespace {

bool is_embedding(std::string_view name) {
  return name == "token_embd.weight" || name.ends_with("embed_tokens.weight") || name.ends_with("wte.weight") ||
         name.ends_with("embeddings.weight") || name.ends_with("embed_in.weight");
}

bool is_expert(std::string_view name) {
  for (std::string_view piece :
       {".experts.", "_exps.", "block_sparse_moe.input_linear", "block_sparse_moe.output_linear"})
    if (name.find(piece) != name.npos) return true;
  return false;
}

bool is_head(std::string_view name) {
  return name == "output.weight" || name.ends_with("lm_head.weight") || name.ends_with("embed_out.weight");
}

struct Counted {
  std::string_view name, type;
  int64_t numel, bytes;
};

Parameters sum_of(const std::vector<Counted>& tensors, const Config& config) {
  // Of a mixture's experts, a token goes through experts_per_token of all; names tell them apart in every layout.
  const double experts = static_cast<double>(std::max<int64_t>(1, config.integer("num_local_experts", 1)));
  const double chosen = static_cast<double>(config.integer("num_experts_per_tok", static_cast<int64_t>(experts)));
  const bool own_head = std::ranges::any_of(tensors, [](const Counted& t) { return is_head(t.name); });
  Parameters p;
  double active = 0, read = 0;
  for (const Counted& t : tensors) {
    const double part = is_expert(t.name) ? chosen / experts : 1.0;
    p.total += t.numel, p.bytes += t.bytes;
    active += part * static_cast<double>(t.numel);
    if (!(own_head && is_embedding(t.name))) read += part * static_cast<double>(t.bytes);
    auto& type = p.by_type[std::string(t.type)];
    ++type.first, type.second += t.bytes;
  }
  p.active = static_cast<int64_t>(active), p.bytes_a_token = static_cast<int64_t>(read);
  return p;
}

}  // namespace

Parameters count_parameters(const Source& source, const Config& config) {
  std::vector<Counted> tensors;
  for (const StoredTensor& t : source.tensors()) tensors.push_back({t.name, t.type_name(), t.numel(), t.file_bytes()});
  return sum_of(tensors, config);
}

Parameters count_parameters(const Blueprint& blueprint, const Config& config) {
  const std::string dtype = config.text("dtype", "float32");
  const Format& format = dtype == "bfloat16" ? bf16_format : dtype == "float16" ? f16_format : f32_format;
  std::vector<Counted> tensors;
  for (const NamedShape& w : blueprint.weights)
    tensors.push_back({w.name, format.name, w.numel(), format.row_bytes(w.numel())});
  return sum_of(tensors, config);
}

}  // namespace madang
