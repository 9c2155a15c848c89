// Quantized checkpoints: files written here from the published layouts, bit by bit, with random numbers of bits,
// groups, orders and sizes, decode to what the scheme's formula gives in float32, to the last bit; damaged ones are
// refused by name. The golden folders beside the checkout, when there, decode to their own `decoded/` tensors.
#include "store/scheme.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "quant/grouped.h"
#include "store/build.h"
#include "store/code_rows.h"
#include "store/scope.h"
#include "support.h"

namespace madang::test {
namespace {

using Values = std::vector<float>;

struct Quantized {
  TemporaryFolder folder;
  SafetensorsFile file;
  Json scheme = Json::object();

  std::shared_ptr<const Source> open() const {
    const Json config = {{"model_type", "llama"},
                         {"architectures", {"LlamaForCausalLM"}},
                         {"vocab_size", 8},
                         {"hidden_size", 64},
                         {"num_hidden_layers", 1},
                         {"num_attention_heads", 1},
                         {"intermediate_size", 64},
                         {"rms_norm_eps", 1e-5},
                         {"quantization_config", scheme}};
    write_file(folder / "config.json", config.dump());
    write_file(folder / "model.safetensors", file.bytes());
    return open_source(folder.path.string());
  }
  Values decoded(int64_t rows, int64_t cols) const {
    auto source = open();
    const Config config = source->config();
    const WeightStore store(source, config);
    const Weight w = store.root().weight("a.weight", rows, cols);
    Values values(static_cast<size_t>(rows * cols));
    for (int64_t r = 0; r < rows; ++r) {
      float* row = values.data() + r * cols;
      w.format->decode(w.row(r), cols, row);
      if (w.order) put_back(*w.order, row);
    }
    // Widened for training, the same.
    const WeightStore wide(source, config, Hold::widened);
    const Weight plain = wide.root().weight("a.weight", rows, cols);
    EXPECT_EQ(std::memcmp(plain.f32(), values.data(), values.size() * 4), 0);
    EXPECT_NO_THROW(store.finish());
    return values;
  }
  std::string refusal() const {
    try {
      decoded(1, 1);
    } catch (const Error& error) {
      return error.render(Language::english);
    }
    return "";
  }
};

void expect_equal(const Values& found, const Values& wanted, const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size()) << what;
  for (size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], wanted[i]) << what << ", element " << i;
}

// Codes into 32-bit words, one bit after the other, lowest first.
std::string bit_stream(const std::vector<int>& codes, int bits) {
  std::string bytes((codes.size() * static_cast<size_t>(bits) + 31) / 32 * 4, '\0');
  for (size_t i = 0; i < codes.size(); ++i)
    for (int b = 0; b < bits; ++b)
      if (codes[i] >> b & 1) {
        const size_t at = i * static_cast<size_t>(bits) + static_cast<size_t>(b);
        bytes[at / 8] = static_cast<char>(bytes[at / 8] | 1 << at % 8);
      }
  return bytes;
}

// Lines of words to words of lines: [n][m] words to [m][n].
std::string turned_words(const std::vector<std::string>& lines) {
  std::string out;
  for (size_t w = 0; w < lines[0].size(); w += 4)
    for (const std::string& line : lines) out += line.substr(w, 4);
  return out;
}

std::string halves(const Values& values) {
  std::string bytes;
  for (float v : values) bytes += raw(half_of_float(v));
  return bytes;
}
std::string brains(const Values& values) {
  std::string bytes;
  for (float v : values) bytes += raw(bf16_of_float(v));
  return bytes;
}

float half_scale(Random& random) { return float_of_half(half_of_float(0.02f * static_cast<float>(random.normal()))); }
float brain_scale(Random& random) { return float_of_bf16(bf16_of_float(0.02f * static_cast<float>(random.normal()))); }

std::vector<int> codes_below(Random& random, int64_t n, int limit) {
  std::vector<int> codes(static_cast<size_t>(n));
  for (int& c : codes) c = static_cast<int>(random.between(0, limit - 1));
  return codes;
}

std::vector<int> group_of_columns(Random& random, int64_t cols, int64_t size, bool scattered) {
  std::vector<int> group(static_cast<size_t>(cols));
  for (size_t c = 0; c < group.size(); ++c) group[c] = static_cast<int>(static_cast<int64_t>(c) / size);
  if (scattered)
    for (size_t c = group.size(); c-- > 1;)
      std::swap(group[c], group[static_cast<size_t>(random.between(0, static_cast<int64_t>(c)))]);
  return group;
}

