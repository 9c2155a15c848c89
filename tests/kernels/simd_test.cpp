// The vector kernels against their twins: AVX2 gives the emulated vocabulary's bits, exact products also the
// reference's, everything else the reference's values; one row and many, any split of the work, give the same bits.
#include "kernels/attention.h"
#include "kernels_support.h"

namespace madang {
namespace {

using test::normals, test::random_blocks, test::tables;

TEST(Simd, ExactProductsOfEveryFormat) {
  Random random(test::seed());
  for (const Format& f : formats()) {
    const int64_t rows = random.between(1, 11), n = random.between(1, 9);
    const int64_t cols =
        f.block == 1 ? random.between(1, 600) : f.block * random.between(1, 5) * (f.block < 32 ? 2 : 1);
    const auto bytes = random_blocks(random, f, rows, cols);
    const Weight w{&f, bytes.data(), rows, cols, nullptr};
    const auto x = normals(random, n * cols);
    std::vector<float> ref(static_cast<size_t>(n * rows));
    ref_kernels.matmul_exact(w, x.data(), n, 0, rows, ref.data(), rows);
    float finite = 0;
    for (float v : ref) finite += v;
    ASSERT_TRUE(std::isfinite(finite)) << f.name;
    for (const Kernels* k : tables()) {
      std::vector<float> y(ref.size()), one(ref.size());
      k->matmul_exact(w, x.data(), n, 0, rows, y.data(), rows);
      EXPECT_EQ(std::memcmp(y.data(), ref.data(), y.size() * 4), 0)
          << k->name << " exact " << f.name << " rows " << rows << " cols " << cols << " n " << n;
      for (int64_t t = 0; t < n; ++t)
        for (int64_t r = 0; r < rows; ++r)
          k->matmul_exact(w, x.data() + t * cols, 1, r, r + 1, one.data() + t * rows, rows);
      EXPECT_EQ(std::memcmp(y.data(), one.data(), y.size() * 4), 0) << k->name << " one by one " << f.name;
    }
  }
}

TEST(Simd, ElementsFollowTheReference) {
  Random random(test::seed());
  for (int round = 0; round < 20; ++round) {
    const int64_t n = random.between(1, 100);
    auto x = normals(random, n, 4), w = normals(random, n);
    x[0] = round % 2 ? 90.0f : -110.0f;  // beyond exp's range
    for (const Kernels* k : tables()) {
      std::vector<float> a(static_cast<size_t>(n)), b(a.size());
      auto near = [&](const char* what, float tolerance) {
        for (size_t i = 0; i < a.size(); ++i)
          ASSERT_NEAR(a[i], b[i], tolerance * std::max(1.0f, std::fabs(b[i])))
              << what << " " << k->name << " x " << x[i];
      };
      for (int act = 0; act < static_cast<int>(Act::count); ++act) {
        k->act(static_cast<Act>(act), x.data(), n, a.data()),
            ref_kernels.act(static_cast<Act>(act), x.data(), n, b.data());
        near("act", 4e-7f);
        k->gated(static_cast<Act>(act), x.data(), w.data(), n, a.data()),
            ref_kernels.gated(static_cast<Act>(act), x.data(), w.data(), n, b.data());
        near("gated", 4e-7f);
      }
      k->softmax(x.data(), n, a.data()), ref_kernels.softmax(x.data(), n, b.data());
      near("softmax", 4e-7f);
      k->rms_norm(x.data(), w.data(), 1, 1e-6f, n, a.data()),
          ref_kernels.rms_norm(x.data(), w.data(), 1, 1e-6f, n, b.data());
      EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * 4), 0) << "rms_norm " << k->name;
      const int64_t rotary = n / 2 * 2;
      const auto cos = normals(random, n), sin = normals(random, n);
      k->rope(x.data(), cos.data(), sin.data(), n, rotary, a.data()),
          ref_kernels.rope(x.data(), cos.data(), sin.data(), n, rotary, b.data());
      EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * 4), 0) << "rope " << k->name;
    }
  }
}

