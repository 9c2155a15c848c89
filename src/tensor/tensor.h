// Tensor is a typed view: dtype, shape (row-major, up to four axes) and a pointer. Copying one copies nothing and
// frees nothing; Buffer owns. Activations are float32 always; other types are for stored weights and states.
#pragma once
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

namespace madang {

enum class DType : uint8_t { f32, f16, bf16, i8, u8, i32, i64, f64, i16, u16, u32, u64, boolean, f8_e4m3, f8_e5m2 };

int64_t size_of(DType dtype);
const char* name_of(DType dtype);

struct Shape {
  std::array<int64_t, 4> dim{};
  int rank = 0;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    assert(dims.size() <= 4);
    for (int64_t d : dims) dim[static_cast<size_t>(rank++)] = d;
  }
  int64_t operator[](int axis) const { return dim[static_cast<size_t>(axis < 0 ? rank + axis : axis)]; }
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dim[static_cast<size_t>(i)];
    return n;
  }
  bool operator==(const Shape& other) const = default;
  std::string str() const;  ///< "[64, 256]"
};

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  Tensor() = default;
  Tensor(void* at, DType type, Shape extent) : data(at), dtype(type), shape(extent) {}

  explicit operator bool() const { return data != nullptr; }
  int64_t numel() const { return shape.numel(); }
  int64_t cols() const { return shape[-1]; }                      ///< length of the last axis
  int64_t rows() const { return cols() ? numel() / cols() : 0; }  ///< product of all others
  int64_t bytes() const { return numel() * size_of(dtype); }
  float* f32() const {
    assert(dtype == DType::f32);
    return static_cast<float*>(data);
  }
  float* row(int64_t i) const { return f32() + i * cols(); }
  /// The same elements under another shape.
  Tensor reshape(Shape to) const {
    assert(to.numel() == numel());
    return {data, dtype, to};
  }
};

/// Owned memory, 64-byte aligned, zeroed.
class Buffer {
 public:
  Buffer() = default;
  Buffer(DType dtype, Shape shape);
  const Tensor& view() const { return view_; }
  operator Tensor() const { return view_; }
  float* f32() const { return view_.f32(); }

 private:
  std::shared_ptr<void> bytes_;
  Tensor view_;
};

}  // namespace madang
