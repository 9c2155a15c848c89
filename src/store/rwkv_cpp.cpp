#include "store/rwkv_cpp.h"

#include <array>
#include <cstring>

#include "base/error.h"
#include "store/bounds.h"
#include "store/config.h"

namespace madang {
namespace {

constexpr int32_t plain_version = 100, newest_version = 101;

/// rwkv.cpp's numbers of types; those between had no readers left when the format was written down.
constexpr struct {
  int32_t type;
  std::string_view name;
} types[] = {{0, "F32"},  {1, "F16"},   {2, "Q4_0"},  {3, "Q4_1"},  {7, "Q5_0"},  {8, "Q5_1"},
             {9, "Q8_0"}, {11, "Q2_K"}, {12, "Q3_K"}, {13, "Q4_K"}, {14, "Q5_K"}, {15, "Q6_K"}};

class RwkvCpp : public Source {
 public:
  explicit RwkvCpp(const std::string& path) : Source(path), file_(MappedFile::open(path)) {
    add_file(file_);
    read_header();
    while (at_ < file_->bytes().size()) read_tensor();
  }

  Layout layout() const override { return Layout::rwkv_cpp; }
  Config config() const override;

 private:
  std::string here() const { return fmt::format("{}, byte {}", path(), at_); }

  std::span<const uint8_t> take(uint64_t n) {
    const auto bytes = file_->bytes();
    if (n > bytes.size() - at_)
      throw Error(Kind::format, say("the file ends inside its header"))
          .at(here())
          .expected(fmt::format("{} bytes", n))
          .found(fmt::format("{} bytes", bytes.size() - at_));
    const auto part = bytes.subspan(at_, static_cast<size_t>(n));
    at_ += static_cast<size_t>(n);
    return part;
  }
  int32_t number() {
    int32_t n;
    std::memcpy(&n, take(4).data(), 4);
    return n;
  }
  int32_t size(const char* what, int32_t most) {
    const int32_t n = number();
    if (n < 1 || n > most)
      throw Error(Kind::format, say("not an rwkv.cpp checkpoint: its {} cannot be", what))
          .at(here())
          .expected(fmt::format("1 .. {}", most))
          .found(std::to_string(n));
    return n;
  }

  void read_header() {
    number();  // the magic
    version_ = number();
    if (version_ != plain_version && version_ != newest_version)
      throw Error(Kind::unsupported, say("madang does not read this version of rwkv.cpp's format"))
          .at(here())
          .expected("100, 101")
          .found(std::to_string(version_));
    vocabulary_ = size("vocabulary", 1 << 24), width_ = size("width", 1 << 20), layers_ = size("layers", 1 << 12);
    number();  // the type of most tensors; each says its own
  }

  const Format* format_of(int32_t type) const {
    for (const auto& known : types)
      if (known.type == type && (type <= 1 || version_ == newest_version)) return format_by_name(known.name);
    throw Error(Kind::unsupported, say("madang does not read tensors of type {} of this file", type))
        .at(here())
        .hint(say("convert the model anew with today's rwkv.cpp"));
  }

  void read_tensor() {
    StoredTensor t;
    const int32_t axes = size("number of axes", 4), letters = size("length of a name", 1 << 10);
    t.format = format_of(number());
    t.dtype = t.format == &f32_format ? DType::f32 : t.format == &f16_format ? DType::f16 : DType::u8;
    for (int32_t i = 0; i < axes; ++i)
      t.shape.insert(t.shape.begin(), size("axis", std::numeric_limits<int32_t>::max()));
    const auto name = take(static_cast<uint64_t>(letters));
    t.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    int64_t n = 0, bytes = 0;
    if (!count_elements(t.shape, n) || !multiply(n / t.format->block, t.format->bytes, bytes))
      throw Error(Kind::format, say("the size of tensor {} passes 2^63", shown(t.name)))
          .at(here())
          .found(t.shape_text());
    if (t.shape.back() % t.format->block != 0)
      throw Error(Kind::format, say("rows of tensor {} are not whole blocks", shown(t.name)))
          .at(here())
          .expected(fmt::format("a multiple of {}", t.format->block))
          .found(t.shape_text());
    if (static_cast<uint64_t>(bytes) > file_->bytes().size() - at_)
      throw Error(Kind::format, say("tensor {} ends past the end of the file", shown(t.name)))
          .at(here())
          .found(t.shape_text());
    t.bytes = take(static_cast<uint64_t>(bytes)), t.file = file_, t.owner = file_;
    add(std::move(t));
  }

  /// Axis `axis` of a tensor that the generation must have.
  int64_t axis(std::string_view name, size_t axis) const {
    const StoredTensor* t = find(name);
    if (!t) throw Error(Kind::missing, say("there is no tensor {}", name)).at(path());
    if (t->shape.size() <= axis)
      throw Error(Kind::mismatch, say("tensor {} has the wrong shape", name)).at(path()).found(t->shape_text());
    return t->shape[axis];
  }

  std::shared_ptr<const MappedFile> file_;
  size_t at_ = 0;
  int32_t version_ = 0, vocabulary_ = 0, width_ = 0, layers_ = 0;
};

Config RwkvCpp::config() const {
  Json keys = {{"vocab_size", vocabulary_},    {"hidden_size", width_},
               {"num_hidden_layers", layers_}, {"intermediate_size", axis("blocks.0.ffn.key.weight", 0)},
               {"layer_norm_epsilon", 1e-5},  // in rwkv.cpp's code
               {"rescale_every", 0},           {"tie_word_embeddings", false},
               {"source_format", "rwkv.cpp"}};
  const std::string att = "blocks.0.att.";
  auto put = [&](const char* key, const char* tensor, size_t of) { keys[key] = axis(att + tensor, of); };
  if (find(att + "k_k")) {
    keys["model_type"] = "rwkv7";
    put("head_size", "r_k", 1);
    put("decay_low_rank_dim", "w1", 0), put("a_low_rank_dim", "a1", 0), put("gate_low_rank_dim", "g1", 0);
    if (find("blocks.1.att.v1")) keys["v_low_rank_dim"] = axis("blocks.1.att.v1", 0);
  } else if (find(att + "time_maa_x")) {
    keys["model_type"] = "rwkv6";
    put("head_size", "time_faaaa", 1);
    put("time_mix_extra_dim", "time_maa_w2", 2), put("time_decay_extra_dim", "time_decay_w1", 0);
  } else if (find(att + "gate.weight")) {
    keys["model_type"] = "rwkv5";
    put("head_size", "time_faaaa", 1);
  } else if (find(att + "ln_x.weight")) {
    throw Error(Kind::unsupported, say("madang reads RWKV 4, 5.2, 6 and 7")).at(path()).found("RWKV 5.0, 5.1");
  } else {
    keys["model_type"] = "rwkv";
    put("attention_hidden_size", "key.weight", 0);
  }
  return Config(keys, path());
}

}  // namespace

std::shared_ptr<const Source> open_rwkv_cpp(const std::string& path) { return std::make_shared<RwkvCpp>(path); }

}  // namespace madang
