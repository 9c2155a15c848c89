// The models a server offers, by name: opened when first asked for, closed by least use when the memory is wanted for
// another. A model in use is never closed.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
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
  int64_t context = 0;  ///< tokens; before it is open what the file says, 0: not known
  int64_t created = 0;  ///< Unix seconds: the file's own
  RoomEngine::Load load;
};

class Models {
 public:
  virtual ~Models() = default;
  /// Opens it if need be (others go on meanwhile). "" is the only or first model. Throws Problem: 404 model_not_found
  /// with the nearest name, 503 if the memory is taken by models in use, 500 model_unusable with the fault of its file
  /// (told again without another attempt until the file is another).
  virtual Task<std::shared_ptr<const OpenModel>> use(const std::string& name) = 0;
  virtual std::vector<ModelStatus> list() const = 0;
};

struct ModelsOptions {
  struct Named {
    std::string name, path;
    std::string adapter = {};  ///< a folder with a LoRA adapter to add, or empty
    std::string draft = {};    ///< a smaller model that guesses ahead, or empty
  };
  std::vector<Named> models;  ///< at least one; names differ. The first is what "" means
  /// Of each engine. Its context and memory are as given, unless `memory` leaves less.
  EngineOptions engine;
  /// Told once by a model whose guesser has failed (EngineOptions), on the engines' thread.
  std::function<void(const std::string& model, const Text& what)> on_guessing_lost;
  bool prompt_lookup = false;  ///< models without a draft guess ahead from what stood there before
  /// Bytes that all open models may take: weights, states of running sequences, cached states; 0: no bound. Of it, an
  /// eighth at most is one model's cache and a quarter its states, so that two models of ordinary size fit together.
  int64_t memory = 0;
  int64_t waiting = 512;  ///< requests that may wait for a model, beyond those that run: more are refused with 429
};

/// The models of a server. All but opening happens on `handlers` (one thread), opening on `helpers`; both must outlive
/// it. Its end cancels what runs, and returns when the engines' thread has ended. Throws Error: usage.
std::unique_ptr<Models> make_models(ModelsOptions options, boost::asio::any_io_executor handlers,
                                    boost::asio::thread_pool& helpers);

}  // namespace madang