TEST(Simd, AttentionFollowsTheReferenceAndItsTwin) {
  Random random(test::seed());
  for (int round = 0; round < 24; ++round) {
    AttendTask task;
    task.heads = static_cast<int>(random.between(1, 3));
    task.key_dim = static_cast<int>(random.between(1, 80)), task.value_dim = static_cast<int>(random.between(1, 80));
    task.first = random.between(0, round % 2 ? 150 : 3 * kv_span), task.n = random.between(1, 80);
    task.scale = round % 7 == 6 ? 3.0f : 0.3f;  // the largest score is passed by more than kv_slack, or less
    task.window = round % 3 == 0 ? random.between(1, 100) : 0;
    task.softcap = round % 4 == 0 ? 5.0f : 0.0f;
    if (round % 5 == 0) {
      task.blocks = {kv_block * random.between(1, 2), random.between(1, 2), random.between(1, 4), random.between(0, 3),
                     random.between(0, 2)};
      task.first += random.between(0, 500);
    }
    task.kv.type = static_cast<KvType>(round % 4);
    const int64_t length = task.first + task.n, pages = (length + kv_block - 1) / kv_block;
    task.kv.key_row = kv_head_bytes(task.kv.type, task.key_dim),
    task.kv.value_row = kv_head_bytes(task.kv.type, task.value_dim);
    std::vector<std::byte> keys(static_cast<size_t>(pages * kv_block * task.kv.key_row)),
        values(static_cast<size_t>(pages * kv_block * task.kv.value_row));
    for (int64_t j = 0; j < length; ++j) {
      ref_kernels.kv_encode(task.kv.type, normals(random, task.key_dim).data(), task.key_dim,
                            keys.data() + j * task.kv.key_row);
      ref_kernels.kv_encode(task.kv.type, normals(random, task.value_dim).data(), task.value_dim,
                            values.data() + j * task.kv.value_row);
    }
    std::vector<const std::byte*> key_pages, value_pages;
    for (int64_t p = 0; p < pages; ++p)
      key_pages.push_back(keys.data() + p * kv_block * task.kv.key_row),
          value_pages.push_back(values.data() + p * kv_block * task.kv.value_row);
    task.kv.keys = key_pages.data(), task.kv.values = value_pages.data();
    const auto query = normals(random, task.n * task.heads * task.key_dim);
    task.query = query.data(), task.query_stride = task.heads * task.key_dim,
    task.out_stride = task.heads * task.value_dim;
    // The same keys by columns.
    AttendTask columns = task;
    const int64_t number = kv_head_bytes(task.kv.type, 1);
    std::vector<std::byte> turned(keys.size(), std::byte{0xFF});  // NaN where nothing was put
    std::vector<const std::byte*> turned_pages;
    for (int64_t p = 0; p < pages; ++p) turned_pages.push_back(turned.data() + p * kv_block * task.kv.key_row);
    for (int64_t j = 0; task.kv.type != KvType::q8 && j < length; ++j)
      for (int64_t d = 0; d < task.key_dim; ++d)
        std::memcpy(turned.data() + j / kv_block * kv_block * task.kv.key_row + (d * kv_block + j % kv_block) * number,
                    keys.data() + j * task.kv.key_row + d * number, static_cast<size_t>(number));
    columns.kv.columns = task.kv.type != KvType::q8;
    if (columns.kv.columns) columns.kv.keys = turned_pages.data();
    std::vector<float> ref(static_cast<size_t>(task.n * task.out_stride)), first;
    columns.out = ref.data();
    attend(ref_kernels, columns);
    const std::vector<float> by_columns = ref;
    task.out = ref.data();
    attend(ref_kernels, task);
    EXPECT_EQ(std::memcmp(by_columns.data(), ref.data(), ref.size() * 4), 0) << "reference by columns";
    for (const Kernels* k : tables()) {
      std::vector<float> out(ref.size()), single(ref.size());
      task.out = out.data();
      attend(*k, task);
      for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], ref[i], 2e-6f * 4) << k->name;
      for (int64_t i = 0; i < task.n; ++i) {
        AttendTask one = task;
        one.query += i * task.query_stride, one.out = single.data() + i * task.out_stride, one.n = 1, one.first += i;
        attend(*k, one);
      }
      EXPECT_EQ(std::memcmp(out.data(), single.data(), out.size() * 4), 0) << k->name << ": query by query";
      columns.out = single.data();
      attend(*k, columns);
      EXPECT_EQ(std::memcmp(out.data(), single.data(), out.size() * 4), 0) << k->name << ": keys by columns";
      // Span by span, the last one first, as threads might.
      task.out = single.data();
      const int64_t spans = task.end_span() - task.first_span();
      std::vector<float> gathered(static_cast<size_t>(spans * AttendPart::floats(task)));
      std::vector<AttendPart> parts;
      for (int64_t i = 0; i < spans; ++i)
        parts.push_back(
            (i ? AttendPart::in : AttendPart::in_place)(gathered.data() + i * AttendPart::floats(task), task));
      for (int64_t i = spans; i-- > 0;) k->attend(task, task.first_span() + i, parts[static_cast<size_t>(i)]);
      attend_end(*k, task, parts);
      EXPECT_EQ(std::memcmp(out.data(), single.data(), out.size() * 4), 0) << k->name << ": spans apart";
      if (first.empty()) first = out;
      EXPECT_EQ(std::memcmp(out.data(), first.data(), out.size() * 4), 0) << k->name << " against the emulated twin";
    }
  }
}

