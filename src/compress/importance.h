// The importance matrix: for every column of every weight matrix, the mean square of the activations that it meets. A
// weight that meets large ones is worth more care. Collected by a model running over a text; kept as llama.cpp keeps it
// (GGUF with NAME.in_sum2 and NAME.counts, since 2025; the older .dat is read too), so that either tool's files serve
// both.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace madang {

class Importance {
 public:
  /// Throws Kind::missing, Kind::format.
  static Importance read(const std::string& path);
  /// Through a temporary file. Throws Kind::io.
  void write(const std::string& path) const;

  /// Adds the squares of rows of activations. `matrix` of `matrices`: the expert, where a tensor holds several.
  void add(const std::string& tensor, int64_t matrix, int64_t matrices, std::span<const float> row);

  /// Mean squares of one matrix's columns; empty if nothing is known of it (an expert nobody asked too).
  std::vector<float> columns(std::string_view tensor, int64_t matrix, int64_t cols) const;
  bool knows(std::string_view tensor) const { return entries_.contains(tensor); }
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }

  // Of the text it came from.
  std::string dataset;
  int64_t chunks = 0, chunk_tokens = 512;

 private:
  struct Entry {
    std::vector<double> sums;    ///< of squares, [matrices * cols]
    std::vector<double> counts;  ///< rows seen, [matrices]
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace madang
