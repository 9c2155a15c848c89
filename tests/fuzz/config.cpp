// Fuzzes config.json: whatever the bytes, a configuration in the new keys or a typed error.
#include "store/config.h"
#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  madang::fuzz::with_file(data, size, [](const std::string& path) {
    const madang::Config config = madang::read_config(path);
    for (const std::string& type : config.layer_types()) config.rope(type);
    config.integers("eos_token_id");
  });
  return 0;
}
