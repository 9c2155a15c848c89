#include "convert/convert.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>

#include "base/error.h"
#include "base/new_folder.h"
#include "compress/encode.h"
#include "convert/config_json.h"
#include "convert/text_parts.h"
#include "store/config_keys.h"
#include "store/config_to_gguf.h"
#include "store/safetensors.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

// Weights decoded at a time: 16 MB of floats.
constexpr int64_t chunk_weights = int64_t{1} << 22;

bool moves_rows_only(const Placement& p) {
  return p.added == 0 && (p.make == nullptr || p.make == unpair || p.make == expert);
}

/// What llama.cpp computes with in float32 only.
bool wide_in_gguf(const std::string& name, const std::vector<int64_t>& shape) {
  if (shape.size() == 1) return true;
  for (std::string_view part : {".ffn_gate_inp", ".ssm_conv1d", ".ssm_a", ".ssm_d.", "position_embd", "_exps.bias"})
    if (name.find(part) != name.npos) return true;
  return name.ends_with(".ssm_d");
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

/// Rows of one format in another, a chunk at a time; their number of threads changes nothing.
void write_rows(const StoredTensor& t, const Format& to, ThreadPool& pool,
                const std::function<void(std::span<const uint8_t>)>& out) {
  if (t.format == &to) return out(t.bytes);
  const int64_t cols = t.shape.back(), rows = t.numel() / cols;
  const int64_t chunk = std::clamp<int64_t>(chunk_weights / cols, 1, rows);
  const int64_t from_bytes = t.format->row_bytes(cols), to_bytes = to.row_bytes(cols);
  std::vector<uint8_t> blocks(static_cast<size_t>(chunk * to_bytes));
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t n = std::min(chunk, rows - begin);
    pool.parallel(n, 1, [&](int64_t first, int64_t last) {
      std::vector<float> values(static_cast<size_t>(cols));
      for (int64_t i = first; i < last; ++i) {
        t.format->decode(t.bytes.data() + (begin + i) * from_bytes, cols, values.data());
        encode(to, values, {}, blocks.data() + i * to_bytes);
      }
    });
    out(std::span(blocks).first(static_cast<size_t>(n * to_bytes)));
  }
}

/// Layer i of a model whose span is repeated: which layer of the source it is.
std::string source_name(const std::string& name, const ConvertOptions& options) {
  if (!options.repeat) return name;
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('.', at), name.size());
    if (name.find_first_not_of("0123456789", at) >= end) {  // the first number of a path is the layer
      const auto [begin, stop] = *options.repeat;
      const int64_t layer = std::stoll(name.substr(at, end - at));
      return name.substr(0, at) + std::to_string(layer < stop ? layer : layer - (stop - begin)) + name.substr(end);
    }
    at = end + 1;
  }
  return name;
}

class Run {
 public:
  Run(const ConvertPlan& plan, ThreadPool& pool, const OnProgress& progress)
      : plan_(plan), pool_(pool), progress_(progress), where_{say("converting"), 0, plan.bytes(), true} {}

  template <class Writer>
  void tensors(Writer& out) {
    const Scope root = plan_.store->root();
    const GetWeight get = [&](const NamedShape& w) { return root.stored(source_name(w.name, plan_.options), w.shape); };
    for (const ConvertedTensor& t : plan_.tensors) {
      put_together(t.placement, plan_.config, get, [&](const StoredTensor& part) {
        write_rows(part, *t.format, pool_, [&](std::span<const uint8_t> bytes) {
          out.write(bytes);
          where_.done += static_cast<int64_t>(bytes.size());
          if (progress_ && !progress_(where_)) throw Error(Kind::refused, say("stopped"));
        });
        if (part.file) part.file->release(part.bytes);
      });
    }
    plan_.store->finish();  // nothing that the source holds was left behind
  }

 private:
  const ConvertPlan& plan_;
  ThreadPool& pool_;
  const OnProgress& progress_;
  Progress where_;
};

