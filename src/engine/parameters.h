// How many numbers a model has, and how many of them one token meets: what inspect shows and bench measures against.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "models/model.h"
#include "store/config.h"
#include "store/source.h"

namespace madang {

struct Parameters {
  int64_t total = 0;
  int64_t active = 0;         ///< met by one token: of a mixture's experts, the chosen ones
  int64_t bytes = 0;          ///< in the file; of a configuration alone: as its dtype says
  int64_t bytes_a_token = 0;  ///< read for one generated token: active, without an embedding that is only looked up
  std::map<std::string, std::pair<int64_t, int64_t>, std::less<>> by_type;  ///< tensors, bytes
};

/// From names and shapes alone; nothing is read.
Parameters count_parameters(const Source& source, const Config& config);
/// Of a model that has a configuration and no files.
Parameters count_parameters(const Blueprint& blueprint, const Config& config);

}  // namespace madang
