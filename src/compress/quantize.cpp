#include "compress/quantize.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/error.h"
#include "compress/encode.h"
#include "store/gguf_write.h"

namespace madang {
namespace {

// Weights decoded at a time: 16 MB of floats beside as many blocks, and enough rows for every thread.
constexpr int64_t chunk_weights = int64_t{1} << 22;

int64_t rows_of(const StoredTensor& t) { return t.numel() / t.shape.back(); }

// Rows of one matrix; a tensor of experts holds several.
int64_t rows_of_matrix(const StoredTensor& t) { return t.shape.size() < 2 ? 1 : t.shape[t.shape.size() - 2]; }

const Format& format_for(const QuantizeOptions& options, const ModelFacts& facts, const StoredTensor& tensor) {
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

void check(const QuantizeOptions& options, const PlannedTensor& t) {
  if (t.tensor->format->group != 0 && !options.requantize)
    throw Error(Kind::refused, say("tensor {} is quantized already: its loss would add to the new one", t.tensor->name))
        .found(std::string(t.tensor->type_name()))
        .hint(say("begin with the F16, BF16 or F32 file, or allow it with --requantize"));
  if (wants_importance(*t.format) && !t.important && !options.without_importance)
    throw Error(Kind::refused, say("{} without an importance matrix makes a model that talks nonsense", t.format->name))
        .at(t.tensor->name)
        .hint(say("make one with madang imatrix and give it with --imatrix, or insist with --without-imatrix"));
}

struct Errors {
  double squares = 0, total = 0;
};

// One tensor, a chunk of rows at a time; rows are the unit of the threads' work, so that their number changes nothing.
Errors write_tensor(GgufWriter& out, const PlannedTensor& planned, const Importance* importance, ThreadPool& pool,
                    const std::function<void(int64_t bytes)>& done) {
  const StoredTensor& t = *planned.tensor;
  const Format &from = *t.format, &to = *planned.format;
  const int64_t cols = t.shape.back(), rows = rows_of(t), each = rows_of_matrix(t);
  const int64_t chunk = std::clamp<int64_t>(chunk_weights / cols, 1, rows);
  const int64_t from_bytes = from.row_bytes(cols), to_bytes = to.row_bytes(cols);
  std::vector<uint8_t> blocks(static_cast<size_t>(chunk * to_bytes));
  std::vector<Errors> errors(static_cast<size_t>(chunk));
  std::vector<std::vector<float>> columns;  // by matrix
  if (importance && planned.important)
    for (int64_t m = 0; m < rows / each; ++m) columns.push_back(importance->columns(t.name, m, cols));
  Errors sum;
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t n = std::min(chunk, rows - begin);
    pool.parallel(n, 1, [&](int64_t first, int64_t last) {
      std::vector<float> values(static_cast<size_t>(cols)), back(values.size());
      for (int64_t i = first; i < last; ++i) {
        const int64_t row = begin + i;
        from.decode(t.bytes.data() + row * from_bytes, cols, values.data());
        uint8_t* const written = blocks.data() + i * to_bytes;
        const std::span<const float> weights =
            columns.empty() ? std::span<const float>() : columns[static_cast<size_t>(row / each)];
        encode(to, values, weights, written);
        to.decode(written, cols, back.data());
        Errors e;
        for (size_t j = 0; j < values.size(); ++j) {
          const double wrong = static_cast<double>(values[j]) - static_cast<double>(back[j]);
          e.squares += wrong * wrong, e.total += static_cast<double>(values[j]) * static_cast<double>(values[j]);
        }
        errors[static_cast<size_t>(i)] = e;
      }
    });
    for (int64_t i = 0; i < n; ++i)
      sum.squares += errors[static_cast<size_t>(i)].squares, sum.total += errors[static_cast<size_t>(i)].total;
    out.write(std::span(blocks).first(static_cast<size_t>(n * to_bytes)));
    done(n * from_bytes);
  }
  return sum;
}

void write_metadata(GgufWriter& out, const QuantizePlan& plan) {
  for (const GgufValue& v : plan.gguf->values())
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

QuantizePlan plan_quantize(std::shared_ptr<const Source> source, const QuantizeOptions& options) {
  QuantizePlan plan{std::move(source), nullptr, options, {}};
  plan.gguf = plan.source->gguf();
  if (!plan.gguf) throw Error(Kind::unsupported, say("only GGUF files can be quantized yet")).at(plan.source->path());
  ModelFacts facts = facts_of(*plan.gguf);
  facts.importance = options.importance != nullptr;
  for (const StoredTensor& t : plan.source->tensors()) {
    if (!t.format)
      throw Error(Kind::unsupported, say("tensor {} has no weights", t.name)).found(std::string(t.type_name()));
    PlannedTensor planned{&t, t.format};
    if (is_quantized(t)) {
      planned.format = &format_for(options, facts, t);
      planned.important = options.importance && options.importance->knows(t.name);
      if (planned.format != t.format) check(options, planned);
    }
    planned.bytes = planned.format->row_bytes(t.numel());
    plan.tensors.push_back(planned);
  }
  return plan;
}

void quantize(QuantizePlan& plan, const std::string& path, ThreadPool& pool, const OnProgress& progress) {
  GgufWriter out(path);
  write_metadata(out, plan);
  Progress where{say("quantizing"), 0, 0, true};
  for (const PlannedTensor& t : plan.tensors) {
    out.declare(t.tensor->name, *t.format, t.tensor->shape);
    where.total += static_cast<int64_t>(t.tensor->bytes.size());
  }
  out.begin();
  auto done = [&](int64_t bytes) {
    where.done += bytes;
    if (progress && !progress(where)) throw Error(Kind::refused, say("stopped"));
  };
  for (PlannedTensor& t : plan.tensors) {
    if (t.format == t.tensor->format) {
      out.write(t.tensor->bytes);
      done(static_cast<int64_t>(t.tensor->bytes.size()));
      continue;
    }
    const Errors e = write_tensor(out, t, plan.options.importance, pool, done);
    t.relative_error = e.total > 0 ? std::sqrt(e.squares / e.total) : 0;
    if (t.tensor->file) t.tensor->file->release(t.tensor->bytes);
  }
  out.finish();
}

}  // namespace madang
