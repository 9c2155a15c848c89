#include "base/slabs.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "base/random.h"
#include "support.h"

namespace madang {
namespace {

struct Piece {
  std::shared_ptr<std::byte> memory;
  size_t size;
  int mark;
};

Piece marked(Slabs& slabs, size_t size, int mark) {
  Piece piece{slabs.take(size), size, mark};
  std::memset(piece.memory.get(), mark, size);
  return piece;
}

bool is_whole(const Piece& piece) {
  for (size_t i = 0; i < piece.size; ++i)
    if (piece.memory.get()[i] != static_cast<std::byte>(piece.mark)) return false;
  return reinterpret_cast<uintptr_t>(piece.memory.get()) % 64 == 0;
}

// Pieces come and go on two threads; whatever is held keeps what was written.
TEST(Slabs, PiecesAreTheirHoldersAlone) {
  Slabs slabs;
  auto work = [&](uint64_t seed) {
    Random random(seed);
    std::vector<Piece> held;
    for (int i = 0; i < 300; ++i) {
      const int64_t most = random.between(0, 20) == 0 ? 20 << 20 : 1 << 20;
      held.push_back(marked(slabs, static_cast<size_t>(random.between(1, most)), static_cast<int>(i % 251)));
      if (held.size() > 12) {
        const auto gone = static_cast<size_t>(random.between(0, static_cast<int64_t>(held.size()) - 1));
        EXPECT_TRUE(is_whole(held[gone]));
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(gone));
      }
    }
    for (const Piece& piece : held) EXPECT_TRUE(is_whole(piece));
  };
  const uint64_t seed = test::seed();
  std::thread other(work, seed + 1);
  work(seed);
  other.join();
}

TEST(Slabs, SmallPiecesLieSideBySide) {
  Slabs slabs;
  const auto a = slabs.take(100), b = slabs.take(1), c = slabs.take(64);
  EXPECT_EQ(b.get() - a.get(), 128);
  EXPECT_EQ(c.get() - b.get(), 64);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a.get()) % (2 << 20), 0U);
}

// The slab lives as long as one of its pieces, and then no longer.
TEST(Slabs, ASlabGoesWithItsLastPiece) {
  Slabs slabs;
  auto a = slabs.take(1000), b = slabs.take(1000);
  const std::weak_ptr<std::byte> slab = a;
  a.reset();
  EXPECT_FALSE(slab.expired());
  b.reset();
  EXPECT_TRUE(slab.expired());
  EXPECT_NE(slabs.take(10), nullptr);
}

}  // namespace
}  // namespace madang