struct Sizes {
  int64_t rows, cols, group, groups;
};
Sizes some_sizes(Random& random, int64_t row_step, int64_t col_step) {
  static constexpr int64_t sizes[] = {32, 64, 128, -1, 16};
  Sizes s{row_step * random.between(1, 3), col_step * random.between(1, 160 / col_step), sizes[random.between(0, 4)],
          0};
  s.groups = s.group < 0 ? 1 : (s.cols + s.group - 1) / s.group;
  return s;
}

TEST(Scheme, Gptq) {
  Random random(seed());
  for (int round = 0; round < 40; ++round) {
    static constexpr int widths[] = {2, 3, 4, 8};
    const int bits = widths[round % 4], limit = 1 << bits;
    const bool second = random.bits() & 1, scattered = random.bits() & 1, symmetric = random.bits() & 1;
    const Sizes s = some_sizes(random, 32, 32);
    const auto group = group_of_columns(random, s.cols, s.group < 0 ? s.cols : s.group, scattered);
    const auto code = codes_below(random, s.rows * s.cols, limit);
    Values scale(static_cast<size_t>(s.groups * s.rows));
    std::vector<int> zero(scale.size());
    for (size_t i = 0; i < scale.size(); ++i) {
      scale[i] = half_scale(random);
      zero[i] = symmetric ? limit / 2 : static_cast<int>(random.between(second ? 0 : 1, limit - 1));
    }
    Values wanted;
    std::vector<std::string> columns;
    for (int64_t r = 0; r < s.rows; ++r) {
      const std::vector<int> row(code.begin() + r * s.cols, code.begin() + (r + 1) * s.cols);
      columns.push_back(bit_stream(row, bits));
      for (int64_t c = 0; c < s.cols; ++c) {
        const auto g = static_cast<size_t>(group[static_cast<size_t>(c)] * s.rows + r);
        wanted.push_back(scale[g] * static_cast<float>(row[static_cast<size_t>(c)] - zero[g]));
      }
    }
    std::string zeros, g_idx;
    for (int64_t g = 0; g < s.groups; ++g) {
      std::vector<int> line(zero.begin() + g * s.rows, zero.begin() + (g + 1) * s.rows);
      for (int& z : line) z -= second ? 0 : 1;
      zeros += bit_stream(line, bits);
    }
    for (int g : group) g_idx += raw(int32_t{g});
    Quantized q;
    q.scheme = {
        {"quant_method", "gptq"}, {"bits", bits}, {"group_size", s.group}, {"desc_act", scattered}, {"sym", symmetric}};
    if (second) q.scheme["checkpoint_format"] = "gptq_v2";
    q.file.add("a.qweight", {s.cols * bits / 32, s.rows}, turned_words(columns), "I32");
    q.file.add("a.qzeros", {s.groups, s.rows * bits / 32}, zeros, "I32");
    q.file.add("a.scales", {s.groups, s.rows}, halves(scale), "F16");
    if (scattered || random.bits() & 1) q.file.add("a.g_idx", {s.cols}, g_idx, "I32");
    expect_equal(q.decoded(s.rows, s.cols), wanted,
                 fmt::format("{} bits, group {}, {} x {}", bits, s.group, s.rows, s.cols));
  }
}

TEST(Scheme, GptqOfFourBitsIsFourBitsInMemory) {
  Random random(seed());
  auto format_with = [&](int zero) {
    Quantized q;
    q.scheme = {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 32}};
    constexpr int64_t rows = least_in_codes / 64;
    q.file.add("a.qweight", {8, rows}, bit_stream(codes_below(random, rows * 64, 16), 4), "I32");
    q.file.add("a.qzeros", {2, rows / 8}, bit_stream(std::vector<int>(2 * rows, zero - 1), 4), "I32");
    q.file.add("a.scales", {2, rows}, halves(Values(2 * rows, 0.5f)), "F16");
    auto source = q.open();
    EXPECT_EQ(source->find("a.weight")->type_name(), "GPTQ-4");
    EXPECT_EQ(source->find("a.weight")->file_bytes(), rows * (32 + 1 + 4));
    const WeightStore store(source, source->config());
    const Weight w = store.root().weight("a.weight", rows, 64);
    EXPECT_TRUE(w.packing);
    EXPECT_FALSE(in_codes(w.slice(0, rows - 1)));
    return std::string(w.format->name);
  };
  EXPECT_EQ(format_with(8), "Q4_0");
  EXPECT_EQ(format_with(5), "INT4_F16");
}

