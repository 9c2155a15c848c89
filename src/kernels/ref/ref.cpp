// The reference table.
#include "kernels/ref/ref.h"

namespace madang {

const Kernels ref_kernels = {
    .name = "ref",
    .tokens = 12,
    .matmul_exact = ref::matmul_exact,
    .matmul_fast = ref::matmul_fast,
    .to_int8 = ref::to_int8,
    .bf16 = false,
    .matmul_bf16 = ref::matmul_bf16,
    .to_bf16 = ref::to_bf16,
    .dot = ref::dot_row,
    .rms_norm = ref::rms_norm,
    .act = ref::act,
    .gated = ref::gated,
    .add = ref::add,
    .scale = ref::scale,
    .softmax = ref::softmax,
    .rope = ref::rope,
    .attend = ref::attend,
    .attend_join = ref::attend_join,
    .attend_end = ref::attend_end,
    .scan = ref::scan,
    .ssd = ref::ssd,
    .conv = ref::conv,
    .wkv = ref::wkv,
    .memory = ref::memory,
    .kv_encode = ref::kv_encode,
    .kv_decode = ref::kv_decode,
    .matmul_dx = ref::matmul_dx,
    .matmul_dw = ref::matmul_dw,
    .rms_norm_back = ref::rms_norm_back,
    .act_back = ref::act_back,
    .gated_back = ref::gated_back,
    .softmax_back = ref::softmax_back,
    .rope_back = ref::rope_back,
    .attend_back = ref::attend_back,
    .scan_back = ref::scan_back,
    .ssd_back = ref::ssd_back,
    .conv_back = ref::conv_back,
    .wkv_back = ref::wkv_back,
    .memory_back = ref::memory_back,
};

}  // namespace madang
