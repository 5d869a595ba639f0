/* Gradients of probabilities (or their logarithms) along the middle axis -> of the scores.
 *
 *     softmax      dx = y * (dy - sum(dy * y))
 *     log-softmax  dx = dy - exp(y) * sum(dy) */
#include "base/lanes.h"
#include "base/vector_math.h"
#include "d3k_gradient.h"

/* Longest line that is turned so that lanes are lines: twice 16 KiB of stack. */
#define SHORT 256
/* Lines side by side where they already are. */
#define WIDE 64
/* Values added in float32. */
#define BLOCK 256

typedef struct job {
  const float *y, *dy;
  float *dx;
  int64_t outer, count, inner;
  int32_t is_log, accumulates;
} job;

D3K_INLINE float slope(int32_t is_log, float y, float g, float sum) {
  return is_log ? g - d3k_exp(y) * sum : y * (g - sum);
}

/* `lanes` lines side by side, one step apart; dx may be dy. */
D3K_INLINE void lines_backward(const float *y, const float *dy, int64_t step, float *dx,
                               int64_t dx_step, int64_t count, int64_t lanes, int32_t is_log,
                               int32_t accumulates) {
  float sum[WIDE] = {0};
  for (int64_t block = 0; block < count; block += BLOCK) {
    float part[WIDE] = {0};
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
    float *out = dx + c * dx_step;
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
  const int64_t count = j->count;
  if (count > SHORT) {
    for (int64_t r = begin; r < end; r++) {
      line_backward(j->y + r * count, j->dy + r * count, j->dx + r * count, count, is_log,
                    accumulates);
    }
    return;
  }
  float y[SHORT * 16], dy[SHORT * 16];
  for (int64_t r = begin * 16; r < d3k_min(end * 16, j->outer); r += 16) {
    const int64_t rows = d3k_min(16, j->outer - r);
    d3k_gather16(j->y + r * count, count, rows, count, y, 16);
    d3k_gather16(j->dy + r * count, count, rows, count, dy, 16);
    lines_backward(y, dy, 16, dy, 16, count, 16, is_log, 0);
    float *dx = j->dx + r * count;
    if (!accumulates) {
      d3k_scatter16(dy, 16, dx, count, rows, count);
      continue;
    }
    /* Turned back into y's place, which is free. */
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
  const int64_t tiles = d3k_ceil_div(j->inner, WIDE);
  for (int64_t t = begin; t < end; t++) {
    const int64_t first = t % tiles * WIDE, lanes = d3k_min(WIDE, j->inner - first);
    const int64_t offset = t / tiles * j->count * j->inner + first;
    lines_backward(j->y + offset, j->dy + offset, j->inner, j->dx + offset, j->inner, j->count,
                   lanes, is_log, j->accumulates);
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

void d3k_softmax_backward(int32_t threads, int32_t is_log, const float *y, const float *dy,
                          float *dx, int64_t outer, int64_t count, int64_t inner,
                          int32_t accumulates) {
  if (outer <= 0 || count <= 0 || inner <= 0) return;
  job j = {y, dy, dx, outer, count, inner, is_log, accumulates};
  threads = d3k_threads_for(threads, outer * count * inner * 4);
  if (inner == 1) {
    d3k_parallel(threads, count > SHORT ? outer : d3k_ceil_div(outer, 16), softmax_rows, &j);
  } else {
    d3k_parallel(threads, outer * d3k_ceil_div(inner, WIDE), softmax_wide, &j);
  }
}
