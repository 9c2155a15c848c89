// The description is true: every route that a program calls is described, and nothing is described that is no route.
#include "serve/openapi.h"

#include <set>

#include "base/json.h"
#include "serve/api/routes.h"
#include "support.h"

namespace madang {
namespace {

TEST(OpenApi, DescribesTheRoutesAndNoOthers) {
  std::set<std::string> routes, described, open, said_open;
  for (auto* rows : {model_routes, chat_routes, completion_routes, embedding_routes, text_routes, response_routes,
                     message_routes, file_routes, batch_routes, health_routes})
    for (const Route& route : rows()) {
      std::string method = route.method;
      for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      routes.insert(method + " " + route.pattern);
      if (route.access == Access::open) open.insert(method + " " + route.pattern);
    }
  const Json document = Json::parse(openapi_json());
  EXPECT_EQ(document["openapi"], "3.1.0");
  for (const auto& [path, operations] : document["paths"].items())
    for (const auto& [method, operation] : operations.items()) {
      described.insert(method + " " + path);
      if (operation.contains("security")) said_open.insert(method + " " + path);
      EXPECT_FALSE(operation["summary"].get<std::string>().empty()) << path;
    }
  for (const std::string& route : routes) EXPECT_TRUE(described.contains(route)) << route << " is not described";
  for (const std::string& route : described) EXPECT_TRUE(routes.contains(route)) << route << " is no route";
  EXPECT_EQ(said_open, open);
}

}  // namespace
}  // namespace madang
