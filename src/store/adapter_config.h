// adapter_config.json, as peft writes it: which matrices a low-rank adapter adds to, of what rank and how strongly.
// Refused: adapters that are no LoRA, or a LoRA with more to it than rsLoRA and DoRA (biases, saved modules, aLoRA,
// QALoRA, initial values that change the base). Keys that are unknown and null, false or a number are passed over.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace madang {

class Pattern;

/// Names of modules as peft matches them: one expression for the whole name, or endings of it.
class NamePatterns {
 public:
  NamePatterns() = default;
  /// A text is an expression; a list holds endings. Throws Kind::format otherwise, or if the expression is none.
  NamePatterns(const Json& value, const std::string& where);
  bool match(const std::string& module) const;
  bool empty() const { return !expression_ && endings_.empty(); }

 private:
  std::shared_ptr<const Pattern> expression_;
  std::vector<std::string> endings_;
};

class AdapterConfig {
 public:
  /// What a new adapter is to be. Throws Kind::usage on a rank or an alpha that is none.
  AdapterConfig(int64_t rank, double alpha, const Json& targets, bool rslora, bool dora);
  static AdapterConfig read(const std::string& path);

  bool dora() const { return dora_; }
  double dropout() const { return dropout_; }
  /// Of a module by its full name; patterns come before the general number.
  int64_t rank(const std::string& module) const;
  /// alpha / r, with rsLoRA alpha / sqrt(r) (Kalajdzievski 2023).
  double scale(const std::string& module) const;
  /// Whether a new adapter would add to this module ("all-linear": to every one but the head and routers).
  bool targets(const std::string& module) const;
  const Json& json() const { return json_; }

 private:
  AdapterConfig(Json json, std::string where);
  template <class Number>
  using Patterned = std::vector<std::pair<std::shared_ptr<const Pattern>, Number>>;
  void refuse_more() const;
  Patterned<double> patterns(const char* key) const;

  Json json_;
  std::string where_;
  int64_t rank_ = 8;
  double alpha_ = 8, dropout_ = 0;
  bool rslora_ = false, dora_ = false, all_linear_ = false;
  NamePatterns targets_, excluded_;
  Patterned<double> ranks_, alphas_;
};

}  // namespace madang
