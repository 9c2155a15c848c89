#include "text/token_table.h"

#include <bit>

#include "base/error.h"

namespace madang {

void TokenTable::reserve(size_t tokens, size_t bytes) {
  arena_.reserve(bytes);
  spans_.reserve(tokens);
  grow(std::bit_ceil(2 * tokens + 16));
}

void TokenTable::add(int32_t id, std::string_view bytes, const std::string& where) {
  add_unreachable(id, bytes, where);
  if (2 * (used_ + 1) > slots_.size()) grow(std::max<size_t>(64, slots_.size() * 2));
  uint64_t hash = hash_bytes(bytes);
  if (find(bytes, hash) >= 0) return;
  put({static_cast<uint32_t>(hash >> 32), id}, hash);
  ++used_;
}

void TokenTable::add_unreachable(int32_t id, std::string_view bytes, const std::string& where) {
  // Real files leave holes for later tokens, of a few thousand ids at most.
  constexpr int64_t slack = 1 << 16;
  if (id < 0 || id > 4 * static_cast<int64_t>(added_) + slack)
    throw Error(Kind::format, say("token id {} is out of range", id))
        .at(where)
        .expected(fmt::format("0 .. {}", 4 * added_ + slack));
  if (bytes.size() > UINT32_MAX) throw Error(Kind::limit, say("token {} is too long", id)).at(where);
  if (id >= size()) spans_.resize(static_cast<size_t>(id) + 1, Span{hole, 0});
  spans_[id] = {arena_.size(), static_cast<uint32_t>(bytes.size())};
  arena_.append(bytes);
  ++added_;
}

void TokenTable::grow(size_t slots) {
  if (slots <= slots_.size()) return;
  std::vector<Slot> old(slots, Slot{0, -1});
  old.swap(slots_);
  for (const Slot& slot : old)
    if (slot.id >= 0) put(slot, hash_bytes((*this)[slot.id]));
}

void TokenTable::put(Slot slot, uint64_t hash) {
  size_t mask = slots_.size() - 1, at = hash & mask;
  while (slots_[at].id >= 0) at = (at + 1) & mask;
  slots_[at] = slot;
}

}  // namespace madang
