#include "store/damage.h"

#include <limits>

#include "store/build.h"

namespace madang::test {
namespace {

constexpr uint64_t wrapping[] = {UINT64_MAX, 1ull << 63, (1ull << 63) - 1, 1ull << 62, (1ull << 61) + 1, 1ull << 32};

/// Every prefix that ends at a border of the structure, and one byte to each side.
void truncate(std::vector<BadFile>& all, const std::string& bytes, const std::vector<size_t>& borders,
              const std::string& what) {
  for (size_t border : borders)
    for (int side : {-1, 0, 1}) {
      const size_t at = border + static_cast<size_t>(side);
      if (at < bytes.size()) all.push_back({fmt::format("{} cut at {}", what, at), bytes.substr(0, at)});
    }
}

GgufFile head() { return GgufFile().key("general.architecture", "llama"); }

void bad_gguf_tensors(std::vector<BadFile>& all) {
  const std::string four = counted(4);
  for (uint64_t n : wrapping) {
    all.push_back({fmt::format("one axis of {}", n), head().tensor("a", {n}, four).bytes()});
    all.push_back({fmt::format("two axes that wrap, {}", n), head().tensor("a", {n, n}, four).bytes()});
    all.push_back({fmt::format("four axes that wrap, {}", n), head().tensor("a", {n, 2, 2, 4}, four).bytes()});
    all.push_back({fmt::format("offset {}", n / 32 * 32),
                   head().tensor("a", {4}, four, 0, static_cast<int64_t>(n / 32 * 32 % (1ull << 63))).bytes(),
                   n / 32 * 32 % (1ull << 63) != 0 ? Fate::unread : Fate::any});
  }
  all.push_back({"offset that wraps with the size",
                 head().tensor("a", {4}, four, 0, static_cast<int64_t>((1ull << 63) - 32)).bytes()});
  all.push_back({"an axis of zero", head().tensor("a", {0}, four).bytes()});
  all.push_back({"five axes", head().tensor("a", {1, 1, 1, 1, 4}, four).bytes()});
  all.push_back({"past the end", head().tensor("a", {64}, four).bytes()});
  all.push_back({"unaligned", head().tensor("a", {4}, four, 0, 4).bytes()});
  all.push_back({"the same twice", head().tensor("a", {4}, four).tensor("a", {4}, four).bytes()});
  all.push_back({"two at one place", head().tensor("a", {4}, four).tensor("b", {4}, four, 0, 0).bytes()});
  all.push_back({"overlap by a part", head().tensor("a", {16}, counted(16)).tensor("b", {4}, four, 0, 32).bytes()});
  all.push_back({"half a block", head().tensor("a", {16}, std::string(34, 'x'), 8).bytes()});
  all.push_back({"rows of half blocks", head().tensor("a", {2, 16}, std::string(34, 'x'), 8).bytes()});
  for (uint32_t type : {4u, 5u, 31u, 99u, 0x7FFFFFFFu, 0xFFFFFFFFu})
    all.push_back({fmt::format("type {}", type), head().tensor("a", {4}, four, type).bytes()});
}

void bad_gguf_counts(std::vector<BadFile>& all) {
  for (uint64_t n : wrapping) {
    GgufFile keys = tiny_llama_gguf(), tensors = tiny_llama_gguf();
    keys.key_count = n, tensors.tensor_count = n;
    all.push_back({fmt::format("{} keys", n), keys.bytes()});
    all.push_back({fmt::format("{} tensors", n), tensors.bytes()});
    GgufFile name;
    name.keys = raw(n) + "general.architecture", name.key_count = 1;
    all.push_back({fmt::format("a key of {} bytes", n), name.bytes()});
    all.push_back(
        {fmt::format("a text of {} bytes", n), GgufFile().key("general.architecture", 8, raw(n) + "llama").bytes()});
    for (uint32_t element : {0u, 4u, 8u, 10u})
      all.push_back({fmt::format("an array of {} of type {}", n, element),
                     head().key("a", 9, raw(element) + raw(n) + "xxxxxxxxxxxxxxxx").bytes()});
  }
  all.push_back(
      {"an array of arrays",
       head().key("a", 9, raw(uint32_t{9}) + raw(uint64_t{1}) + raw(uint32_t{4}) + raw(uint64_t{0})).bytes()});
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += raw(uint32_t{9}) + raw(uint64_t{1});
  all.push_back({"arrays 100,000 deep", head().key("a", 9, deep).bytes()});
  for (uint32_t type : {13u, 255u, 0xFFFFFFFFu})
    all.push_back({fmt::format("metadata of type {}", type), head().key("a", type, "xxxxxxxx").bytes()});
  for (uint32_t n : {0u, 3u, 1u << 31, 0xFFFFFFFFu})
    all.push_back(
        {fmt::format("alignment {}", n), head().key("general.alignment", n).tensor("a", {4}, counted(4)).bytes()});
  all.push_back({"alignment as text", head().key("general.alignment", "32").tensor("a", {4}, counted(4)).bytes()});
  all.push_back({"a key twice", head().key("general.architecture", "llama").bytes()});
  all.push_back({"a part of two without its name", head().key("split.count", 2u).bytes()});
  all.push_back({"split count as text", head().key("split.count", "2").bytes()});
  all.push_back({"tensors missing from the parts", head().key("split.tensors.count", 7u).bytes()});
}

void bad_gguf_configs(std::vector<BadFile>& all) {
  all.push_back({"no architecture", GgufFile().tensor("token_embd.weight", {4}, counted(4)).bytes(), Fate::unused});
  all.push_back({"architecture as a number", GgufFile().key("general.architecture", 5u).bytes(), Fate::unused});
  all.push_back({"architecture that draws on the terminal",
                 GgufFile().key("general.architecture", "\x1b[31m\xFF").bytes(), Fate::unused});
  for (const char* name :
       {"block_count", "embedding_length", "attention.head_count", "attention.head_count_kv", "feed_forward_length"}) {
    GgufFile f = tiny_llama_gguf();
    f.keys.clear(), f.key_count = 0;
    f.key("general.architecture", "llama");
    for (const char* other :
         {"block_count", "embedding_length", "attention.head_count", "attention.head_count_kv", "feed_forward_length"})
      if (other != name) f.key(fmt::format("llama.{}", other), 2u);
    for (const std::string& value : {raw(INT64_MIN), raw(INT64_MAX), raw(int64_t{-1})}) {
      GgufFile g = f;
      g.key(fmt::format("llama.{}", name), 11, value);
      all.push_back({fmt::format("{} absurd", name), g.bytes(), Fate::unused});
    }
    GgufFile g = f;
    g.key(fmt::format("llama.{}", name), "many");
    all.push_back({fmt::format("{} as text", name), g.bytes(), Fate::unused});
    for (const char* architecture : {"llama", "mamba", "gemma3"}) {
      GgufFile list;
      list.key("general.architecture", architecture);
      for (const char* key : {name, "attention.key_length", "attention.layer_norm_rms_epsilon", "rope.scaling.factor"})
        list.key(fmt::format("{}.{}", architecture, key), 9, raw(uint32_t{5}) + raw(uint64_t{2}) + raw(7) + raw(-7));
      all.push_back({fmt::format("{} of {} as a list", name, architecture), list.bytes(), Fate::unused});
    }
  }
}

}  // namespace

std::vector<BadFile> bad_ggufs() {
  std::vector<BadFile> all;
  const GgufFile sound = tiny_llama_gguf();
  std::vector<size_t> borders = {0, 4, 8, 16, 24, sound.head().size()};
  for (size_t border : sound.borders) borders.push_back(24 + border);
  for (size_t at = 0; at < sound.data.size(); at += 160)
    borders.push_back(sound.bytes().size() - sound.data.size() + at);
  std::erase(borders, size_t{0});
  truncate(all, sound.bytes(), borders, "GGUF");
  all.push_back({"an empty GGUF", ""});
  bad_gguf_tensors(all);
  bad_gguf_counts(all);
  bad_gguf_configs(all);
  return all;
}

std::vector<BadFile> bad_safetensors() {
  std::vector<BadFile> all;
  const std::string data = counted(4),
                    sound = SafetensorsFile().add("a", {2, 2}, data).add("b", {2}, counted(2)).bytes();
  truncate(all, sound, {1, 8, 9, sound.size() - 24, sound.size() - 8, sound.size()}, "safetensors");
  all.push_back({"a byte too many", sound + "x"});
  for (uint64_t n : wrapping) all.push_back({fmt::format("a header of {} bytes", n), raw(n) + R"({"a":1})" + data});
  all.push_back({"a header of no bytes", safetensors("", data)});
  auto one = [&](const std::string& name, const std::string& body) { all.push_back({name, safetensors(body, data)}); };
  auto tensor = [&](const std::string& name, const std::string& shape, const std::string& offsets,
                    const std::string& dtype = "\"F32\"") {
    one(name, fmt::format(R"({{"a":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape, offsets));
  };
  for (const char* n : {"18446744073709551615", "18446744073709551616", "9223372036854775808", "9223372036854775807",
                        "4611686018427387905", "4294967296", "-1", "-9223372036854775808", "1e3", "1.5", "\"4\"",
                        "null", "[4]", "{}"}) {
    tensor(fmt::format("shape [{}]", n), fmt::format("[{}]", n), "[0,16]");
    tensor(fmt::format("shape [{}, 4]", n), fmt::format("[{},4]", n), "[0,16]");
    tensor(fmt::format("offset end {}", n), "[4]", fmt::format("[0,{}]", n));
    tensor(fmt::format("offset begin {}", n), "[4]", fmt::format("[{},16]", n));
  }
  tensor("a product that wraps to 4", "[4294967296,4294967296,4]", "[0,16]");
  tensor("a zero that hides a wrap", "[0,9223372036854775807,9223372036854775807]", "[0,16]");
  tensor("offsets the wrong way", "[4]", "[16,0]");
  tensor("one offset", "[4]", "[16]");
  tensor("three offsets", "[4]", "[0,16,16]");
  tensor("shape as a number", "4", "[0,16]");
  tensor("shape nested", "[[4]]", "[0,16]");
  tensor("an unknown dtype", "[4]", "[0,16]", "\"F33\"");
  tensor("dtype as a number", "[4]", "[0,16]", "32");
  tensor("past the end", "[8]", "[0,32]");
  tensor("a hole before", "[3]", "[4,16]");
  tensor("a hole behind", "[3]", "[0,12]");
  one("two at one place",
      R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})");
  one("overlap by a part",
      R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})");
  one("a name twice",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})");
  one("shape twice", R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,16]}})");
  one("no dtype", R"({"a":{"shape":[4],"data_offsets":[0,16]}})");
  one("no shape", R"({"a":{"dtype":"F32","data_offsets":[0,16]}})");
  one("an unknown field", R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":{"y":[1]}}})");
  one("a tensor that is a number", R"({"a":1})");
  one("metadata that is a list", R"({"__metadata__":[1]})");
  one("a list", "[1,2,3]");
  one("nothing but a brace", "{       ");
  one("two documents", R"({}{"a":1})");
  one("broken UTF-8", "{\"\xFF\xFE\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}");
  one("a million brackets", "{\"a\":" + std::string(1'000'000, '['));
  std::string many = "{";
  for (int i = 0; i < 20'000; ++i) many += fmt::format("\"{}\":{{}},", i);
  one("20,000 empty tensors", many.substr(0, many.size() - 1) + "}");
  return all;
}

