// A GGUF file that is still to be written: its metadata, and tensors that are put together when their turn comes. Made
// of a GGUF as it is, or of any other checkpoint (convert/gguf_draft.h), so that what changes formats on the way
// (compress/quantize.h) need not know what it came from.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/gguf.h"

namespace madang {

struct DraftTensor {
  std::string name;
  std::vector<int64_t> shape;
  const Format* from = nullptr;    ///< of the weights that it is put together from
  const Format* format = nullptr;  ///< what it is to be, unless somebody wants it otherwise
  /// Calls `take` with its parts, one behind another; each is held only meanwhile.
  std::function<void(const std::function<void(const StoredTensor&)>& take)> parts;
  /// What repositories call each of its matrices; empty: as here.
  std::vector<std::string> sources{};

  int64_t numel() const;
};

struct GgufDraft {
  std::shared_ptr<const Gguf> metadata;
  std::vector<DraftTensor> tensors;  ///< in the file's order
  /// Throws if the file, once written, does not say what it was made of. May be empty.
  std::function<void(const std::string& written)> check;
};

/// Throws Kind::unsupported if a tensor holds no weights.
GgufDraft gguf_draft(const std::shared_ptr<const Gguf>& file);

}  // namespace madang
