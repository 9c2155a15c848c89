#include "serve/server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <iterator>

#include "base/error.h"
#include "serve/api/batch_runner.h"
#include "serve/api/routes.h"
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

Keys keys_of(const ServeOptions& options) {
  Keys keys = options.keys.empty() ? Keys() : Keys(options.keys);
  if (!options.keys.empty() && keys.empty())
    throw Error(Kind::usage, say("there is no key in the key file"))
        .at(options.keys)
        .hint(say("madang serve --new-key NAME --keys FILE makes one"));
  if (keys.empty() && !options.open && !is_loopback(options.http))
    throw Error(Kind::refused, say("without keys, anyone who reaches {} could use this server", options.http.host))
        .hint(say("give a key file (--keys), or --open if that is wanted"));
  return keys;
}

}  // namespace

struct Server::Parts {
  explicit Parts(ServeOptions o)
      : keys(keys_of(o)),
        log(o.log, o.log_level),
        store(open_store(o.store)),
        models(make_models(std::move(o.models), io.get_executor(), helpers)),
        services{*models, *store, metrics, log, limits, helpers, &batches},
        batches(io.get_executor(), services, all_routes()),
        http(io, std::move(o.http), keys, all_routes(), services) {
    keys.set_limits(limits);
    batches.start();
  }
  ~Parts() { helpers.join(); }

  Keys keys;
  Log log;
  Metrics metrics;
  Limits limits;
  boost::asio::io_context io{1};  // handlers: one thread
  boost::asio::thread_pool helpers{helper_threads};
  std::unique_ptr<Store> store;
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
