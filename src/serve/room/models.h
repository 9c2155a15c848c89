// The models a server offers, by name: opened when first asked for, closed by least use when the memory is wanted for
// another. A model in use is never closed.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "chat/conversation.h"
#include "engine/checkpoint.h"
#include "serve/room/room.h"

namespace madang {

/// A model that is open. Holding it keeps it open.
struct OpenModel {
  std::string name;
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<RoomEngine> engine;
};

struct ModelStatus {
  std::string name, path;
  bool open = false;
  int64_t bytes = 0;    ///< of its file or folder
  int64_t context = 0;  ///< tokens; 0: not known before it is open
  int64_t created = 0;  ///< Unix seconds: the file's own
  RoomEngine::Load load;
};

class Models {
 public:
  virtual ~Models() = default;
  /// Opens it if need be (others go on meanwhile). "" is the only or first model. Throws Problem: 404 model_not_found
  /// with the nearest name, 503 if the memory is taken by models in use.
  virtual Task<std::shared_ptr<const OpenModel>> use(const std::string& name) = 0;
  virtual std::vector<ModelStatus> list() const = 0;
};

}  // namespace madang
