#include "train/merge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/new_folder.h"
#include "base/stop.h"
#include "models/model.h"
#include "store/bounds.h"
#include "store/safetensors.h"
#include "store/scope.h"
#include "tensor/half.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

// Work of one tensor at a time: what is to be written, and where the work stands.
class Merging {
 public:
  Merging(const Source& base, std::string folder, const OnProgress& progress)
      : base_(base), folder_(std::move(folder)), progress_(progress) {
    std::error_code fault;
    if (fs::equivalent(base.folder(), folder_, fault))
      throw Error(Kind::refused, say("the merged model would lie on its own base")).at(folder_);
  }

  using Make = std::function<std::vector<float>(const StoredTensor&)>;
  /// Writes every tensor of the base, made where dtype_of names a type for it, and copies the rest of its folder.
  void write(const std::function<std::optional<DType>(const StoredTensor&)>& dtype_of, const Make& make) {
    NewFolder folder(folder_);
    const auto type = [&](const StoredTensor* t) { return dtype_of(*t).value_or(t->dtype); };
    std::vector<const StoredTensor*> order;  // wide elements first, so that all are aligned
    for (int64_t size : {8, 4, 2, 1})
      for (const StoredTensor& t : base_.tensors())
        if (size_of(type(&t)) == size) order.push_back(&t);
    SafetensorsWriter out((fs::path(folder.draft()) / "model.safetensors").string());
    Progress progress{say("merging"), 0, 0, true};
    for (const StoredTensor* t : order) {
      out.declare(t->name, type(t), t->shape);
      progress.total += t->numel() * size_of(type(t));
    }
    out.begin({{"format", "pt"}});
    for (const StoredTensor* t : order) {
      if (const auto made = dtype_of(*t))
        put(out, make(*t), *made);
      else
        out.write(t->bytes);
      if (t->file) t->file->release(t->bytes);
      progress.done += t->numel() * size_of(type(t));
      tell(progress_, progress, folder_);
    }
    copy_rest(folder.draft());
    out.finish();
    folder.finish(names_weights);
  }

 private:
  static void put(SafetensorsWriter& out, const std::vector<float>& values, DType dtype) {
    if (dtype == DType::f32) {
      out.write({reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
      return;
    }
    std::vector<uint16_t> narrow(values.size());
    std::ranges::transform(values, narrow.begin(), dtype == DType::f16 ? half_of_float : bf16_of_float);
    out.write({reinterpret_cast<const uint8_t*>(narrow.data()), narrow.size() * sizeof(uint16_t)});
  }

  // Configuration, tokenizer, template, licence: what lies beside the weights and is neither weights nor their index.
  void copy_rest(const std::string& folder) const {
    std::error_code fault;
    for (const auto& entry : fs::directory_iterator(base_.folder())) {
      const std::string name = entry.path().filename().string(), kind = entry.path().extension().string();
      const bool text = kind == ".json" || kind == ".jinja" || kind == ".txt" || kind == ".model" || kind == ".md" ||
                        name.starts_with("LICEN");
      if (!entry.is_regular_file(fault) || !text || name.ends_with(".index.json")) continue;
      fs::copy_file(entry.path(), fs::path(folder) / name, fs::copy_options::overwrite_existing, fault);
      if (fault) cannot_write((fs::path(folder) / name).string(), fault.value());
    }
  }

  const Source& base_;
  std::string folder_;
  const OnProgress& progress_;
};

std::vector<float> decoded(const StoredTensor& t) {
  std::vector<float> values(static_cast<size_t>(t.numel()));
  t.format->decode(t.bytes.data(), t.numel(), values.data());
  return values;
}

// Row `r` of scale b a.
void add_row(const AdapterPart& l, int64_t r, float* to) {
  std::vector<float> sum(static_cast<size_t>(l.a.cols));
  for (int64_t k = 0; k < l.a.rows; ++k)
    for (int64_t i = 0; i < l.a.cols; ++i)
      sum[static_cast<size_t>(i)] += l.b.f32()[r * l.b.cols + k] * l.a.f32()[k * l.a.cols + i];
  for (int64_t i = 0; i < l.a.cols; ++i) to[i] += l.scale * sum[static_cast<size_t>(i)];
}

}  // namespace

bool is_plain_repository(const Source& source) {
  return source.layout() == Layout::hugging_face &&
         std::ranges::none_of(source.tensors(), [](const StoredTensor& t) { return t.recipe != nullptr; });
}

void merge_matrix(const AdaptedMatrix& m, ThreadPool& pool, const std::function<float&(int64_t, int64_t)>& element) {
  const AdapterPart& l = *m.low_rank;
  pool.parallel(l.b.rows, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<size_t>(l.a.cols));
    for (int64_t r = begin; r < end; ++r) {
      const auto at = [&](size_t i) -> float& {
        const auto column = static_cast<int64_t>(i);
        return l.turned ? element(column, r) : element(r, column);
      };
      for (size_t i = 0; i < row.size(); ++i) row[i] = at(i);
      add_row(l, r, row.data());
      if (l.magnitude.view()) {  // every row brought to its length
        double sum = 0;
        for (float v : row) sum += static_cast<double>(v) * v;
        const float factor = l.magnitude.f32()[r] / static_cast<float>(std::sqrt(sum));
        for (float& v : row) v *= factor;
      }
      for (size_t i = 0; i < row.size(); ++i) at(i) = row[i];
    }
  });
}

