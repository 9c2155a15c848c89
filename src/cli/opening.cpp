#include "cli/opening.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <istream>
#include <iterator>
#include <limits>
#include <random>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/terminal.h"
#include "engine/draft.h"
#include "engine/prompt_lookup.h"

namespace madang {

std::vector<Flag> work_flags(bool fast) {
  return {
      {"--threads", "-t", "N", say("threads that compute (else: all processors of this process)")},
      {"--compute", "", "exact|fast",
       fast ? say("exact: float32 throughout; fast: integer kernels (the default here)")
            : say("exact: float32 throughout (the default here); fast: integer kernels")},
      {"--kv-type", "", "f32|f16|bf16|q8",
       fast ? say("how keys and values are kept (f16 if not given)")
            : say("how keys and values are kept (f32 if not given)")},
  };
}

std::vector<Flag> adapter_flags() {
  return {{"--lora", "", "PATH", say("a LoRA adapter to add: a folder as peft writes it, or a GGUF file")}};
}

std::vector<Flag> guess_flags() {
  return {
      {"--prompt-lookup", "", "", say("guess ahead what stood there before, where a text repeats: faster, the same")},
      {"--draft-model", "", "MODEL", say("guess ahead with a smaller model of the same vocabulary: faster, the same")},
      {"--draft-max", "", "N", say("at most N guesses at a time (16 if not given)")},
  };
}

std::vector<Flag> sampling_flags() {
  return {
      {"--temperature", "", "X",
       say("0: always the likeliest token; higher: more varied (else the model's own, or 0.6)")},
      {"--top-k", "", "N", say("only the N likeliest tokens (0: all)")},
      {"--top-p", "", "X", say("only the likeliest tokens that together reach probability X")},
      {"--min-p", "", "X", say("only tokens at least X times as likely as the likeliest")},
      {"--typical-p", "", "X", say("only the most typical tokens that together reach probability X")},
      {"--repetition-penalty", "", "X", say("above 1: tokens that were there become less likely")},
      {"--frequency-penalty", "", "X", say("less likely by X for each time a token was in the answer")},
      {"--presence-penalty", "", "X", say("less likely by X once a token was in the answer")},
      {"--stop", "", "TEXT", say("a text that ends the answer (may be given again)"), true},
      {"--seed", "", "N", say("the same seed gives the same answer (else a new one each time)")},
  };
}

std::vector<Flag> joined(std::vector<Flag> first, const std::vector<Flag>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

ModelStore open_store(const Surroundings& around) {
  StoreSettings settings;
  settings.folder = default_model_folder(around.models_folder, around.cache_home, around.home);
  if (!around.hub.empty()) settings.hub = around.hub;
  settings.hub_token = around.hub_token;
  settings.search_path = around.search_path;
  return ModelStore(std::move(settings));
}

std::string find_model(const Surroundings& around, const std::string& spec) {
  std::error_code ignored;
  if (std::filesystem::exists(spec, ignored)) return spec;  // needs no store, hence no HOME
  return resolve_model(open_store(around), spec);
}

WorkOptions work_options(const Arguments& arguments, const Surroundings& around, Compute fallback) {
  WorkOptions options;
  // More threads than this is a slip of the keyboard.
  options.threads = static_cast<int>(arguments.integer("--threads", 0, 1, 1024));
  const auto compute = arguments.choice("--compute");
  options.compute = !compute ? fallback : *compute == "exact" ? Compute::exact : Compute::fast;
  options.kernels = around.isa;
  return options;
}

KvType kv_type(const Arguments& arguments, KvType fallback) {
  const auto name = arguments.choice("--kv-type");
  if (!name) return fallback;
  return *name == "f32" ? KvType::f32 : *name == "f16" ? KvType::f16 : *name == "bf16" ? KvType::bf16 : KvType::q8;
}

void add_guesser(EngineOptions& options, const Arguments& arguments, const Surroundings& around,
                 const Checkpoint& model) {
  options.guesses = arguments.integer("--draft-max", options.guesses, 1, 256);
  const auto draft = arguments.text("--draft-model");
  if (draft && arguments.has("--prompt-lookup"))
    throw Error(Kind::usage, say("{} and {} do not go together", "--draft-model", "--prompt-lookup"));
  if (draft)
    options.guesser = std::make_shared<Draft>(Checkpoint::open(find_model(around, *draft)), model, options);
  else if (arguments.has("--prompt-lookup"))
    options.guesser = std::make_shared<PromptLookup>();
  options.on_guessing_lost = [&around](const Text& what) {  // maybe in the middle of an answer's line
    *around.err << (around.out_terminal ? "\n" : "") << styled(around, Style::warning, "madang: ") << around.words(what)
                << std::endl;
  };
}

SamplerOptions sampler_options(const Arguments& arguments, const GenerationDefaults& defaults) {
  SamplerOptions s;
  // Makers who recommend something recommend 0.2 to 1; in between, small models neither loop nor wander.
  s.temperature = arguments.real("--temperature", 0, 100).value_or(defaults.temperature.value_or(0.6));
  s.top_k = arguments.integer("--top-k", defaults.top_k.value_or(0), 0, std::numeric_limits<int32_t>::max());
  s.top_p = arguments.real("--top-p", 0, 1).value_or(defaults.top_p.value_or(defaults.temperature ? 1 : 0.95));
  s.min_p = arguments.real("--min-p", 0, 1).value_or(defaults.min_p.value_or(0));
  s.typical_p = arguments.real("--typical-p", 0, 1).value_or(1);
  s.repetition_penalty =
      arguments.real("--repetition-penalty", 0, 100).value_or(defaults.repetition_penalty.value_or(1));
  s.frequency_penalty = arguments.real("--frequency-penalty", -2, 2).value_or(0);
  s.presence_penalty = arguments.real("--presence-penalty", -2, 2).value_or(0);
  const auto seed = arguments.integer("--seed", 0, std::numeric_limits<int64_t>::max());
  s.seed = seed ? static_cast<uint64_t>(*seed) : std::random_device{}();
  return s;
}

std::shared_ptr<const Checkpoint> open_checkpoint(const Arguments& arguments, Surroundings& around,
                                                  const std::string& spec) {
  const std::string path = find_model(around, spec);
  OpenOptions options;
  options.config_path = arguments.text("--config", "");
  options.adapter = arguments.text("--lora", "");
  return Checkpoint::open(path, options);
}

void warm_up(const Source& source, const OnProgress& progress) {
  const int64_t page = sysconf(_SC_PAGESIZE), memory = sysconf(_SC_PHYS_PAGES) * page;
  if (source.file_bytes() > memory / 2) return;
  Progress p{say("loading {}", std::filesystem::path(source.path()).filename().string()), 0, source.file_bytes(), true};
  constexpr int64_t piece = 8 << 20;  // a few milliseconds of disk between two looks at the bar
  unsigned sink = 0;
  for (const StoredTensor& t : source.tensors())
    for (const std::span<const uint8_t> bytes : t.spans())
      for (int64_t at = 0, size = static_cast<int64_t>(bytes.size()); at < size; at += piece) {
        const int64_t end = std::min(size, at + piece);
        for (int64_t i = at; i < end; i += page) sink += bytes[static_cast<size_t>(i)];
        p.done += end - at;
        if (!progress(p)) return;
      }
  volatile unsigned kept = sink;  // the reads are the point
  (void)kept;
}

void check_free(const Arguments& arguments, const std::string& path) {
  std::error_code ignored;
  if (arguments.has("--force") || !std::filesystem::exists(path, ignored)) return;
  if (std::filesystem::is_directory(path, ignored) && std::filesystem::is_empty(path, ignored)) return;
  throw Error(Kind::refused, say("the file is there already")).at(path).hint(say("--force writes over it"));
}

std::string read_whole_file(const std::string& path) {
  auto file = MappedFile::open(path);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

std::string read_all(std::istream& in) { return {std::istreambuf_iterator<char>(in), {}}; }

}  // namespace madang
