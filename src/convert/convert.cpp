#include "convert/convert.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/new_folder.h"
#include "base/stop.h"
#include "compress/quantize.h"
#include "compress/rows.h"
#include "convert/config_json.h"
#include "convert/gguf_draft.h"
#include "convert/text_parts.h"
#include "convert/whole_config.h"
#include "store/config_to_gguf.h"
#include "store/safetensors.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

/// What llama.cpp computes with in float32 only.
bool wide_in_gguf(const std::string& name, const std::vector<int64_t>& shape) {
  if (shape.size() == 1 || name.ends_with("_norm.weight") || name.ends_with(".ssm_d")) return true;
  for (std::string_view part :
       {".ffn_gate_inp", ".ssm_conv1d", ".shortconv.conv.", ".ssm_a", ".ssm_d.", "position_embd", "_exps.bias",
        ".time_mix_first.", ".time_mix_w1.", ".time_mix_w2.", ".time_mix_decay_w", ".time_mix_lerp_"})
    if (name.find(part) != name.npos) return true;
  return false;
}

const Format& format_for(const ConvertPlan& plan, const Placement& p, const Format& from, bool ordered) {
  const int64_t cols = p.shape.back();
  if (plan.layout == Layout::gguf) {
    if (wide_in_gguf(p.name, p.shape)) return f32_format;
    if (plan.options.type) return cols % plan.options.type->block == 0 ? *plan.options.type : f16_format;
    const bool whole = from.block == 1 || (moves_rows_only(p) && !ordered);
    return from.gguf_type >= 0 && whole && cols % from.block == 0 ? from : f16_format;
  }
  if (from.block != 1) return plan.options.type ? *plan.options.type : f16_format;
  if (plan.options.type) return *plan.options.type;
  return p.make == log_negated ? f32_format : from;
}

DType dtype_of(const Format& format) {
  return &format == &f32_format ? DType::f32 : &format == &f16_format ? DType::f16 : DType::bf16;
}

/// Layer i of a model whose span is repeated: which layer of the source it is.
std::string source_name(const std::string& name, const std::optional<std::pair<int64_t, int64_t>>& repeat) {
  if (!repeat) return name;
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('.', at), name.size());
    if (name.find_first_not_of("0123456789", at) >= end) {  // the first number of a path is the layer
      const auto [begin, stop] = *repeat;
      const int64_t layer = std::stoll(name.substr(at, end - at));
      return name.substr(0, at) + std::to_string(layer < stop ? layer : layer - (stop - begin)) + name.substr(end);
    }
    at = end + 1;
  }
  return name;
}

void write_folder(const ConvertPlan& plan, const std::string& path, ThreadPool& pool, const OnProgress& progress) {
  const Checkpoint& c = *plan.checkpoint;
  NewFolder folder(path);
  if (plan.options.tokenizer) write_text_files(folder.draft(), c);
  std::string dtype = "float32";
  int64_t most = 0;
  for (const ConvertedTensor& t : plan.tensors)
    if (t.bytes > most)
      most = t.bytes, dtype = t.format == &f16_format ? "float16" : t.format == &bf16_format ? "bfloat16" : "float32";
  write_text_file(folder.draft(), "config.json",
                  config_json(c, plan.config, dtype, plan.options.repeat.has_value()).dump(2) + "\n");
  SafetensorsWriter out((fs::path(folder.draft()) / "model.safetensors").string());
  for (const ConvertedTensor& t : plan.tensors) out.declare(t.placement.name, dtype_of(*t.format), t.placement.shape);
  out.begin({{"format", "pt"}});
  Progress where{say("converting"), 0, plan.bytes(), true};
  for (const ConvertedTensor& t : plan.tensors)
    put_together(t.placement, plan.config, plan.weights, [&](const StoredTensor& part) {
      write_rows(part, *t.format, {}, pool, [&](std::span<const uint8_t> bytes) {
        out.write(bytes);
        where.done += static_cast<int64_t>(bytes.size());
        tell(progress, where, path);
      });
      if (part.file) part.file->release(part.bytes);
    });
  plan.store->finish();  // nothing that the source holds was left behind
  out.finish();
  folder.finish(names_weights);  // the shards of another model would be read in place of this one
}

}  // namespace

int64_t ConvertPlan::bytes() const {
  int64_t sum = 0;
  for (const ConvertedTensor& t : tensors) sum += t.bytes;
  return sum;
}

void ConvertPlan::arrange() {
  if (layout != Layout::hugging_face) return;
  std::vector<ConvertedTensor> wide_first;
  for (int bytes : {4, 2})
    for (ConvertedTensor& t : tensors)
      if (t.format->bytes == bytes) wide_first.push_back(std::move(t));
  tensors = std::move(wide_first);
}

ConvertPlan plan_convert(std::shared_ptr<const Checkpoint> checkpoint, const std::string& path,
                         const ConvertOptions& options) {
  ConvertPlan plan;
  plan.checkpoint = std::move(checkpoint), plan.options = options;
  if (path.ends_with(".gguf")) plan.layout = Layout::gguf;
  const Config& own = plan.checkpoint->config();
  if (plan.layout == Layout::gguf) gguf_architecture(own);
  if (plan.layout != Layout::gguf && options.type && options.type->block != 1)
    throw Error(Kind::unsupported, say("safetensors folders hold plain floats")).found(std::string(options.type->name));
  plan.store = std::make_shared<WeightStore>(plan.checkpoint->shared_source(), own);
  const Scope root = plan.store->root();
  plan.config = completed(own, root, plan.checkpoint->source());
  if (options.repeat) plan.config = deepened(plan.config, options.repeat->first, options.repeat->second);
  plan.weights = [root, repeat = options.repeat](const NamedShape& w) {
    return root.stored(source_name(w.name, repeat), w.shape);
  };
  const Config& config = plan.config;
  const std::vector<NamedShape> weights = blueprint_of(config).weights;
  for (Placement& p : placements(weights, plan.layout, config)) {
    ConvertedTensor t;
    const StoredTensor first = plan.weights(p.weights[0]);
    t.from = first.format;
    t.format = &format_for(plan, p, *first.format, first.order != nullptr);
    int64_t numel = 1;
    for (int64_t n : p.shape) numel *= n;
    t.bytes = t.format->row_bytes(numel), t.placement = std::move(p);
    plan.tensors.push_back(std::move(t));
  }
  plan.arrange();
  return plan;
}

void convert(const ConvertPlan& plan, const std::string& path, ThreadPool& pool, const OnProgress& progress) {
  if (plan.layout != Layout::gguf) return write_folder(plan, path, pool, progress);
  QuantizePlan as_drafted = plan_as_drafted(gguf_draft(plan));
  quantize(as_drafted, path, pool, progress, say("converting"));
}

}  // namespace madang
