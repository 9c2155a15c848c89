#include "store/gguf_draft.h"

#include "base/error.h"

namespace madang {

int64_t DraftTensor::numel() const {
  int64_t n = 1;
  for (int64_t axis : shape) n *= axis;
  return n;
}

GgufDraft gguf_draft(const std::shared_ptr<const Gguf>& file) {
  GgufDraft draft{file, {}, {}};
  for (const StoredTensor& t : file->tensors()) {
    if (!t.format)
      throw Error(Kind::unsupported, say("tensor {} has no weights", t.name)).found(std::string(t.type_name()));
    draft.tensors.push_back({t.name, t.shape, t.format, t.format, [file, &t](const auto& take) { take(t); }});
  }
  return draft;
}

}  // namespace madang
