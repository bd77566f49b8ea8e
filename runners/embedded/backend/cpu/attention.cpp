#include "runners/embedded/backend/cpu/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

namespace gpqa {
namespace {

// A cosine and a sine, beside the rotation of an element, as ThreadPool counts work.
constexpr std::size_t kAngle = 64;

}  // namespace

void cpu_rope(ThreadPool& pool, Tensor x, const CpuWeight& inv_freq, std::size_t head_dim,
              const Batch& batch) {
  assert(x.rows == batch.size() && x.width % head_dim == 0 && inv_freq.width() == head_dim / 2);
  const std::size_t half = head_dim / 2;
  const auto turn = [&](std::size_t t, std::size_t) {
    const auto position = static_cast<float>(batch.positions[t]);
    std::vector<float> cosines(half);
    std::vector<float> sines(half);
    for (std::size_t i = 0; i < half; ++i) {
      // The angle is rounded to float32, as it was in training.
      const float angle = position * inv_freq.vector[i];
      cosines[i] = std::cos(angle);
      sines[i] = std::sin(angle);
    }
    float* row = row_of(x, t).data();
    for (float* head = row; head != row + x.width; head += head_dim)
      for (std::size_t i = 0; i < half; ++i) {
        const float a = head[i];
        const float b = head[i + half];
        head[i] = a * cosines[i] - b * sines[i];
        head[i + half] = b * cosines[i] + a * sines[i];
      }
  };
  pool.run(x.rows, turn, x.rows * (x.width + half * kAngle));
}

void cpu_store_kv(ThreadPool& pool, CpuKvCache& kv, Tensor k, Tensor v, const Batch& batch) {
  const auto& shape = kv.cache_shape;
  assert(k.rows == batch.size() && k.width == shape.kv_heads * shape.head_dim && v.width == k.width);
  const auto store = [&](std::size_t t, std::size_t) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      const auto cell = kv.cell(batch.slots[t], static_cast<std::size_t>(batch.positions[t]), h);
      const auto from = h * shape.head_dim;
      std::copy_n(row_of(k, t).data() + from, shape.head_dim, kv.keys.get() + cell);
      std::copy_n(row_of(v, t).data() + from, shape.head_dim, kv.values.get() + cell);
    }
  };
  pool.run(batch.size(), store, 2 * k.rows * k.width);
}

void cpu_attention(const Kernels& kernels, ThreadPool& pool, Tensor out, Tensor q, const CpuKvCache& kv,
                   std::size_t heads, const Batch& batch) {
  const auto& shape = kv.cache_shape;
  const std::size_t dim = shape.head_dim;
  assert(q.width == heads * dim && out.width == q.width && q.rows == batch.size());
  std::vector<std::vector<float>> scores(pool.threads());
  pool.run(q.rows * heads, [&](std::size_t task, std::size_t thread) {
    const std::size_t t = task / heads;
    const std::size_t h = task % heads;
    const std::size_t kv_head = h / (heads / shape.kv_heads);
    const auto position = static_cast<std::size_t>(batch.positions[t]);
    const std::size_t first = shape.window != 0 && position >= shape.window ? position - shape.window + 1 : 0;
    const std::size_t count = position - first + 1;
    auto& p = scores[thread];
    p.resize(std::max(p.size(), count));
    const float* query = row_of(q, t).data() + h * dim;
    for (std::size_t i = 0; i < count; ++i)
      p[i] = kernels.dot(query, kv.keys.get() + kv.cell(batch.slots[t], first + i, kv_head), dim);
    kernels.softmax(p.data(), count);
    float* sum = row_of(out, t).data() + h * dim;
    std::fill_n(sum, dim, 0.0F);
    for (std::size_t i = 0; i < count; ++i)
      kernels.add_scaled(sum, kv.values.get() + kv.cell(batch.slots[t], first + i, kv_head), p[i], dim);
  });
}

}  // namespace gpqa
