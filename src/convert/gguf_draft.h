// Any checkpoint as a GGUF file that is still to be written.
// Refused: what GGUF cannot say.
#pragma once
#include <memory>
#include <string>

#include "convert/convert.h"
#include "store/gguf_draft.h"

namespace madang {

GgufDraft gguf_draft(const ConvertPlan& plan);
/// A GGUF file as it is, anything else as convert() would write it; its weights are read when they are written.
GgufDraft open_as_gguf(const std::string& path);

}  // namespace madang
