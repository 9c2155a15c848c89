// Lists as OpenAI pages them: limit, order and after in the query; data, first_id, last_id and has_more in the answer.
#pragma once
#include "base/json.h"
#include "serve/http/exchange.h"
#include "serve/store/store.h"

namespace madang {

/// Throws Problem for a limit outside [1, most] or an order that is none.
Window window_of(const HttpRequest& request, int64_t usual, int64_t most);

/// `told`: a row as its JSON object, with an "id".
template <class T, class F>
Json list_object(const Listed<T>& page, F told) {
  Json data = Json::array();
  for (const T& row : page.rows) data.push_back(told(row));
  Json first = data.empty() ? Json("") : data.front()["id"];
  Json last = data.empty() ? Json("") : data.back()["id"];
  return {{"object", "list"}, {"data", data}, {"first_id", first}, {"last_id", last}, {"has_more", page.more}};
}

}  // namespace madang
