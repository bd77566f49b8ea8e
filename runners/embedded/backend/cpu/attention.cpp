#include "runners/embedded/backend/cpu/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "runners/embedded/backend/cpu/kv_cache.h"

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

void cpu_store_kv(const Kernels& kernels, ThreadPool& pool, CpuKvCache& kv, Tensor k, Tensor v,
                  const Batch& batch) {
  const auto& shape = kv.shape();
  const std::size_t dim = shape.head_dim;
  assert(k.rows == batch.size() && k.width == shape.kv_heads * dim && v.width == k.width);
  const KvKernels& as = kernels.kv[static_cast<std::size_t>(shape.type)];
  // By heads: tokens of one sequence share the lines of a block.
  const auto store = [&](std::size_t h, std::size_t) {
    for (std::size_t t = 0; t < batch.size(); ++t) {
      const auto position = static_cast<std::size_t>(batch.positions[t]);
      as.store_key(row_of(k, t).data() + h * dim, dim, kv.key_block(batch.slots[t], h, position),
                   kv.lane(position));
      as.store_value(row_of(v, t).data() + h * dim, dim, kv.value(batch.slots[t], h, position),
                     kv.value_stride());
    }
  };
  pool.run(shape.kv_heads, store, 4 * k.rows * k.width);
}

namespace {

// Consecutive tokens of one sequence, whose queries are answered together.
struct TokenRun {
  std::size_t first = 0;  // in the batch
  std::size_t count = 0;
};

std::vector<TokenRun> token_runs(const Batch& batch, std::size_t most) {
  std::vector<TokenRun> runs;
  for (std::size_t t = 0; t < batch.size(); ++t) {
    if (!runs.empty()) {
      TokenRun& run = runs.back();
      const std::size_t last = run.first + run.count - 1;
      if (run.count < most && batch.slots[t] == batch.slots[last] &&
          batch.positions[t] == batch.positions[last] + 1) {
        ++run.count;
        continue;
      }
    }
    runs.push_back({t, 1});
  }
  return runs;
}

// Keys [from, end), by position.
struct KeyRange {
  std::size_t from = 0;
  std::size_t end = 0;
};

struct Query {
  const float* q;
  float* out;
  KeyRange keys;  // that it sees
};

// One thread's room for a task.
struct AttentionScratch {
  std::vector<float> scores, sums;
  std::vector<Query> queries;
  std::vector<const float*> rows;
  std::vector<float*> score_rows, sum_rows;
  std::vector<const std::byte*> blocks;
};

class AttentionTask {
 public:
  AttentionTask(const Kernels& kernels, const CpuKvCache& kv, std::uint32_t slot, std::size_t kv_head,
                AttentionScratch& scratch)
      : kernels_(kernels),
        as_(kernels.kv[static_cast<std::size_t>(kv.shape().type)]),
        kv_(kv),
        slot_(slot),
        kv_head_(kv_head),
        s_(scratch) {}

  // For s_.queries, whose ranges overlap or nearly do.
  void run() {
    KeyRange all = s_.queries.front().keys;
    KeyRange common = all;
    for (const Query& query : s_.queries) {
      all = {std::min(all.from, query.keys.from), std::max(all.end, query.keys.end)};
      common = {std::max(common.from, query.keys.from), std::min(common.end, query.keys.end)};
    }
    const std::size_t base = all.from / kKeyBlock * kKeyBlock;  // the position of score 0
    score(base, all.end);
    const std::size_t padded = (kv_.shape().head_dim + kValuePart - 1) / kValuePart * kValuePart;
    s_.sums.assign(s_.queries.size() * padded, 0.0F);
    s_.sum_rows.clear();
    for (std::size_t i = 0; i < s_.queries.size(); ++i) {
      const KeyRange& keys = s_.queries[i].keys;
      kernels_.softmax(s_.score_rows[i] + (keys.from - base), keys.end - keys.from);
      s_.sum_rows.push_back(s_.sums.data() + i * padded);
    }
    // Each query's keys in order: those before the ones that all see, these, those after them.
    if (common.from >= common.end) {
      for (std::size_t i = 0; i < s_.queries.size(); ++i) add(i, 1, s_.queries[i].keys, base, padded);
    } else {
      for (std::size_t i = 0; i < s_.queries.size(); ++i)
        add(i, 1, {s_.queries[i].keys.from, common.from}, base, padded);
      add(0, s_.queries.size(), common, base, padded);
      for (std::size_t i = 0; i < s_.queries.size(); ++i)
        add(i, 1, {common.end, s_.queries[i].keys.end}, base, padded);
    }
    for (std::size_t i = 0; i < s_.queries.size(); ++i)
      std::copy_n(s_.sum_rows[i], kv_.shape().head_dim, s_.queries[i].out);
  }

