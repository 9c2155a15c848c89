// What a layer remembers of a sequence, behind one interface. A layer declares a StateSpec; the engine builds the
// states; training runs without any. States are owned by one sequence; pages may be shared by forks and are copied
// on write. Not thread safe: one step at a time.
#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "kernels/table.h"
#include "tensor/tensor.h"

namespace madang {

enum class StateKind {
  none,       ///< remembers nothing
  paged,      ///< keys and values of every position
  latent,     ///< one row for every position, whose first numbers are the value too
  rolling,    ///< keys and values of the last `window` positions, and at most one page more
  recurrent,  ///< a fixed number of floats, and the last inputs of a convolution
};

struct StateSpec {
  StateKind kind = StateKind::none;
  int64_t kv_heads = 0, key_dim = 0, value_dim = 0;  // paged, rolling; latent: value_dim is 0, nothing more is kept
  int64_t window = 0;                                // rolling
  int64_t floats = 0;                                // recurrent: all of the layer's numbers

  int64_t bytes_per_token(KvType type) const;  ///< while it grows (0 once a window is full, and for recurrent)
  int64_t bytes_at(KvType type,
                   int64_t length) const;  ///< held by a sequence of `length` tokens, without page rounding
};

class LayerState {
 public:
  virtual ~LayerState() = default;
  /// A second owner of the same past: cheap for pages (shared until written), a copy for recurrent states.
  virtual std::unique_ptr<LayerState> fork() const = 0;
  /// Forgets all positions from `length` on; false if that past is no longer (or never was) held.
  virtual bool truncate(int64_t length) = 0;
  /// What going back to here will take beyond truncate(): a copy; null if truncate() does it.
  virtual std::unique_ptr<LayerState> past() const { return nullptr; }
  virtual int64_t held_tokens() const = 0;  ///< positions held (recurrent: 0)
  virtual int64_t bytes() const = 0;        ///< memory, shared pages counted in full
};

/// Keys and values in pages of kv_block positions; with a window, pages behind it are given back.
class KvState : public LayerState {
 public:
  /// Latents are never kept in q8, whose rows do not begin as shorter rows do: f16 then.
  KvState(const StateSpec& spec, KvType type) : spec_(spec), type_(kept_type(spec, type)) {}
  static KvType kept_type(const StateSpec& spec, KvType type) {
    return spec.kind == StateKind::latent && type == KvType::q8 ? KvType::f16 : type;
  }

  std::unique_ptr<LayerState> fork() const override { return std::make_unique<KvState>(*this); }
  bool truncate(int64_t length) override;
  int64_t held_tokens() const override { return length_ - first_block_ * kv_block; }
  int64_t bytes() const override;

  int64_t length() const { return length_; }
  /// Appends n rows of keys [kv_heads * key_dim] and values at the end.
  void append(const Kernels& kernels, const float* keys, const float* values, int64_t n);
  /// Drops pages that no query from position `next` on can see.
  void forget_before(int64_t next);
  KvPages pages() const;

 private:
  struct Page {
    std::unique_ptr<std::byte[]> keys, values;
  };
  Page& writable(size_t index);
  std::shared_ptr<Page> make_page() const;
  bool columns() const { return spec_.kind != StateKind::latent && type_ != KvType::q8; }  ///< as in KvPages
  // A page is one head after the other, so that what one head reads is a piece. As in KvPages:
  int64_t key_row() const { return kv_head_bytes(type_, spec_.key_dim); }
  int64_t value_row() const { return kv_head_bytes(type_, spec_.value_dim); }
  int64_t key_step() const { return kv_block * key_row(); }
  int64_t value_step() const { return kv_block * value_row(); }

  StateSpec spec_;
  KvType type_;
  int64_t length_ = 0, first_block_ = 0;
  std::vector<std::shared_ptr<Page>> pages_;
  // Page addresses as kernels take them, rebuilt when pages change.
  std::vector<const std::byte*> key_pages_, value_pages_;
};

/// A fixed number of floats, whatever the length.
class RecurrentState : public LayerState {
 public:
  explicit RecurrentState(int64_t floats) : values_(static_cast<size_t>(floats), 0.0f) {}

  std::unique_ptr<LayerState> fork() const override { return std::make_unique<RecurrentState>(*this); }
  bool truncate(int64_t length) override;  ///< only to where it stands, or to the very beginning
  std::unique_ptr<LayerState> past() const override { return fork(); }
  int64_t held_tokens() const override { return 0; }
  int64_t bytes() const override { return static_cast<int64_t>(values_.size() * sizeof(float)); }

  float* values() { return values_.data(); }
  void advance(int64_t n) { length_ += n; }

 private:
  std::vector<float> values_;
  int64_t length_ = 0;
};

std::unique_ptr<LayerState> make_state(const StateSpec& spec, KvType type);

/// Where a sequence stands, for itself to go back to: only what its layers could not find again.
struct Past {
  int64_t length = 0;
  std::vector<std::unique_ptr<LayerState>> layers;
};

/// All layers' memory of one sequence. `limit` is the length the sequence may reach, stated when it opens: rotary
/// factors that depend on length follow it, so they never change on the way.
struct SequenceState {
  std::vector<std::unique_ptr<LayerState>> layers;
  int64_t length = 0, limit = 0;
  int64_t tentative = std::numeric_limits<int64_t>::max();  ///< positions from here on may be taken back

  SequenceState() = default;
  SequenceState(std::span<const StateSpec> specs, KvType type, int64_t most);
  SequenceState fork() const;
  bool truncate(int64_t to);  ///< false (and unchanged meaning lost) unless every layer can
  /// What comes now is tentative, until settle().
  Past begin_tentative();
  /// Of what came since, the positions from `to` on are forgotten; all, if any and a layer knows no place between.
  void settle(Past past, int64_t to);
  int64_t bytes() const;
};

}  // namespace madang