// bfloat16 and float32 scales are kept in two bytes where float16 holds them all exactly.
TEST(Scheme, ScalesAreHalvesWhereHalvesHoldThem) {
  auto format_with = [](int bits, float scale, int16_t zero) {
    CodeRows rows(1, 64, 2);
    std::fill_n(rows.code.get(), 64, uint8_t{3});
    rows.bits = bits, rows.scale = {0.25f, scale}, rows.zero = {zero, zero}, rows.group = groups_in_order(64, 32);
    const StoredTensor t = stored_rows(std::move(rows));
    float values[64];
    t.format->decode(t.bytes.data(), 64, values);
    EXPECT_EQ(values[63], scale * static_cast<float>(3 - zero));
    return std::string(t.format->name);
  };
  constexpr float bf16 = 0x1.96p-9f, finer = 0x1.9602p-9f, tiny = 0x1p-26f;
  EXPECT_EQ(format_with(4, bf16, 8), "Q4_0");
  EXPECT_EQ(format_with(4, bf16, 7), "INT4_F16");
  EXPECT_EQ(format_with(4, finer, 8), "INT4");
  EXPECT_EQ(format_with(4, tiny, 8), "INT4");
  EXPECT_EQ(format_with(8, bf16, 128), "Q8_0");
  EXPECT_EQ(format_with(8, finer, 128), "INT8");
}

TEST(Scheme, Awq) {
  Random random(seed());
  static constexpr int order[] = {0, 2, 4, 6, 1, 3, 5, 7};
  for (int round = 0; round < 20; ++round) {
    const Sizes s = some_sizes(random, 8, 8);
    const auto code = codes_below(random, s.rows * s.cols, 16), zero = codes_below(random, s.groups * s.rows, 16);
    Values scale(zero.size()), wanted;
    for (float& v : scale) v = half_scale(random);
    // `lines` of numbers, [line][output]
    auto packed = [&](int64_t lines, auto number) {
      std::string bytes;
      for (int64_t l = 0; l < lines; ++l)
        for (int64_t r = 0; r < s.rows; r += 8) {
          std::vector<int> word;
          for (int j : order) word.push_back(number(l, r + j));
          bytes += bit_stream(word, 4);
        }
      return bytes;
    };
    auto at = [&](int64_t r, int64_t c) { return code[static_cast<size_t>(r * s.cols + c)]; };
    auto zero_at = [&](int64_t g, int64_t r) { return zero[static_cast<size_t>(g * s.rows + r)]; };
    const int64_t size = s.group < 0 ? s.cols : s.group;
    for (int64_t r = 0; r < s.rows; ++r)
      for (int64_t c = 0; c < s.cols; ++c)
        wanted.push_back(static_cast<float>(at(r, c) - zero_at(c / size, r)) *
                         scale[static_cast<size_t>(c / size * s.rows + r)]);
    Quantized q;
    q.scheme = {
        {"quant_method", "awq"}, {"bits", 4}, {"group_size", s.group}, {"version", "GEMM"}, {"zero_point", true}};
    q.file.add("a.qweight", {s.cols, s.rows / 8}, packed(s.cols, [&](int64_t c, int64_t r) { return at(r, c); }),
               "I32");
    q.file.add("a.qzeros", {s.groups, s.rows / 8}, packed(s.groups, zero_at), "I32");
    q.file.add("a.scales", {s.groups, s.rows}, halves(scale), "F16");
    expect_equal(q.decoded(s.rows, s.cols), wanted, fmt::format("group {}, {} x {}", s.group, s.rows, s.cols));
  }
}

