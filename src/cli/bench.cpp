// madang bench: how fast a model runs here, beside what the machine allows.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <set>

#include "base/cpu.h"
#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "base/stop.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "engine/machine.h"
#include "engine/parameters.h"

namespace madang {
namespace {

using Clock = std::chrono::steady_clock;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Seconds until the first token, and from it to the last.
struct Times {
  double first = 0, rest = 0;
  std::vector<int32_t> answer;
};

Times answer_of(Engine& engine, std::vector<int32_t> prompt, int64_t tokens, bool reuse) {
  Request request{.prompt = std::move(prompt), .sampler = {.temperature = 0}, .max_tokens = tokens, .reuse = reuse};
  const auto begin = Clock::now();
  auto since = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  engine.submit(std::move(request));
  Times t;
  while (engine.busy())
    for (const Event& e : engine.step()) {
      if (e.finish == Finish::failed) throw *e.fault;
      if (t.answer.empty()) t.first = since();
      t.answer.push_back(e.token);
    }
  t.rest = since() - t.first;
  return t;
}

// Tokens a second of all sequences together, from when the last of them has begun to answer.
double batch_rate(Engine& engine, std::vector<std::vector<int32_t>> prompts, int64_t generate) {
  const auto all = static_cast<int64_t>(prompts.size());
  std::vector<int64_t> numbers;
  for (auto& prompt : prompts)
    numbers.push_back(engine.submit({.prompt = std::move(prompt), .sampler = {.temperature = 0}, .reuse = false}));
  std::set<int64_t> begun;
  Clock::time_point begin;
  int64_t tokens = 0;
  while (tokens < all * generate && engine.busy()) {
    const auto events = engine.step();
    const bool counted = static_cast<int64_t>(begun.size()) == all;
    for (const Event& e : events) {
      if (e.finish != Finish::none) throw Error(Kind::internal, say("a sequence ended while it was timed"));
      begun.insert(e.request);
    }
    if (counted)
      tokens += static_cast<int64_t>(events.size());
    else if (static_cast<int64_t>(begun.size()) == all)
      begin = Clock::now();
  }
  const double s = std::chrono::duration<double>(Clock::now() - begin).count();
  for (int64_t number : numbers) engine.cancel(number);
  while (engine.busy()) engine.step();
  return static_cast<double>(tokens) / s;
}

/// The most memory that this program has had at once, in bytes; 0 if Linux does not say. Not getrusage's, in which the
/// program that started this one counts too.
int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") {
      int64_t kilobytes = 0;
      status >> kilobytes;
      return 1024 * kilobytes;
    }
  return 0;
}

struct Plan {
  int64_t prompt = 0, generate = 0, repeat = 0, batch = 1;
};

// Multiply-adds a second that the machine can do on a file's matrices, each kind by its share of the numbers.
double multiplies_of(const Source& source, Compute compute, const MachineLimits& limits) {
  double numbers = 0, seconds = 0;
  for (const StoredTensor& t : source.tensors()) {
    if (t.shape.size() < 2 || !t.format) continue;
    const auto n = static_cast<double>(t.numel());
    numbers += n, seconds += n / (compute == Compute::fast ? limits.multiplies(*t.format) : limits.multiplies_f32);
  }
  return numbers > 0 ? numbers / seconds : limits.multiplies_f32;
}

struct Result {
  double prompt_rate = 0, generate_rate = 0;    // tokens a second
  double batch_rate = 0;                        // tokens a second of all sequences of the batch
  double first_token = 0, second_turn = 0;      // seconds
  double prompt_limit = 0, generate_limit = 0;  // tokens a second
  int64_t guessed = 0, accepted = 0;
};

