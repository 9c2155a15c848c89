// The input file of a batch: one request a line, {"custom_id", "method": "POST", "url", "body"}.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace madang {

struct BatchLine {
  int64_t line = 0;  ///< of the file, from 0
  std::string custom_id, body;
};

struct BatchInput {
  std::vector<BatchLine> lines;
  Json faults = Json::array();  ///< as the batch object's errors.data; not empty: nothing is run
};

BatchInput read_batch_input(std::string_view bytes, const std::string& endpoint);

/// A line of the output or error file, without its end.
std::string batch_output_line(const std::string& custom_id, const std::string& request_id, int status,
                              const std::string& body);

}  // namespace madang