TEST(Scheme, BitsandbytesOfFourBits) {
  Random random(seed());
  for (int round = 0; round < 30; ++round) {
    const bool nested = round % 2, fp4 = random.bits() & 1, own_map = round % 5 == 4;
    const int64_t rows = random.between(1, 20), cols = 2 * random.between(1, 20) * (round % 3 ? 16 : 1),
                  block = random.bits() & 1 ? 64 : 128, n = rows * cols, runs = (n + block - 1) / block;
    const auto code = codes_below(random, n, 16), inner = codes_below(random, runs, 256);
    Values level(fp4 ? grouped::fp4_levels : grouped::nf4_levels,
                 (fp4 ? grouped::fp4_levels : grouped::nf4_levels) + 16);
    if (own_map) level[3] = 0.123f;
    Values scale, map, outer;
    for (int i = 0; i < 256; ++i) map.push_back(static_cast<float>(random.normal()));
    for (int64_t i = 0; i < (runs + 255) / 256; ++i) outer.push_back(static_cast<float>(random.normal()));
    for (int64_t i = 0; i < runs; ++i) {
      const float product =
          map[static_cast<size_t>(inner[static_cast<size_t>(i)])] * outer[static_cast<size_t>(i / 256)];
      scale.push_back(nested ? product + 0.25f : std::fabs(static_cast<float>(random.normal())));
    }
    std::string bytes, absmax;
    Values wanted;
    for (size_t i = 0; i < code.size(); ++i)
      wanted.push_back(level[static_cast<size_t>(code[i])] * scale[i / static_cast<size_t>(block)]);
    for (size_t i = 0; i < code.size(); i += 2)
      bytes += static_cast<char>(code[i] << 4 | (i + 1 < code.size() ? code[i + 1] : 0));
    for (int c : inner) absmax += static_cast<char>(c);
    const std::string kind = fp4 ? "fp4" : "nf4";
    Json state = {{"quant_type", kind}, {"blocksize", block}, {"dtype", "float16"}, {"shape", {rows, cols}}};
    if (nested) state["nested_blocksize"] = 256, state["nested_dtype"] = "float32", state["nested_offset"] = 0.25;
    Quantized q;
    q.scheme = {{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}};
    q.file.add("a.weight", {static_cast<int64_t>(bytes.size()), 1}, bytes, "U8")
        .add("a.weight.quant_map", {16}, floats(level));
    if (nested)
      q.file.add("a.weight.absmax", {runs}, absmax, "U8")
          .add("a.weight.nested_absmax", {static_cast<int64_t>(outer.size())}, floats(outer))
          .add("a.weight.nested_quant_map", {256}, floats(map));
    else
      q.file.add("a.weight.absmax", {runs}, floats(scale));
    const std::string text = state.dump();
    q.file.add("a.weight.quant_state.bitsandbytes__" + kind, {static_cast<int64_t>(text.size())}, text, "U8");
    expect_equal(q.decoded(rows, cols), wanted, fmt::format("{} {} x {}", kind, rows, cols));
  }
}

TEST(Scheme, BitsandbytesOfEightBits) {
  Random random(seed());
  for (const int64_t cols : {64, 40}) {
    const auto code = codes_below(random, 5 * cols, 255);
    Values largest, wanted;
    for (int i = 0; i < 5; ++i) largest.push_back(std::fabs(static_cast<float>(random.normal())));
    std::string bytes;
    for (size_t i = 0; i < code.size(); ++i) {
      bytes += static_cast<char>(code[i] - 127);
      wanted.push_back(static_cast<float>(code[i] - 127) * (largest[i / static_cast<size_t>(cols)] / 127.0f));
    }
    Quantized q;
    q.scheme = {{"load_in_8bit", true}};  // without a method, as before 2024
    q.file.add("a.weight", {5, cols}, bytes, "I8")
        .add("a.SCB", {5}, floats(largest))
        .add("a.weight_format", {}, std::string(1, '\0'), "U8");
    expect_equal(q.decoded(5, cols), wanted, "int8");
  }
}

TEST(Scheme, Fp8) {
  Random random(seed());
  for (int round = 0; round < 20; ++round) {
    const bool blocks = round % 2;
    const int64_t rows = random.between(1, 300), cols = random.between(1, 300), per_row = !blocks && round % 4 == 2;
    const int64_t down = blocks ? (rows + 127) / 128 : per_row ? rows : 1, across = blocks ? (cols + 127) / 128 : 1;
    Values scale, wanted;
    for (int64_t i = 0; i < down * across; ++i) scale.push_back(static_cast<float>(random.normal()));
    std::string bytes;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) {
        auto b = static_cast<uint8_t>(random.bits());
        if ((b & 0x7F) == 0x7F) b ^= 1;
        bytes += static_cast<char>(b);
        const int64_t at = blocks ? r / 128 * across + c / 128 : per_row ? r : 0;
        wanted.push_back(float_of_e4m3(b) * scale[static_cast<size_t>(at)]);
      }
    Quantized q;
    q.scheme = {{"quant_method", "fp8"}, {"activation_scheme", "static"}};
    if (blocks) q.scheme["weight_block_size"] = {128, 128};
    q.file.add("a.weight", {rows, cols}, bytes, "F8_E4M3");
    if (blocks)
      q.file.add("a.weight_scale_inv", {down, across}, floats(scale));
    else if (per_row)
      q.file.add("a.weight_scale", {rows, 1}, floats(scale));
    else
      q.file.add("a.weight_scale", round % 4 ? std::vector<int64_t>{} : std::vector<int64_t>{1}, floats(scale));
    q.file.add("a.input_scale", {}, floats({0.5f}));
    expect_equal(q.decoded(rows, cols), wanted, fmt::format("{} x {}", rows, cols));
  }
}

