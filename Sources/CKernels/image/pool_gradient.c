/* Gradients after a pooling -> before it.
 *
 * Each thread owns rows of dx and visits the windows that cover them, in order. Windows that cover
 * rows of two threads are visited by both. */
#include "base/bands.h"
#include "base/lanes.h"
#include "d3k_gradient.h"
#include "image/pool_span.h"

typedef struct job {
  const d3k_pool *pool;
  const float *x, *dy;
  float *dx;
  int32_t accumulates;
} job;

/* The cells of one window inside the image; this thread owns rows own..<own_end. */
typedef struct cells {
  const float *x;
  float *dx;
  int64_t rows, columns, row_step, column_step;
  int64_t own, own_end;
  float factor;
} cells;

/* The first largest value of each channel takes the gradient. */
#define POOL(name, type, index_type)                                                       \
  D3K_INLINE void name(const cells *c, int32_t is_mean, int64_t i, const float *dy) {      \
    const type g = *(const type *)(dy + i);                                                \
    index_type best_cell = (index_type)(0);                                                \
    if (!is_mean) {                                                                        \
      type best = *(const type *)(c->x + i);                                               \
      for (int64_t r = 0; r < c->rows; r++) {                                              \
        for (int64_t k = 0; k < c->columns; k++) {                                         \
          const type v = *(const type *)(c->x + r * c->row_step + k * c->column_step + i); \
          const index_type cell = (index_type)((int32_t)(r * c->columns + k));             \
          const index_type wins = (v > best) | ((v != v) & (best == best));                \
          best_cell = wins ? cell : best_cell;                                             \
          best = wins ? v : best;                                                          \
        }                                                                                  \
      }                                                                                    \
    }                                                                                      \
    for (int64_t r = c->own; r < c->own_end; r++) {                                        \
      for (int64_t k = 0; k < c->columns; k++) {                                           \
        type *dx = (type *)(c->dx + r * c->row_step + k * c->column_step + i);             \
        const index_type cell = (index_type)((int32_t)(r * c->columns + k));               \
        const type part = is_mean ? g * c->factor : best_cell == cell ? g : (type)(0.f);   \
        *dx += part;                                                                       \
      }                                                                                    \
    }                                                                                      \
  }
POOL(pool16, d3k_f16, d3k_i16)
POOL(pool4, d3k_f4, d3k_i4)
POOL(pool1, float, int32_t)

D3K_INLINE void pool_channels(const cells *c, int32_t is_mean, int64_t channels, const float *dy) {
  int64_t i = 0;
  for (; i + 16 <= channels; i += 16) pool16(c, is_mean, i, dy);
  for (; i + 4 <= channels; i += 4) pool4(c, is_mean, i, dy);
  for (; i < channels; i++) pool1(c, is_mean, i, dy);
}

/* Whole windows of the usual sizes are unrolled. */
D3K_INLINE void pool_pixel(const cells *c, int32_t is_mean, int64_t channels, const float *dy) {
  cells whole = *c;
  whole.own = 0;
  const int32_t is_whole =
      c->rows == c->columns && c->own == 0 && c->own_end == c->rows && channels >= 4;
  if (is_whole && c->rows == 2) {
    whole.rows = whole.columns = whole.own_end = 2;
    pool_channels(&whole, is_mean, channels, dy);
  } else if (is_whole && c->rows == 3) {
    whole.rows = whole.columns = whole.own_end = 3;
    pool_channels(&whole, is_mean, channels, dy);
  } else {
    pool_channels(c, is_mean, channels, dy);
  }
}

/* Windows of output row `row` (of the image), for rows begin..<end of the image's dx. */
D3K_INLINE void pool_row(const job *j, int64_t image, int32_t row, int64_t begin, int64_t end,
                         int32_t is_mean) {
  const d3k_window *w = &j->pool->window;
  const d3k_span v = d3k_span_down(j->pool, row);
  /* Rows of the window that are ours; none: nothing to do. */
  const int64_t top = v.start + (int64_t)v.first * w->dilation_y, d = w->dilation_y;
  cells c = {.rows = v.last - v.first,
             .row_step = w->x_stride * w->in_width * w->dilation_y,
             .column_step = w->x_stride * w->dilation_x};
  c.own = top >= begin ? 0 : d3k_ceil_div(begin - top, d);
  c.own_end = top >= end ? 0 : d3k_min(c.rows, d3k_ceil_div(end - top, d));
  if (c.own >= c.own_end) return;
  const float *dy = j->dy + (image * w->out_height + row) * w->out_width * w->y_stride;
  for (int32_t column = 0; column < w->out_width; column++, dy += w->y_stride) {
    const d3k_span h = d3k_span_across(j->pool, column);
    c.columns = h.last - h.first;
    if (c.columns <= 0) continue;
    const int64_t left = h.start + (int64_t)h.first * w->dilation_x;
    const int64_t offset = ((image * w->in_height + top) * w->in_width + left) * w->x_stride;
    c.factor = 1.f / (float)((int64_t)v.counted * h.counted);
    c.x = is_mean ? NULL : j->x + offset;
    c.dx = j->dx + offset;
    pool_pixel(&c, is_mean, w->out_channels, dy);
  }
}

D3K_INLINE void pool_rows(const job *j, int64_t begin, int64_t end, int32_t is_mean) {
  const d3k_window *w = &j->pool->window;
  const int64_t reach = (int64_t)(w->kernel_height - 1) * w->dilation_y;
  for (int64_t at = begin; at < end;) { /* one image after the other */
    const int64_t image = at / w->in_height, first = at % w->in_height;
    const int64_t last = d3k_min(w->in_height, first + end - at);
    float *dx = j->dx + at * w->in_width * w->x_stride;
    if (!j->accumulates) {
      d3k_clear_rows(dx, w->x_stride, (last - first) * w->in_width, w->out_channels);
    }
    /* Windows start at row * stride - pad and end `reach` later. */
    const int64_t lowest = first + w->pad_top - reach;
    const int64_t from = lowest <= 0 ? 0 : d3k_ceil_div(lowest, w->stride_y);
    const int64_t to = d3k_min(w->out_height, d3k_ceil_div(last + w->pad_top, w->stride_y));
    for (int64_t row = from; row < to; row++) {
      pool_row(j, image, (int32_t)row, first, last, is_mean);
    }
    at += last - first;
  }
}

D3K_CLONED_BODY(max_rows) { pool_rows(context, begin, end, 0); }

D3K_CLONED_BODY(mean_rows) { pool_rows(context, begin, end, 1); }

void d3k_pool_backward(int32_t threads, const d3k_pool *pool, const float *x, const float *dy,
                       float *dx, int32_t accumulates) {
  const d3k_window *w = &pool->window;
  const int64_t rows = (int64_t)w->batch * w->in_height;
  const int64_t work = rows * w->in_width * w->out_channels;
  if (work <= 0) return;
  job j = {pool, x, dy, dx, accumulates};
  d3k_parallel(d3k_threads_for(threads, work * 2), rows, pool->is_mean ? mean_rows : max_rows, &j);
}
