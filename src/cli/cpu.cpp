// madang cpu: what this machine is, what was chosen for it and why, and what it can do at best, measured.
#include "base/cpu.h"

#include <iostream>

#include "base/host.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "engine/machine.h"
#include "kernels/known.h"

namespace madang {
namespace {

double bits_per_weight(const Format& f) { return 8.0 * f.bytes / f.block; }

// How a format is multiplied in fast mode, and why so: what ops/linear.cpp asks.
struct Way {
  const char* products = "float32";
  Text why;
};

Way way_of(const Format& f, bool bf16) {
  if (bf16 && &f == &bf16_format)
    return {"bf16", say("bf16: the file's numbers as they are, activations rounded, sums in float32")};
  if (!f.codes) return {.why = say("floats: the file's numbers are widened to float32 on their way")};
  const PanelForm& form = panel_forms[panel_form(f)];
  if (form.book())
    return {"int8", say("integers: packed at load as entries of a code book, {} rows side by side", panel_rows)};
  return {"int8", say("integers: packed at load, {} bits a code, {} rows side by side", form.bits, panel_rows)};
}

struct Findings {
  Cpu cpu = Cpu::detect();
  Host host = Host::detect();
  std::vector<KernelsRow> known = known_kernels();
  std::string_view chosen;
  bool forced = false, bf16 = false;
  int threads = 0;
  MachineLimits limits;
};

Json as_json(const Findings& f) {
  Json features = Json::object(), caches = Json::array(), kernels = Json::array(), ways = Json::array();
  for (const CpuFeature& x : f.cpu.features)
    features[std::string(x.name)] = {{"present", x.present}, {"granted", x.granted}};
  for (const Cache& c : f.host.caches)
    caches.push_back({{"level", c.level}, {"type", c.type}, {"bytes", c.bytes}, {"shared_by", c.shared}});
  for (const KernelsRow& k : f.known)
    kernels.push_back({{"name", k.name}, {"granted", k.granted}, {"about", k.about.in(Language::english)}});
  for (const Format& format : formats()) {
    const Way way = way_of(format, f.bf16);
    ways.push_back({{"name", format.name},
                    {"bits_per_weight", bits_per_weight(format)},
                    {"products", way.products},
                    {"packed", way.products == std::string_view("int8")},
                    {"why", way.why.in(Language::english)}});
  }
  auto or_null = [](auto limit) { return limit > 0 ? Json(limit) : Json(); };
  return {{"vendor", f.cpu.vendor},
          {"cpu", f.cpu.name},
          {"family", f.cpu.family},
          {"model", f.cpu.model},
          {"stepping", f.cpu.stepping},
          {"features", features},
          {"processors", f.host.processors},
          {"processors_allowed", f.host.allowed},
          {"cores", f.host.cores},
          {"caches", caches},
          {"memory_bytes", f.host.memory},
          {"cgroup_processors", or_null(f.host.group_processors)},
          {"cgroup_memory_bytes", or_null(f.host.group_memory)},
          {"threads", f.threads},
          {"kernels", f.chosen},
          {"kernels_forced", f.forced},
          {"kernels_known", kernels},
          {"formats", ways},
          {"float32_below_numbers", least_in_codes},
          {"memory_read_bytes_per_second", f.limits.read_bytes},
          {"float32_multiply_adds_per_second", f.limits.multiplies_f32},
          {"int8_multiply_adds_per_second", f.limits.multiplies_int8},
          {"bf16_multiply_adds_per_second", or_null(f.limits.multiplies_bf16)},
          {"float32_multiply_adds_per_second_of_one_thread", f.limits.multiplies_alone},
          {"threads_worth_cores", f.limits.cores()}};
}

class Page {
 public:
  explicit Page(Surroundings& around) : around_(around) {}
  void title(const Text& text) { *around_.out << '\n' << styled(around_, Style::bold, around_.words(text)) << '\n'; }
  void row(const std::string& name, const std::string& value) {
    *around_.out << "  " << padded(name, 22) << value << '\n';
  }
  void row(const Text& name, const std::string& value) { row(around_.words(name), value); }
  void row(const Text& name, const Text& value) { row(name, around_.words(value)); }

