// Readers and the writer on sound files, and on the named bad ones whose message matters.
#include <algorithm>

#include "base/error.h"
#include "store/build.h"
#include "store/config.h"
#include "store/gguf.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang::test {
namespace {

std::string message_of(const std::string& path) {
  try {
    open_source(path);
  } catch (const Error& error) {
    return error.render(Language::english);
  }
  return "";
}

TEST(Safetensors, WrittenIsReadBack) {
  TemporaryFolder folder;
  std::vector<float> a = {1, 2, 3, 4, 5, 6};
  std::vector<int64_t> b = {-1, 1ll << 40};
  std::vector<uint16_t> c = {0x3C00};
  write_safetensors(folder / "x.safetensors",
                    {{"c", Tensor(c.data(), DType::f16, {1})},
                     {"a", Tensor(a.data(), DType::f32, {2, 3})},
                     {"b", Tensor(b.data(), DType::i64, {2})}},
                    {{"made by", "마당 \"quoted\""}});
  auto source = open_source(folder / "x.safetensors");
  ASSERT_EQ(source->tensors().size(), 3u);
  const StoredTensor* t = source->find("a");
  ASSERT_TRUE(t);
  EXPECT_EQ(t->shape_text(), "[2, 3]");
  EXPECT_EQ(t->format, &f32_format);
  EXPECT_EQ(0, std::memcmp(t->bytes.data(), a.data(), 24));
  EXPECT_EQ(source->find("b")->format, nullptr);
  EXPECT_EQ(0, std::memcmp(source->find("b")->bytes.data(), b.data(), 16));
  EXPECT_EQ(source->metadata().at("made by"), "마당 \"quoted\"");
  for (const StoredTensor& each : source->tensors())  // aligned to its own elements
    EXPECT_EQ(reinterpret_cast<uintptr_t>(each.bytes.data()) % static_cast<size_t>(size_of(each.dtype)), 0u)
        << each.name;
}

TEST(Safetensors, AFullDiskIsTold) {
  std::vector<float> a(1 << 16);
  EXPECT_THROW(write_safetensors("/nowhere/x.safetensors", {{"a", Tensor(a.data(), DType::f32, {1 << 16})}}), Error);
}

TEST(Safetensors, ShardsWithAnIndex) {
  TemporaryFolder folder;
  write_file(folder / "m-00001-of-00002.safetensors", SafetensorsFile().add("a", {2}, counted(2)).bytes());
  write_file(folder / "m-00002-of-00002.safetensors", SafetensorsFile().add("b", {3}, counted(3)).bytes());
  const std::string index =
      R"({"metadata": {"total_size": 20, "more": [1, null, {"x": 1.5}]}, "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "m-00002-of-00002.safetensors"}})";
  write_file(folder / "model.safetensors.index.json", index);
  EXPECT_EQ(open_source(folder.path.string())->tensors().size(), 2u);
  EXPECT_EQ(open_source(folder / "model.safetensors.index.json")->tensors().size(), 2u);
  auto with = [&](const std::string& a) {
    write_file(folder / "model.safetensors.index.json", R"({"weight_map": {"a": ")" + a + R"("}})");
    return message_of(folder.path.string());
  };
  EXPECT_NE(with("../m-00001-of-00002.safetensors").find("outside its folder"), std::string::npos);
  EXPECT_NE(with("/etc/passwd").find("outside its folder"), std::string::npos);
  EXPECT_NE(with("..").find("outside its folder"), std::string::npos);
  EXPECT_NE(with("m-00009-of-00002.safetensors").find("m-00009-of-00002"), std::string::npos);
  EXPECT_NE(with("m-00002-of-00002.safetensors").find("is not in the file that the index names"), std::string::npos);
}

