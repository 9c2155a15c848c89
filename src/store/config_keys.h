// Keys of every age into those of transformers 5. What each architecture leaves unsaid is in config_defaults.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace madang {

/// Throws Kind::format or Kind::unsupported, naming the key.
Json normalised(const Json& keys, const std::string& where);

/// What transformers assumes for a key that an architecture's config.json leaves out; an empty object if it is unknown.
Json defaults_of(std::string_view model_type);

/// The fraction that makes exactly `rotated` of `head_dim` when it is multiplied and cut.
double rotary_fraction(int64_t rotated, int64_t head_dim);

}  // namespace madang
