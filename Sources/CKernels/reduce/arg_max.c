/* outer x count x inner scores -> the index of the largest along the middle axis, as floats.
 *
 * Cost: one read of x. Not-a-number never wins over a number; a line of them gives 0. Indices
 * are exact up to 2^24. */
#include "reduce/lines.h"

typedef struct job {
  const float *x;
  float *y;
  const d3k_lines *of;
  int32_t select_last;
} job;

D3K_INLINE void arg_max_lanes(const float *x, int64_t step, float *y, int64_t count, int64_t lanes,
                              int32_t select_last) {
  float best[D3K_WIDE], index[D3K_WIDE];
  for (int64_t i = 0; i < lanes; i++) {
    best[i] = -INFINITY;
    index[i] = 0.f;
  }
  for (int64_t c = 0; c < count; c++) {
    const float *line = x + c * step;
    const float number = (float)c;
    D3K_VECTOR
    for (int64_t i = 0; i < lanes; i++) {
      const int32_t wins = select_last ? line[i] >= best[i] : line[i] > best[i];
      best[i] = wins ? line[i] : best[i];
      index[i] = wins ? number : index[i];
    }
  }
  for (int64_t i = 0; i < lanes; i++) y[i] = index[i];
}

D3K_INLINE float arg_max_line(const float *x, int64_t count, int32_t select_last) {
  float best = -INFINITY;
  int64_t index = 0;
  for (int64_t block = 0; block < count; block += 1024) {
    const int64_t end = d3k_min(count, block + 1024);
    float largest = -INFINITY;
    {
#pragma clang fp reassociate(on)
      for (int64_t c = block; c < end; c++) largest = x[c] > largest ? x[c] : largest;
    }
    if (select_last ? largest < best : largest <= best) continue;
    best = largest;
    for (int64_t i = 0; i < end - block; i++) {
      const int64_t c = select_last ? end - 1 - i : block + i;
      if (x[c] == best) {
        index = c;
        break;
      }
    }
  }
  return (float)index;
}

D3K_CLONED_BODY(arg_max_rows) {
  const job *j = context;
  const int64_t count = j->of->count;
  if (count > D3K_SHORT) {
    for (int64_t r = begin; r < end; r++) {
      j->y[r] = arg_max_line(j->x + r * count, count, j->select_last);
    }
    return;
  }
  float lanes[D3K_SHORT * 16], index[16];
  for (int64_t r = begin * 16; r < d3k_min(end * 16, j->of->outer); r += 16) {
    const int64_t rows = d3k_min(16, j->of->outer - r);
    d3k_gather16(j->x + r * count, count, rows, count, lanes, 16);
    arg_max_lanes(lanes, 16, index, count, 16, j->select_last);
    for (int64_t i = 0; i < rows; i++) j->y[r + i] = index[i];
  }
}

D3K_CLONED_BODY(arg_max_wide) {
  const job *j = context;
  for (int64_t t = begin; t < end; t++) {
    const d3k_lines_tile at = d3k_lines_tile_at(j->of, t);
    arg_max_lanes(j->x + at.first, j->of->inner, j->y + at.result, j->of->count, at.lanes,
                  j->select_last);
  }
}

void d3k_arg_max(int32_t threads, int32_t select_last, const d3k_lines *lines, const float *x,
                 float *y) {
  job j = {x, y, lines, select_last};
  d3k_lines_run(threads, lines, 1, arg_max_rows, arg_max_wide, &j);
}
