// Work that would hold up the one thread of the handlers (files, databases, opening a model) goes to a few helper
// threads and comes back with its result or its exception.
//
//   const Json row = co_await elsewhere(pool, [&] { return database.read(id); });
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>

#include "serve/http/exchange.h"

namespace madang {

/// `work` runs on `pool`; what it refers to must live until the task ends.
template <class F>
Task<std::invoke_result_t<F>> elsewhere(boost::asio::thread_pool& pool, F work) {
  auto there = [](F f) -> Task<std::invoke_result_t<F>> { co_return f(); };
  co_return co_await boost::asio::co_spawn(pool, there(std::move(work)), boost::asio::use_awaitable);
}

}  // namespace madang
