// Fuzzes the reader of rwkv.cpp checkpoints: whatever the bytes, an answer or a typed error.
#include "fuzz_file.h"
#include "models/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  madang::fuzz::with_file(data, size, [](const std::string& path) {
    auto source = madang::open_source(path);
    const madang::Config config = source->config();
    madang::WeightStore store(source, config);
    madang::build_model(config, store.root());
    store.finish();
  });
  return 0;
}
