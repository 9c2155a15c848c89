// The meaning of every kernel, as plain loops; table.h documents each. x86/ falls back on these and is tested
// against them.
#pragma once
#include "kernels/table.h"

namespace madang::ref {

void matmul_exact(const Weight& w, const float* x, int64_t n, int64_t begin, int64_t end, float* y, int64_t y_stride);
void matmul_fast(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride);
void to_int8(const float* x, int64_t begin, int64_t end, const Int8Rows& out);
void matmul_bf16(const Weight& w, const Bf16Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride);
void to_bf16(const float* x, int64_t begin, int64_t end, const Bf16Rows& out);
void matmul_dx(const Weight& w, const float* dy, int64_t n, int64_t begin, int64_t end, float* dx);
void matmul_dw(const float* x, const float* dy, int64_t n, int64_t rows, int64_t cols, int64_t begin, int64_t end,
               float* dw);

float dot_row(const float* a, const float* b, int64_t n);
float rms_norm(const float* x, const float* w, float offset, float eps, int64_t n, float* y);
void rms_norm_back(const float* x, const float* w, float offset, float factor, const float* dy, int64_t n, float* dx,
                   float* dw);
void act(Act kind, const float* x, int64_t n, float* y);
void act_back(Act kind, const float* x, const float* dy, int64_t n, float* dx);
void gated(Act kind, const float* gate, const float* up, int64_t n, float* y);
void gated_back(Act kind, const float* gate, const float* up, const float* dy, int64_t n, float* dgate, float* dup);
void add(const float* a, const float* b, int64_t n, float* y);
void scale(const float* x, float s, int64_t n, float* y);
void softmax(const float* x, int64_t n, float* y);
void softmax_back(const float* y, const float* dy, int64_t n, float* dx);
void rope(const float* x, const float* cos, const float* sin, int64_t dim, int64_t rotary, float* y);
void rope_back(const float* dy, const float* cos, const float* sin, int64_t dim, int64_t rotary, float* dx);

void attend(const AttendTask& task, int64_t span, const AttendPart& part);
void attend_join(const AttendTask& task, const AttendPart& all, const AttendPart& next);
void attend_end(const AttendTask& task, const AttendPart& all);
void attend_back(const AttendTask& task, const float* dout, float* dquery, float* dk, int64_t dk_stride, float* dv,
                 int64_t dv_stride);
void kv_encode(KvType type, const float* x, int64_t dim, std::byte* out);
void kv_decode(KvType type, const std::byte* in, int64_t dim, float* out);

void scan(const ScanTask& task);
void scan_back(const ScanTask& task, const float* dy, float* dx, float* ddelta, float* dA, float* dD, float* dB,
               float* dC);
void ssd(const SsdTask& task);
void ssd_back(const SsdTask& task, const float* dy, float* dx, float* ddelta, float* dA, float* dD, float* dB,
              float* dC);
void conv(const ConvTask& task);
void conv_back(const ConvTask& task, const float* dy, float* dx, float* dw, float* dbias);
void wkv(const WkvTask& task);
void wkv_back(const WkvTask& task, const float* dy, float* dk, float* dv, float* dw, float* du);
void memory(const MemoryTask& task);
void memory_back(const MemoryTask& task, const float* dy, float* dr, float* dk, float* da, float* db, float* dv,
                 float* dw);

}  // namespace madang::ref
