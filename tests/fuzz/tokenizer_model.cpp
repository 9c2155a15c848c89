// Bytes of any kind: sentencepiece's model, llama2.c's, RWKV's, told apart by the reader.
#include "tokenizer_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  madang::fuzz::tokenizer(data, size);
  return 0;
}
