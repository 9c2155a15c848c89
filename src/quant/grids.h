// Code books of the lattice formats (grids.cpp), spread out at compile time: each entry holds its eight (IQ1, IQ2) or
// four (IQ3) values as bytes, first value lowest. IQ1's are eight times the format's values, its 2048 entries twice
// over for the two signs of their delta: entry i is 8 grid + 1, entry 2048 + i is 8 grid - 1.
#pragma once
#include <array>
#include <cstdint>

namespace madang {

extern const std::array<uint64_t, 4096> iq1_grid;
extern const std::array<uint64_t, 256> iq2_xxs_grid;
extern const std::array<uint64_t, 512> iq2_xs_grid;
extern const std::array<uint64_t, 1024> iq2_s_grid;
extern const std::array<uint32_t, 256> iq3_xxs_grid;
extern const std::array<uint32_t, 512> iq3_s_grid;

}  // namespace madang
