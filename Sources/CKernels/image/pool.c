/* Images -> the largest or the mean value under a window, pixel by pixel, then the chain.
 *
 * Cost: kernel_height * kernel_width reads a value, vectorised over channels. Of an image with
 * fewer channels than a vector has lanes the rows of a window are joined first, along the line. */
#include "base/lanes.h"
#include "image/pool_span.h"

typedef struct job {
  const d3k_pool *pool;
  const d3k_chain *chain;
  const float *x;
  float *y;
} job;

/* The window's cells that are inside the image, from the first one. */
typedef struct cells {
  const float *x;
  int64_t rows, columns, row_step, column_step;
  float divisor;
} cells;

/* Not-a-number wins from either side. */
#define MAX(v, next) ((((next) > (v)) | ((next) != (next))) ? (next) : (v))

/* The channels `i`.. that fit in one vector. */
#define POOL(name, type)                                                       \
  D3K_INLINE void name(const cells *c, int32_t is_mean, int64_t i, float *y) { \
    type v = (type)(is_mean ? 0.f : -INFINITY);                                \
    const float *row = c->x + i;                                               \
    for (int64_t r = 0; r < c->rows; r++, row += c->row_step) {                \
      const float *x = row;                                                    \
      for (int64_t k = 0; k < c->columns; k++, x += c->column_step) {          \
        const type next = *(const type *)x;                                    \
        v = is_mean ? v + next : MAX(v, next);                                 \
      }                                                                        \
    }                                                                          \
    *(type *)(y + i) = is_mean ? v / c->divisor : v;                           \
  }
POOL(pool16, d3k_f16)
POOL(pool8, d3k_f8)
POOL(pool4, d3k_f4)
POOL(pool1, float)

D3K_INLINE void pool_pixel(const cells *c, int32_t is_mean, int64_t channels, float *y) {
  if (channels >= 16) {
    for (int64_t i = 0; i < channels; i += 16) pool16(c, is_mean, d3k_min(i, channels - 16), y);
  } else if (channels >= 8) {
    pool8(c, is_mean, 0, y);
    pool8(c, is_mean, channels - 8, y);
  } else if (channels >= 4) {
    pool4(c, is_mean, 0, y);
    pool4(c, is_mean, channels - 4, y);
  } else {
    for (int64_t i = 0; i < channels; i++) pool1(c, is_mean, i, y);
  }
}

enum { lanes = 4, line_floats = 4096, least_columns = 8 };

/* Output columns that a line of joined rows suffices for. */
D3K_INLINE int64_t line_columns(const d3k_window *w) {
  const int64_t reach = (int64_t)(w->kernel_width - 1) * w->dilation_x + 1;
  return (line_floats / w->out_channels - reach) / w->stride_x;
}

D3K_INLINE int32_t is_narrow(const d3k_window *w) {
  return w->out_channels < lanes && w->x_stride == w->out_channels &&
         line_columns(w) >= least_columns;
}

/* Rows of x, each `step` after the other -> their sum or their largest values. */
D3K_INLINE void join_rows(const float *x, int64_t rows, int64_t step, int64_t count,
                          int32_t is_mean, float *line) {
  for (int64_t i = 0; i < count; i++) line[i] = is_mean ? 0.f : -INFINITY;
  for (int64_t r = 0; r < rows; r++, x += step) {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) line[i] = is_mean ? line[i] + x[i] : MAX(line[i], x[i]);
  }
}

