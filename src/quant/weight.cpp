#include "quant/weight.h"

namespace madang {

void put_back(const std::vector<int32_t>& order, float* row) {
  const std::vector<float> moved(row, row + order.size());
  for (size_t c = 0; c < order.size(); ++c) row[order[c]] = moved[c];
}

}  // namespace madang