uint32_t file_type_of(const ConvertPlan& plan) {
  // llama.cpp's ftype of the widest tensors; it is shown and decides nothing.
  const Format* main = &f32_format;
  int64_t most = 0;
  for (const ConvertedTensor& t : plan.tensors)
    if (t.placement.shape.size() > 1 && t.bytes > most) most = t.bytes, main = t.format;
  if (main == &f32_format) return 0;
  if (main == &f16_format) return 1;
  if (main == &bf16_format) return 32;
  return main->name == "Q8_0" ? 7 : main->name == "Q4_K" ? 15 : main->name == "Q6_K" ? 18 : 1;
}

void write_gguf(const ConvertPlan& plan, const std::string& path, Run& run) {
  const Checkpoint& c = *plan.checkpoint;
  const TextParts text = plan.options.tokenizer ? text_parts_of(c) : TextParts{};
  GgufWriter out(path);
  out.put("general.architecture", gguf_architecture(plan.config));
  out.put("general.type", "model");
  out.put("general.name", c.name());
  if (!c.licence().empty()) out.put("general.license", c.licence());
  out.put("general.quantization_version", uint32_t{2});
  out.put("general.file_type", file_type_of(plan));
  write_config(out, plan.config);
  write_text_parts(out, text, c);
  const auto ropes = rope_tensors(plan.config);
  for (const RopeTensor& r : ropes) out.declare(r.name, f32_format, {static_cast<int64_t>(r.values.size())});
  for (const ConvertedTensor& t : plan.tensors) out.declare(t.placement.name, *t.format, t.placement.shape);
  out.begin();
  for (const RopeTensor& r : ropes)
    out.write({reinterpret_cast<const uint8_t*>(r.values.data()), r.values.size() * sizeof(float)});
  run.tensors(out);
  out.finish();
  try {
    same_in_gguf(plan.config, Gguf(path).config());
  } catch (...) {
    std::error_code ignored;
    fs::remove(path, ignored);
    throw;
  }
}

void write_folder(const ConvertPlan& plan, const std::string& path, Run& run) {
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
  run.tensors(out);
  out.finish();
  folder.finish();
}

}  // namespace

int64_t ConvertPlan::bytes() const {
  int64_t sum = 0;
  for (const ConvertedTensor& t : tensors) sum += t.bytes;
  return sum;
}

