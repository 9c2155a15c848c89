// Reading little-endian fields out of a block, wherever they lie.
#pragma once
#include <cstdint>
#include <cstring>

#include "tensor/half.h"

namespace madang {

inline uint16_t field16(const uint8_t* p) {
  uint16_t v;
  std::memcpy(&v, p, 2);
  return v;
}
inline uint32_t field32(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
inline float half_field(const uint8_t* p) { return float_of_half(field16(p)); }

}  // namespace madang
