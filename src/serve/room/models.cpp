#include "serve/room/models.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <filesystem>

#include "base/nearest.h"
#include "engine/draft.h"
#include "engine/prompt_lookup.h"
#include "serve/http/elsewhere.h"
#include "serve/problem.h"
#include "serve/room/engine_room.h"

namespace madang {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

int64_t bytes_at(const fs::path& path) {
  std::error_code fault;
  if (!fs::is_directory(path, fault)) {
    const auto size = fs::file_size(path, fault);
    return fault ? 0 : static_cast<int64_t>(size);
  }
  int64_t sum = 0;
  for (const auto& entry : fs::directory_iterator(path, fault))
    if (entry.is_regular_file(fault)) sum += bytes_at(entry.path());
  return sum;
}

int64_t time_of(const fs::path& path) {
  std::error_code fault;
  const auto time = fs::last_write_time(path, fault);
  if (fault) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count();
}

// Several requests may wait for one opening; it goes on when they have gone.
struct Opening {
  asio::steady_timer bell;  ///< rings once
  std::exception_ptr fault;
  std::shared_ptr<const OpenModel> model;
  bool done = false;
  explicit Opening(const asio::any_io_executor& handlers) : bell(handlers, asio::steady_timer::time_point::max()) {}
};

// What stands at a model's paths: another file has another size or time.
struct Mould {
  int64_t bytes, draft_bytes, time, draft_time;
  explicit Mould(const ModelsOptions::Named& model)
      : bytes(bytes_at(model.path)),
        draft_bytes(bytes_at(model.draft)),
        time(time_of(model.path)),
        draft_time(time_of(model.draft)) {}
  bool operator==(const Mould&) const = default;
};

// Why a model could not be opened. It is told again without another attempt while the file is the same; where the file
// may not be to blame, for as long as it takes to see whether that has passed.
struct Refusal {
  Problem problem;
  Mould mould;
  std::chrono::steady_clock::time_point until;
};
constexpr auto until_next_attempt = std::chrono::seconds(10);

struct Shelf {
  ModelStatus status;
  ModelsOptions::Named named;
  std::shared_ptr<const OpenModel> model;
  std::shared_ptr<Opening> opening;
  std::optional<Refusal> refusal;
  int64_t used = 0;  ///< when last, in uses
};

// What the opening works on, kept by it when the server is gone before it ends.
struct House {
  ModelsOptions options;
  asio::any_io_executor handlers;
  asio::thread_pool& helpers;
  EngineRoom room;
  std::vector<Shelf> shelves;
  int64_t clock = 0;

  House(ModelsOptions o, const asio::any_io_executor& h, asio::thread_pool& pool)
      : options(std::move(o)), handlers(h), helpers(pool), room(h) {}

