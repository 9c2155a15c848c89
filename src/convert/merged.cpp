#include "convert/merged.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "store/bounds.h"

namespace madang {
namespace {

/// The numbers of a weight, in memory of their own.
std::vector<float> values_of(const StoredTensor& t) {
  std::vector<float> values(static_cast<size_t>(t.numel()));
  t.decode(values.data());
  return values;
}

StoredTensor with_values(StoredTensor t, std::vector<float> values) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  t.format = &f32_format, t.dtype = DType::f32, t.order = nullptr, t.file = nullptr, t.owner = owner;
  t.bytes = {reinterpret_cast<const uint8_t*>(owner->data()), owner->size() * sizeof(float)};
  return t;
}

/// What each layer's matrix is given, found by building the model on names alone.
std::vector<AdaptedMatrix> adapted_matrices(const Checkpoint& base, const std::string& adapter) {
  const auto read = Adapter::read(adapter, Adapter::Use::answer);
  const WeightStore names(base.shared_source(), base.config(), Hold::named, read);
  build_model(base.config(), names.root());
  read->finish();
  return names.adapted();
}

void set_format(ConvertedTensor& t, const Format& from, const Format& format) {
  int64_t numel = 1;
  for (int64_t n : t.placement.shape) numel *= n;
  t.from = &from, t.format = t.placement.shape.back() % format.block == 0 ? &format : &f16_format;
  t.bytes = t.format->row_bytes(numel);
}

}  // namespace

ConvertPlan plan_merge(std::shared_ptr<const Checkpoint> base, const std::string& adapter, const std::string& path,
                       const Format* type, ThreadPool& pool) {
  std::map<std::string, AdaptedMatrix, std::less<>> adapted;
  for (AdaptedMatrix& m : adapted_matrices(*base, adapter)) adapted.emplace(m.name, m);
  ConvertPlan plan = plan_convert(std::move(base), path, {});
  const auto changes = [&](const NamedShape& w) { return adapted.contains(w.name); };
  for (ConvertedTensor& t : plan.tensors)
    if (std::ranges::any_of(t.placement.weights, changes)) set_format(t, f32_format, type ? *type : f32_format);
  plan.arrange();
  plan.weights = [whole = plan.weights, adapted, &pool](const NamedShape& w) {
    StoredTensor t = whole(w);
    const auto found = adapted.find(w.name);
    if (found == adapted.end()) return t;
    const AdaptedMatrix& m = found->second;
    std::vector<float> values = values_of(t);
    merge_matrix(m, pool, [&](int64_t row, int64_t column) -> float& {
      return values[static_cast<size_t>(row * m.cols + column)];
    });
    return with_values(std::move(t), std::move(values));
  };
  return plan;
}

ConvertPlan plan_mix(std::shared_ptr<const Checkpoint> a, std::shared_ptr<const Checkpoint> b, const std::string& path,
                     Mix mix, double t, const Format* type) {
  if (a->config().architecture() != b->config().architecture())
    throw Error(Kind::mismatch, say("the models are of different architectures"))
        .at(b->path())
        .expected(a->config().architecture())
        .found(b->config().architecture());
  ConvertPlan plan = plan_convert(std::move(a), path, {.type = type});
  const ConvertPlan other = plan_convert(std::move(b), path, {});
  for (ConvertedTensor& x : plan.tensors) {
    const auto y = std::ranges::find(other.tensors, x.placement.name, [](auto& one) { return one.placement.name; });
    if (y == other.tensors.end() || y->placement.shape != x.placement.shape)
      throw Error(Kind::mismatch, say("the models differ in tensor {}", shown(x.placement.name)))
          .at(other.checkpoint->path())
          .expected(shape_text(x.placement.shape))
          .found(y == other.tensors.end() ? "-" : shape_text(y->placement.shape));
    if (x.placement.shape.size() > 1) set_format(x, f32_format, !type && x.format->block != 1 ? f16_format : *x.format);
  }
  plan.arrange();
  plan.weights = [first = plan.weights, second = other.weights, mix, t](const NamedShape& w) {
    const StoredTensor x = first(w), y = second(w);
    std::vector<float> values = values_of(x);
    mix_values(values, values_of(y), mix, t);
    for (const StoredTensor* one : {&x, &y})
      if (one->file) one->file->release(one->bytes);
    return with_values(x, std::move(values));
  };
  return plan;
}

}  // namespace madang
