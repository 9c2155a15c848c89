#include "engine/sequence.h"

namespace madang {

const char* name_of(Finish finish) {
  switch (finish) {
    case Finish::none:
      return "none";
    case Finish::end:
      return "end";
    case Finish::stop:
      return "stop";
    case Finish::length:
      return "length";
    case Finish::context:
      return "context";
    case Finish::cancelled:
      return "cancelled";
    case Finish::failed:
      return "failed";
  }
  return "";
}

Sequence Sequence::fork() const {
  return {home,  tokens, state.fork(), sampler, stream, stop,    ends,  max_tokens, marks,
          reuse, share,  pool,         scoring, scores, answers, usage, luck,       {}};
}

std::string Sequence::push(int32_t token) { return stream ? stop.push(stream->push(token)) : std::string(); }

std::string Sequence::flush() {
  if (!stream) return {};
  std::string text = stop.push(stream->finish());
  return text + stop.finish();
}

}  // namespace madang
