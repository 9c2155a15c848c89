// A weight held as owned, writable float32, under the name that files and reports know it by.
#pragma once
#include <string>

#include "tensor/tensor.h"

namespace madang {

struct Parameter {
  std::string name;
  Buffer value;
  std::string stored = {};  ///< the tensor of the file that it was made from, whole or a part of it
};

}  // namespace madang
