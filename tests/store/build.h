// Weight files put together byte by byte, so that tests own their fixtures and can damage them where it hurts.
#pragma once
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/json.h"

namespace madang::test {

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

template <class T>
std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string floats(const std::vector<float>& values) {
  std::string bytes;
  for (float v : values) bytes += raw(v);
  return bytes;
}

/// 0, 1, 2, ... n - 1
inline std::string counted(int64_t n, float start = 0) {
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(start + static_cast<float>(i));
  return floats(values);
}

/// A safetensors file from a header of any text.
inline std::string safetensors(const std::string& header, const std::string& data) {
  return raw(static_cast<uint64_t>(header.size())) + header + data;
}

/// One float32 tensor after the other.
struct SafetensorsFile {
  Json header = Json::object();
  std::string data;

  SafetensorsFile& add(const std::string& name, const std::vector<int64_t>& shape, const std::string& bytes,
                       const char* dtype = "F32") {
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
    return *this;
  }
  std::string bytes() const { return safetensors(header.dump(), data); }
};

struct GgufFile {
  uint32_t version = 3;
  uint64_t alignment = 32;
  uint64_t key_count = 0, tensor_count = 0;
  std::string keys, tensors, data;
  std::vector<size_t> borders;  ///< of structures within keys + tensors

  static std::string text(const std::string& s) { return raw(static_cast<uint64_t>(s.size())) + s; }

  GgufFile& key(const std::string& name, uint32_t type, const std::string& value) {
    keys += text(name) + raw(type) + value;
    borders.push_back(keys.size());
    ++key_count;
    return *this;
  }
  GgufFile& key(const std::string& name, uint32_t value) { return key(name, 4, raw(value)); }
  GgufFile& key(const std::string& name, float value) { return key(name, 6, raw(value)); }
  GgufFile& key(const std::string& name, const char* value) { return key(name, 8, text(value)); }
  GgufFile& words(const std::string& name, const std::vector<std::string>& all) {
    std::string value = raw(uint32_t{8}) + raw(static_cast<uint64_t>(all.size()));
    for (const auto& word : all) value += text(word);
    return key(name, 9, value);
  }
  /// `shape` outermost first; placed after all others unless `offset` says otherwise.
  GgufFile& tensor(const std::string& name, std::vector<uint64_t> shape, const std::string& bytes, uint32_t type = 0,
                   int64_t offset = -1) {
    tensors += text(name) + raw(static_cast<uint32_t>(shape.size()));
    for (size_t i = shape.size(); i-- > 0;) tensors += raw(shape[i]);
    tensors += raw(type) + raw(offset >= 0 ? static_cast<uint64_t>(offset) : static_cast<uint64_t>(data.size()));
    data += bytes;
    data.resize((data.size() + alignment - 1) / alignment * alignment);
    ++tensor_count;
    return *this;
  }
  std::string head() const { return "GGUF" + raw(version) + raw(tensor_count) + raw(key_count) + keys + tensors; }
  std::string bytes() const {
    std::string all = head();
    all.resize((all.size() + alignment - 1) / alignment * alignment);
    return all + data;
  }
};

/// The smallest llama: width 8, 2 heads of 4, 1 key/value head, hidden 6, one layer (whatever `blocks` says), 5 words.
inline GgufFile tiny_llama_gguf(uint32_t blocks = 1) {
  GgufFile f;
  f.key("general.architecture", "llama").key("llama.block_count", blocks).key("llama.context_length", 16u);
  f.key("llama.embedding_length", 8u).key("llama.feed_forward_length", 6u).key("llama.attention.head_count", 2u);
  f.key("llama.attention.head_count_kv", 1u).key("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  f.words("tokenizer.ggml.tokens", {"a", "b", "c", "d", "\xEA\xB0\x80"});
  f.tensor("token_embd.weight", {5, 8}, counted(40)).tensor("output_norm.weight", {8}, counted(8));
  f.tensor("output.weight", {5, 8}, counted(40)).tensor("blk.0.attn_norm.weight", {8}, counted(8));
  f.tensor("blk.0.ffn_norm.weight", {8}, counted(8)).tensor("blk.0.attn_q.weight", {8, 8}, counted(64));
  f.tensor("blk.0.attn_k.weight", {4, 8}, counted(32)).tensor("blk.0.attn_v.weight", {4, 8}, counted(32));
  f.tensor("blk.0.attn_output.weight", {8, 8}, counted(64)).tensor("blk.0.ffn_gate.weight", {6, 8}, counted(48));
  f.tensor("blk.0.ffn_up.weight", {6, 8}, counted(48)).tensor("blk.0.ffn_down.weight", {8, 6}, counted(48));
  return f;
}

}  // namespace madang::test
