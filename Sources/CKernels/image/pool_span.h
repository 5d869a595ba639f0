/* A pooling window along one axis -> its cells that are inside the image. */
#ifndef D3K_POOL_SPAN_H
#define D3K_POOL_SPAN_H

#include "base/internal.h"

/** A position along one axis: cells first..<last of the kernel are inside; `counted` of them for
 *  the mean. */
typedef struct d3k_span {
  int32_t start, first, last, counted;
} d3k_span;

/* A window and the image's size along one axis. */
typedef struct d3k_span_axis {
  int32_t stride, pad, kernel, dilation, size, pad_before, pad_after;
} d3k_span_axis;

D3K_INLINE d3k_span d3k_span_of(const d3k_span_axis *a, int32_t out, int32_t counts_pads) {
  d3k_span s = {.start = out * a->stride - a->pad};
  s.first = s.start < 0 ? (-s.start + a->dilation - 1) / a->dilation : 0;
  s.first = s.first < a->kernel ? s.first : a->kernel;
  s.last = s.start >= a->size ? 0 : (a->size - s.start + a->dilation - 1) / a->dilation;
  s.last = s.last < a->kernel ? s.last : a->kernel;
  s.last = s.last > s.first ? s.last : s.first;
  s.counted = s.last - s.first;
  if (counts_pads) {
    s.counted = 0;
    for (int32_t k = 0; k < a->kernel; k++) {
      const int32_t at = s.start + k * a->dilation;
      s.counted += at >= -a->pad_before && at < a->size + a->pad_after;
    }
  }
  return s;
}

/** Of output row `row`. */
D3K_INLINE d3k_span d3k_span_down(const d3k_pool *pool, int32_t row) {
  const d3k_window *w = &pool->window;
  const d3k_span_axis axis = {w->stride_y,  w->pad_top,    w->kernel_height, w->dilation_y,
                              w->in_height, pool->pads[0], pool->pads[2]};
  return d3k_span_of(&axis, row, pool->counts_pads);
}

/** Of output column `column`. */
D3K_INLINE d3k_span d3k_span_across(const d3k_pool *pool, int32_t column) {
  const d3k_window *w = &pool->window;
  const d3k_span_axis axis = {w->stride_x, w->pad_left,   w->kernel_width, w->dilation_x,
                              w->in_width, pool->pads[1], pool->pads[3]};
  return d3k_span_of(&axis, column, pool->counts_pads);
}

#endif /* D3K_POOL_SPAN_H */
