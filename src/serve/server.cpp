#include "serve/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <iterator>

#include "base/error.h"
#include "serve/api/batch_runner.h"
#include "serve/api/routes.h"
#include "serve/http/elsewhere.h"
#include "serve/http/http_server.h"
#include "serve/keys.h"
#include "serve/limits.h"
#include "serve/metrics.h"
#include "serve/store/store.h"

namespace madang {
namespace {

// Files, databases and one model being opened: they wait more than they compute.
constexpr size_t helper_threads = 4;

std::vector<Route> all_routes() {
  std::vector<Route> all;
  for (auto* rows : {model_routes, chat_routes, completion_routes, embedding_routes, text_routes, response_routes,
                     message_routes, file_routes, batch_routes, health_routes, page_routes})
    for (Route& route : rows()) all.push_back(std::move(route));
  return all;
}

// Keys of a store may be made and taken away at any time, also by another server on it.
constexpr auto keys_read_every = std::chrono::seconds(10);

bool in_store(const ServeOptions& options) { return options.keys == "store"; }

Keys keys_of(const ServeOptions& options, Store& store) {
  Keys keys = options.keys.empty() ? Keys() : in_store(options) ? Keys(store.keys()) : Keys(options.keys);
  if (keys.needed() && keys.size() == 0)
    throw Error(Kind::usage,
                in_store(options) ? say("there is no key in the store") : say("there is no key in the key file"))
        .at(options.keys)
        .hint(say("madang serve --new-key NAME --keys {} makes one", in_store(options) ? "store" : "FILE"));
  if (!keys.needed() && !options.open && !is_loopback(options.http))
    throw Error(Kind::refused, say("without keys, anyone who reaches {} could use this server", options.http.host))
        .hint(say("give a key file (--keys), or --open if that is wanted"));
  return keys;
}

}  // namespace

struct Server::Parts {
  explicit Parts(ServeOptions o)
      : log(o.log, o.log_level),
        store(open_store(o.store)),
        keys(keys_of(o, *store)),
        models(make_models(noted(std::move(o.models)), io.get_executor(), helpers)),
        services{*models, *store, metrics, log, limits, helpers, &batches},
        batches(io.get_executor(), services, all_routes()),
        http(io, std::move(o.http), keys, all_routes(), services) {
    keys.set_limits(limits);
    batches.start();
    if (in_store(o)) boost::asio::co_spawn(io, read_keys(), boost::asio::detached);
  }
  ~Parts() { helpers.join(); }

  ModelsOptions noted(ModelsOptions o) {
    o.on_guessing_lost = [this](const std::string& model, const Text& what) {
      log.write(LogLevel::warning, "guessing", {{"model", model}, {"fault", what.in(Language::english)}});
    };
    return o;
  }

  Task<void> read_keys() {
    for (boost::asio::steady_timer timer(io);;) {
      timer.expires_after(keys_read_every);
      co_await timer.async_wait(boost::asio::use_awaitable);
      try {
        std::vector<std::string> lines = co_await elsewhere(helpers, [this] { return store->keys(); });
        keys = Keys(lines);
        keys.set_limits(limits);
      } catch (const std::exception& fault) {  // the keys that were known go on
        log.write(LogLevel::error, "keys", {{"fault", fault.what()}});
      }
    }
  }

  Log log;
  Metrics metrics;
  Limits limits;
  boost::asio::io_context io{1};  // handlers: one thread
  boost::asio::thread_pool helpers{helper_threads};
  std::unique_ptr<Store> store;
  Keys keys;
  std::unique_ptr<Models> models;
  Services services;
  BatchRunner batches;
  HttpServer http;
};

Server::Server(ServeOptions options) : parts_(std::make_unique<Parts>(std::move(options))) {}
Server::~Server() = default;
std::vector<std::string> Server::addresses() const { return parts_->http.addresses(); }
size_t Server::keys() const { return parts_->keys.size(); }
bool Server::run() { return parts_->http.run(true); }
void Server::stop() { parts_->http.stop(); }

}  // namespace madang