void merge_adapter(const std::string& base, const std::string& adapter, const std::string& out, const Format& type,
                   ThreadPool& pool, const OnProgress& progress) {
  if (type.block != 1)
    throw Error(Kind::unsupported, say("safetensors folders hold plain floats")).found(std::string(type.name));
  const DType dtype = &type == &f32_format ? DType::f32 : &type == &f16_format ? DType::f16 : DType::bf16;
  const auto source = open_source(base);
  Merging merging(*source, out, progress);
  const Config config = source->config();
  const WeightStore store(source, config, Hold::mapped, Adapter::read(adapter, Adapter::Use::answer));
  const auto model = build_model(config, store.root());  // whose layers say what they take
  store.finish();
  std::map<std::string, std::vector<const AdaptedMatrix*>, std::less<>> adapted;
  for (const AdaptedMatrix& m : store.adapted()) adapted[store.places(m).tensor->name].push_back(&m);
  merging.write([&](const StoredTensor& t) { return adapted.contains(t.name) ? std::optional(dtype) : std::nullopt; },
                [&](const StoredTensor& t) {
                  std::vector<float> values = decoded(t);
                  for (const AdaptedMatrix* m : adapted.find(t.name)->second) {
                    const StoredPlaces places = store.places(*m);
                    merge_matrix(*m, pool, [&](int64_t row, int64_t column) -> float& {
                      return values[places.at[static_cast<size_t>(row * m->cols + column)]];
                    });
                  }
                  return values;
                });
}

namespace {

// Weights of a and b: (1 - t, t) on the line; on the arc sin((1 - t) angle) / sin(angle) and sin(t angle) / sin(angle).
std::pair<double, double> shares(const std::vector<float>& a, const std::vector<float>& b, Mix mix, double t) {
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    aa += x * x, bb += y * y, ab += x * y;
  }
  const double cosine = std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
  // Nearly parallel, the arc is the line to float32's precision, and the sine loses digits.
  if (mix == Mix::linear || !(std::abs(cosine) < 0.9995)) return {1 - t, t};
  const double angle = std::acos(cosine);
  return {std::sin((1 - t) * angle) / std::sin(angle), std::sin(t * angle) / std::sin(angle)};
}

}  // namespace

void mix_values(std::vector<float>& a, const std::vector<float>& b, Mix mix, double t) {
  const auto [mine, other] = shares(a, b, mix, t);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = static_cast<float>(mine * static_cast<double>(a[i]) + other * static_cast<double>(b[i]));
}

namespace {

void require_same(const Source& a, const Source& b) {
  if (a.config().architecture() != b.config().architecture())
    throw Error(Kind::mismatch, say("the models are of different architectures"))
        .at(b.path())
        .expected(a.config().architecture())
        .found(b.config().architecture());
  for (const Source* one : {&a, &b})
    for (const StoredTensor& t : one->tensors()) {
      const StoredTensor* other = (one == &a ? b : a).find(t.name);
      if (!other || other->shape != t.shape)
        throw Error(Kind::mismatch, say("the models differ in tensor {}", shown(t.name)))
            .at((one == &a ? b : a).path())
            .expected(t.shape_text())
            .found(other ? other->shape_text() : "-");
    }
}

}  // namespace

void mix_checkpoints(const std::string& a, const std::string& b, const std::string& out, Mix mix, double t,
                     const OnProgress& progress) {
  const auto first = open_source(a), second = open_source(b);
  require_same(*first, *second);
  const auto plain = [](const StoredTensor* x) { return x->format && !x->recipe && x->format->block == 1; };
  Merging(*first, out, progress)
      .write(
          [&](const StoredTensor& x) -> std::optional<DType> {
            const StoredTensor* y = second->find(x.name);
            if (plain(&x) && plain(y)) return x.dtype;
            if (std::ranges::equal(x.bytes, y->bytes)) return std::nullopt;  // indices and such
            throw Error(Kind::unsupported, say("tensor {} has a type that is no weight", shown(x.name)))
                .at(first->path())
                .expected("F32, F16, BF16")
                .found(fmt::format("{}, {}", x.type_name(), y->type_name()));
          },
          [&](const StoredTensor& x) {
            const StoredTensor* y = second->find(x.name);
            std::vector<float> from = decoded(x);
            mix_values(from, decoded(*y), mix, t);
            if (y->file) y->file->release(y->bytes);
            return from;
          });
}

}  // namespace madang