 private:
  void score(std::size_t base, std::size_t end) {
    const std::size_t blocks = (end - base + kKeyBlock - 1) / kKeyBlock;
    s_.blocks.clear();
    for (std::size_t b = 0; b < blocks; ++b)
      s_.blocks.push_back(kv_.key_block(slot_, kv_head_, base + b * kKeyBlock));
    const std::size_t width = blocks * kKeyBlock;
    if (s_.scores.size() < s_.queries.size() * width) s_.scores.resize(s_.queries.size() * width);
    s_.rows.clear();
    s_.score_rows.clear();
    for (std::size_t i = 0; i < s_.queries.size(); ++i) {
      s_.rows.push_back(s_.queries[i].q);
      s_.score_rows.push_back(s_.scores.data() + i * width);
    }
    as_.scores(s_.rows.data(), s_.rows.size(), s_.blocks.data(), blocks, kv_.shape().head_dim,
               s_.score_rows.data());
  }

  // To the sums of queries [first, first + count): what lies beyond the end of the cells is at their
  // beginning.
  void add(std::size_t first, std::size_t count, KeyRange keys, std::size_t base, std::size_t padded) {
    while (keys.from < keys.end) {
      const std::size_t part = std::min(keys.end - keys.from, kv_.cells() - kv_.cell(keys.from));
      s_.rows.clear();
      for (std::size_t i = 0; i < count; ++i)
        s_.rows.push_back(s_.score_rows[first + i] + (keys.from - base));
      as_.add_values(s_.rows.data(), count, kv_.value(slot_, kv_head_, keys.from), part, kv_.value_stride(),
                     padded, s_.sum_rows.data() + first);
      keys.from += part;
    }
  }

  const Kernels& kernels_;
  const KvKernels& as_;
  const CpuKvCache& kv_;
  std::uint32_t slot_;
  std::size_t kv_head_;
  AttentionScratch& s_;
};

// Queries of a task, which share its keys and values: those of some tokens.
constexpr std::size_t kQueries = 32;

}  // namespace

void cpu_attention(const Kernels& kernels, ThreadPool& pool, Tensor out, Tensor q, const CpuKvCache& kv,
                   std::size_t heads, const Batch& batch) {
  const auto& shape = kv.shape();
  const std::size_t dim = shape.head_dim;
  assert(q.width == heads * dim && out.width == q.width && q.rows == batch.size());
  const std::size_t group = heads / shape.kv_heads;  // query heads of a kv head
  const auto runs = token_runs(batch, std::max<std::size_t>(kQueries / group, 1));
  // Where tasks are few, heads of a group are shared out too.
  std::size_t parts = 1;
  while (parts < group && group % (2 * parts) == 0 &&
         runs.size() * shape.kv_heads * parts < 2 * pool.threads())
    parts *= 2;
  const std::size_t part_heads = group / parts;
  std::vector<AttentionScratch> scratch(pool.threads());
  pool.run(runs.size() * shape.kv_heads * parts, [&](std::size_t task, std::size_t thread) {
    const TokenRun& run = runs[task / (shape.kv_heads * parts)];
    const std::size_t first_head = task % (shape.kv_heads * parts) * part_heads;
    AttentionScratch& room = scratch[thread];
    room.queries.clear();
    for (std::size_t t = run.first; t < run.first + run.count; ++t) {
      const auto position = static_cast<std::size_t>(batch.positions[t]);
      const std::size_t from =
          shape.window != 0 && position >= shape.window ? position - shape.window + 1 : 0;
      for (std::size_t h = first_head; h < first_head + part_heads; ++h)
        room.queries.push_back(
            {row_of(q, t).data() + h * dim, row_of(out, t).data() + h * dim, {from, position + 1}});
    }
    AttentionTask(kernels, kv, batch.slots[run.first], first_head / group, room).run();
  });
}

}  // namespace gpqa
