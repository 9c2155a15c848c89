#include "serve/room/engine_room.h"

#include "serve/room/room_thread.h"
#include "serve/room/seat.h"

namespace madang {

EngineRoom::EngineRoom(boost::asio::any_io_executor handlers)
    : thread_(std::make_shared<RoomThread>(std::move(handlers))) {}

EngineRoom::~EngineRoom() { stop(); }

void EngineRoom::stop() { thread_->stop(); }

std::shared_ptr<RoomEngine> EngineRoom::open(std::shared_ptr<const Checkpoint> checkpoint, const EngineOptions& options,
                                             int64_t waiting) {
  auto seat = std::make_shared<Seat>(std::move(checkpoint), options, options.schedule.running + waiting);
  thread_->add(seat);
  return std::make_shared<SeatedEngine>(thread_, std::move(seat));
}

}  // namespace madang
