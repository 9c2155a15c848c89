// Merges that go through a model's layers: whatever madang reads, written as anything that it writes. The plan is that
// of convert(), with other weights.
// Refused: what convert() refuses, adapters of another model, models of different sizes.
#pragma once
#include <memory>
#include <string>

#include "convert/convert.h"
#include "train/merge.h"

namespace madang {

/// The checkpoint with an adapter in its weights. What the adapter changes becomes `type`, or float32; the rest keeps
/// its own. `pool` must outlive the plan.
ConvertPlan plan_merge(std::shared_ptr<const Checkpoint> base, const std::string& adapter, const std::string& path,
                       const Format* type, ThreadPool& pool);

/// Between two checkpoints, matrix by matrix as layers know them; each may be of another kind of file. Matrices become
/// `type`, or those of `a`, or float16 where these are blocks.
ConvertPlan plan_mix(std::shared_ptr<const Checkpoint> a, std::shared_ptr<const Checkpoint> b, const std::string& path,
                     Mix mix, double t, const Format* type);

}  // namespace madang
