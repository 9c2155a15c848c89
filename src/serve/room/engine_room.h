// The room itself: one thread, the engines that are open, and the desk where their events are handed over.
//
// What goes in (requests, cancels, engines) is a list of things to do before the next step, behind one mutex. What
// comes out goes to the handlers' executor, once for each step of an engine with all that happened in it; the thread
// itself never touches what belongs to handlers. With nothing to do it sleeps.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

#include "serve/room/room.h"

namespace madang {

class EngineRoom {
 public:
  /// `handlers`: of one thread; must outlive the room.
  explicit EngineRoom(boost::asio::any_io_executor handlers);
  /// As stop().
  ~EngineRoom();
  EngineRoom(const EngineRoom&) = delete;
  EngineRoom& operator=(const EngineRoom&) = delete;

  /// Letting go of the engine cancels what runs on it. `waiting`: requests that may wait for one of the options'
  /// running places. Any thread. Throws Error: what Engine's constructor refuses.
  std::shared_ptr<RoomEngine> open(std::shared_ptr<const Checkpoint> checkpoint, const EngineOptions& options,
                                   int64_t waiting);
  /// What runs ends with Finish::cancelled, what comes is refused with 503; returns when the thread has ended.
  void stop();

 private:
  std::shared_ptr<class RoomThread> thread_;
};

}  // namespace madang