// What is no number is not lost on its way: from activations through int8, functions and softmax.
TEST(Simd, WhatIsNoNumberStaysNone) {
  Random random(test::seed());
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  std::vector<const Kernels*> all = tables();
  all.push_back(&ref_kernels);
  for (const Kernels* k : all) {
    for (int act = 0; act < static_cast<int>(Act::count); ++act) {
      auto x = normals(random, 19), y = x;
      const auto at = static_cast<size_t>(random.below(19));
      x[at] = nan;
      k->act(static_cast<Act>(act), x.data(), 19, y.data());
      for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i == at) << k->name << " act " << act;
    }
    for (float bad : {nan, infinity, -infinity}) {
      auto x = normals(random, 3 * 64);
      x[static_cast<size_t>(random.between(64, 127))] = bad;
      const test::Int8 q(*k, x.data(), 3, 64);
      for (int64_t r = 0; r < 3; ++r)
        EXPECT_EQ(std::isnan(q.rows.scale[q.rows.slot(r, 0)] + q.rows.scale[q.rows.slot(r, 1)]), r == 1) << k->name;
    }
    // Twenty queries, the key of the tenth is none: those before do not see it.
    AttendTask task{.query_stride = 8, .out_stride = 8, .n = 20, .heads = 1, .key_dim = 8, .value_dim = 8};
    auto keys = normals(random, kv_block * 8), values = normals(random, kv_block * 8), query = normals(random, 20 * 8);
    keys[10 * 8 + 3] = nan;
    const auto *key_page = reinterpret_cast<const std::byte*>(keys.data()),
               *value_page = reinterpret_cast<const std::byte*>(values.data());
    std::vector<float> out(query.size());
    task.query = query.data(), task.out = out.data(), task.kv.keys = &key_page, task.kv.values = &value_page;
    task.kv.key_row = task.kv.value_row = 32;
    attend(*k, task);
    for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isnan(out[i]), i / 8 >= 10) << k->name << " query " << i / 8;
  }
}

TEST(Simd, ConvolutionIsTheReferences) {
  Random random(test::seed());
  for (int round = 0; round < 20; ++round) {
    const int64_t n = random.between(1, 6), channels = random.between(1, 40), width = random.between(1, 5);
    const auto x = normals(random, n * channels), w = normals(random, channels * width),
               bias = normals(random, channels), past = normals(random, (width - 1) * channels);
    const int64_t begin = random.between(0, channels - 1), end = random.between(begin + 1, channels);
    std::vector<float> right, right_past;
    auto all = tables();
    all.insert(all.begin(), &ref_kernels);
    for (const Kernels* k : all) {
      std::vector<float> y(x.size()), moved = past;
      k->conv({.n = n,
               .channels = channels,
               .width = width,
               .begin = begin,
               .end = end,
               .x = x.data(),
               .w = w.data(),
               .bias = round % 2 ? bias.data() : nullptr,
               .past = moved.data(),
               .y = y.data()});
      if (right.empty()) right = y, right_past = moved;
      EXPECT_EQ(y, right) << k->name;
      EXPECT_EQ(moved, right_past) << k->name;
    }
  }
}