Result measure(const Checkpoint& checkpoint, const EngineOptions& options, const Plan& plan,
               const OnProgress& progress) {
  Engine engine(checkpoint, options);
  Random random(1);
  auto some_ids = [&](int64_t n) {
    std::vector<int32_t> ids(static_cast<size_t>(n));
    for (int32_t& id : ids)
      id = static_cast<int32_t>(random.bits() % static_cast<uint64_t>(checkpoint.model().vocabulary()));
    return ids;
  };
  std::vector<double> firsts, rests, seconds, batches;
  for (int64_t round = -1; round < plan.repeat; ++round) {  // the first is a warm-up
    std::vector<int32_t> ids = some_ids(plan.prompt);
    const Times t = answer_of(engine, ids, plan.generate, true);
    // The second turn: what was said, the answer, and sixteen tokens more.
    ids.insert(ids.end(), t.answer.begin(), t.answer.end());
    const auto question = some_ids(16);
    ids.insert(ids.end(), question.begin(), question.end());
    const Times again = answer_of(engine, ids, 1, true);
    engine.clear_cache();
    double together = 0;
    if (plan.batch > 1) {
      std::vector<std::vector<int32_t>> prompts;
      for (int64_t i = 0; i < plan.batch; ++i) prompts.push_back(some_ids(plan.prompt));
      together = batch_rate(engine, std::move(prompts), plan.generate);
    }
    tell(progress, {say("measuring"), round + 2, plan.repeat + 1});
    if (round < 0) continue;
    batches.push_back(together);
    firsts.push_back(t.first), rests.push_back(t.rest), seconds.push_back(again.first);
  }
  Result r;
  r.first_token = median(firsts), r.second_turn = median(seconds);
  r.prompt_rate = static_cast<double>(plan.prompt) / r.first_token;
  r.generate_rate = static_cast<double>(plan.generate - 1) / median(rests);
  r.batch_rate = median(batches);
  r.guessed = engine.stats().guessed, r.accepted = engine.stats().accepted;
  return r;
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto checkpoint = open_checkpoint(arguments, around, arguments.operands()[0]);
  const Plan plan{.prompt = arguments.integer("--prompt", 512, 1, 1 << 20),
                  .generate = arguments.integer("--generate", 64, 2, 1 << 20),
                  .repeat = arguments.integer("--repeat", 5, 1, 1000),
                  .batch = arguments.integer("--batch", 1, 1, 256)};
  EngineOptions options;
  options.work = work_options(arguments, around, Compute::fast);
  options.kv = kv_type(arguments, KvType::f16);
  // While the last sequence of a batch reads its prompt, the first ones answer already: a token for each chunk.
  const int64_t meanwhile = plan.batch * (plan.prompt / options.schedule.chunk + 1);
  options.context = plan.prompt + 2 * plan.generate + 64 + meanwhile;
  add_guesser(options, arguments, around, *checkpoint);
  ProgressBar bar(around);
  Result r = measure(*checkpoint, options, plan, bar.listener());
  bar.clear();
  const int64_t peak = peak_memory();  // before the machine's limits are measured, which takes a gigabyte
  ThreadPool pool(options.work.threads);
  const Kernels& kernels = pick_kernels(options.work.kernels);
  const MachineLimits limits = measure_limits(pool, kernels);
  const Parameters size = count_parameters(checkpoint->source(), checkpoint->config());
  r.generate_limit = limits.read_bytes / static_cast<double>(size.bytes_a_token);
  const double multiplies = multiplies_of(checkpoint->source(), options.work.compute, limits);
  r.prompt_limit = multiplies / static_cast<double>(size.active);
  const std::string cpu = Cpu::detect().name;
  if (arguments.has("--json")) {
    Json out{{"model", checkpoint->name()},
             {"cpu", cpu},
             {"kernels", kernels.name},
             {"threads", pool.size()},
             {"prompt_tokens", plan.prompt},
             {"generated_tokens", plan.generate},
             {"repeats", plan.repeat},
             {"prompt_tokens_per_second", r.prompt_rate},
             {"generated_tokens_per_second", r.generate_rate},
             {"first_token_seconds", r.first_token},
             {"peak_resident_bytes", peak},
             {"second_turn_first_token_seconds", r.second_turn},
             {"limit_prompt_tokens_per_second", r.prompt_limit},
             {"limit_generated_tokens_per_second", r.generate_limit},
             {"memory_read_bytes_per_second", limits.read_bytes},
             {"float32_multiply_adds_per_second", limits.multiplies_f32},
             {"int8_multiply_adds_per_second", limits.multiplies_int8},
             {"bf16_multiply_adds_per_second", limits.multiplies_bf16 > 0 ? Json(limits.multiplies_bf16) : Json()},
             {"threads_worth_cores", limits.cores()}};
    if (r.guessed > 0) out["guesses"] = r.guessed, out["guesses_right"] = r.accepted;
    if (plan.batch > 1) out["batch"] = plan.batch, out["batch_generated_tokens_per_second"] = r.batch_rate;
    *around.out << out.dump(2) << '\n';
    return 0;
  }
  auto row = [&](const Text& what, const std::string& value, const std::string& beside) {
    *around.out << padded(around.words(what), 28) << padded(value, 18) << styled(around, Style::dim, beside) << '\n';
  };
  *around.out << fmt::format("{}  ·  {}, {} × {}\n", checkpoint->name(), cpu, pool.size(), kernels.name);
  row(say("prompt, {} tokens", plan.prompt), fmt::format("{:.1f} tokens/s", r.prompt_rate),
      around.words(say("multiplying at {} G/s allows {}", fmt::format("{:.0f}", multiplies / 1e9),
                       fmt::format("{:.0f}", r.prompt_limit))));
  row(say("answer, {} tokens", plan.generate), fmt::format("{:.1f} tokens/s", r.generate_rate),
      around.words(say("reading memory at {} GB/s allows {}", fmt::format("{:.1f}", limits.read_bytes / 1e9),
                       fmt::format("{:.0f}", r.generate_limit))));
  if (plan.batch > 1)
    row(say("{} answers at once", plan.batch), fmt::format("{:.1f} tokens/s", r.batch_rate),
        around.words(say("{} times one", fmt::format("{:.2f}", r.batch_rate / r.generate_rate))));
  if (r.guessed > 0) row(say("{} of {} guesses right", r.accepted, r.guessed), "", "");
  row(say("first token after"), fmt::format("{:.3f} s", r.first_token), "");
  row(say("second turn's first after"), fmt::format("{:.3f} s", r.second_turn), "");
  return 0;
}

}  // namespace

Command bench_command() {
  return {
      .name = "bench",
      .operands = "MODEL",
      .summary = say("how fast a model runs here, beside what the machine allows"),
      .about = {say(
          "Medians over several rounds after a warm-up, with random tokens. Reading a prompt is bound by "
          "arithmetic, answering by reading the weights from memory: both limits are measured in the same run. "
          "The second turn begins where the first ended; its prompt is not computed again.")},
      .flags = joined({{"--prompt", "", "N", say("tokens of the prompt (512 if not given)")},
                       {"--generate", "", "N", say("tokens of the answer (64 if not given)")},
                       {"--repeat", "", "N", say("rounds (5 if not given)")},
                       {"--batch", "", "N", say("also N answers at the same time")},
                       {"--config", "", "FILE", say("a config.json in place of the model's own")},
                       {"--json", "", "", say("as JSON, for programs")}},
                      joined(guess_flags(), work_flags(true))),
      .examples = {{"madang bench smollm2-135m-instruct", say("512 tokens in, 64 out")},
                   {"madang bench ./model --prompt 4096 --threads 2 --json", say("a long prompt, for programs")}},
      .run = run,
  };
}

}  // namespace madang
