// Checkpoints out of checkpoints: a low-rank adapter written into the weights, or two models of one shape mixed.
// What is done to a layer's matrix, and the same for a plain safetensors repository as it is: tensor by tensor, beside
// copies of the base's configuration and text files, whatever the architecture keeps in them. Other files are merged
// through their layers (convert/merged.h). Streams: memory is bounded by the largest tensor.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "store/scope.h"

namespace madang {

/// A safetensors repository whose weights are floats.
bool is_plain_repository(const Source& source);

/// What the adapter makes of a layer's matrix; `at`: element (row, column) of it.
void merge_matrix(const AdaptedMatrix& matrix, ThreadPool& pool,
                  const std::function<float&(int64_t row, int64_t column)>& at);

/// Writes the base, a plain repository, with the adapter in it. Tensors that the adapter adds to become `type`; others
/// stay as they are. In float32 the merged model answers as the adapted one does, but for rounding. Throws Error;
/// nothing half written stays.
void merge_adapter(const std::string& base, const std::string& adapter, const std::string& out, const Format& type,
                   ThreadPool& pool, const OnProgress& progress = {});

/// linear: (1 - t) a + t b. slerp: along the arc between the two, tensor by tensor (Shoemake 1985), or linear where
/// they are nearly parallel.
enum class Mix { linear, slerp };

/// (1 - t) a + t b, or between them on the arc, in `a`: all of one tensor.
void mix_values(std::vector<float>& a, const std::vector<float>& b, Mix mix, double t);

/// Of plain repositories. Tensors keep the types of `a`. Throws Kind::mismatch if the models differ in architecture,
/// tensors or shapes.
void mix_checkpoints(const std::string& a, const std::string& b, const std::string& out, Mix mix, double t,
                     const OnProgress& progress = {});

}  // namespace madang
