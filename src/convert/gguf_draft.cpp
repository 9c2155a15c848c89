#include "convert/gguf_draft.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "convert/text_parts.h"
#include "store/config_to_gguf.h"

namespace madang {
namespace {

uint32_t file_type_of(const ConvertPlan& plan) {
  // llama.cpp's ftype of the widest tensors; it is shown and decides nothing.
  const Format* main = &f32_format;
  int64_t most = 0;
  for (const ConvertedTensor& t : plan.tensors)
    if (t.placement.shape.size() > 1 && t.bytes > most) most = t.bytes, main = t.format;
  if (main == &f32_format) return 0;
  if (main == &f16_format) return 1;
  if (main == &bf16_format) return 32;
  return main->name == "Q8_0" ? 7 : main->name == "Q4_K" ? 15 : main->name == "Q6_K" ? 18 : 1;
}

/// The header as readers see it: a file of it alone, in memory and without a name.
std::shared_ptr<const Gguf> read_header(const std::string& bytes) {
  const struct File {
    int number;
    ~File() { close(number); }
  } file{memfd_create("GGUF", MFD_CLOEXEC)};
  if (write(file.number, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw Error(Kind::io, say("cannot write the file: {}", std::strerror(errno))).at("memfd");
  return std::make_shared<Gguf>(fmt::format("/proc/self/fd/{}", file.number));
}

std::shared_ptr<const Gguf> metadata_of(const ConvertPlan& plan) {
  const Checkpoint& c = *plan.checkpoint;
  GgufHeader out(c.path());
  out.put("general.architecture", gguf_architecture(plan.config));
  out.put("general.type", "model");
  out.put("general.name", c.name());
  if (!c.licence().empty()) out.put("general.license", c.licence());
  out.put("general.quantization_version", uint32_t{2});
  out.put("general.file_type", file_type_of(plan));
  write_config(out, plan.config);
  write_text_parts(out, plan.options.tokenizer ? text_parts_of(c) : TextParts{}, c);
  return read_header(out.bytes());
}

DraftTensor rope_tensor(RopeTensor rope) {
  DraftTensor t{rope.name, {static_cast<int64_t>(rope.values.size())}, &f32_format, &f32_format, {}};
  StoredTensor made{.name = t.name, .format = &f32_format, .dtype = DType::f32, .shape = t.shape};
  const auto values = std::make_shared<const std::vector<float>>(std::move(rope.values));
  made.bytes = {reinterpret_cast<const uint8_t*>(values->data()), values->size() * sizeof(float)}, made.owner = values;
  t.parts = [made](const auto& take) { take(made); };
  return t;
}

/// Names of the matrices, where they have the columns that they have here.
std::vector<std::string> sources_of(const Placement& p) {
  std::vector<std::string> names;
  if (moves_rows_only(p))
    for (const NamedShape& w : p.weights) names.push_back(w.name);
  return names;
}

}  // namespace

GgufDraft gguf_draft(const ConvertPlan& plan) {
  GgufDraft draft{metadata_of(plan), {}, {}};
  for (RopeTensor& rope : rope_tensors(plan.config)) draft.tensors.push_back(rope_tensor(std::move(rope)));
  for (const ConvertedTensor& t : plan.tensors) {
    draft.tensors.push_back({t.placement.name, t.placement.shape, t.from, t.format,
                             [placement = t.placement, config = plan.config, weights = plan.weights](const auto& take) {
                               put_together(placement, config, weights, take);
                             }});
    draft.tensors.back().sources = sources_of(t.placement);
  }
  draft.check = [store = plan.store, config = plan.config](const std::string& written) {
    store->finish();  // nothing that the source holds was left behind
    same_in_gguf(config, Gguf(written).config());
  };
  return draft;
}

GgufDraft open_as_gguf(const std::string& path) {
  const auto source = open_source(path);
  if (source->gguf()) return gguf_draft(std::static_pointer_cast<const Gguf>(source));
  return gguf_draft(plan_convert(Checkpoint::open(path, {.weights = false}), ".gguf", {}));
}

}  // namespace madang
