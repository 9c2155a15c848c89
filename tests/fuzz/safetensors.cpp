// Fuzzes the safetensors reader: whatever the bytes, an answer or a typed error.
#include "store/safetensors.h"
#include "fuzz_file.h"
#include "store/scope.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  madang::fuzz::with_file(data, size, [](const std::string& path) {
    auto source = madang::open_safetensors(path);
    madang::WeightStore store(source, madang::Config(madang::Json{{"model_type", "llama"}}, "fuzz"));
    for (const madang::StoredTensor& t : source->tensors())
      if (t.shape.size() == 2)
        store.root().weight(t.name, t.shape[0], t.shape[1]);
      else if (t.shape.size() == 1)
        store.root().vector(t.name, t.shape[0]);
    store.finish();
  });
  return 0;
}