std::vector<BadFile> bad_llama2c() {
  std::vector<BadFile> all;
  auto file = [&](const std::string& name, std::vector<int32_t> sizes, int64_t floats_after) {
    std::string bytes;
    for (int32_t n : sizes) bytes += raw(n);
    all.push_back({name, bytes + counted(floats_after)});
  };
  const int32_t most = std::numeric_limits<int32_t>::max(), least = std::numeric_limits<int32_t>::min();
  for (size_t i = 0; i < 7; ++i)
    for (int32_t n : {0, -1, least, most, 1 << 20}) {
      std::vector<int32_t> sizes = {4, 6, 2, 2, 1, 5, 3};
      sizes[i] = n;
      file(fmt::format("size {} is {}", i, n), sizes, 302);
    }
  file("heads that do not divide", {4, 6, 2, 3, 1, 5, 3}, 302);
  file("no weights", {4, 6, 2, 2, 1, 5, 3}, 0);
  file("half a header", {4, 6, 2}, 0);
  return all;
}

std::vector<BadFile> bad_rwkv_cpp() {
  std::vector<BadFile> all;
  const std::vector<int32_t> header{0x67676d66, 101, 5, 4, 1, 0}, tensor{2, 10, 0, 4, 5};
  auto file = [&](const std::string& name, const std::vector<int32_t>& first, const std::vector<int32_t>& second,
                  int64_t floats_after, const char* key = "emb.weight") {
    std::string bytes;
    for (int32_t n : first) bytes += raw(n);
    for (int32_t n : second) bytes += raw(n);
    all.push_back({name, bytes + key + counted(floats_after), Fate::unused});
  };
  const int32_t most = std::numeric_limits<int32_t>::max(), least = std::numeric_limits<int32_t>::min();
  for (int32_t n : {0, -1, least, most, 1 << 24, 99, 7}) {
    for (size_t i = 1; i < 5; ++i) {
      std::vector<int32_t> changed = header;
      changed[i] = n;
      file(fmt::format("number {} is {}", i, n), changed, tensor, 20);
    }
    for (size_t i = 0; i < tensor.size(); ++i) {
      std::vector<int32_t> changed = tensor;
      changed[i] = n;
      file(fmt::format("the tensor's number {} is {}", i, n), header, changed, 20);
    }
  }
  file("too short by a float", header, tensor, 19);
  file("longer by a float", header, tensor, 21);
  file("nothing but a header", header, {}, 0, "");
  file("half a header", {0x67676d66, 101}, {}, 0, "");
  file("no tensor that says which model", header, tensor, 20);
  file("blocks of the old kind", {0x67676d66, 100, 5, 4, 1, 2}, {2, 10, 2, 32, 5}, 20);
  file("axes whose product wraps", header, {4, 10, 0, most, most, most, most}, 20);
  return all;
}

