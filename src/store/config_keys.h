// Keys of every age into those of transformers 5. What each architecture leaves unsaid is in config_defaults.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace madang {

class Config;
class Gguf;

/// Throws Kind::format or Kind::unsupported, naming the key.
Json normalised(const Json& keys, const std::string& where);

/// What transformers assumes for a key that an architecture's config.json leaves out; an empty object if it is unknown.
Json defaults_of(std::string_view model_type);

/// The families whose layers rest on Mamba-2's scan: their names for its sizes and for kinds of layers, into Bamba's.
/// To be called before other names are moved; of another architecture it touches nothing.
void name_mamba2(Json& keys);
/// The other way round, for a config.json of the family's own.
void name_back_mamba2(Json& keys);
/// And, once defaults are in place, what follows from them: layer_types, mamba_d_head, time_step_least and
/// time_step_most. Throws Kind::format, naming the key.
void derive_mamba2(Json& keys, const std::string& where);

/// Throws Kind::format: the key cannot be what it is.
[[noreturn]] void refuse(std::string_view key, const std::string& where, std::string expected, const Json& found);
void move_key(Json& keys, std::string_view from, std::string_view to);
/// A whole number in 1 .. most, or `fallback` if the key is absent.
int64_t size_in(const Json& keys, const char* key, int64_t fallback, int64_t most, const std::string& where);

/// Their keys in GGUF files. `prefix`: the architecture's, with its dot.
void set_mamba2(const Gguf& g, const std::string& prefix, int64_t layers, Json& keys);
/// The keys of a configuration, so that reading them again gives the same one: what it lacks against its architecture's
/// defaults is null.
Json complete_keys(const Config& config);

/// The fraction that makes exactly `rotated` of `head_dim` when it is multiplied and cut.
double rotary_fraction(int64_t rotated, int64_t head_dim);

}  // namespace madang
