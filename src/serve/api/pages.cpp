// The web page, as the program carries it (serve/page.h), and the description of all routes.
#include "serve/api/routes.h"
#include "serve/openapi.h"
#include "serve/page.h"
#include "serve/problem.h"

namespace madang {
namespace {

Task<void> page(Services&, Exchange& x) {
  const PageFile* file = find_page(x.request().path);
  if (!file) throw Problem(say("there is no page {}", x.request().path)).status(404);
  x.header("etag", std::string(file->etag));
  x.header("cache-control", "no-cache");
  x.header("content-security-policy", std::string(page_policy));
  x.header("x-content-type-options", "nosniff");
  x.header("referrer-policy", "no-referrer");
  if (x.request().header("if-none-match") == file->etag) {
    co_await x.reply(304, file->type, "");
    co_return;
  }
  x.header("content-encoding", "gzip");
  co_await x.reply(200, file->type, std::string(file->bytes.begin(), file->bytes.end()));
}

Task<void> description(Services&, Exchange& x) { co_await x.reply(200, "application/json", openapi_json()); }

}  // namespace

std::vector<Route> page_routes() {
  std::vector<Route> rows;
  for (const PageFile& file : page_files()) rows.push_back({"GET", std::string(file.path), page, Access::open});
  rows.push_back({"GET", "/openapi.json", description, Access::open});
  return rows;
}

}  // namespace madang
