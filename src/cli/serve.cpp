// madang serve: the models of this machine for programs and people elsewhere, over HTTP.
#include "serve/server.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "serve/keys.h"
#include "serve/store/store.h"

namespace madang {
namespace {

// "8G", "512M", "65536": bytes, by powers of 1024.
int64_t bytes_of(const Arguments& arguments, std::string_view flag, int64_t fallback) {
  const auto given = arguments.text(flag);
  if (!given) return fallback;
  double number = 0;
  const auto [end, fault] = std::from_chars(given->data(), given->data() + given->size(), number);
  const std::string_view unit(end, static_cast<size_t>(given->data() + given->size() - end));
  constexpr std::string_view units = "KMGT";
  const size_t power = unit.empty() ? 0 : units.find(unit[0]) + 1;  // npos + 1 is 0
  for (size_t i = 0; i < power; ++i) number *= 1024;
  const bool good = fault == std::errc() && unit.size() <= 1 && (unit.empty() || power > 0);
  if (!good || !(number >= 1 && number < 1e15))
    throw Error(Kind::usage, say("{} takes a size in bytes", flag)).expected("512M, 8G").found(*given);
  return static_cast<int64_t>(number);
}

int64_t memory_of_machine() {
  const int64_t bytes = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  return bytes / 5 * 4;  // the rest is for the system and what else runs
}

// A configuration file as the words it stands for.
std::vector<std::string> words_of(const Json& config, const std::string& path) {
  if (!config.is_object()) throw Error(Kind::format, say("a configuration file is one JSON object")).at(path);
  std::vector<std::string> words, models;
  auto text = [&](const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number()) return value.dump();
    throw Error(Kind::format, say("a value is a text, a number, true or a list of these")).at(path).found(value.dump());
  };
  for (const auto& [name, value] : config.items()) {
    const Json values = value.is_array() ? value : Json::array({value});
    for (const Json& v : values) {
      if (name == "models")
        models.push_back(text(v));
      else if (!v.is_boolean())
        words.push_back("--" + name + '=' + text(v));
      else if (v.get<bool>())
        words.push_back("--" + name);
    }
  }
  words.push_back("--");
  words.insert(words.end(), models.begin(), models.end());
  return words;
}

Arguments with_config(const Arguments& arguments) {
  const auto path = arguments.text("--config");
  return path ? arguments.with_defaults(words_of(read_json(*path), *path)) : arguments;
}

// "smollm2", "./model.gguf", "name=./model.gguf"
ModelsOptions::Named named_model(const Surroundings& around, const std::string& word) {
  const size_t equals = word.find('=');
  std::error_code ignored;
  if (equals != std::string::npos && equals > 0 && !std::filesystem::exists(word, ignored))
    return {word.substr(0, equals), find_model(around, word.substr(equals + 1))};
  const std::string path = find_model(around, word);
  if (path != word) return {word, path};
  std::filesystem::path file(path);
  if (!file.has_filename()) file = file.parent_path();  // "folder/"
  return {file.extension() == ".gguf" ? file.stem().string() : file.filename().string(), path};
}

// What a flag gives to a model: WHAT for the only one, or NAME=WHAT for the one of that name.
void give_to_models(const Arguments& arguments, std::string_view flag, std::string ModelsOptions::Named::* member,
                    std::vector<ModelsOptions::Named>& models) {
  for (const std::string& word : arguments.texts(flag)) {
    const size_t equals = word.find('=');
    std::error_code ignored;
    const bool plain = equals == std::string::npos || std::filesystem::exists(word, ignored);
    auto model = plain ? (models.size() == 1 ? models.begin() : models.end())
                       : std::ranges::find(models, word.substr(0, equals), &ModelsOptions::Named::name);
    if (model == models.end())
      throw Error(Kind::usage, say("{} names no model that is served", flag)).expected("NAME=...").found(word);
    (*model).*member = plain ? word : word.substr(equals + 1);
  }
}

ModelsOptions models_of(const Arguments& arguments, const Surroundings& around) {
  ModelsOptions m;
  for (const std::string& word : arguments.operands()) m.models.push_back(named_model(around, word));
  if (arguments.operands().empty())
    for (const InstalledModel& installed : open_store(around).list())
      m.models.push_back({installed.name, installed.path.string()});
  if (m.models.empty())
    throw Error(Kind::missing, say("there is no model to serve"))
        .hint(say("name one, or fetch one: madang pull {}", catalogue().front().name));
  give_to_models(arguments, "--lora", &ModelsOptions::Named::adapter, m.models);
  give_to_models(arguments, "--draft-model", &ModelsOptions::Named::draft, m.models);
  for (ModelsOptions::Named& model : m.models)
    if (!model.draft.empty()) model.draft = find_model(around, model.draft);
  m.prompt_lookup = arguments.has("--prompt-lookup");
  m.engine.guesses = arguments.integer("--draft-max", m.engine.guesses, 1, 256);
  m.engine.work = work_options(arguments, around, Compute::fast);
  m.engine.kv = kv_type(arguments, KvType::f16);
  m.engine.context = arguments.integer("--ctx", 0, 1, INT32_MAX);
  m.engine.schedule.chunk = arguments.integer("--chunk", m.engine.schedule.chunk, 1, 1 << 20);
  m.engine.schedule.step_tokens = std::max(m.engine.schedule.step_tokens, m.engine.schedule.chunk);
  m.engine.schedule.running = arguments.integer("--parallel", m.engine.schedule.running, 1, 1 << 16);
  m.memory = bytes_of(arguments, "--memory", memory_of_machine());
  m.waiting = arguments.integer("--waiting", m.waiting, 0, 1 << 20);
  return m;
}

HttpOptions http_of(const Arguments& arguments) {
  HttpOptions h;
  h.host = arguments.text("--host", h.host);
  h.port = static_cast<int>(arguments.integer("--port", h.port, 0, 65535));
  h.unix_path = arguments.text("--unix", "");
  if (!h.unix_path.empty() && (arguments.has("--host") || arguments.has("--port")))
    throw Error(Kind::usage, say("{} and {} do not go together", "--unix", "--host, --port"));
  h.certificate = arguments.text("--certificate", "");
  h.key = arguments.text("--certificate-key", "");
  if (h.certificate.empty() != h.key.empty())
    throw Error(Kind::usage, say("{} and {} are needed together", "--certificate", "--certificate-key"));
  h.origins = arguments.texts("--cors");
  h.hosts = arguments.texts("--allow-host");
  constexpr double day = 86400;
  h.body_bytes = bytes_of(arguments, "--body-bytes", h.body_bytes);
  h.all_body_bytes = std::max(h.all_body_bytes, h.body_bytes);
  h.header_bytes = std::clamp<int64_t>(bytes_of(arguments, "--header-bytes", h.header_bytes), 1 << 10, 60 << 10);
  h.connections = arguments.integer("--connections", h.connections, 1, 1 << 20);
  h.header_seconds = arguments.real("--header-seconds", 0.1, day).value_or(h.header_seconds);
  h.body_seconds = arguments.real("--body-seconds", 0.1, day).value_or(h.body_seconds);
  h.write_seconds = arguments.real("--write-seconds", 0.1, day).value_or(h.write_seconds);
  h.idle_seconds = arguments.real("--idle-seconds", 0.1, day).value_or(h.idle_seconds);
  h.shutdown_seconds = arguments.real("--shutdown-seconds", 0, day).value_or(h.shutdown_seconds);
  return h;
}

// Where stored responses, files and batches go if nobody says: a file of this user's.
std::string store_of(const Arguments& arguments, const Surroundings& around) {
  const std::string given = arguments.text("--store", "");
  if (!given.empty()) return given == "none" ? "" : given;
  if (around.data_home.empty() && around.home.empty()) return "";
  const auto base = around.data_home.empty() ? std::filesystem::path(around.home) / ".local" / "share"
                                             : std::filesystem::path(around.data_home);
  std::error_code fault;
  std::filesystem::create_directories(base / "madang", fault);
  if (!fault) return (base / "madang" / "store.db").string();
  throw Error(Kind::io, say("the folder of the store cannot be made: {}", fault.message()))
      .at((base / "madang").string())
      .hint(say("--store FILE takes another place, --store none keeps nothing"));
}

LogLevel log_level(const Arguments& arguments) {
  const std::string name = arguments.choice("--log-level").value_or("info");
  if (name == "debug") return LogLevel::debug;
  if (name == "warning") return LogLevel::warning;
  return name == "error" ? LogLevel::error : name == "off" ? LogLevel::off : LogLevel::info;
}

int new_key(const Arguments& arguments, Surroundings& around, const std::string& name) {
  const auto path = arguments.text("--keys");
  if (!path) throw Error(Kind::usage, say("{} and {} are needed together", "--new-key", "--keys FILE"));
  const std::string facts = arguments.text("--key-facts", "");
  std::string key;
  if (*path == "store")
    key = Keys::create(*open_store(store_of(arguments, around)), name, facts);
  else
    key = Keys::create(*path, name, facts);
  *around.out << key << std::endl;
  *around.err << around.words(say("This is the key of {}. It is shown once: {} holds only its hash.", name, *path))
              << std::endl;
  return 0;
}

int remove_key(const Arguments& arguments, Surroundings& around, const std::string& name) {
  if (arguments.text("--keys", "") != "store")
    throw Error(Kind::usage, say("{} and {} are needed together", "--remove-key", "--keys store"));
  if (!open_store(store_of(arguments, around))->remove_key(name))
    throw Error(Kind::missing, say("there is no key named {}", name)).at("store");
  *around.err << around.words(say("The key of {} is taken away; servers that run know it within ten seconds.", name))
              << std::endl;
  return 0;
}

// Each connection is a file descriptor; many systems allow 1024 unless asked.
void allow_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void greet(const Surroundings& around, const Server& server, const std::vector<ModelsOptions::Named>& models) {
  std::ostream& out = *around.out;
  for (const std::string& address : server.addresses())
    out << around.words(say("madang listens on {}", address)) << '\n';
  std::string names;
  for (const auto& m : models) names += (names.empty() ? "" : ", ") + m.name;
  out << around.words(say("models: {}", names)) << '\n';
  out << around.words(server.keys() == 0 ? say("keys: none needed") : say("keys: {}, one is needed", server.keys()))
      << '\n';
  out << around.words(say("Ctrl-C ends it when what runs is finished; once more, at once.")) << std::endl;
}

int serve(const Arguments& given, Surroundings& around) {
  const Arguments arguments = with_config(given);
  if (const auto name = arguments.text("--new-key")) return new_key(arguments, around, *name);
  if (const auto name = arguments.text("--remove-key")) return remove_key(arguments, around, *name);
  ServeOptions options;
  options.http = http_of(arguments);
  options.models = models_of(arguments, around);
  options.keys = arguments.text("--keys", "");
  options.store = store_of(arguments, around);
  options.open = arguments.has("--open");
  options.log = arguments.text("--log", "-");
  options.log_level = log_level(arguments);
  allow_descriptors();
  const auto models = options.models.models;
  Server server(std::move(options));
  greet(around, server, models);
  // Something that cannot be taken apart is still running: the system cleans up after us.
  if (!server.run()) std::_Exit(130);
  return 0;
}

std::vector<Flag> place_flags() {
  return {{"--host", "", "ADDRESS", say("the address to listen on (127.0.0.1 if not given)")},
          {"--port", "-p", "N", say("the port (8080 if not given; 0: a free one)")},
          {"--unix", "", "PATH", say("listen on a socket in the file system instead")},
          {"--certificate", "", "FILE", say("a PEM file with the certificates: TLS")},
          {"--certificate-key", "", "FILE", say("a PEM file with the certificate's key")},
          {"--keys", "", "FILE|store", say("the file with API keys, or those in the store: whoever asks needs one")},
          {"--new-key", "", "NAME", say("make a key of that name where --keys says, show it once, and end")},
          {"--key-facts", "", "JSON", say("what --new-key gives it: priority, weight, limits, models, admin")},
          {"--remove-key", "", "NAME", say("take that key out of the store, and end")},
          {"--open", "", "", say("listen beyond this machine without keys")},
          {"--cors", "", "ORIGIN", say("pages of this origin may call (may be given again; *: all)"), true},
          {"--allow-host", "", "NAME", say("one more name of this server (may be given again)"), true}};
}

std::vector<Flag> model_flags() {
  return joined(
      {{"--memory", "", "SIZE", say("what open models may take, as 8G (else four fifths of the memory)")},
       {"--lora", "", "NAME=PATH", say("a LoRA adapter for the model of that name (PATH alone: for the only one)"),
        true},
       {"--prompt-lookup", "", "", say("guess ahead what stood there before, where a text repeats: faster, the same")},
       {"--draft-model", "", "NAME=MODEL",
        say("a smaller model that guesses ahead for the one of that name (MODEL alone: for the only one)"), true},
       {"--draft-max", "", "N", say("at most N guesses at a time (16 if not given)")},
       {"--ctx", "-c", "N", say("tokens that prompt and answer may have together (else the model's own)")},
       {"--chunk", "", "N", say("tokens of prompts computed between two steps of answers")},
       {"--parallel", "", "N", say("answers computed at the same time, per model")},
       {"--waiting", "", "N", say("requests that may wait for a model before others are refused")},
       {"--store", "", "FILE|URL|none",
        say("where stored responses, files and batches go: an SQLite file, postgresql://..., or nowhere")}},
      work_flags(true));
}

std::vector<Flag> limit_flags() {
  return {{"--body-bytes", "", "SIZE", say("the largest request body (32M if not given)")},
          {"--header-bytes", "", "SIZE", say("the largest request header (32K if not given)")},
          {"--connections", "", "N", say("connections at the same time (4096 if not given)")},
          {"--header-seconds", "", "X", say("how long a request's header may take (10 if not given)")},
          {"--body-seconds", "", "X", say("how long a small request's body may take (30 if not given)")},
          {"--write-seconds", "", "X", say("how long a reader may take nothing (30 if not given)")},
          {"--idle-seconds", "", "X", say("how long a connection may be idle (620 if not given)")},
          {"--shutdown-seconds", "", "X", say("how long what runs may take to finish at the end (30 if not given)")},
          {"--log", "", "FILE", say("where the log goes (-: standard error)")},
          {"--log-level", "", "debug|info|warning|error|off", say("the least that is logged (info if not given)")},
          {"--config", "", "FILE", say("flags from a JSON file, by their long names; \"models\": [...]")}};
}

}  // namespace