 private:
  Surroundings& around_;
};

void show_processor(const Findings& f, Page page) {
  page.row(say("processor"), f.cpu.name);
  if (!f.cpu.vendor.empty())
    page.row(say("vendor"),
             say("{}, family {}, model {}, stepping {}", f.cpu.vendor, f.cpu.family, f.cpu.model, f.cpu.stepping));
  std::string granted, absent;
  for (const CpuFeature& x : f.cpu.features) {
    std::string& list = x.granted ? granted : absent;
    list += (list.empty() ? "" : " ") + std::string(x.name);
  }
  if (!granted.empty()) page.row(say("instructions"), granted);
  for (const CpuFeature& x : f.cpu.features)
    if (x.present && !x.granted)
      page.row(Text{}, say("{} is there, but the operating system does not grant it", x.name));
  if (!absent.empty()) page.row(say("not here"), absent);
}

void show_host(const Findings& f, Surroundings& around, Page page) {
  std::string processors = around.words(say("{} online, {} for this process", f.host.processors, f.host.allowed));
  if (f.host.cores > 0) processors += around.words(say(", on {} cores", f.host.cores));
  page.row(say("processors"), processors);
  for (const Cache& c : f.host.caches)
    page.row(say("cache L{} {}", c.level, c.type), say("{} KiB, shared by {}", c.bytes >> 10, c.shared));
  page.row(say("memory"), human_bytes(static_cast<double>(f.host.memory)));
  std::string group;
  if (f.host.group_processors > 0)
    group = around.words(say("time of {} processors", fmt::format("{:.4g}", f.host.group_processors)));
  if (f.host.group_memory > 0)
    group += (group.empty() ? "" : ", ") +
             around.words(say("{} of memory", human_bytes(static_cast<double>(f.host.group_memory))));
  page.row(say("control group"), group.empty() ? around.words(say("no limits")) : group);
}

void show_choice(const Findings& f, Surroundings& around, Page page) {
  page.title(say("Chosen"));
  page.row(say("kernels"),
           std::string(f.chosen) + ": " +
               around.words(f.forced ? say("MADANG_ISA asks for them") : say("the first of the list that is granted")));
  for (const KernelsRow& k : f.known)
    page.row("  " + std::string(k.name), around.words(k.about) + "  " +
                                             styled(around, Style::dim,
                                                    around.words(!k.granted         ? say("not granted here")
                                                                 : k.only_if_forced ? say("only if MADANG_ISA asks")
                                                                                    : say("granted"))));
  page.row(say("threads"), std::to_string(f.threads));
  page.title(say("Weight formats, with --compute fast"));
  for (const Format& format : formats())
    page.row(fmt::format("{:<9}{:>5.2f} bits", format.name, bits_per_weight(format)),
             around.words(way_of(format, f.bf16).why));
  page.row(say("small"),
           around.words(say("floats, whatever the format: matrices of fewer than {} numbers", least_in_codes)));
}

void show_limits(const Findings& f, Surroundings& around, Page page) {
  page.title(say("Measured, {} threads", f.threads));
  auto giga = [](double x) { return fmt::format("{:.1f}", x / 1e9); };
  page.row(say("reading memory"), giga(f.limits.read_bytes) + " GB/s");
  page.row("float32", around.words(say("{} G multiply-adds/s", giga(f.limits.multiplies_f32))));
  page.row("int8", around.words(say("{} G multiply-adds/s", giga(f.limits.multiplies_int8))));
  if (f.limits.multiplies_bf16 > 0)
    page.row("bf16", around.words(say("{} G multiply-adds/s", giga(f.limits.multiplies_bf16))));
  page.row(say("one thread, float32"), say("{} G multiply-adds/s", giga(f.limits.multiplies_alone)));
  // Threads with a core each are worth 0.9 and more, two to a core hardly over a half.
  if (f.threads > 1 && f.limits.cores() < 0.75 * f.threads)
    page.row(Text{}, say("{} threads multiply as much as {} alone: they share cores, or the machine is busy", f.threads,
                         fmt::format("{:.1f}", f.limits.cores())));
}

int run(const Arguments& arguments, Surroundings& around) {
  Findings f;
  const Kernels& kernels = pick_kernels(around.isa);
  ThreadPool pool(work_options(arguments, around, Compute::fast).threads);
  f.chosen = kernels.name, f.bf16 = kernels.bf16, f.forced = !around.isa.empty(), f.threads = pool.size();
  f.limits = measure_limits(pool, kernels);
  if (arguments.has("--json")) return *around.out << as_json(f).dump(2) << '\n', 0;
  const Page page(around);
  show_processor(f, page);
  show_host(f, around, page);
  show_choice(f, around, page);
  show_limits(f, around, page);
  return 0;
}

}  // namespace

Command cpu_command() {
  return {
      .name = "cpu",
      .operands = "",
      .summary = say("what this machine is, what was chosen for it, and what it can do"),
      .about = {say("Names the processor and the instructions that the operating system grants, the kernels chosen "
                    "for each weight format and why, and measures how fast memory is read and numbers are multiplied: "
                    "the limits that `madang bench` shows beside a model's speed. MADANG_ISA forces other kernels.")},
      .flags = {{"--threads", "-t", "N", say("threads that compute (else: all processors of this process)")},
                {"--json", "", "", say("as JSON, for programs")}},
      .examples = {{"madang cpu", say("about a second of measuring")},
                   {"MADANG_ISA=avx2 madang cpu --json", say("as if the processor had no more, for programs")}},
      .run = run,
  };
}

}  // namespace madang
