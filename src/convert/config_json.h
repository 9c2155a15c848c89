// config.json as transformers reads it: a repository's own with the new dtype, or made of another file's configuration.
#pragma once
#include <string>

#include "engine/checkpoint.h"

namespace madang {

/// `config`: the checkpoint's, completed. `dtype`: "float32", "float16", "bfloat16". `changed`: not what the
/// checkpoint's own config.json says.
Json config_json(const Checkpoint& checkpoint, const Config& config, const std::string& dtype, bool changed);

}  // namespace madang
