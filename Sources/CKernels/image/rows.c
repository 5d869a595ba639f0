/* Rows of pixels -> rows of more or fewer pixels, and blends of two rows. */
#include "image/rows.h"

#include "base/lanes.h"

/* y = a + (b - a) * w over one pixel, in vectors that may overlap at its end. */
D3K_INLINE void lerp_pixel(const float *a, const float *b, float w, float *y, int64_t channels) {
#define LERP(type, i)                                                      \
  do {                                                                     \
    const type v = *(const type *)(a + (i)), u = *(const type *)(b + (i)); \
    *(type *)(y + (i)) = v + (u - v) * w;                                  \
  } while (0)
  if (channels >= 16) {
    for (int64_t i = 0; i < channels - 16; i += 16) LERP(d3k_f16, i);
    if (channels % 16 == 4) { /* 20 classes */
      LERP(d3k_f4, channels - 4);
      if (channels == 20) return;
    }
    LERP(d3k_f16, channels - 16);
  } else if (channels >= 8) {
    LERP(d3k_f8, 0);
    LERP(d3k_f8, channels - 8);
  } else if (channels >= 4) {
    LERP(d3k_f4, 0);
    LERP(d3k_f4, channels - 4);
  } else {
    for (int64_t i = 0; i < channels; i++) LERP(float, i);
  }
#undef LERP
}

D3K_CLONES(extern, void, d3k_resize_columns,
           (const float *x, int64_t x_stride, int64_t channels, const d3k_axis *columns, float fill,
            float *y),
           (x, x_stride, channels, columns, fill, y)) {
  for (int64_t c = 0; c < columns->size; c++, y += channels) {
    const float w = columns->weight[c];
    if (w == -1.f) {
      for (int64_t i = 0; i < channels; i++) y[i] = fill;
      continue;
    }
    const float *a = x + columns->low[c] * x_stride;
    if (w == 0.f) { /* also keeps a neighbour's infinity out */
      d3k_copy_line(y, a, channels);
    } else {
      lerp_pixel(a, x + columns->high[c] * x_stride, w, y, channels);
    }
  }
}

D3K_CLONES(extern, void, d3k_blend,
           (const float *a, const float *b, float weight, float *y, int64_t count),
           (a, b, weight, y, count)) {
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) y[i] = a[i] + (b[i] - a[i]) * weight;
}

static const float *row_of(d3k_row_pair *pair, int64_t number, int32_t slot) {
  if (pair->numbers[slot] != number) {
    d3k_resize_columns(pair->x + number * pair->in_width * pair->x_stride, pair->x_stride,
                       pair->channels, pair->columns, pair->fill, pair->rows[slot]);
    pair->numbers[slot] = number;
  }
  return pair->rows[slot];
}

void d3k_row_pair_get(d3k_row_pair *pair, int64_t low, int64_t high, const float **a,
                      const float **b) {
  /* Keep whichever is already there. */
  const int32_t slot = pair->numbers[1] == low || (low != high && pair->numbers[0] == high);
  *a = row_of(pair, low, slot);
  *b = low == high ? *a : row_of(pair, high, 1 - slot);
}