  int64_t cost(const Shelf& shelf) const {
    return shelf.status.bytes + bytes_at(shelf.named.draft) + options.engine.schedule.memory +
           options.engine.cache_bytes;
  }
  Shelf& find(const std::string& name);
  void make_place(const Shelf& wanted);
};

Shelf& House::find(const std::string& name) {
  if (name.empty()) return shelves.front();
  std::vector<std::string_view> names;
  for (Shelf& shelf : shelves) {
    if (shelf.status.name == name) return shelf;
    names.push_back(shelf.status.name);
  }
  throw Problem(say("the model '{}' does not exist; the nearest name is '{}'", name, nearest(name, names)), "model",
                "model_not_found")
      .status(404);
}

// The file's fault is no fault of the request, and asking again does not mend it.
Problem cannot_open(const std::string& name, const Error& fault) {
  const Problem told(fault);
  return Problem(say("the model '{}' cannot be opened: {}", name, told.message()), "model", "model_unusable")
      .status(500)
      .lasting();
}

bool of_the_file(Kind kind) {
  return kind == Kind::format || kind == Kind::mismatch || kind == Kind::unsupported || kind == Kind::missing;
}

// Closes what was used longest ago until the wanted one fits beside the others.
void House::make_place(const Shelf& wanted) {
  if (options.memory == 0) return;
  if (cost(wanted) > options.memory)
    throw Problem(say("the model '{}' needs {} bytes of memory, and the server has {}", wanted.status.name,
                      cost(wanted), options.memory),
                  "model", "model_unavailable")
        .status(503);
  for (;;) {
    int64_t taken = cost(wanted);
    Shelf* oldest = nullptr;
    for (Shelf& shelf : shelves) {
      if (!shelf.model && !shelf.opening) continue;
      taken += cost(shelf);
      const bool idle = shelf.model && shelf.model.use_count() == 1;
      if (idle && (!oldest || shelf.used < oldest->used)) oldest = &shelf;
    }
    if (taken <= options.memory) return;
    if (!oldest)
      throw Problem(say("all memory is taken by models in use"), "model", "model_unavailable")
          .status(503)
          .retry_after(5);  // as long as a short answer takes
    oldest->model = nullptr, oldest->status.open = false;
  }
}

std::shared_ptr<Guesser> guesser_of(const House& house, const ModelsOptions::Named& named, const Checkpoint& model) {
  if (named.draft.empty()) return house.options.prompt_lookup ? std::make_shared<PromptLookup>() : nullptr;
  const auto draft = Checkpoint::open(named.draft);
  draft->source().warm();
  return std::make_shared<Draft>(draft, model, house.options.engine);
}

Task<void> open(std::shared_ptr<House> house, Shelf& shelf, std::shared_ptr<Opening> opening) {
  try {
    auto work = [house, named = shelf.named] {
      auto checkpoint = Checkpoint::open(named.path, {.config_path = {}, .weights = true, .adapter = named.adapter});
      checkpoint->source().warm();
      EngineOptions options = house->options.engine;
      options.guesser = guesser_of(*house, named, *checkpoint);
      if (const auto& told = house->options.on_guessing_lost)
        options.on_guessing_lost = [told, name = named.name](const Text& what) { told(name, what); };
      auto engine = house->room.open(checkpoint, options, house->options.waiting);
      return std::make_shared<const OpenModel>(OpenModel{named.name, std::move(checkpoint), std::move(engine)});
    };
    opening->model = co_await elsewhere(house->helpers, std::move(work));
    shelf.model = opening->model;
    shelf.status.open = true, shelf.status.context = shelf.model->engine->context();
  } catch (const Error& fault) {
    const Problem problem = cannot_open(shelf.status.name, fault);
    const auto now = std::chrono::steady_clock::now();
    shelf.refusal = {problem, Mould(shelf.named), of_the_file(fault.kind()) ? now.max() : now + until_next_attempt};
    opening->fault = std::make_exception_ptr(problem);
  } catch (...) {
    opening->fault = std::current_exception();
  }
  opening->done = true, shelf.opening = nullptr;
  opening->bell.cancel();
}

class ModelsOnShelves : public Models {
 public:
  ModelsOnShelves(ModelsOptions options, const asio::any_io_executor& handlers, asio::thread_pool& helpers)
      : house_(std::make_shared<House>(std::move(options), handlers, helpers)) {
    EngineOptions& engine = house_->options.engine;
    if (const int64_t memory = house_->options.memory; memory > 0) {
      const int64_t states = memory / 4;
      engine.schedule.memory = engine.schedule.memory > 0 ? std::min(engine.schedule.memory, states) : states;
      engine.cache_bytes = std::min(engine.cache_bytes, memory / 8);
    }
    for (const ModelsOptions::Named& model : house_->options.models) {
      for (const Shelf& other : house_->shelves)
        if (other.status.name == model.name)
          throw Error(Kind::usage, say("two models have the name {}", model.name)).found(model.path);
      ModelStatus status{.name = model.name, .path = model.path};
      status.bytes = bytes_at(model.path), status.created = time_of(model.path);
      status.context = context_before(model.path);
      house_->shelves.push_back({.status = std::move(status), .named = model});
    }
    if (house_->shelves.empty()) throw Error(Kind::usage, say("there is no model to serve"));
  }
  ~ModelsOnShelves() override { house_->room.stop(); }

  Task<std::shared_ptr<const OpenModel>> use(const std::string& name) override {
    Shelf& shelf = house_->find(name);
    shelf.used = ++house_->clock;
    if (shelf.model) co_return shelf.model;
    check_refusal(shelf);
    if (!shelf.opening) {
      house_->make_place(shelf);
      shelf.opening = std::make_shared<Opening>(house_->handlers);
      asio::co_spawn(house_->handlers, open(house_, shelf, shelf.opening), asio::detached);
    }
    const std::shared_ptr<Opening> opening = shelf.opening;
    while (opening && !opening->done) {
      boost::system::error_code rung;
      co_await opening->bell.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    }
    if (opening->fault) std::rethrow_exception(opening->fault);
    co_return opening->model;
  }

  std::vector<ModelStatus> list() const override {
    std::vector<ModelStatus> all;
    for (const Shelf& shelf : house_->shelves) {
      all.push_back(shelf.status);
      if (shelf.model) all.back().load = shelf.model->engine->load();
    }
    return all;
  }

 private:
  // What is known of it before it is open; a file that cannot be read is told when it is asked for.
  int64_t context_before(const std::string& path) const {
    const int64_t asked = house_->options.engine.context;
    try {
      return asked > 0 ? asked : open_source(path)->config().integer("max_position_embeddings", 0);
    } catch (const std::exception&) {
      return asked;
    }
  }

  static void check_refusal(Shelf& shelf) {
    if (!shelf.refusal) return;
    const bool same = shelf.refusal->mould == Mould(shelf.named);
    if (same && std::chrono::steady_clock::now() < shelf.refusal->until) throw shelf.refusal->problem;
    shelf.refusal.reset();
    shelf.status.bytes = bytes_at(shelf.status.path), shelf.status.created = time_of(shelf.status.path);
  }

  std::shared_ptr<House> house_;
};

}  // namespace

std::unique_ptr<Models> make_models(ModelsOptions options, asio::any_io_executor handlers, asio::thread_pool& helpers) {
  return std::make_unique<ModelsOnShelves>(std::move(options), handlers, helpers);
}

}  // namespace madang