TEST(Scheme, CompressedIntegers) {
  Random random(seed());
  for (int round = 0; round < 40; ++round) {
    const int bits = round % 2 ? 8 : 4, half = 1 << (bits - 1), each = 32 / bits;
    const bool packed = bits == 4 || random.bits() & 1, symmetric = random.bits() & 1,
               scattered = packed && round % 3 == 0;
    const Sizes s = some_sizes(random, 1, 8);
    const int64_t size = s.group < 0 ? s.cols : s.group;
    const auto group = group_of_columns(random, s.cols, size, scattered);
    const auto code = codes_below(random, s.rows * s.cols, 2 * half);
    auto zero = codes_below(random, s.rows * s.groups, 2 * half);
    if (symmetric) std::ranges::fill(zero, half);
    Values scale, wanted;
    for (size_t i = 0; i < zero.size(); ++i) scale.push_back(brain_scale(random));
    std::string bytes, zeros, g_idx;
    for (int64_t r = 0; r < s.rows; ++r) {
      const std::vector<int> row(code.begin() + r * s.cols, code.begin() + (r + 1) * s.cols);
      if (packed)
        bytes += bit_stream(row, bits);
      else
        for (int c : row) bytes += static_cast<char>(c - half);
      for (int64_t c = 0; c < s.cols; ++c) {
        const auto at = static_cast<size_t>(r * s.groups + group[static_cast<size_t>(c)]);
        wanted.push_back(static_cast<float>(row[static_cast<size_t>(c)] - zero[at]) * scale[at]);
      }
    }
    std::vector<std::string> columns;
    for (int64_t g = 0; g < s.groups; ++g) {
      std::vector<int> line;
      for (int64_t r = 0; r < s.rows; ++r) line.push_back(zero[static_cast<size_t>(r * s.groups + g)]);
      columns.push_back(bit_stream(line, bits));
    }
    for (int g : group) g_idx += raw(int32_t{g});
    const int64_t words = (s.cols + each - 1) / each;
    Quantized q;
    q.scheme = {{"quant_method", "compressed-tensors"},
                {"format", packed ? "pack-quantized" : "int-quantized"},
                {"config_groups",
                 {{"group_0",
                   {{"targets", {"Linear"}},
                    {"weights", {{"num_bits", bits}, {"group_size", s.group < 0 ? Json() : Json(s.group)}}}}}}}};
    if (packed)
      q.file.add("a.weight_packed", {s.rows, words}, bytes, "I32")
          .add("a.weight_shape", {2}, raw(s.rows) + raw(s.cols), "I64");
    else
      q.file.add("a.weight", {s.rows, s.cols}, bytes, "I8");
    q.file.add("a.weight_scale", {s.rows, s.groups}, brains(scale), "BF16");
    if (!symmetric && packed) {
      q.file.add("a.weight_zero_point", {(s.rows + each - 1) / each, s.groups}, turned_words(columns), "I32");
    } else if (!symmetric) {
      for (int z : zero) zeros += static_cast<char>(z - half);
      q.file.add("a.weight_zero_point", {s.rows, s.groups}, zeros, "I8");
    }
    if (scattered) q.file.add("a.weight_g_idx", {s.cols}, g_idx, "I32");
    expect_equal(q.decoded(s.rows, s.cols), wanted,
                 fmt::format("{} bits, {} groups, {} x {}", bits, s.groups, s.rows, s.cols));
  }
}

