// A real room over tiny models: for tests that want an engine behind their handlers.
//
//   test::Room room({"llama-q8_0"});                        // of tests/data/gguf, by these names
//   auto model = room.wait(room.models().use(""));          // runs the handlers' loop until it is done
//   auto stream = room.wait(model->engine->submit({.prompt = {1, 2, 3}, .max_tokens = 5}, Client{}));
//   for (const Event& event : room.read(*stream)) ...
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "serve/room/models.h"
#include "support.h"

namespace madang::test {

class Room {
 public:
  /// `options.models` is filled in; tiny contexts and one thread keep tests quick.
  explicit Room(std::vector<std::string> names, ModelsOptions options = {}) {
    for (const std::string& name : names) options.models.push_back({name, data_folder() + "/gguf/" + name + ".gguf"});
    options.engine.work.threads = 1;
    if (options.engine.context == 0) options.engine.context = 512;
    models_ = make_models(std::move(options), loop_.get_executor(), helpers_);
  }
  ~Room() {
    models_.reset();
    helpers_.join();
  }

  Models& models() { return *models_; }
  boost::asio::io_context& loop() { return loop_; }
  boost::asio::thread_pool& helpers() { return helpers_; }
  void close() { models_.reset(); }  ///< as a server that stops

  /// The task's result, or its exception. Fails after a minute.
  template <class T>
  T wait(Task<T> task) {
    std::future<T> done = start(std::move(task));
    while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) turn();
    return done.get();
  }
  /// To go on beside others.
  template <class T>
  std::future<T> start(Task<T> task) {
    return boost::asio::co_spawn(loop_, std::move(task), boost::asio::use_future);
  }
  /// One thing that the loop has to do.
  void turn() {
    loop_.restart();
    if (loop_.run_one_for(std::chrono::minutes(1)) == 0) throw std::runtime_error("nothing happened for a minute");
  }
  /// All events until the stream ends.
  std::vector<Event> read(TokenStream& stream) { return wait(all_of(stream)); }

  static Task<std::vector<Event>> all_of(TokenStream& stream) {
    std::vector<Event> events;
    for (;;) {
      std::optional<Event> event = co_await stream.next();
      if (!event) co_return events;
      events.push_back(std::move(*event));
    }
  }

 private:
  boost::asio::io_context loop_;
  boost::asio::thread_pool helpers_{2};
  std::unique_ptr<Models> models_;
};

}  // namespace madang::test
