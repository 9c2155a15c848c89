// madang list: the models that are here, and those madang knows by name.
#include <iostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"

namespace madang {
namespace {

struct Row {
  std::string name, size, licence, about;
};

void show_rows(const std::vector<Row>& rows, Surroundings& around) {
  int name = 0, size = 0, licence = 0;
  for (const Row& r : rows) {
    name = std::max(name, display_width(r.name));
    size = std::max(size, display_width(r.size));
    licence = std::max(licence, display_width(r.licence));
  }
  for (const Row& r : rows)
    *around.out << styled(around, Style::accent, padded(r.name, name)) << "  "
                << std::string(static_cast<size_t>(size - display_width(r.size)), ' ') << r.size << "  "
                << padded(r.licence, licence) << "  " << r.about << '\n';
}

Json as_json(const std::vector<InstalledModel>& models) {
  Json all = Json::array();
  for (const InstalledModel& m : models)
    all.push_back({{"name", m.name},
                   {"path", m.path.string()},
                   {"bytes", m.bytes},
                   {"licence", m.licence},
                   {"source", m.source}});
  return all;
}

int run(const Arguments& arguments, Surroundings& around) {
  const ModelStore store = open_store(around);
  const auto here = store.list();
  if (arguments.has("--json")) return *around.out << as_json(here).dump(2) << '\n', 0;
  std::vector<Row> rows;
  for (const InstalledModel& m : here)
    rows.push_back({m.name, human_bytes(static_cast<double>(m.bytes)), m.licence, m.path.string()});
  if (rows.empty()) *around.err << around.words(say("No models are here yet ({}).", store.folder().string())) << '\n';
  if (arguments.has("--all") || rows.empty())
    for (const CatalogueEntry& e : store.known())
      if (!store.find(e.name))
        rows.push_back({std::string(e.name), human_bytes(static_cast<double>(e.bytes)), e.licence.name,
                        around.words(say("to be had: madang pull {}", e.name))});
  // On the way to a program, models that are not here must not look as if they were.
  if (here.empty() && !arguments.has("--all") && !around.out_terminal) rows.clear();
  show_rows(rows, around);
  return 0;
}

}  // namespace

Command list_command() {
  return {
      .name = "list",
      .operands = "",
      .summary = say("the models that are here"),
      .flags = {{"--all", "-a", "", say("also those that madang knows by name and could fetch")},
                {"--json", "", "", say("as JSON, for programs")}},
      .examples = {{"madang list", say("name, size, licence and place of each model")},
                   {"madang list --all", say("and what could be fetched")}},
      .run = run,
  };
}

}  // namespace madang
