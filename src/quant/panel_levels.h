// What the bits of a panel stand for, where they are not numbers themselves.
#pragma once
#include <array>
#include <cstdint>

#include "quant/grouped.h"
#include "quant/lattice.h"
#include "quant/panels.h"
#include "quant/small_floats.h"

namespace madang {

/// The sixteen codes of a form with levels.
constexpr std::array<uint8_t, 16> panel_levels(const PanelForm& form) {
  std::array<uint8_t, 16> codes{};
  for (size_t i = 0; i < 16; ++i) {
    const int level = form.levels == PanelLevels::e2m1  ? small_floats::e2m1_doubled[i]
                      : form.levels == PanelLevels::nf4 ? grouped::nf4_codes[i]
                      : form.levels == PanelLevels::fp4 ? grouped::fp4_codes[i]
                                                        : lattice::iq4_levels[i];
    codes[i] = static_cast<uint8_t>(level + form.offset);
  }
  return codes;
}

/// The code book of a form that has one.
template <PanelLevels levels>
constexpr const auto& panel_book() {
  if constexpr (levels == PanelLevels::iq1)
    return iq1_grid;
  else if constexpr (levels == PanelLevels::iq2_xxs)
    return iq2_xxs_grid;
  else if constexpr (levels == PanelLevels::iq2_xs)
    return iq2_xs_grid;
  else if constexpr (levels == PanelLevels::iq2_s)
    return iq2_s_grid;
  else if constexpr (levels == PanelLevels::iq3_xxs)
    return iq3_xxs_grid;
  else
    return iq3_s_grid;
}

}  // namespace madang
