/* outer x count x inner scores -> probabilities (or their logarithms) along the middle axis.
 *
 * Cost: one exponential a value. Lines that do not fit on the stack are read twice. */
#include "base/vector_math.h"
#include "reduce/lines.h"

typedef struct job {
  const float *x;
  float *y;
  const d3k_lines *of;
  int32_t is_log;
} job;

/* `lanes` lines side by side, one step apart; x may be y. */
D3K_INLINE void softmax_lanes(const float *x, float *y, int64_t step, int64_t count, int64_t lanes,
                              int32_t is_log) {
  float largest[D3K_WIDE], sum[D3K_WIDE];
  for (int64_t i = 0; i < lanes; i++) largest[i] = x[i];
  for (int64_t c = 1; c < count; c++) {
    const float *line = x + c * step;
    D3K_VECTOR
    for (int64_t i = 0; i < lanes; i++) largest[i] = line[i] > largest[i] ? line[i] : largest[i];
  }
  for (int64_t i = 0; i < lanes; i++) sum[i] = 0.f;
  for (int64_t block = 0; block < count; block += 256) { /* short sums keep their digits */
    float part[D3K_WIDE];
    for (int64_t i = 0; i < lanes; i++) part[i] = 0.f;
    const int64_t end = d3k_min(count, block + 256);
    for (int64_t c = block; c < end; c++) {
      const float *line = x + c * step;
      float *out = y + c * step;
      D3K_VECTOR
      for (int64_t i = 0; i < lanes; i++) {
        const float distance = line[i] - largest[i];
        const float e = d3k_exp_negative(distance);
        out[i] = is_log ? distance : e;
        part[i] += e;
      }
    }
    for (int64_t i = 0; i < lanes; i++) sum[i] += part[i];
  }
  D3K_VECTOR
  for (int64_t i = 0; i < lanes; i++) sum[i] = is_log ? d3k_log(sum[i]) : 1.f / sum[i];
  for (int64_t c = 0; c < count; c++) {
    float *out = y + c * step;
    D3K_VECTOR
    for (int64_t i = 0; i < lanes; i++) out[i] = is_log ? out[i] - sum[i] : out[i] * sum[i];
  }
}

/* One long line, 16 sums side by side. */
D3K_INLINE void softmax_line(const float *x, float *y, int64_t count, int32_t is_log) {
  float largest = x[0];
  {
#pragma clang fp reassociate(on)
    for (int64_t c = 1; c < count; c++) largest = x[c] > largest ? x[c] : largest;
  }
  double sum = 0;
  for (int64_t block = 0; block < count; block += 1024) {
    const int64_t end = d3k_min(count, block + 1024);
    float part = 0.f;
    {
#pragma clang fp reassociate(on)
#pragma clang loop vectorize(assume_safety)
      for (int64_t c = block; c < end; c++) {
        const float distance = x[c] - largest;
        const float e = d3k_exp_negative(distance);
        y[c] = is_log ? distance : e;
        part += e;
      }
    }
    sum += part;
  }
  const float last = is_log ? (float)log(sum) : (float)(1. / sum);
  D3K_VECTOR
  for (int64_t c = 0; c < count; c++) y[c] = is_log ? y[c] - last : y[c] * last;
}

D3K_INLINE void run_rows(const job *j, int64_t begin, int64_t end, int32_t is_log) {
  const int64_t count = j->of->count;
  if (count > D3K_SHORT) {
    for (int64_t r = begin; r < end; r++) {
      softmax_line(j->x + r * count, j->y + r * count, count, is_log);
    }
    return;
  }
  float lanes[D3K_SHORT * 16];
  for (int64_t r = begin * 16; r < d3k_min(end * 16, j->of->outer); r += 16) {
    const int64_t rows = d3k_min(16, j->of->outer - r);
    d3k_gather16(j->x + r * count, count, rows, count, lanes, 16);
    softmax_lanes(lanes, lanes, 16, count, 16, is_log);
    d3k_scatter16(lanes, 16, j->y + r * count, count, rows, count);
  }
}

D3K_CLONED_BODY(softmax_rows) {
  const job *j = context;
  if (j->is_log) {
    run_rows(j, begin, end, 1);
  } else {
    run_rows(j, begin, end, 0);
  }
}

D3K_CLONED_BODY(softmax_wide) {
  const job *j = context;
  const int64_t count = j->of->count, step = j->of->inner;
  for (int64_t t = begin; t < end; t++) {
    const d3k_lines_tile at = d3k_lines_tile_at(j->of, t);
    const float *x = j->x + at.first;
    float *y = j->y + at.first;
    if (j->is_log) {
      softmax_lanes(x, y, step, count, at.lanes, 1);
    } else if (at.lanes == D3K_WIDE) {
      softmax_lanes(x, y, step, count, D3K_WIDE, 0);
    } else {
      softmax_lanes(x, y, step, count, at.lanes, 0);
    }
  }
}

void d3k_softmax(int32_t threads, int32_t is_log, const d3k_lines *lines, const float *x,
                 float *y) {
  job j = {x, y, lines, is_log};
  d3k_lines_run(threads, lines, 4, softmax_rows, softmax_wide, &j);
}
