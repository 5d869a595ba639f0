/* The two halves of a linear resize, along columns and along rows. */
#ifndef D3K_ROWS_H
#define D3K_ROWS_H

#include "base/internal.h"

/** One row of pixels x_stride apart -> columns->size dense pixels. */
void d3k_resize_columns(const float *x, int64_t x_stride, int64_t channels, const d3k_axis *columns,
                        float fill, float *y);

/** y = a + (b - a) * weight over `count` floats. */
void d3k_blend(const float *a, const float *b, float weight, float *y, int64_t count);

/** Resized rows of one image. The last two are kept, because neighbouring output rows mostly need
 *  the same ones. */
typedef struct d3k_row_pair {
  const float *x;
  int64_t x_stride, in_width, channels;
  const d3k_axis *columns;
  float fill;
  float *rows[2];     /* columns->size * channels floats each */
  int64_t numbers[2]; /* of the image's rows they hold; -1 = none */
} d3k_row_pair;

/** Resized rows `low` and `high`, which may be the same. */
void d3k_row_pair_get(d3k_row_pair *pair, int64_t low, int64_t high, const float **a,
                      const float **b);

#endif /* D3K_ROWS_H */
