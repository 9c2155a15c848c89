// Code books of the lattice formats (grids.cpp) and their lists of levels.
#pragma once
#include <cstdint>

namespace madang {

extern const uint16_t iq1_grid[2048], iq2_xxs_grid[256], iq2_xs_grid[512], iq2_s_grid[1024];  // 8 values, 2 bits each
extern const uint16_t iq3_xxs_grid[256], iq3_s_grid[512];                                   // 4 values, 3 bits each

inline constexpr int8_t iq1_levels[4] = {-1, 0, 1, 0};
inline constexpr int8_t iq2_levels[4] = {8, 25, 43, 0};
inline constexpr int8_t iq3_xxs_levels[8] = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr int8_t iq3_s_levels[8] = {1, 3, 5, 7, 9, 11, 13, 15};

}  // namespace madang
