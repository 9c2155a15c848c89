// One row for each format that can be written.
#include "compress/encode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "compress/blocks.h"

namespace madang {
namespace {

struct Row {
  std::string_view name;
  EncodeBlock block;
  bool wants_importance = false;
};

constexpr Row rows[] = {
    {"Q4_0", encoders::q4_0},           {"Q4_1", encoders::q4_1},         {"Q5_0", encoders::q5_0},
    {"Q5_1", encoders::q5_1},           {"Q8_0", encoders::q8_0},         {"Q2_K", encoders::q2_k},
    {"Q3_K", encoders::q3_k},           {"Q4_K", encoders::q4_k},         {"Q5_K", encoders::q5_k},
    {"Q6_K", encoders::q6_k},           {"IQ4_NL", encoders::iq4_nl},     {"IQ4_XS", encoders::iq4_xs},
    {"IQ3_XXS", encoders::iq3_xxs},     {"IQ3_S", encoders::iq3_s},       {"IQ2_XXS", encoders::iq2_xxs, true},
    {"IQ2_XS", encoders::iq2_xs, true}, {"IQ2_S", encoders::iq2_s}, {"IQ1_S", encoders::iq1_s, true},
    {"IQ1_M", encoders::iq1_m, true},   {"TQ1_0", encoders::tq1_0},       {"TQ2_0", encoders::tq2_0},
    {"MXFP4", encoders::mxfp4},         {"NVFP4", encoders::nvfp4},       {"Q1_0", encoders::q1_0},
    {"Q2_0", encoders::q2_0},
};

const Row* row_of(const Format& format) {
  const auto found = std::ranges::find(rows, format.name, &Row::name);
  return found == std::end(rows) ? nullptr : found;
}

void encode_plain(const Format& format, std::span<const float> values, uint8_t* out) {
  if (&format == &f32_format) {
    std::memcpy(out, values.data(), values.size() * 4);
    return;
  }
  const auto narrow = &format == &f16_format ? half_of_float : bf16_of_float;
  for (size_t i = 0; i < values.size(); ++i) put16(out + 2 * i, narrow(values[i]));
}

// Weights of one block's squared errors: scaled so that their mean is one, which keeps float32 sums in range.
void block_weights(std::span<const float> importance, size_t at, int n, float* w) {
  float sum = 0;
  if (!importance.empty())
    for (int i = 0; i < n; ++i) sum += importance[at + static_cast<size_t>(i)];
  const bool use = sum > 0 && std::isfinite(sum);
  for (int i = 0; i < n; ++i) w[i] = use ? importance[at + static_cast<size_t>(i)] * static_cast<float>(n) / sum : 1.0f;
}

}  // namespace

bool wants_importance(const Format& format) {
  const Row* row = row_of(format);
  return row && row->wants_importance;
}

void encode(const Format& format, std::span<const float> values, std::span<const float> importance, uint8_t* blocks) {
  if (values.size() % static_cast<size_t>(format.block) != 0)
    throw Error(Kind::mismatch, say("{} values are no whole number of blocks of {}", values.size(), format.block));
  if (!importance.empty() && importance.size() != values.size())
    throw Error(Kind::mismatch, say("the importance matrix does not fit"))
        .expected(std::to_string(values.size()))
        .found(std::to_string(importance.size()));
  if (format.group == 0) return encode_plain(format, values, blocks);
  const Row* row = row_of(format);
  if (!row) throw Error(Kind::unsupported, say("weights cannot be written as {} yet", format.name));
  const auto n = static_cast<size_t>(format.block);
  std::vector<float> x(n), w(n);
  for (size_t at = 0; at < values.size(); at += n, blocks += format.bytes) {
    for (size_t i = 0; i < n; ++i) x[i] = std::isfinite(values[at + i]) ? values[at + i] : 0.0f;
    block_weights(importance, at, format.block, w.data());
    row->block(x.data(), w.data(), blocks);
  }
}

}  // namespace madang
