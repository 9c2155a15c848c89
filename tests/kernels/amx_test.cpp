// The instructions of AMX themselves, also on processors that lack them: there each is an invalid one, and the handler
// of that signal reads which it is and does in the emulated tiles what it says. So registers, operands and addresses
// are those that the processor will see.
#if defined(__x86_64__)
#include "kernels/x86/amx.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>

#include <new>

#include "base/cpu.h"
#include "kernels/simd/emulated_tiles.h"
#include "proof.h"

namespace madang {
namespace {

alignas(EmulatedTiles) std::byte tiles_memory[sizeof(EmulatedTiles)];
EmulatedTiles* tiles = nullptr;  // what an instruction finds: nothing before ldtilecfg and after tilerelease
int64_t interpreted = 0;

// One instruction in the VEX encoding with three bytes of prefix (Intel SDM vol. 2, 2.3.5).
class Instruction {
 public:
  explicit Instruction(ucontext_t& context)
      : registers_(context.uc_mcontext.gregs), byte_(reinterpret_cast<const uint8_t*>(registers_[REG_RIP])) {}

  /// Does it and goes on to the next; false: it is none of AMX's.
  bool run() {
    if (byte_[0] != 0xC4 || (byte_[1] & 0x1F) != 2 || (byte_[2] & 0x84) != 0) return false;
    const int prefix = byte_[2] & 3, code = byte_[3];
    const int to = byte_[4] >> 3 & 7, x = byte_[4] & 7, w = ~byte_[2] >> 3 & 15;
    const bool memory = byte_[4] < 0xC0;
    if (memory) read_address();
    const auto p = reinterpret_cast<std::byte*>(address_);
    if (code == 0x49 && prefix == 0 && memory)  // ldtilecfg
      tiles = new (tiles_memory) EmulatedTiles(*reinterpret_cast<const simd::TileShapes*>(p + index_));
    else if (code == 0x49 && prefix == 0 && byte_[4] == 0xC0)
      tiles = nullptr;  // tilerelease
    else if (!tiles)
      return false;
    else if (code == 0x49 && prefix == 3 && !memory && x == 0)
      tiles->zero(to);
    else if (code == 0x4B && prefix == 3 && memory && x == 4)
      tiles->load(to, p, index_);
    else if (code == 0x4B && prefix == 2 && memory && x == 4)
      tiles->store(to, p, index_);
    else if (code == 0x5E && prefix == 3 && !memory)
      tiles->multiply(to, x, w);
    else if (code == 0x5C && prefix == 2 && !memory)
      tiles->multiply_bf16(to, x, w);
    else
      return false;
    registers_[REG_RIP] += length_;
    return ++interpreted;
  }

 private:
  int64_t general(int number) const {
    constexpr int names[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                             REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return registers_[names[number]];
  }

  // Base and displacement are the address, the index apart: of tiles it is the stride.
  void read_address() {
    const int mod = byte_[4] >> 6, more = byte_[1] & 0x20 ? 0 : 8;
    int base = byte_[4] & 7;
    if (base == 4) {
      const int index = (byte_[5] >> 3 & 7) + (byte_[1] & 0x40 ? 0 : 8);
      if (index != 4) index_ = general(index) << (byte_[5] >> 6);
      base = byte_[5] & 7, length_ = 6;
    }
    const bool relative = mod == 0 && base == 5;  // to the next instruction; no base behind an index
    int32_t wide = 0;
    if (mod == 2 || relative) {
      std::memcpy(&wide, byte_ + length_, 4), length_ += 4;
    } else if (mod == 1) {
      wide = static_cast<int8_t>(byte_[length_++]);
    }
    address_ = wide;
    if (!relative)
      address_ += general(base + more);
    else if ((byte_[4] & 7) == 5)
      address_ += registers_[REG_RIP] + length_;
  }

  greg_t* registers_;
  const uint8_t* byte_;
  int length_ = 5;
  int64_t address_ = 0, index_ = 0;
};

void interpret(int signal, siginfo_t*, void* context) {
  if (!Instruction(*static_cast<ucontext_t*>(context)).run()) ::signal(signal, SIG_DFL);  // it comes again, and ends us
}

class Interpreted {
 public:
  Interpreted() {
    struct sigaction now = {};
    now.sa_sigaction = interpret, now.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &now, &before_);
  }
  ~Interpreted() { sigaction(SIGILL, &before_, nullptr); }

 private:
  struct sigaction before_ = {};
};

// The registers of AMX between emulated vectors, which every processor has.
struct Tiles : AmxRegisters {
  using AmxRegisters::AmxRegisters;

  static EmulatedPanels::F load_sums(const float* p) { return EmulatedTiles::load_sums(p); }
};

// The two forms that multiplies_right() asks for.
void matmul(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  if (w.form == 5) simd::tiled_products<EmulatedPanels, Tiles, panel_forms[5]>(w, x, begin, end, y, y_stride);
  if (w.form == 7) simd::tiled_products<EmulatedPanels, Tiles, panel_forms[7]>(w, x, begin, end, y, y_stride);
}

TEST(Amx, InstructionsGiveTheReferenceBits) {
  // Asks for the tiles' memory where there are tiles: without it the processor configures them and refuses the rest.
  const bool has_tiles = Cpu::detect().amx_int8;
  const Interpreted handler;
  Kernels kernels = ref_kernels;
  kernels.tokens = simd::tile_tokens, kernels.matmul_fast = matmul;
  kernels.matmul_bf16 = simd::matmul_bf16<EmulatedPanels, Tiles>;
  EXPECT_TRUE(multiplies_right(kernels));
  EXPECT_EQ(tiles, nullptr) << "tiles were not released";
  EXPECT_EQ(interpreted > 0, !has_tiles);
}

}  // namespace
}  // namespace madang
#endif  // __x86_64__
