// Panels whose codes are entries of code books: how panels.h says they lie, written and read by plain loops. What the
// kernels do with them is in kernels/simd/books.h. Forms without a code book are refused by nobody here: panels.cpp
// asks first.
#pragma once
#include <cstdint>

#include "quant/weight.h"

namespace madang {

/// Rows [row, row + 16) of w, none past `end`, into a panel of p, whose bytes are `memory` and zero.
void pack_book(const Weight& w, int64_t row, int64_t end, const Panels& p, int64_t panel, uint8_t* memory);

/// Code `column` (of 32) of row r (of 16) of a group, with the form's offset.
int code_of_entry(const PanelForm& form, const uint8_t* group, int r, int column);

}  // namespace madang
