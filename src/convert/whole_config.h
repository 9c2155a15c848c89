// A configuration with what only a checkpoint's tensors say, and what deeper models make of it.
#pragma once
#include <cstdint>

#include "store/scope.h"

namespace madang {

/// With tied heads and stretched frequencies. Throws Kind::unsupported for frequencies that no configuration can say.
Config completed(const Config& config, const Scope& root, const Source& source);

/// Of a model whose layers [begin, end) come twice; lists with an entry a layer are repeated too. Throws Kind::usage.
Config deepened(const Config& config, int64_t begin, int64_t end);

}  // namespace madang