namespace {

/// GGUF keeps Llama 3.1's stretched frequencies as divisors; repositories keep the numbers they were made from. Between
/// the longest and the shortest wavelength 1/divisor is a line over 1/wavelength, whose ends are those numbers.
Json llama3_rope(const Config& config, const StoredTensor& stored) {
  std::vector<float> factors(static_cast<size_t>(stored.numel()));
  stored.decode(factors.data());
  RopeParameters rope = config.rope();
  rope.factor = *std::ranges::max_element(factors);
  auto fits = [&](double trained) {
    const auto made = llama3_factors(rope, 2 * stored.numel(), trained);
    return std::ranges::equal(made, factors, [](float a, float b) { return std::abs(a - b) <= 1e-3f * b; });
  };
  std::vector<std::pair<double, double>> line;  // 1/wavelength, share of the unstretched
  for (size_t i = 0; i < factors.size(); ++i) {
    const double share = (1.0 / static_cast<double>(factors[i]) - 1 / rope.factor) / (1 - 1 / rope.factor),
                 turns = std::pow(rope.theta, -static_cast<double>(i) / static_cast<double>(factors.size())) /
                         (2 * std::numbers::pi);
    if (share > 1e-4 && share < 1 - 1e-4) line.emplace_back(turns, share);
  }
  double kept = 0, stretched = INFINITY;  // wavelengths on both sides of the line
  for (size_t i = 0; i < factors.size(); ++i) {
    const double wave =
        2 * std::numbers::pi * std::pow(rope.theta, static_cast<double>(i) / static_cast<double>(factors.size()));
    if (factors[i] == 1) kept = std::max(kept, wave);
    if (factors[i] == static_cast<float>(rope.factor)) stretched = std::min(stretched, wave);
  }
  std::vector<double> trained = {std::round(std::sqrt(4 * kept * stretched)), 8192};  // any between, if none is on it
  if (line.size() == 1)
    trained = {std::round((1 + 3 * line[0].second) / line[0].first)};  // 1 and 4 turns, as published
  if (line.size() > 1) {
    const auto [x, y] = line.front();
    const double slope = (line.back().second - y) / (line.back().first - x);
    trained = {std::round(1 / (x - y / slope))};
    rope.high_freq_factor = trained[0] * (x + (1 - y) / slope);
    if (const double near = std::round(rope.high_freq_factor * 4) / 4; std::abs(near - rope.high_freq_factor) < 0.01)
      rope.high_freq_factor = near;
  }
  for (double t : {4096.0, 2048.0, 32768.0, 131072.0}) trained.push_back(t);
  for (double t : trained)
    if (fits(t))
      return {{"rope_type", "llama3"},
              {"rope_theta", rope.theta},
              {"factor", rope.factor},
              {"low_freq_factor", rope.low_freq_factor},
              {"high_freq_factor", rope.high_freq_factor},
              {"original_max_position_embeddings", static_cast<int64_t>(t)},
              {"partial_rotary_factor", rope.partial_rotary_factor}};
  throw Error(Kind::unsupported,
              say("the stretched frequencies of {} are none that a configuration can say", stored.name))
      .at(config.where());
}

Config completed(const Config& config, const Scope& root, const Source& source) {
  Json keys = complete_keys(config);
  if (!root.has("lm_head.weight") && config.has("tie_word_embeddings")) keys["tie_word_embeddings"] = true;
  if (const StoredTensor* stored = source.find("rope_freqs.weight"); stored && stored->format) {
    root.stored("rope_freqs.weight", stored->shape);  // counts as carried
    keys["rope_parameters"] = llama3_rope(config, *stored);
  }
  return Config(keys, config.where());
}

/// The configuration of a model whose layers [begin, end) come twice; lists with an entry a layer are repeated too.
Config deepened(const Config& config, int64_t begin, int64_t end) {
  const int64_t layers = config.integer("num_hidden_layers");
  if (begin < 0 || begin >= end || end > layers)
    throw Error(Kind::usage, say("the layers to repeat are not in the model"))
        .expected(fmt::format("0 <= B < E <= {}", layers))
        .found(fmt::format("{}:{}", begin, end));
  Json keys = complete_keys(config);
  for (auto& [key, value] : keys.items()) {
    if (!value.is_array() || static_cast<int64_t>(value.size()) != layers) continue;
    Json longer = Json::array();
    for (int64_t i = 0; i < end; ++i) longer.push_back(value[static_cast<size_t>(i)]);
    for (int64_t i = begin; i < layers; ++i) longer.push_back(value[static_cast<size_t>(i)]);
    value = longer;
  }
  keys["num_hidden_layers"] = layers + end - begin;
  return Config(keys, config.where());
}

}  // namespace

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
  const Config& config = plan.config;
  const std::vector<NamedShape> weights = blueprint_of(config).weights;
  for (Placement& p : placements(weights, plan.layout, config)) {
    ConvertedTensor t;
    const StoredTensor first = root.stored(source_name(p.weights[0].name, options), p.weights[0].shape);
    t.from = first.format;
    t.format = &format_for(plan, p, *first.format, first.order != nullptr);
    int64_t numel = 1;
    for (int64_t n : p.shape) numel *= n;
    t.bytes = t.format->row_bytes(numel), t.placement = std::move(p);
    plan.tensors.push_back(std::move(t));
  }
  if (plan.layout != Layout::hugging_face) return plan;
  std::vector<ConvertedTensor> wide_first;  // so that all of a folder's file are aligned
  for (int bytes : {4, 2})
    for (ConvertedTensor& t : plan.tensors)
      if (t.format->bytes == bytes) wide_first.push_back(std::move(t));
  plan.tensors = std::move(wide_first);
  return plan;
}

void convert(const ConvertPlan& plan, const std::string& path, ThreadPool& pool, const OnProgress& progress) {
  Run run(plan, pool, progress);
  plan.layout == Layout::gguf ? write_gguf(plan, path, run) : write_folder(plan, path, run);
}

}  // namespace madang
