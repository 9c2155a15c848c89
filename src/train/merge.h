// Checkpoints out of checkpoints: a low-rank adapter written into the weights, or two models of one shape mixed.
// Writes a folder as Hugging Face repositories are, beside copies of the base's configuration and text files. Streams:
// memory is bounded by the largest tensor. Refused: bases that are no such folder or file, and weights in blocks.
#pragma once
#include <memory>
#include <string>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "store/source.h"

namespace madang {

/// Writes the base with the adapter in it. Tensors that the adapter adds to become `dtype`; others stay as they are.
/// In float32 the merged model answers as the adapted one does, but for rounding. Throws Error; nothing half written
/// stays.
void merge_adapter(const std::string& base, const std::string& adapter, const std::string& out, DType dtype,
                   ThreadPool& pool, const OnProgress& progress = {});

/// linear: (1 - t) a + t b. slerp: along the arc between the two, tensor by tensor (Shoemake 1985), or linear where
/// they are nearly parallel.
enum class Mix { linear, slerp };

/// Tensors keep the types of `a`. Throws Kind::mismatch if the models differ in architecture, tensors or shapes.
void mix_checkpoints(const std::string& a, const std::string& b, const std::string& out, Mix mix, double t,
                     const OnProgress& progress = {});

}  // namespace madang
