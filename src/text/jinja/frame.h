// The variables of one scope while it runs.
#pragma once
#include "text/jinja/ast.h"
#include "text/jinja/runtime.h"

namespace madang::jinja {

struct Frame {
  Frame(Ref<Frame> outer, const ScopeLayout& layout)
      : parent(std::move(outer)), slots(static_cast<size_t>(layout.slots)) {}

  Value& at(Place place) {
    Frame* f = this;
    for (int i = 0; i < place.hops; ++i) f = f->parent.get();
    return f->slots[static_cast<size_t>(place.slot)];
  }

  Ref<Frame> parent;
  Values slots;
  bool kept = false;  // a macro refers to it: Runtime::kept_frames
};

}  // namespace madang::jinja