std::vector<BadFile> bad_configs() {
  std::vector<BadFile> all;
  const std::string sound =
      R"({"model_type":"llama","hidden_size":8,"num_hidden_layers":2,"num_attention_heads":2,"vocab_size":5,"intermediate_size":6,"rope_scaling":{"type":"linear","factor":2.0},"sliding_window":null})";
  for (size_t i = 0; i < sound.size(); i += 7) all.push_back({fmt::format("config cut at {}", i), sound.substr(0, i)});
  for (const char* key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size", "rope_scaling"})
    for (const char* value : {"-1", "0", "9223372036854775808", "1e300", "\"x\"", "[]", "[1]", "true"}) {
      Json config = Json::parse(sound);
      config[key] = Json::parse(value);

      all.push_back({fmt::format("{} = {}", key, value), config.dump(), Fate::unused});
    }
  all.push_back({"brackets without end", std::string(100'000, '[')});
  all.push_back({"objects without end", [] {
                   std::string s;
                   for (int i = 0; i < 100'000; ++i) s += "{\"a\":";
                   return s;
                 }()});
  std::string keys = "{\"model_type\":\"llama\"";
  for (int i = 0; i < 200'000; ++i) keys += fmt::format(",\"{}\":1", i);
  all.push_back({"200,000 keys", keys + "}"});
  return all;
}

}  // namespace madang::test
