#include "serve/http/handling.h"

#include <new>

#include "serve/http/answer.h"
#include "serve/http/house.h"
#include "serve/limits.h"
#include "serve/log.h"

namespace madang {
namespace {

Problem unknown_path(const House& house, const HttpRequest& request) {
  const std::string near = house.router.nearest_path(request.path);
  Problem problem =
      near.empty() ? Problem(say("Unknown request URL: {} {}.", request.method, request.path))
                   : Problem(say("Unknown request URL: {} {}. Did you mean {}?", request.method, request.path, near));
  return problem.status(404);
}

// Machines are told apart by their address; on this one, where a proxy may stand for many, by connection.
std::string origin_of(const Connection& connection) {
  const std::string& peer = connection.peer();
  const size_t port = peer.rfind(':');
  if (port == std::string::npos) return fmt::format("{}", static_cast<const void*>(&connection));  // no TCP
  const bool near = peer.starts_with("127.") || peer.starts_with("[::1]");
  return near ? peer : peer.substr(0, port);
}

// Who asks. Throws Problem (401) where a key is needed.
Client client_of(const Connection& connection, const House& house, const HttpRequest& request, Access access) {
  if (!house.keys.needed()) return {.name = "", .from = origin_of(connection), .models = {}};
  const std::string_view given = presented_key(request);
  if (auto client = house.keys.find(given)) return *client;
  if (access == Access::open) return {};
  throw Problem(given.empty() ? say("This server needs an API key: Authorization: Bearer KEY, or x-api-key: KEY.")
                              : say("Incorrect API key provided."),
                "", "invalid_api_key")
      .status(401);
}

// The route, once the request may go to it; null for OPTIONS, answered by the server itself.
const Route* admit(const Connection& connection, House& house, Answer& answer, const RequestReader& reader,
                   Dialect& dialect) {
  HttpRequest& request = answer.request();
  house.gate.check(request, reader.old());
  Match match = house.router.find(request.method, reader.target());
  if (match.allowed.empty() && reader.target().path != "*") throw unknown_path(house, request);
  if (!match.route) {
    answer.header("allow", match.allowed.empty() ? "OPTIONS" : match.allowed);
    if (request.method != "OPTIONS")
      throw Problem(say("{} does not take {}.", request.path, request.method)).status(405);
    for (auto& [name, value] : house.gate.preflight(request, match.allowed)) answer.header(name, value);
    return nullptr;
  }
  dialect = match.route->dialect;
  answer.set_route(*match.route);
  request.parameters = std::move(match.parameters);
  if (const auto expected = request.header("expect"); !expected.empty() && !reader.waits() && !reader.old())
    throw Problem(say("This server does not know Expect: {}.", expected)).status(417);
  request.client = client_of(connection, house, request, match.route->access);
  // Looking at lists and states costs nothing worth counting.
  if (request.method == "POST") house.services.limits.take_request(request.client.name);
  return match.route;
}

Task<void> answer_request(Connection& connection, RequestReader& reader, Answer& answer, Dialect& dialect) {
  House& house = connection.house();
  const Route* route = admit(connection, house, answer, reader, dialect);
  co_await connection.receive_body(reader);
  answer.request().body = reader.take_body();
  answer.set_keep(reader.keeps_open());
  if (route)
    co_await route->handle(house.services, answer);
  else
    co_await answer.reply(204, "", "");
  if (!answer.ended()) throw Error(Kind::internal, say("the handler gave no whole answer"));
}

}  // namespace

Task<bool> handle_request(Connection& connection, RequestReader& reader, std::optional<Problem> wrong) {
  Answer answer(connection, std::move(reader.request()));
  answer.set_version(reader.old());
  Dialect dialect = answer.request().header("anthropic-version").empty() ? Dialect::openai : Dialect::anthropic;
  std::string fault;  // for the log alone: clients get no word of our insides
  bool gone = false;
  try {
    if (!wrong) co_await answer_request(connection, reader, answer, dialect);
  } catch (const Gone&) {
    gone = true;
  } catch (const Problem& problem) {
    wrong = problem;
    if (problem.status() >= 500) fault = problem.message();
  } catch (const Error& error) {
    wrong = Problem(error);
    fault = error.what();
  } catch (const std::bad_alloc&) {
    wrong = Problem(say("There is not enough memory for this request.")).status(503).retry_after(5);
    fault = "out of memory";
  } catch (const std::exception& error) {
    wrong = Problem(say("The server had a fault of its own.")).status(500);
    fault = error.what();
  }
  if (wrong && !gone && !answer.begun()) {
    if (!reader.done()) answer.set_keep(false);
    try {
      co_await answer.fail(*wrong, dialect);
    } catch (const Gone&) {
    }
  }
  if (wrong && wrong->status() < 500) answer.note("problem", wrong->code().empty() ? wrong->param() : wrong->code());
  answer.close(fault);
  co_return answer.ended() && answer.keep();
}

}  // namespace madang