TEST(Simd, ScanFollowsTheReference) {
  Random random(test::seed());
  const int64_t n = 7, channels = 5, states = 16;
  const auto x = normals(random, n * channels), B = normals(random, n * states), C = normals(random, n * states),
             D = normals(random, channels);
  auto delta = normals(random, n * channels), A = normals(random, channels * states);
  for (float& d : delta) d = std::fabs(d);
  for (float& a : A) a = -std::fabs(a);
  std::vector<float> reference;
  for (const Kernels* k : std::vector{&ref_kernels, tables().front(), tables().back()}) {
    std::vector<float> h(static_cast<size_t>(channels * states)), y(static_cast<size_t>(n * channels));
    k->scan({.n = n,
             .channels = channels,
             .states = states,
             .begin = 0,
             .end = channels,
             .x = x.data(),
             .delta = delta.data(),
             .A = A.data(),
             .D = D.data(),
             .B = B.data(),
             .C = C.data(),
             .bc_stride = states,
             .h = h.data(),
             .y = y.data()});
    if (reference.empty()) reference = y;
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], reference[i], 1e-5f) << k->name;
  }
}

TEST(Simd, MemoriesFollowTheReference) {
  Random random(test::seed());
  const int64_t n = 7, heads = 2, keys = 24, values = 5, C = heads * keys;
  const auto r = normals(random, n * C), k = normals(random, n * C), v = normals(random, n * C);
  auto a = normals(random, n * C), w = normals(random, n * C);
  for (float& x : a) x *= 0.1f;
  for (float& x : w) x = -std::fabs(x);
  std::vector<float> reference;
  for (const Kernels* table : std::vector{&ref_kernels, tables().front(), tables().back()}) {
    std::vector<float> state(static_cast<size_t>(3 * C)), S(static_cast<size_t>(C * values)),
        y(static_cast<size_t>(n * (C + heads * values)));
    table->wkv({.n = n,
                .channels = C,
                .begin = 0,
                .end = C,
                .k = k.data(),
                .v = v.data(),
                .w = w.data(),
                .u = r.data(),
                .state = state.data(),
                .y = y.data()});
    MemoryTask task{.n = n, .heads = heads, .keys = keys, .values = values, .begin = 0, .end = heads * values};
    task.r = r.data(), task.k = k.data(), task.a = a.data(), task.b = a.data(), task.v = v.data();
    task.w = a.data(), task.w_token = heads, task.w_head = 1, task.S = S.data(), task.y = y.data() + n * C;
    table->memory(task);
    if (reference.empty()) reference = y;
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], reference[i], 1e-5f) << table->name;
  }
}

TEST(Simd, SsdFollowsTheReference) {
  Random random(test::seed());
  const int64_t n = 7, heads = 6, dim = 3, groups = 2, states = 24;
  const auto x = normals(random, n * heads * dim), B = normals(random, n * groups * states),
             C = normals(random, n * groups * states), D = normals(random, heads);
  auto delta = normals(random, n * heads), A = normals(random, heads);
  for (float& d : delta) d = std::fabs(d);
  for (float& a : A) a = -std::fabs(a);
  std::vector<float> reference;
  for (const Kernels* k : std::vector{&ref_kernels, tables().front(), tables().back()}) {
    std::vector<float> h(static_cast<size_t>(heads * dim * states)), y(x.size());
    k->ssd({.n = n,
            .heads = heads,
            .head_dim = dim,
            .groups = groups,
            .states = states,
            .begin = 0,
            .end = heads,
            .x = x.data(),
            .delta = delta.data(),
            .A = A.data(),
            .D = D.data(),
            .B = B.data(),
            .C = C.data(),
            .h = h.data(),
            .y = y.data()});
    if (reference.empty()) reference = y;
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], reference[i], 3e-5f) << k->name;
  }
}

}  // namespace
}  // namespace madang