/* One row of an image with fewer channels than `lanes`. */
D3K_INLINE void narrow_row(const job *j, const float *image, const d3k_span *v, int32_t is_mean,
                           float *y) {
  const d3k_window *w = &j->pool->window;
  const int64_t channels = w->out_channels, chunk = line_columns(w);
  const int64_t reach = (int64_t)(w->kernel_width - 1) * w->dilation_x + 1;
  const int64_t step = (int64_t)w->in_width * channels;
  const int64_t top = v->start + (int64_t)v->first * w->dilation_y;
  float line[line_floats + lanes];
  for (int64_t first = 0; first < w->out_width; first += chunk) {
    const int64_t last = d3k_min(first + chunk, w->out_width);
    const int64_t left = d3k_max(0, first * w->stride_x - w->pad_left);
    const int64_t right = d3k_min(w->in_width, (last - 1) * w->stride_x - w->pad_left + reach);
    const int64_t rows = left < right ? v->last - v->first : 0;
    const int64_t count = d3k_max(0, right - left) * channels;
    for (int64_t i = 0; i < lanes; i++) line[count + i] = 0; /* read, and not used */
    if (rows > 0)
      join_rows(image + top * step + left * channels, rows, step * w->dilation_y, count, is_mean,
                line);
    for (int64_t column = first; column < last; column++) {
      const int64_t start = column * w->stride_x - w->pad_left;
      const d3k_span inside = {(int32_t)start, 0, w->kernel_width, w->kernel_width};
      const d3k_span h = start >= 0 && start + reach <= w->in_width
                             ? inside
                             : d3k_span_across(j->pool, (int32_t)column);
      const int64_t counted = (int64_t)v->counted * h.counted;
      d3k_f4 value = (d3k_f4)(is_mean ? 0.f : -INFINITY);
      for (int64_t k = h.first; k < h.last && rows > 0; k++) {
        const d3k_f4 next =
            *(const d3k_f4 *)(line + (h.start + k * w->dilation_x - left) * channels);
        value = is_mean ? value + next : MAX(value, next);
      }
      if (is_mean) value /= counted > 0 ? (float)counted : 1.f;
      for (int64_t c = 0; c < channels; c++) y[column * w->y_stride + c] = value[c];
    }
  }
}

D3K_INLINE void pool_rows(const job *j, int64_t begin, int64_t end, int32_t is_mean) {
  const d3k_window *w = &j->pool->window;
  const int64_t channels = w->out_channels;
  for (int64_t row = begin; row < end; row++) {
    const int64_t image = row / w->out_height;
    const d3k_span v = d3k_span_down(j->pool, (int32_t)(row % w->out_height));
    float *y = j->y + row * w->out_width * w->y_stride;
    if (is_narrow(w)) {
      narrow_row(j, j->x + image * w->in_height * w->in_width * w->x_stride, &v, is_mean, y);
      d3k_chain_apply(j->chain, y, w->y_stride, row * w->out_width, w->out_width, channels);
      continue;
    }
    for (int32_t column = 0; column < w->out_width; column++) {
      const d3k_span h = d3k_span_across(j->pool, column);
      cells c = {.rows = v.last - v.first,
                 .columns = h.last - h.first,
                 .row_step = w->x_stride * w->in_width * w->dilation_y,
                 .column_step = w->x_stride * w->dilation_x};
      const int64_t counted = (int64_t)v.counted * h.counted;
      c.divisor = counted > 0 ? (float)counted : 1.f;
      c.x = j->x;
      if (c.rows > 0 && c.columns > 0) {
        const int64_t y0 = v.start + (int64_t)v.first * w->dilation_y;
        const int64_t x0 = h.start + (int64_t)h.first * w->dilation_x;
        c.x += ((image * w->in_height + y0) * w->in_width + x0) * w->x_stride;
      } else {
        c.rows = 0;
      }
      pool_pixel(&c, is_mean, channels, y + column * w->y_stride);
    }
    d3k_chain_apply(j->chain, y, w->y_stride, row * w->out_width, w->out_width, channels);
  }
}

D3K_CLONED_BODY(max_rows) { pool_rows(context, begin, end, 0); }

D3K_CLONED_BODY(mean_rows) { pool_rows(context, begin, end, 1); }

void d3k_pool_run(int32_t threads, const d3k_pool *pool, const d3k_chain *chain, const float *x,
                  float *y) {
  const d3k_window *w = &pool->window;
  const int64_t rows = (int64_t)w->batch * w->out_height;
  if (rows <= 0 || w->out_width <= 0 || w->out_channels <= 0) return;
  const int64_t cells = (int64_t)w->kernel_height * w->kernel_width;
  const int64_t work = rows * w->out_width * w->out_channels * (1 + cells / 2);
  job j = {pool, chain, x, y};
  d3k_parallel(d3k_threads_for(threads, work), rows, pool->is_mean ? mean_rows : max_rows, &j);
}
