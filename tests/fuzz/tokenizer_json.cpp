// Bytes behind an opening brace: tokenizer.json.
#include <string>

#include "tokenizer_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file = "{" + std::string(reinterpret_cast<const char*>(data), size);
  madang::fuzz::tokenizer(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  return 0;
}
