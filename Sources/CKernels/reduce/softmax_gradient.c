/* Gradients of probabilities (or their logarithms) along the middle axis -> of the scores.
 *
 *     softmax      dx = y * (dy - sum(dy * y))
 *     log-softmax  dx = dy - exp(y) * sum(dy) */
#include "base/vector_math.h"
#include "d3k_gradient.h"
#include "reduce/lines.h"

/* Values added in float32. */
#define BLOCK 256

typedef struct job {
  const float *y, *dy;
  float *dx;
  const d3k_lines *of;
  int32_t is_log, accumulates;
} job;

D3K_INLINE float slope(int32_t is_log, float y, float g, float sum) {
  return is_log ? g - d3k_exp(y) * sum : y * (g - sum);
}

/* `lanes` lines side by side, one step apart; dx may be dy. */
D3K_INLINE void lines_backward(const float *y, const float *dy, float *dx, int64_t step,
                               int64_t count, int64_t lanes, int32_t is_log, int32_t accumulates) {
  float sum[D3K_WIDE] = {0};
  for (int64_t block = 0; block < count; block += BLOCK) {
    float part[D3K_WIDE] = {0};
    const int64_t end = d3k_min(count, block + BLOCK);
    for (int64_t c = block; c < end; c++) {
      const float *v = y + c * step, *g = dy + c * step;
      D3K_VECTOR
      for (int64_t i = 0; i < lanes; i++) part[i] += is_log ? g[i] : g[i] * v[i];
    }
    for (int64_t i = 0; i < lanes; i++) sum[i] += part[i];
  }
  for (int64_t c = 0; c < count; c++) {
    const float *v = y + c * step, *g = dy + c * step;
    float *out = dx + c * step;
    D3K_VECTOR
    for (int64_t i = 0; i < lanes; i++) {
      const float d = slope(is_log, v[i], g[i], sum[i]);
      out[i] = accumulates ? out[i] + d : d;
    }
  }
}

/* One long line, many sums side by side. */
D3K_INLINE void line_backward(const float *y, const float *dy, float *dx, int64_t count,
                              int32_t is_log, int32_t accumulates) {
  double total = 0;
  for (int64_t block = 0; block < count; block += 1024) {
    const int64_t end = d3k_min(count, block + 1024);
    float part = 0.f;
    {
#pragma clang fp reassociate(on)
#pragma clang loop vectorize(assume_safety)
      for (int64_t c = block; c < end; c++) part += is_log ? dy[c] : dy[c] * y[c];
    }
    total += (double)part;
  }
  const float sum = (float)total;
  D3K_VECTOR
  for (int64_t c = 0; c < count; c++) {
    const float d = slope(is_log, y[c], dy[c], sum);
    dx[c] = accumulates ? dx[c] + d : d;
  }
}

D3K_INLINE void run_rows(const job *j, int64_t begin, int64_t end, int32_t is_log,
                         int32_t accumulates) {
  const int64_t count = j->of->count;
  if (count > D3K_SHORT) {
    for (int64_t r = begin; r < end; r++) {
      line_backward(j->y + r * count, j->dy + r * count, j->dx + r * count, count, is_log,
                    accumulates);
    }
    return;
  }
  float y[D3K_SHORT * 16], dy[D3K_SHORT * 16];
  for (int64_t r = begin * 16; r < d3k_min(end * 16, j->of->outer); r += 16) {
    const int64_t rows = d3k_min(16, j->of->outer - r);
    d3k_gather16(j->y + r * count, count, rows, count, y, 16);
    d3k_gather16(j->dy + r * count, count, rows, count, dy, 16);
    lines_backward(y, dy, dy, 16, count, 16, is_log, 0);
    float *dx = j->dx + r * count;
    if (!accumulates) {
      d3k_scatter16(dy, 16, dx, count, rows, count);
      continue;
    }
    /* The memory of y is free now and takes the rows that are turned back. */
    d3k_scatter16(dy, 16, y, count, rows, count);
    D3K_VECTOR
    for (int64_t i = 0; i < rows * count; i++) dx[i] += y[i];
  }
}

D3K_CLONED_BODY(softmax_rows) {
  const job *j = context;
  if (j->is_log) {
    run_rows(j, begin, end, 1, j->accumulates);
  } else {
    run_rows(j, begin, end, 0, j->accumulates);
  }
}

D3K_INLINE void run_wide(const job *j, int64_t begin, int64_t end, int32_t is_log) {
  for (int64_t t = begin; t < end; t++) {
    const d3k_lines_tile at = d3k_lines_tile_at(j->of, t);
    lines_backward(j->y + at.first, j->dy + at.first, j->dx + at.first, j->of->inner, j->of->count,
                   at.lanes, is_log, j->accumulates);
  }
}

D3K_CLONED_BODY(softmax_wide) {
  const job *j = context;
  if (j->is_log) {
    run_wide(j, begin, end, 1);
  } else {
    run_wide(j, begin, end, 0);
  }
}

void d3k_softmax_backward(int32_t threads, int32_t is_log, const d3k_lines *lines, const float *y,
                          const float *dy, float *dx, int32_t accumulates) {
  job j = {y, dy, dx, lines, is_log, accumulates};
  d3k_lines_run(threads, lines, 4, softmax_rows, softmax_wide, &j);
}
