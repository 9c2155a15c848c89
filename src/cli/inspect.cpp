// madang inspect: what a model is and what it costs, read from the files themselves.
#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "engine/parameters.h"

namespace madang {
namespace {

/// Lengths at which the state is shown: a question, a long document, a shelf of books.
constexpr int64_t shown_lengths[] = {100, 10'000, 100'000};
constexpr int64_t longest_shown = 1'000'000'000;  // more than any context; times any model's bytes it fits in 63 bits

/// How the state is to be told.
struct StateView {
  KvType kv;
  std::vector<int64_t> lengths;  ///< rising
};

StateView state_view(const Arguments& arguments) {
  std::set<int64_t> lengths(std::begin(shown_lengths), std::end(shown_lengths));
  for (int64_t length : arguments.integers("--length", 1, longest_shown)) lengths.insert(length);
  return {kv_type(arguments, KvType::f16), {lengths.begin(), lengths.end()}};
}

Json state_of(const std::vector<StateSpec>& layers, const StateView& view) {
  const KvType kv = view.kv;
  int64_t per_token = 0, most = 0;
  for (const StateSpec& s : layers) {
    if (s.kind == StateKind::paged || s.kind == StateKind::latent) per_token += s.bytes_per_token(kv);
    if (s.kind == StateKind::rolling) most += s.bytes_at(kv, s.window);
    if (s.kind == StateKind::recurrent) most += s.bytes_at(kv, 1);
  }
  // Windows and recurrences: what a sequence holds at most, however long it becomes.
  Json state = {{"bytes_per_token", per_token}, {"bytes_per_sequence", most}, {"bytes_at", Json::object()}};
  for (int64_t length : view.lengths) {
    int64_t sum = 0;
    for (const StateSpec& s : layers) sum += s.bytes_at(kv, length);
    state["bytes_at"][std::to_string(length)] = sum;
  }
  return state;
}

Json tokenizer_facts(const Checkpoint& c) {
  const auto tokenizer = c.tokenizer();
  if (!tokenizer) return nullptr;
  Json facts = {{"kind", tokenizer->kind()}, {"tokens", tokenizer->size()},     {"bos", c.bos_token()},
                {"eos", c.eos_token()},      {"add_bos", tokenizer->add_bos()}, {"ends", Json::array()}};
  for (int32_t id : c.defaults().ends)
    if (id < tokenizer->size()) facts["ends"].push_back(tokenizer->token_text(id));
  return facts;
}

Json facts_of(const Parameters& p, const Config& config, const std::string& name, const std::string& path) {
  Json facts = {{"name", name},
                {"path", path},
                {"architecture", config.architecture()},
                {"format", config.text("source_format", "")},
                {"parameters", p.total},
                {"active_parameters", p.active},
                {"bits_per_weight", p.total ? 8.0 * static_cast<double>(p.bytes) / static_cast<double>(p.total) : 0.0}};
  facts["types"] = Json::object();
  for (auto& [type_name, type] : p.by_type)
    facts["types"][type_name] = {{"tensors", type.first}, {"bytes", type.second}};
  facts["config"] = config.keys();
  facts["tensors"] = Json::array();
  return facts;
}

Json facts_of(const Checkpoint& c, const Model* model, const StateView& view) {
  Json facts = facts_of(count_parameters(c.source(), c.config()), c.config(), c.name(), c.path());
  facts["licence"] = c.licence();
  facts["file_bytes"] = c.source().file_bytes();
  facts["state"] = model ? state_of(model->states(), view) : Json(nullptr);
  facts["tokenizer"] = tokenizer_facts(c);
  facts["template_bytes"] = c.chat_template_text().size();
  for (const StoredTensor& t : c.source().tensors())
    facts["tensors"].push_back(
        {{"name", t.name}, {"type", t.type_name()}, {"shape", t.shape}, {"bytes", t.file_bytes()}});
  return facts;
}

/// Of a configuration alone.
Json facts_of(const Config& config, const StateView& view) {
  const Blueprint blueprint = blueprint_of(config);
  Json facts = facts_of(count_parameters(blueprint, config), config, "", config.where());
  facts["state"] = state_of(blueprint.states, view);
  for (const NamedShape& w : blueprint.weights) facts["tensors"].push_back({{"name", w.name}, {"shape", w.shape}});
  return facts;
}

using Rows = std::vector<std::pair<Text, std::string>>;

void show_rows(const Rows& rows, Surroundings& around) {
  int left = 0;
  for (auto& [what, value] : rows) left = std::max(left, display_width(around.words(what)));
  for (auto& [what, value] : rows)
    if (!value.empty())
      *around.out << styled(around, Style::dim, padded(around.words(what), left)) << "  " << value << '\n';
}

std::string layers_text(const Config& config) {
  std::map<std::string, int> kinds;
  for (const std::string& type : config.layer_types()) ++kinds[type];
  std::string text = std::to_string(config.integer("num_hidden_layers", 0));
  if (kinds.size() > 1)
    for (auto& [kind, n] : kinds) text += fmt::format("{}{} {}", kind == kinds.begin()->first ? "  (" : ", ", n, kind);
  return text + (kinds.size() > 1 ? ")" : "");
}

void add_sizes(const Config& config, Rows& rows) {
  auto number = [&](const char* key) { return config.has(key) ? std::to_string(config.integer(key)) : std::string(); };
  rows.emplace_back(say("layers"), layers_text(config));
  rows.emplace_back(say("width"), number("hidden_size"));
  rows.emplace_back(say("inner width"), number("intermediate_size"));
  if (config.has("num_attention_heads")) {
    rows.emplace_back(say("heads"), number("num_attention_heads"));
    rows.emplace_back(say("key-value heads"), number("num_key_value_heads"));
    rows.emplace_back(say("head width"), number("head_dim"));
  }
  if (config.has("num_local_experts"))
    rows.emplace_back(say("experts"),
                      fmt::format("{} / {}", number("num_experts_per_tok"), number("num_local_experts")));
  rows.emplace_back(say("window"), number("sliding_window"));
  rows.emplace_back(say("vocabulary"), number("vocab_size"));
  rows.emplace_back(say("context"), number("max_position_embeddings"));
}

void add_costs(const Json& facts, const Surroundings& around, Rows& rows) {
  auto count = [&](const char* key) { return human_count(facts[key].get<double>()); };
  std::string parameters = count("parameters");
  if (facts["active_parameters"] != facts["parameters"])
    parameters += "  " + around.words(say("({} active for each token)", count("active_parameters")));
  rows.emplace_back(say("parameters"), parameters);
  std::string types;
  for (auto& [name, type] : facts["types"].items())
    types += fmt::format("{}{} × {}", types.empty() ? "" : ", ", type["tensors"].get<int64_t>(), name);
  rows.emplace_back(say("weights"),
                    around.words(say("{} bits each on average ({})",
                                     fmt::format("{:.2f}", facts["bits_per_weight"].get<double>()), types)));
  const Json& state = facts["state"];
  if (state.is_null()) return;
  rows.emplace_back(say("state per token"), human_bytes(state["bytes_per_token"].get<double>()));
  rows.emplace_back(say("state per sequence"), human_bytes(state["bytes_per_sequence"].get<double>()));
  for (auto& [length, bytes] : state["bytes_at"].items())
    rows.emplace_back(say("state at {} tokens", length), human_bytes(bytes.get<double>()));
}

void add_text_parts(const Json& facts, const Checkpoint& c, const Surroundings& around, Rows& rows) {
  if (const Json& t = facts["tokenizer"]; !t.is_null()) {
    std::string text = fmt::format("{}, {}", c.tokenizer()->kind(), t["tokens"].get<int64_t>());
    rows.emplace_back(say("tokenizer"), text);
    rows.emplace_back(say("begins with"), t["add_bos"].get<bool>() ? c.bos_token() : "");
    std::string ends;
    for (const Json& end : t["ends"]) ends += (ends.empty() ? "" : " ") + end.get<std::string>();
    rows.emplace_back(say("ends with"), ends);
  } else {
    rows.emplace_back(say("tokenizer"), around.words(say("none: takes --ids")));
  }
  rows.emplace_back(say("chat template"), c.chat_template() ? human_bytes(facts["template_bytes"].get<double>())
                                                            : around.words(say("none: chats in plain text")));
}

Rows summary_rows(const Json& facts, const Checkpoint& c, const Surroundings& around) {
  Rows rows = {{say("name"), c.name()}, {say("path"), c.path()}, {say("architecture"), c.config().architecture()}};
  rows.emplace_back(say("licence"), c.licence());
  rows.emplace_back(say("file"), human_bytes(static_cast<double>(c.source().file_bytes())));
  add_costs(facts, around, rows);
  add_sizes(c.config(), rows);
  add_text_parts(facts, c, around, rows);
  return rows;
}

Rows summary_rows(const Json& facts, const Config& config, const Surroundings& around) {
  Rows rows = {{say("path"), config.where()}, {say("architecture"), config.architecture()}};
  add_costs(facts, around, rows);
  add_sizes(config, rows);
  return rows;
}

void show(const Json& facts, Surroundings& around) {
  *around.out << facts.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

int inspect_configuration(const Arguments& arguments, Surroundings& around) {
  const Config config = read_config(*arguments.text("--config"));
  const Json facts = facts_of(config, state_view(arguments));
  if (arguments.has("--json")) return show(facts, around), 0;
  show_rows(summary_rows(facts, config, around), around);
  if (!arguments.has("--tensors")) return 0;
  *around.out << '\n';
  for (const Json& t : facts["tensors"])
    *around.out << t["name"].get<std::string>() << "  " << t["shape"].dump() << '\n';
  return 0;
}

void show_tensors(const Checkpoint& c, Surroundings& around) {
  size_t name = 0, shape = 0;
  for (const StoredTensor& t : c.source().tensors())
    name = std::max(name, t.name.size()), shape = std::max(shape, t.shape_text().size());
  for (const StoredTensor& t : c.source().tensors())
    *around.out << fmt::format("{:<{}}  {:<{}}  {:<6} {:>10}\n", t.name, name, t.shape_text(), shape, t.type_name(),
                               human_bytes(static_cast<double>(t.file_bytes())));
}

int run(const Arguments& arguments, Surroundings& around) {
  if (arguments.operands().empty()) {
    if (arguments.has("--config")) return inspect_configuration(arguments, around);
    throw Error(Kind::usage, say("{} is needed", "MODEL"));
  }
  const std::string path = find_model(around, arguments.operands()[0]);
  OpenOptions options{.config_path = arguments.text("--config", "")};
  std::shared_ptr<const Checkpoint> c;
  const Model* model = nullptr;
  try {
    c = Checkpoint::open(path, options);
    model = &c->model();
  } catch (const Error& fault) {
    // What madang cannot run it can still show.
    if (fault.kind() != Kind::unsupported) throw;
    options.weights = false;
    c = Checkpoint::open(path, options);
    *around.err << fault.render(around.language) << "\n\n";
  }
  const Json facts = facts_of(*c, model, state_view(arguments));
  if (arguments.has("--json")) return show(facts, around), 0;
  show_rows(summary_rows(facts, *c, around), around);
  if (arguments.has("--tensors")) *around.out << '\n', show_tensors(*c, around);
  if (arguments.has("--template")) *around.out << '\n' << c->chat_template_text() << '\n';
  return 0;
}

}  // namespace

Command inspect_command() {
  return {
      .name = "inspect",
      .operands = "[MODEL]",
      .summary = say("what a model is and what it costs"),
      .about = {say(
          "Architecture, sizes, parameters, memory that a conversation takes, tokenizer, template and weights. "
          "A model of an architecture madang cannot run is shown as far as its files tell. With --config and no model, "
          "a "
          "configuration alone is counted: what a model would be and cost before its weights are fetched.")},
      .flags = {{"--tensors", "", "", say("also every tensor: name, shape, type, size")},
                {"--template", "", "", say("also the chat template's own text")},
                {"--config", "", "FILE", say("a config.json in place of the model's own, or without a model")},
                {"--kv-type", "", "f32|f16|bf16|q8", say("how keys and values are kept (f16 if not given)")},
                {"--length", "", "N", say("also the state at N tokens (may be given again)"), true},
                {"--json", "", "", say("as JSON, for programs: everything")}},
      .examples = {{"madang inspect smollm2-135m-instruct", say("the facts as a table")},
                   {"madang inspect --config Mixtral-8x7B/config.json",
                    say("parameters and memory before the download")},
                   {"madang inspect smollm2-135m-instruct --length 32768 --kv-type q8",
                    say("what a long conversation will take")},
                   {"madang inspect ./model --json | jq .state", say("one fact for a program")}},
      .run = run,
  };
}

}  // namespace madang
