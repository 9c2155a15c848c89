// Fuzzes the GGUF reader, its metadata, the configuration made from it and the rules over its tensors.
#include "store/gguf.h"
#include "fuzz_file.h"
#include "store/scope.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  madang::fuzz::with_file(data, size, [](const std::string& path) {
    auto source = std::make_shared<madang::Gguf>(path);
    for (const madang::GgufValue& v : source->values())
      if (v.type == madang::GgufType::array && v.element == madang::GgufType::string) source->texts(v.key);
    const madang::Config config = source->config();
    madang::WeightStore store(source, config);
    const int64_t width = config.integer("hidden_size");
    const madang::Scope layer = store.root() / "model.layers" / 0;
    if (layer.has("self_attn.q_proj.weight")) layer.weight("self_attn.q_proj.weight", width, width);
    if (layer.has("input_layernorm.weight")) layer.vector("input_layernorm.weight", width);
    store.finish();
  });
  return 0;
}
