#include "store/llama2c.h"

#include <array>
#include <cstring>

#include "base/error.h"
#include "store/bounds.h"
#include "store/config.h"

namespace madang {
namespace {

constexpr size_t header_bytes = 28;

struct Header {
  int64_t width, hidden, layers, heads, kv_heads, vocabulary, positions;
  bool tied;
};

Header read_header(const MappedFile& file) {
  std::array<int32_t, 7> n{};
  if (file.bytes().size() < header_bytes)
    throw Error(Kind::format, say("the file ends inside its header"))
        .at(file.path())
        .expected("28")
        .found(std::to_string(file.bytes().size()));
  std::memcpy(n.data(), file.bytes().data(), header_bytes);
  // A negative vocabulary means an output matrix of its own.
  Header h{n[0], n[1], n[2], n[3], n[4], std::abs(static_cast<int64_t>(n[5])), n[6], n[5] > 0};
  // Far above any real model, far below where a product of two could wrap.
  for (int64_t size : {h.width, h.hidden, h.layers, h.heads, h.kv_heads, h.vocabulary, h.positions})
    if (size < 1 || size > 1 << 20)
      throw Error(Kind::format, say("not a llama2.c checkpoint: a size in its header cannot be"))
          .at(file.path())
          .expected(fmt::format("1 .. {}", 1 << 20))
          .found(std::to_string(size));
  if (h.width % h.heads != 0 || h.heads % h.kv_heads != 0)
    throw Error(Kind::format, say("not a llama2.c checkpoint: heads do not divide its width"))
        .at(file.path())
        .found(fmt::format("{} / {} / {}", h.width, h.heads, h.kv_heads));
  return h;
}

class Llama2c : public Source {
 public:
  explicit Llama2c(const std::string& path)
      : Source(path), file_(MappedFile::open(path)), header_(read_header(*file_)) {
    add_file(file_);
    const Header& h = header_;
    const int64_t head = h.width / h.heads, kv = head * h.kv_heads;
    single("tok_embeddings.weight", {h.vocabulary, h.width});
    each_layer("attention_norm", {h.width});
    each_layer("attention.wq", {h.width, h.width});
    each_layer("attention.wk", {kv, h.width});
    each_layer("attention.wv", {kv, h.width});
    each_layer("attention.wo", {h.width, h.width});
    each_layer("ffn_norm", {h.width});
    each_layer("feed_forward.w1", {h.hidden, h.width});
    each_layer("feed_forward.w2", {h.width, h.hidden});
    each_layer("feed_forward.w3", {h.hidden, h.width});
    single("norm.weight", {h.width});
    single("freq_cis_real", {h.positions, head / 2});
    single("freq_cis_imag", {h.positions, head / 2});
    if (!h.tied) single("output.weight", {h.vocabulary, h.width});
    if (at_ != file_->bytes().size())
      throw Error(Kind::format, say("the file is longer than its header says"))
          .at(path)
          .expected(std::to_string(at_))
          .found(std::to_string(file_->bytes().size()));
  }

  Layout layout() const override { return Layout::llama2c; }
  Config config() const override {
    const Header& h = header_;
    // run.c writes 1e-5 and 10000 into its code.
    Json keys = {{"model_type", "llama"},
                 {"vocab_size", h.vocabulary},
                 {"hidden_size", h.width},
                 {"intermediate_size", h.hidden},
                 {"num_hidden_layers", h.layers},
                 {"num_attention_heads", h.heads},
                 {"num_key_value_heads", h.kv_heads},
                 {"max_position_embeddings", h.positions},
                 {"rms_norm_eps", 1e-5},
                 {"rope_theta", 10000.0},
                 {"tie_word_embeddings", h.tied},
                 {"bos_token_id", 1},
                 {"eos_token_id", 2},
                 {"dtype", "float32"},
                 {"source_format", "llama2.c"}};
    return Config(keys, path());
  }

 private:
  void single(std::string name, std::vector<int64_t> shape) {
    int64_t n = 0;
    const auto bytes = file_->bytes();
    if (!count_elements(shape, n) || static_cast<uint64_t>(n) > (bytes.size() - at_) / 4)
      throw Error(Kind::format, say("tensor {} ends past the end of the file", shown(name)))
          .at(fmt::format("{}, byte {}", path(), at_))
          .found(shape_text(shape));
    const size_t size = static_cast<size_t>(n) * 4;
    add({std::move(name), &f32_format, DType::f32, std::move(shape), bytes.subspan(at_, size), file_, file_});
    at_ += size;
  }
  void each_layer(std::string_view name, const std::vector<int64_t>& shape) {
    for (int64_t i = 0; i < header_.layers; ++i) single(fmt::format("layers.{}.{}.weight", i, name), shape);
  }

  std::shared_ptr<const MappedFile> file_;
  Header header_;
  size_t at_ = header_bytes;
};

}  // namespace

std::shared_ptr<const Source> open_llama2c(const std::string& path) { return std::make_shared<Llama2c>(path); }

}  // namespace madang
