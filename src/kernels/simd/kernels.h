// The table filled from the vocabulary V and the panel vocabulary P; what has no vector form stays the reference's.
#pragma once
#include "kernels/simd/attend.h"
#include "kernels/simd/matmul.h"
#include "kernels/simd/memory.h"
#include "kernels/simd/panels.h"
#include "kernels/simd/scan.h"

namespace madang::simd {

template <class V, class P>
Kernels fill(const char* name) {
  Kernels k = ref_kernels;
  k.name = name;
  k.matmul_exact = matmul_exact<V>;
  k.matmul_fast = matmul_fast<P>;
  k.to_int8 = to_int8<V>;
  k.dot = dot<V>;
  k.rms_norm = rms_norm<V>;
  k.act = act<V>;
  k.gated = gated<V>;
  k.add = add<V>;
  k.scale = scale<V>;
  k.softmax = softmax<V>;
  k.rope = rope<V>;
  k.attend = attend<V, P>;
  k.attend_join = attend_join<V>;
  k.attend_end = attend_end<V>;
  k.conv = conv<V>;
  k.scan = scan<V>;
  k.ssd = ssd<V>;
  k.kv_encode = kv_encode<V>;
  k.wkv = wkv<V>;
  k.memory = memory<V>;
  k.kv_decode = kv_decode<V>;
  return k;
}

}  // namespace madang::simd
