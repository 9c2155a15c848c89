#include "models/decoder.h"

#include "base/error.h"

namespace madang {
namespace {

[[noreturn]] void refuse(const char* key, int64_t value, std::string wanted) {
  throw Error(Kind::format, say("the configuration's {} cannot be", key))
      .expected(std::move(wanted))
      .found(std::to_string(value));
}

// GGUF: divisors of the rotary frequencies, beside the weights.
std::vector<float> rope_factors(const Scope& scope, int64_t n) {
  if (!scope.has("rope_freqs.weight")) return {};
  Buffer stored = scope.vector("rope_freqs.weight", n);
  return {stored.f32(), stored.f32() + n};
}

}  // namespace

TrunkShape::TrunkShape(const Config& c, std::string_view eps_key)
    : vocabulary(c.integer("vocab_size")),
      width(c.integer("hidden_size")),
      layers(static_cast<int>(c.integer("num_hidden_layers"))),
      eps(static_cast<float>(c.real(eps_key))),
      tied(c.flag("tie_word_embeddings")) {}

Norm TrunkShape::norm(const Scope& scope) const {
  if (norm_kind == NormKind::rms) return RmsNorm(scope, width, eps, norm_offset);
  return LayerNorm(scope, width, eps, norm_kind == NormKind::layer);
}

std::span<const int32_t> places_of(Ctx& c, const Step& step, int64_t most) {
  auto* places = c.arena.take_array<int32_t>(step.tokens());
  for (const Segment& s : step.segments) {
    if (s.start + s.length > most)
      throw Error(Kind::limit, say("the model has no embeddings for so many positions"))
          .expected(fmt::format("<= {}", most))
          .found(std::to_string(s.start + s.length));
    for (int64_t t = 0; t < s.length; ++t) places[s.offset + t] = static_cast<int32_t>(s.start + t);
  }
  return {places, static_cast<size_t>(step.tokens())};
}

TransformerShape::TransformerShape(const Config& c, const Scope& scope, std::string_view eps_key)
    : TrunkShape(c, eps_key),
      hidden(c.integer("intermediate_size")),
      max_positions(c.integer("max_position_embeddings")),
      heads(static_cast<int>(c.integer("num_attention_heads"))),
      kv_heads(static_cast<int>(c.integer("num_key_value_heads"))),
      act(act_of(c, c.has("hidden_act") ? "hidden_act" : "hidden_activation")),
      qkv_bias(c.flag("attention_bias", false)),
      out_bias(qkv_bias),
      mlp_bias(c.flag("mlp_bias", false)),
      window(c.integer("sliding_window", 0)),
      kinds(c.layer_types()) {
  norm_offset = static_cast<float>(c.real("rms_norm_offset", 0.0));
  if (heads < 1) refuse("num_attention_heads", heads, ">= 1");
  if (kv_heads < 1 || heads % kv_heads != 0)
    refuse("num_key_value_heads", kv_heads, fmt::format("a divisor of {}", heads));
  head_dim = static_cast<int>(c.integer("head_dim", width / heads));
  if (head_dim < 1) refuse("head_dim", head_dim, ">= 1");
  if (static_cast<int>(kinds.size()) != layers)
    refuse("layer_types", static_cast<int64_t>(kinds.size()), fmt::format("{} entries", layers));
  const std::vector<float> factors = rope_factors(scope, head_dim / 2);
  for (const std::string& kind : kinds)
    if (!ropes.contains(kind)) ropes.emplace(kind, Rope(c.rope(kind), head_dim, max_positions, factors));
}

Attention::Shape TransformerShape::attention(int layer) const {
  Attention::Shape s;
  s.width = width, s.heads = heads, s.kv_heads = kv_heads, s.head_dim = head_dim;
  s.window = kinds[static_cast<size_t>(layer)] == "sliding_attention" ? window : 0;
  s.qkv_bias = qkv_bias, s.out_bias = out_bias;
  s.scale = attention_scale, s.softcap = attention_softcap;
  s.head_norm = head_norm, s.wide_norm = wide_norm;
  s.norm = norm_kind, s.norm_eps = eps, s.norm_offset = norm_offset;
  s.paired = paired, s.fused = fused, s.names = attention_names;
  return s;
}

Positions TransformerShape::positions(Ctx& c, const Step& step) const {
  Positions all;
  for (const auto& [kind, rope] : ropes) all.add(kind, rope(c, step));
  for (size_t i = 0; alibi && i < kinds.size(); ++i) all.add(kinds[i], (*alibi)(c, step));
  for (size_t i = 0; i < kinds.size(); ++i)
    all.add_layer(kinds[i], (alibi || !ropes.empty()) && (i >= rotates.size() || rotates[i] != 0));
  return all;
}

}  // namespace madang
