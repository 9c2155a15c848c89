// What several commands share: flags about models and how they run, and opening what they name.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "cli/arguments.h"
#include "cli/surroundings.h"
#include "engine/engine.h"

namespace madang {

/// --threads, --compute, --kv-type.
std::vector<Flag> work_flags(bool fast);
/// --lora: what open_checkpoint adds to a model.
std::vector<Flag> adapter_flags();
/// --prompt-lookup, --draft-model, --draft-max: what add_guesser reads.
std::vector<Flag> guess_flags();
/// --temperature and its kin, --seed.
std::vector<Flag> sampling_flags();
std::vector<Flag> joined(std::vector<Flag> first, const std::vector<Flag>& second);

ModelStore open_store(const Surroundings& around);
/// A path that exists, or an installed name. Throws Kind::missing with what to do.
std::string find_model(const Surroundings& around, const std::string& spec);

WorkOptions work_options(const Arguments& arguments, const Surroundings& around, Compute fallback);
KvType kv_type(const Arguments& arguments, KvType fallback);
/// Who guesses for an engine of `model`, if the flags name somebody. To be called when all else in `options` is set.
void add_guesser(EngineOptions& options, const Arguments& arguments, const Surroundings& around,
                 const Checkpoint& model);
/// What the flags say, else what the model's makers recommend, else values that keep small models on track.
SamplerOptions sampler_options(const Arguments& arguments, const GenerationDefaults& defaults);

std::shared_ptr<const Checkpoint> open_checkpoint(const Arguments& arguments, Surroundings& around,
                                                  const std::string& spec);

/// Brings the weights into memory, so that the first answer does not wait for the disk. Does nothing for a model that
/// would fill most of the memory: its pages would push each other out.
void warm_up(const Source& source, const OnProgress& progress);

/// Throws Kind::refused if there is a file, or a folder with something in it, and --force is not given.
void check_free(const Arguments& arguments, const std::string& path);

/// Throws Kind::io, Kind::missing.
std::string read_whole_file(const std::string& path);
std::string read_all(std::istream& in);

}  // namespace madang