TEST(Gguf, KeysAndTensors) {
  TemporaryFolder folder;
  GgufFile f = tiny_llama_gguf();
  f.key("x.flag", 7, raw(uint8_t{1}))
      .key("x.i8", 1, raw(int8_t{-3}))
      .key("x.f64", 12, raw(2.5))
      .key("x.u64", 10, raw(UINT64_MAX));
  f.key("x.ints", 9, raw(uint32_t{5}) + raw(uint64_t{2}) + raw(int32_t{-7}) + raw(int32_t{8}));
  write_file(folder / "a.gguf", f.bytes());
  auto source = open_source(folder / "a.gguf");
  const Gguf& g = *source->gguf();
  EXPECT_EQ(g.architecture(), "llama");
  EXPECT_EQ(g.integer("llama.block_count"), 1);
  EXPECT_EQ(g.integer("x.i8"), -3);
  EXPECT_TRUE(g.flag("x.flag", false));
  EXPECT_EQ(g.real("x.f64"), 2.5);
  EXPECT_EQ(g.integers("x.ints"), (std::vector<int64_t>{-7, 8}));
  EXPECT_EQ(g.texts("tokenizer.ggml.tokens").back(), "\xEA\xB0\x80");
  EXPECT_TRUE(g.texts("nothing").empty());
  EXPECT_THROW(g.integer("x.u64"), Error);
  EXPECT_THROW(g.text("x.f64"), Error);
  EXPECT_THROW(g.integer("nothing"), Error);
  EXPECT_EQ(source->find("blk.0.ffn_down.weight")->shape_text(), "[8, 6]");
}

TEST(Gguf, BigEndianIsRefusedByName) {
  TemporaryFolder folder;
  GgufFile f = tiny_llama_gguf();
  f.version = 0x03000000;
  write_file(folder / "a.gguf", f.bytes());
  EXPECT_NE(message_of(folder / "a.gguf").find("big-endian"), std::string::npos);
  f.version = 1;
  write_file(folder / "a.gguf", f.bytes());
  EXPECT_NE(message_of(folder / "a.gguf").find("version 1"), std::string::npos);
}

