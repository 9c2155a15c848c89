#include "store/adapter_gguf.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "store/bounds.h"
#include "store/gguf.h"

namespace madang {
namespace {

constexpr std::string_view a_ending = ".lora_a", b_ending = ".lora_b";

struct Factors {
  const StoredTensor *a = nullptr, *b = nullptr;
  int64_t rank() const { return b->shape.back(); }
};
using AllFactors = std::map<std::string, Factors, std::less<>>;

void check_kind(const Gguf& file) {
  const auto need = [&](std::string_view key, std::string_view value) {
    if (const std::string_view found = file.text(key, ""); found != value)
      throw Error(Kind::unsupported, say("the GGUF file is no LoRA adapter"))
          .at(file.path())
          .expected(fmt::format("{} = {}", key, value))
          .found(fmt::format("{} = {}", key, found.empty() ? "-" : shown(found)));
  };
  need("general.type", "adapter"), need("adapter.type", "lora");
  if (constexpr const char* waits = "adapter.alora.invocation_tokens"; file.has(waits))
    throw Error(Kind::unsupported, say("the adapter wants what madang does not do: {}", shown(waits))).at(file.path());
}

// [r, in] and [out, r], or stacks of such; one a may serve a whole stack.
void check_shapes(const Gguf& file, const std::string& name, const Factors& f) {
  const std::vector<int64_t>&a = f.a->shape, &b = f.b->shape;
  const bool fit = a.size() >= 2 && a.size() <= 3 && b.size() >= 2 && b.size() <= 3 && a.end()[-2] == b.back() &&
                   b.back() > 0 && (a.size() == 2 || a[0] == 1 || (b.size() == 3 && a[0] == b[0]));
  if (!fit)
    throw Error(Kind::mismatch, say("the adapter does not fit {}", shown(name)))
        .at(file.path())
        .expected("[r, in], [out, r]")
        .found(fmt::format("{}, {}", f.a->shape_text(), f.b->shape_text()));
}

AllFactors factors_of(const Gguf& file) {
  check_kind(file);
  AllFactors all;
  for (const StoredTensor& t : file.tensors()) {
    const bool a = t.name.ends_with(a_ending), b = t.name.ends_with(b_ending);
    if (!(a || b) || !t.format)
      throw Error(Kind::unsupported, say("tensor {} is no part of an adapter that madang knows", shown(t.name)))
          .at(file.path())
          .expected("*.lora_a, *.lora_b")
          .found(fmt::format("{} {}", t.type_name(), t.shape_text()));
    Factors& f = all[t.name.substr(0, t.name.size() - a_ending.size())];
    (a ? f.a : f.b) = &t;
  }
  for (const auto& [name, f] : all) {
    if (!f.a || !f.b)
      throw Error(Kind::missing, say("there is no tensor {}", shown(name + std::string(f.a ? b_ending : a_ending))))
          .at(file.path());
    check_shapes(file, name, f);
  }
  if (all.empty())
    throw Error(Kind::missing, say("there is no adapter in the file")).at(file.path()).expected("*.lora_a, *.lora_b");
  return all;
}

Buffer decoded(const StoredTensor& t, Shape shape) {
  Buffer values(DType::f32, shape);
  t.decode(values.f32());
  return values;
}

std::string escaped(const std::string& name) {
  std::string pattern;
  for (const char c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

// For each expert: from one for all, or from [experts, r, in], which is peft's [experts * r, in].
Buffer stacked_a(const StoredTensor& t, int64_t experts) {
  const int64_t rank = t.shape.end()[-2], in = t.shape.back(), has = t.shape.size() == 3 ? t.shape[0] : 1;
  const Buffer own = decoded(t, {has * rank, in});
  if (has == experts) return own;
  Buffer all(DType::f32, {experts * rank, in});
  for (int64_t e = 0; e < experts; ++e) std::copy_n(own.f32(), rank * in, all.f32() + e * rank * in);
  return all;
}

// [experts, out, r] as peft keeps it: [out, r * experts], the expert running fastest.
Buffer stacked_b(const StoredTensor& t) {
  const int64_t experts = t.shape[0], out = t.shape[1], rank = t.shape[2];
  const Buffer own = decoded(t, {experts * out, rank});
  Buffer all(DType::f32, {out, rank * experts});
  for (int64_t e = 0; e < experts; ++e)
    for (int64_t i = 0; i < out; ++i)
      for (int64_t k = 0; k < rank; ++k) all.view().row(i)[k * experts + e] = own.view().row(e * out + i)[k];
  return all;
}

}  // namespace

Json gguf_adapter_config(const std::string& path) {
  const Gguf file(path);
  const AllFactors all = factors_of(file);
  const double alpha = file.real("adapter.lora.alpha", 0);
  const int64_t rank = all.begin()->second.rank();
  // Without an alpha llama.cpp adds the plain product.
  Json config = {{"peft_type", "LORA"},
                 {"r", rank},
                 {"lora_alpha", alpha != 0 ? alpha : static_cast<double>(rank)},
                 {"rank_pattern", Json::object()},
                 {"alpha_pattern", Json::object()},
                 {adapter_architecture, std::string(file.architecture())}};
  for (const auto& [name, f] : all) {
    if (f.rank() == rank) continue;
    const std::string pattern = escaped(name) + "\\.?";  // of experts the parameter, which has no name, follows
    config["rank_pattern"][pattern] = f.rank();
    if (alpha == 0) config["alpha_pattern"][pattern] = f.rank();
  }
  return config;
}

std::map<std::string, Parameter, std::less<>> gguf_adapter_factors(const std::string& path) {
  const Gguf file(path);
  std::map<std::string, Parameter, std::less<>> all;
  for (const auto& [name, f] : factors_of(file)) {
    const bool stack = f.b->shape.size() == 3;
    const int64_t experts = stack ? f.b->shape[0] : 1;
    all[name + ".lora_A.weight"] = {f.a->name, stacked_a(*f.a, experts)};
    all[name + ".lora_B.weight"] = {f.b->name, stack ? stacked_b(*f.b) : decoded(*f.b, {f.b->shape[0], f.b->shape[1]})};
  }
  return all;
}

}  // namespace madang
