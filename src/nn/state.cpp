#include "nn/state.h"

#include <algorithm>
#include <cstring>

namespace madang {

int64_t StateSpec::bytes_per_token(KvType asked) const {
  const KvType type = KvState::kept_type(*this, asked);
  return kv_heads * (kv_head_bytes(type, key_dim) + kv_head_bytes(type, value_dim));
}

int64_t StateSpec::bytes_at(KvType type, int64_t length) const {
  switch (kind) {
    case StateKind::none:
      return 0;
    case StateKind::paged:
    case StateKind::latent:
      return bytes_per_token(type) * length;
    case StateKind::rolling:
      return bytes_per_token(type) * std::min(length, window);
    case StateKind::recurrent:
      return floats * static_cast<int64_t>(sizeof(float));
  }
  return 0;
}

std::shared_ptr<KvState::Page> KvState::make_page() const {
  auto page = std::make_shared<Page>();
  page->keys = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(spec_.kv_heads * key_step()));
  page->values = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(spec_.kv_heads * value_step()));
  return page;
}

KvState::Page& KvState::writable(size_t index) {
  if (index == pages_.size()) {
    pages_.push_back(make_page());
  } else if (pages_[index].use_count() > 1) {
    auto copy = make_page();
    std::memcpy(copy->keys.get(), pages_[index]->keys.get(), static_cast<size_t>(spec_.kv_heads * key_step()));
    std::memcpy(copy->values.get(), pages_[index]->values.get(), static_cast<size_t>(spec_.kv_heads * value_step()));
    pages_[index] = std::move(copy);
  } else {
    return *pages_[index];
  }
  key_pages_.resize(pages_.size()), value_pages_.resize(pages_.size());
  key_pages_[index] = pages_[index]->keys.get(), value_pages_[index] = pages_[index]->values.get();
  return *pages_[index];
}

namespace {

// Number d of a key to row d of kv_block positions.
template <class Number>
void spread(const std::byte* key, int64_t dim, std::byte* to) {
  for (int64_t d = 0; d < dim; ++d)
    std::memcpy(to + d * kv_block * static_cast<int64_t>(sizeof(Number)),
                key + d * static_cast<int64_t>(sizeof(Number)), sizeof(Number));
}

}  // namespace

void KvState::append(const Kernels& kernels, const float* keys, const float* values, int64_t n) {
  const int64_t number = kv_head_bytes(type_, 1);
  std::vector<std::byte> encoded(static_cast<size_t>(key_row()));
  for (int64_t i = 0; i < n; ++i, ++length_) {
    Page& page = writable(static_cast<size_t>(length_ / kv_block - first_block_));
    const int64_t place = length_ % kv_block;
    for (int64_t h = 0; h < spec_.kv_heads; ++h, keys += spec_.key_dim) {
      std::byte* head = page.keys.get() + h * key_step();
      if (columns()) {
        kernels.kv_encode(type_, keys, spec_.key_dim, encoded.data());
        std::byte* to = head + place * number;
        number == 4 ? spread<float>(encoded.data(), spec_.key_dim, to)
                    : spread<uint16_t>(encoded.data(), spec_.key_dim, to);
      } else {
        kernels.kv_encode(type_, keys, spec_.key_dim, head + place * key_row());
      }
      if (spec_.value_dim == 0) continue;
      kernels.kv_encode(type_, values, spec_.value_dim, page.values.get() + h * value_step() + place * value_row());
      values += spec_.value_dim;
    }
  }
}

void KvState::forget_before(int64_t next) {
  if (spec_.kind != StateKind::rolling) return;
  const int64_t keep = std::max<int64_t>(0, next - spec_.window + 1) / kv_block;
  const auto gone = std::clamp<int64_t>(keep - first_block_, 0, static_cast<int64_t>(pages_.size()));
  pages_.erase(pages_.begin(), pages_.begin() + gone);
  key_pages_.erase(key_pages_.begin(), key_pages_.begin() + gone);
  value_pages_.erase(value_pages_.begin(), value_pages_.begin() + gone);
  first_block_ += gone;
}

bool KvState::truncate(int64_t length) {
  if (length > length_) return false;
  // A query at `length` may look back a whole window: all of that must still be here.
  const int64_t needed = spec_.kind == StateKind::rolling ? std::max<int64_t>(0, length - spec_.window + 1) : 0;
  if (needed < first_block_ * kv_block) return false;
  length_ = length;
  const auto keep = static_cast<size_t>(std::max<int64_t>(0, (length + kv_block - 1) / kv_block - first_block_));
  pages_.resize(std::min(keep, pages_.size()));
  key_pages_.resize(pages_.size()), value_pages_.resize(pages_.size());
  return true;
}

KvPages KvState::pages() const {
  KvPages pages{.type = type_,
                .keys = key_pages_.data(),
                .values = value_pages_.data(),
                .first_block = first_block_,
                .key_row = key_row(),
                .value_row = value_row(),
                .key_step = key_step(),
                .value_step = value_step(),
                .columns = columns()};
  // Values are the first numbers of the keys.
  if (spec_.kind == StateKind::latent)
    pages.values = pages.keys, pages.value_row = key_row(), pages.value_step = key_step();
  return pages;
}

int64_t KvState::bytes() const {
  return static_cast<int64_t>(pages_.size()) * spec_.kv_heads * (key_step() + value_step());
}

bool RecurrentState::truncate(int64_t length) {
  if (length == length_) return true;
  if (length != 0) return false;
  std::fill(values_.begin(), values_.end(), 0.0f);
  length_ = 0;
  return true;
}

std::unique_ptr<LayerState> make_state(const StateSpec& spec, KvType type) {
  switch (spec.kind) {
    case StateKind::none:
      return nullptr;
    case StateKind::paged:
    case StateKind::latent:
    case StateKind::rolling:
      return std::make_unique<KvState>(spec, type);
    case StateKind::recurrent:
      return std::make_unique<RecurrentState>(spec.floats);
  }
  return nullptr;
}

SequenceState::SequenceState(std::span<const StateSpec> specs, KvType type, int64_t most) : limit(most) {
  for (const StateSpec& spec : specs) layers.push_back(make_state(spec, type));
}

SequenceState SequenceState::fork() const {
  SequenceState copy;
  copy.length = length, copy.limit = limit;
  for (const auto& layer : layers) copy.layers.push_back(layer ? layer->fork() : nullptr);
  return copy;
}

bool SequenceState::truncate(int64_t to) {
  for (auto& layer : layers)
    if (layer && !layer->truncate(to)) return false;
  length = to;
  return true;
}

Past SequenceState::begin_tentative() {
  Past past{.length = length, .layers = {}};
  for (const auto& layer : layers) past.layers.push_back(layer ? layer->past() : nullptr);
  tentative = length;
  return past;
}

void SequenceState::settle(Past past, int64_t to) {
  tentative = std::numeric_limits<int64_t>::max();
  if (to == length) return;
  if (std::ranges::any_of(past.layers, [](const auto& layer) { return layer != nullptr; })) to = past.length;
  for (size_t i = 0; i < layers.size(); ++i)
    if (past.layers[i])
      layers[i] = std::move(past.layers[i]);
    else if (layers[i])
      layers[i]->truncate(to);  // pages that past.length looks back on are still there
  length = to;
}

int64_t SequenceState::bytes() const {
  int64_t total = 0;
  for (const auto& layer : layers) total += layer ? layer->bytes() : 0;
  return total;
}

}  // namespace madang