TEST(Gguf, PartsBecomeOne) {
  TemporaryFolder folder;
  GgufFile first, second;
  first.key("general.architecture", "llama")
      .key("split.no", 2, raw(uint16_t{0}))
      .key("split.count", 2, raw(uint16_t{2}));
  first.key("split.tensors.count", 5, raw(int32_t{2})).tensor("a", {4}, counted(4));
  second.key("split.no", 2, raw(uint16_t{1})).tensor("b", {4}, counted(4, 9));
  write_file(folder / "m-00001-of-00002.gguf", first.bytes());
  write_file(folder / "m-00002-of-00002.gguf", second.bytes());
  for (const char* name : {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf", ""}) {
    auto source = open_source(folder / name);
    ASSERT_EQ(source->tensors().size(), 2u);
    float value;
    std::memcpy(&value, source->find("b")->bytes.data(), 4);
    EXPECT_EQ(value, 9);
  }
  std::filesystem::rename(folder / "m-00001-of-00002.gguf", folder / "other.gguf");
  EXPECT_NE(message_of(folder / "other.gguf").find("keep its name"), std::string::npos);
  EXPECT_NE(message_of(folder / "m-00002-of-00002.gguf").find("m-00001-of-00002.gguf"), std::string::npos);
}

TEST(Folder, WhatItHoldsDecides) {
  TemporaryFolder folder;
  EXPECT_NE(message_of(folder.path.string()).find("no weights"), std::string::npos);
  write_file(folder / "pytorch_model.bin", "PK");
  EXPECT_NE(message_of(folder.path.string()).find("pickled"), std::string::npos);
  write_file(folder / "a.gguf", tiny_llama_gguf().bytes());
  EXPECT_EQ(open_source(folder.path.string())->layout(), Layout::gguf);
  write_file(folder / "b.gguf", tiny_llama_gguf().bytes());
  EXPECT_NE(message_of(folder.path.string()).find("2 models"), std::string::npos);
  EXPECT_NE(message_of(folder / "nothing.gguf").find("nothing.gguf"), std::string::npos);
}

TEST(Llama2c, LayoutByItsHeader) {
  TemporaryFolder folder;
  auto header = [](int32_t vocabulary) {
    std::string s;
    for (int32_t n : {4, 6, 2, 2, 1, vocabulary, 3}) s += raw(n);
    return s;
  };
  // embedding, per layer (norm, q, k, v, o, norm, w1, w2, w3), norm, two tables of [positions, head / 2]
  const int64_t n = 5 * 4 + 2 * (4 + 16 + 8 + 8 + 16 + 4 + 24 + 24 + 24) + 4 + 3 + 3;
  write_file(folder / "m.bin", header(5) + counted(n));
  auto source = open_source(folder / "m.bin");
  EXPECT_EQ(source->layout(), Layout::llama2c);
  EXPECT_EQ(source->find("layers.1.feed_forward.w2.weight")->shape_text(), "[4, 6]");
  float first;
  std::memcpy(&first, source->find("norm.weight")->bytes.data(), 4);
  EXPECT_EQ(first, static_cast<float>(n - 10));
  EXPECT_EQ(source->find("output.weight"), nullptr);
  write_file(folder / "m.bin", header(-5) + counted(n + 20));
  EXPECT_NE(open_source(folder / "m.bin")->find("output.weight"), nullptr);
  write_file(folder / "m.bin", header(5) + counted(n + 1));
  EXPECT_NE(message_of(folder / "m.bin").find("longer than its header"), std::string::npos);
  write_file(folder / "m.bin", header(5) + counted(n - 1));
  EXPECT_NE(message_of(folder / "m.bin").find("past the end"), std::string::npos);
}

TEST(RwkvCpp, TensorAfterTensor) {
  TemporaryFolder folder;
  auto numbers = [](std::vector<int32_t> all) {
    std::string s;
    for (int32_t n : all) s += raw(n);
    return s;
  };
  auto tensor = [&](const std::string& name, std::vector<int32_t> shape) {  // the longest axis first
    int64_t n = 1;
    for (int32_t axis : shape) n *= axis;
    return numbers({static_cast<int32_t>(shape.size()), static_cast<int32_t>(name.size()), 0}) + numbers(shape) + name +
           counted(n);
  };
  const std::string header = numbers({0x67676d66, 101, 5, 4, 2, 0}), att = "blocks.0.att.";
  const std::string shared = tensor("emb.weight", {4, 5}) + tensor("blocks.0.ffn.key.weight", {4, 6});
  auto type = [&](const std::string& more) {
    write_file(folder / "m.bin", header + shared + more);
    return open_source(folder / "m.bin")->config().architecture();
  };
  const std::string heads = tensor(att + "ln_x.weight", {4}) + tensor(att + "time_faaaa", {1, 2, 2});
  EXPECT_EQ(type(tensor(att + "key.weight", {4, 4})), "rwkv");
  EXPECT_EQ(type(heads + tensor(att + "gate.weight", {4, 4})), "rwkv5");
  const std::string finch = tensor(att + "time_maa_w2", {3, 4, 5}) + tensor(att + "time_decay_w1", {4, 2});
  EXPECT_EQ(type(heads + tensor(att + "gate.weight", {4, 4}) + tensor(att + "time_maa_x", {4}) + finch), "rwkv6");
  const std::string goose = tensor(att + "r_k", {2, 2}) + tensor(att + "w1", {4, 3}) + tensor(att + "a1", {4, 3});
  EXPECT_EQ(type(goose + tensor(att + "g1", {4, 3}) + tensor(att + "k_k", {4, 1, 1})), "rwkv7");
  auto source = open_source(folder / "m.bin");
  EXPECT_EQ(source->layout(), Layout::rwkv_cpp);
  EXPECT_EQ(source->find("blocks.0.ffn.key.weight")->shape_text(), "[6, 4]");
  EXPECT_EQ(source->config().integer("decay_low_rank_dim"), 3);
  EXPECT_EQ(source->config().integer("intermediate_size"), 6);
  EXPECT_THROW(type(heads), Error) << "RWKV 5.1";
  EXPECT_THROW(type(""), Error) << "nothing that says which";
}

}  // namespace
}  // namespace madang::test
