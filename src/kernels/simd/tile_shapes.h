// How the eight tiles of simd/tiles.h are shaped and used.
#pragma once
#include "quant/panels.h"

namespace madang::simd {

/// The rows of the eight tiles and the bytes of a row, as the instruction reads them that configures them (Intel SDM
/// vol. 2, LDTILECFG, palette 1).
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};  // of eight tiles, and eight reserved
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

/// Tokens of a full tile: as many as it has rows.
inline constexpr int tile_tokens = 16;

/// Where sums begin: these bits plus an integer below 2^22 in size are, read as a float, 1.5 * 2^23 plus that integer.
inline constexpr int32_t sums_begin = 0x4B400000;
inline constexpr float sums_begin_as_float = 12582912;

// Tiles 0 .. 3 hold sums, 4 and 5 codes of tokens, 6 and 7 codes of weights: of the last two kinds one is loaded while
// the other is multiplied.
inline constexpr int sums_in_flight = 4, tokens_tile = 4, weights_tile = 6;

constexpr TileShapes tile_shapes(int tokens, int quads) {
  TileShapes shapes;
  auto shape = [&](int tile, int rows, int bytes) {
    shapes.rows[tile] = static_cast<uint8_t>(rows), shapes.row_bytes[tile] = static_cast<uint16_t>(bytes);
  };
  for (int i = 0; i < sums_in_flight; ++i) shape(i, tokens, 4 * panel_rows);
  for (int i = 0; i < 2; ++i) shape(tokens_tile + i, tokens, 4 * quads), shape(weights_tile + i, quads, 4 * panel_rows);
  return shapes;
}

}  // namespace madang::simd
