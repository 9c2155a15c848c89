// Hundreds of bad weight files and configurations: damage.h says what and what must come of it.
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "store/ask.h"
#include "store/build.h"
#include "store/damage.h"
#include "support.h"

namespace madang::test {
namespace {

/// Opens a file and takes all it offers, as a model would. What became of it: `any` if nothing was refused.
Fate refused(const std::string& path, std::string& why) {
  std::shared_ptr<const Source> source;
  try {
    source = open_source(path);
    volatile uint8_t sum = 0;
    for (const StoredTensor& t : source->tensors())
      for (size_t i = 0; i < t.bytes.size(); i += 64)
        sum = static_cast<uint8_t>(sum + t.bytes[i]);  // the bytes are there
    ask_all(source, source->config());
    return Fate::any;
  } catch (const Error& error) {  // anything else fails the test
    why = error.render(Language::english);
    EXPECT_FALSE(error.place().empty()) << why;
    return source ? Fate::unused : Fate::unread;
  }
}

Fate config_refused(const std::string& path, std::string& why) {
  std::optional<Config> c;
  try {
    c = read_config(path);
    for (const char* key :
         {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"})
      c->integer(key);
    return Fate::any;
  } catch (const Error& error) {
    why = error.render(Language::english);
    EXPECT_FALSE(error.place().empty()) << why;
    return c ? Fate::unused : Fate::unread;
  }
}

/// A reader may keep a few words for each thing the file describes: 64 bytes for each of its own is ample, and a
/// hundred kilobytes for messages.
void expect_modest(size_t file, const std::string& name) {
  EXPECT_LE(largest_allocation(), 100'000 + 64 * file) << name;
}

void try_all(const std::vector<BadFile>& files, const std::string& extension,
             Fate (*judge)(const std::string&, std::string&)) {
  TemporaryFolder folder;
  const std::string path = folder / ("bad." + extension);
  for (const BadFile& file : files) {
    write_file(path, file.bytes);
    largest_allocation();
    std::string why;
    Fate fate = Fate::any;
    EXPECT_NO_THROW(fate = judge(path, why)) << file.name;
    EXPECT_LE(fate, file.fate) << file.name << ": " << why;
    for (char c : why)
      EXPECT_TRUE(static_cast<unsigned char>(c) >= 32 || c == '\n') << file.name << ": raw control characters";
    expect_modest(file.bytes.size(), file.name);
  }
  std::cout << files.size() << " bad " << extension << " files\n";
  EXPECT_GE(files.size(), 30u);
}

TEST(BadInput, Gguf) { try_all(bad_ggufs(), "gguf", refused); }
TEST(BadInput, Safetensors) { try_all(bad_safetensors(), "safetensors", refused); }
TEST(BadInput, Llama2c) { try_all(bad_llama2c(), "bin", refused); }
TEST(BadInput, RwkvCpp) { try_all(bad_rwkv_cpp(), "bin", refused); }
TEST(BadInput, Config) { try_all(bad_configs(), "json", config_refused); }

/// Flips of one to eight bits, mostly where the structure is. Any answer is right that is an answer.
void flip(const std::string& sound, size_t structure, const std::string& extension,
          Fate (*judge)(const std::string&, std::string&)) {
  Random random(seed());
  TemporaryFolder folder;
  const std::string path = folder / ("flipped." + extension);
  int failed = 0;
  constexpr int rounds = 400;
  for (int i = 0; i < rounds; ++i) {
    std::string bytes = sound;
    for (uint64_t n = random.below(8) + 1; n > 0; --n) {
      const size_t at = random.below(random.below(8) ? structure : bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    }
    write_file(path, bytes);
    largest_allocation();
    std::string why;
    EXPECT_NO_THROW(failed += judge(path, why) != Fate::any) << "round " << i;
    expect_modest(bytes.size(), fmt::format("round {}", i));
  }
  std::cout << failed << " of " << rounds << " flipped " << extension << " files were refused\n";
  EXPECT_GT(failed, rounds / 4);
}

TEST(BadInput, FlippedBits) {
  const GgufFile gguf = tiny_llama_gguf();
  flip(gguf.bytes(), gguf.head().size(), "gguf", refused);
  const std::string safetensors = SafetensorsFile().add("a", {2, 2}, counted(4)).add("b", {2}, counted(2)).bytes();
  flip(safetensors, safetensors.size() - 24, "safetensors", refused);
  const std::string config =
      R"({"model_type":"llama","hidden_size":8,"num_hidden_layers":2,"num_attention_heads":2,"vocab_size":5,"intermediate_size":6,"rope_scaling":{"type":"linear","factor":2.0}})";
  flip(config, config.size(), "json", config_refused);
}

}  // namespace
}  // namespace madang::test