TEST(Scheme, FourBitFloats) {
  Random random(seed());
  static constexpr float levels[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, 0, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  for (int round = 0; round < 10; ++round) {
    const bool nv = round % 2;
    const int64_t rows = random.between(1, 9), each = nv ? 16 : 32, groups = random.between(1, 6), cols = groups * each;
    const auto code = codes_below(random, rows * cols, 16);
    const float whole = 3.25f;
    std::string bytes, scales;
    Values scale, wanted;
    for (int64_t i = 0; i < rows * groups; ++i) {
      const auto s = static_cast<uint8_t>(random.between(nv ? 1 : 100, nv ? 120 : 150));
      scales += static_cast<char>(s);
      scale.push_back(nv ? float_of_e4m3(s) / whole : std::ldexp(1.0f, s - 127));
    }
    for (size_t i = 0; i < code.size(); ++i) wanted.push_back(levels[code[i]] * scale[i / static_cast<size_t>(each)]);
    for (size_t i = 0; i < code.size(); i += 2) bytes += static_cast<char>(code[i] | code[i + 1] << 4);
    Quantized q;
    q.scheme = {{"quant_method", "compressed-tensors"},
                {"format", nv ? "nvfp4-pack-quantized" : "mxfp4-pack-quantized"}};
    q.file.add("a.weight_packed", {rows, cols / 2}, bytes, "U8")
        .add("a.weight_scale", {rows, groups}, scales, nv ? "F8_E4M3" : "U8");
    if (nv) q.file.add("a.weight_global_scale", {1}, floats({whole}));
    expect_equal(q.decoded(rows, cols), wanted, nv ? "nvfp4" : "mxfp4");
  }
}

TEST(Scheme, RefusedByName) {
  auto words = [](const std::string& message, std::initializer_list<const char*> all) {
    for (const char* word : all) EXPECT_NE(message.find(word), std::string::npos) << "no " << word << " in " << message;
  };
  Quantized q;
  q.scheme = {{"quant_method", "hqq"}};
  words(q.refusal(), {"hqq", "gptq", "awq", "compressed-tensors"});
  q.scheme = {{"quant_method", "awq"}, {"bits", 4}, {"version", "gemv"}};
  words(q.refusal(), {"gemv", "version"});
  q.scheme = {{"quant_method", "gptq"}, {"bits", 4}, {"checkpoint_format", "marlin"}};
  words(q.refusal(), {"marlin", "gptq_v2"});
  q.scheme = {{"quant_method", "gptq"}};
  words(q.refusal(), {"bits"});
  q.scheme = {{"quant_method", "compressed-tensors"}, {"format", "marlin-24"}};
  words(q.refusal(), {"marlin-24"});
  q.scheme = {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 32}};
  q.file.add("a.qweight", {8, 8}, std::string(256, '\0'), "I32");
  words(q.refusal(), {"a.qzeros"});
  q.file.add("a.qzeros", {2, 1}, std::string(8, '\0'), "I32").add("a.scales", {3, 8}, std::string(48, '\0'), "F16");
  words(q.refusal(), {"a.scales", "[2, 8]", "[3, 8]"});
  Quantized outside;
  outside.scheme = {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 32}};
  outside.file.add("a.qweight", {8, 8}, std::string(256, '\0'), "I32")
      .add("a.qzeros", {2, 1}, std::string(8, '\0'), "I32");
  outside.file.add("a.scales", {2, 8}, std::string(32, '\0'), "F16")
      .add("a.g_idx", {64}, std::string(256, '\x02'), "I32");
  EXPECT_NE(
      [&] {
        try {
          outside.decoded(8, 64);
        } catch (const Error& error) {
          return error.render(Language::english);
        }
        return std::string();
      }()
          .find("a.g_idx"),
      std::string::npos);
}

TEST(Scheme, GoldenMatricesDecodeExactly) {
  const std::string shared = shared_folder();
  if (shared.empty()) GTEST_SKIP();
  int checked = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(shared + "/golden/quant")) {
    if (entry.path().filename() != "expected.safetensors") continue;
    auto source = open_source(entry.path().parent_path().string());
    auto expected = open_source(entry.path().string());
    const WeightStore store(source, source->config());
    for (const StoredTensor& t : expected->tensors()) {
      if (!t.name.starts_with("decoded/") || t.shape.size() != 2) continue;
      const std::string name = t.name.substr(8);
      const Weight w = store.root().weight(name, t.shape[0], t.shape[1]);
      Values row(static_cast<size_t>(w.cols)), wanted(row.size());
      for (int64_t r = 0; r < w.rows; ++r) {
        w.format->decode(w.row(r), w.cols, row.data());
        if (w.order) put_back(*w.order, row.data());
        std::memcpy(wanted.data(), t.bytes.data() + r * w.cols * 4, row.size() * 4);
        for (size_t i = 0; i < row.size(); ++i) ASSERT_EQ(row[i], wanted[i]) << entry.path() << " " << name;
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 40);
}

}  // namespace
}  // namespace madang::test