Command serve_command() {
  return {
      .name = "serve",
      .operands = "[MODEL ...]",
      .summary = say("models over HTTP: OpenAI's and Anthropic's APIs, and a page to talk on"),
      .about =
          {say("Each MODEL is a name, a path, or NAME=PATH to call it otherwise; without any, all installed models "
               "are served. A model is opened when it is first asked for, and closed when another needs its "
               "memory. Without --store none, what clients ask to be stored is kept in a file of this user's."),
           say("Beyond this machine it listens only with keys, or with --open. The log has no word of prompts "
               "or answers.")},
      .flags = joined(joined(place_flags(), model_flags()), limit_flags()),
      .examples =
          {{"madang serve smollm2-135m-instruct", say("on 127.0.0.1:8080, with a page at /")},
           {"curl 127.0.0.1:8080/v1/chat/completions -d '{\"model\":\"\",\"messages\":[{\"role\":\"user\",\"content\":"
            "\"Hi\"}]}'",
            say("ask it")},
           {"madang serve --new-key office --keys keys.jsonl", say("make a key")},
           {"madang serve --new-key web --keys store --key-facts '{\"tokens_per_minute\":100000}'",
            say("make one in the store, with a limit")},
           {"madang serve --host 0.0.0.0 --keys keys.jsonl --certificate cert.pem --certificate-key key.pem",
            say("for others, with keys and TLS")},
           {"madang serve big=./model-7b --draft-model big=./model-500m", say("faster with a small model's help")},
           {"madang serve small=./a.gguf large=./b.gguf --memory 12G", say("two models that share 12 GiB")}},
      .run = serve,
  };
}

}  // namespace madang
