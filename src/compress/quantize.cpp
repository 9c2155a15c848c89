#include "compress/quantize.h"

#include <algorithm>

#include "base/stop.h"
#include "compress/encode.h"
#include "compress/rows.h"
#include "store/gguf_write.h"

namespace madang {
namespace {

const Format& format_for(const QuantizeOptions& options, const ModelFacts& facts, const DraftTensor& tensor) {
  for (const auto& [pattern, format] : options.overrides)
    if (matches(pattern, tensor.name)) {
      if (tensor.shape.back() % format->block != 0)
        throw Error(Kind::mismatch, say("rows of {} are no whole number of {} blocks", tensor.name, format->name))
            .expected(fmt::format("n x {}", format->block))
            .found(std::to_string(tensor.shape.back()));
      return *format;
    }
  if (options.pure) return fitting_format(*format_by_name(options.recipe->base), tensor.shape.back());
  return choose_format(*options.recipe, facts, tensor);
}

/// Of a weight in this format, with its part of scale and minimum.
double bits_of(const Format& format) { return 8.0 * format.bytes / format.block; }

void check(const QuantizeOptions& options, const PlannedTensor& t) {
  const Format& from = *t.tensor->from;
  if (from.group != 0 && bits_of(from) < 8 && t.format->group != 0 && !options.requantize)
    throw Error(Kind::refused, say("tensor {} is quantized already: its loss would add to the new one", t.tensor->name))
        .found(std::string(from.name))
        .hint(say("begin with the F16, BF16 or F32 file, or allow it with --requantize"));
  if (wants_importance(*t.format) && !t.important && !options.without_importance)
    throw Error(Kind::refused, say("{} without an importance matrix makes a model that talks nonsense", t.format->name))
        .at(t.tensor->name)
        .hint(say("make one with madang imatrix and give it with --imatrix, or insist with --without-imatrix"));
}

/// The importance of a tensor's columns, row by row; a tensor of experts holds several matrices. Known by the name here
/// or, matrix by matrix, by the source's.
class TensorImportance {
 public:
  TensorImportance(const DraftTensor& t, const Importance* importance)
      : rows_(t.shape.size() < 2 ? 1 : t.shape[t.shape.size() - 2]) {
    if (!importance) return;
    const int64_t matrices = t.numel() / t.shape.back() / rows_;
    const bool here = importance->knows(t.name);
    if (!here && static_cast<int64_t>(t.sources.size()) != matrices) return;
    for (int64_t m = 0; m < matrices; ++m) {
      const std::string& name = here ? t.name : t.sources[static_cast<size_t>(m)];
      matrices_.push_back(importance->columns(name, here ? m : 0, t.shape.back()));
      known_ |= importance->knows(name);
    }
  }
  bool known() const { return known_; }
  std::span<const float> operator()(int64_t row) const {
    return known_ ? matrices_[static_cast<size_t>(row / rows_)] : std::span<const float>();
  }

 private:
  int64_t rows_;
  bool known_ = false;
  std::vector<std::vector<float>> matrices_;
};

void write_metadata(GgufWriter& out, const QuantizePlan& plan) {
  if (!plan.options.recipe) {
    for (const GgufValue& v : plan.draft->metadata->values()) out.copy(v);
    return;
  }
  for (const GgufValue& v : plan.draft->metadata->values())
    if (v.key != "general.file_type" && v.key != "general.quantization_version" && !v.key.starts_with("split.") &&
        !v.key.starts_with("quantize.imatrix."))
      out.copy(v);
  out.put("general.quantization_version", uint32_t{2});
  out.put("general.file_type", static_cast<uint32_t>(plan.options.recipe->file_type));
  if (const Importance* importance = plan.options.importance) {
    out.put("quantize.imatrix.file", plan.options.importance_name);
    out.put("quantize.imatrix.dataset", importance->dataset);
    out.put("quantize.imatrix.entries_count", static_cast<uint32_t>(importance->size()));
    out.put("quantize.imatrix.chunks_count", static_cast<uint32_t>(importance->chunks));
  }
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos) return name.find(pattern) != name.npos;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  name.remove_prefix(star), pattern.remove_prefix(star);
  while (true) {  // pattern begins with a star
    const size_t begin = pattern.find_first_not_of('*');
    if (begin == pattern.npos) return true;
    pattern.remove_prefix(begin);
    const size_t next = pattern.find('*');
    const std::string_view piece = pattern.substr(0, next);
    if (next == pattern.npos) return name.ends_with(piece);
    const size_t at = name.find(piece);
    if (at == name.npos) return false;
    name.remove_prefix(at + piece.size()), pattern.remove_prefix(next);
  }
}

int64_t QuantizePlan::bytes() const {
  int64_t sum = 0;
  for (const PlannedTensor& t : tensors) sum += t.bytes;
  return sum;
}

double QuantizePlan::bits_per_weight() const {
  int64_t weights = 0;
  for (const PlannedTensor& t : tensors) weights += t.tensor->numel();
  return weights == 0 ? 0 : 8.0 * static_cast<double>(bytes()) / static_cast<double>(weights);
}

QuantizePlan plan_as_drafted(GgufDraft draft) {
  QuantizePlan plan{std::make_shared<const GgufDraft>(std::move(draft)), {}, {}};
  for (const DraftTensor& t : plan.draft->tensors)
    plan.tensors.push_back({.tensor = &t, .format = t.format, .bytes = t.format->row_bytes(t.numel())});
  return plan;
}

QuantizePlan plan_quantize(GgufDraft draft, const QuantizeOptions& options) {
  QuantizePlan plan = plan_as_drafted(std::move(draft));
  plan.options = options;
  ModelFacts facts = facts_of(*plan.draft);
  facts.importance = options.importance != nullptr;
  bool known = false;
  for (PlannedTensor& t : plan.tensors) {
    if (!is_quantized(*t.tensor)) continue;
    t.format = &format_for(options, facts, *t.tensor);
    t.important = TensorImportance(*t.tensor, options.importance).known();
    known |= t.important;
    if (t.changes()) check(options, t);
    t.bytes = t.format->row_bytes(t.tensor->numel());
  }
  if (options.importance && !known)
    throw Error(Kind::mismatch, say("the importance matrix knows no tensor of this model")).at(options.importance_name);
  return plan;
}

void quantize(QuantizePlan& plan, const std::string& path, ThreadPool& pool, const OnProgress& progress,
              const Text& what) {
  GgufWriter out(path);
  write_metadata(out, plan);
  Progress where{what, 0, plan.bytes(), true};
  for (const PlannedTensor& t : plan.tensors) out.declare(t.tensor->name, *t.format, t.tensor->shape);
  out.begin();
  const auto put = [&](std::span<const uint8_t> bytes) {
    out.write(bytes);
    where.done += static_cast<int64_t>(bytes.size());
    tell(progress, where, path);
  };
  for (PlannedTensor& t : plan.tensors) {
    const TensorImportance importance(*t.tensor, t.important ? plan.options.importance : nullptr);
    RowErrors errors;
    int64_t first = 0;
    t.tensor->parts([&](const StoredTensor& part) {
      write_rows(
          part, *t.format, [&](int64_t row) { return importance(first + row); }, pool, put,
          plan.options.recipe ? &errors : nullptr);
      first += part.numel() / part.shape.back();
      if (part.file) part.file->release(part.bytes);
    });
    t.relative_error = errors.relative();
  }
  out.finish(plan.draft->check);
}

}  // namespace madang
