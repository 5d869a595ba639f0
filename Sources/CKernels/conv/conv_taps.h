/* The taps of a kernel that an output position uses along one axis, and the places of their inputs.
 */
#ifndef D3K_CONV_TAPS_H
#define D3K_CONV_TAPS_H

#include "base/internal.h"

/** Taps tap + j * tap_step, 0 <= j < count, at inputs input + j * input_step (may be outside). */
typedef struct d3k_taps {
  int64_t tap, tap_step, count;
  int64_t input, input_step; /* input_step > 0                                                 */
} d3k_taps;

/** Of a convolution, at output position o. */
D3K_INLINE d3k_taps d3k_taps_at(int64_t o, int64_t kernel, int64_t stride, int64_t dilation,
                                int64_t pad) {
  return (d3k_taps){0, 1, kernel, o * stride - pad, dilation};
}

/** Of a transposed one: tap k brings input (o + pad - k * dilation) / stride where that is whole,
 *  which it is for every `period`-th tap or for none. Taken from the last tap on, so that inputs
 *  ascend. */
static inline d3k_taps d3k_transposed_taps_at(int64_t o, int64_t kernel, int64_t stride,
                                              int64_t dilation, int64_t pad) {
  int64_t period = 1, k = 0;
  while (period * dilation % stride) period++;
  while (k < period && (o + pad - k * dilation) % stride) k++;
  if (k >= d3k_min(period, kernel)) return (d3k_taps){0, 0, 0, 0, 1};
  int64_t count = (kernel - 1 - k) / period + 1;
  k += (count - 1) * period;
  return (d3k_taps){k, -period, count, (o + pad - k * dilation) / stride,
                    dilation * period / stride};
}

/** The j for which the inputs, moved by `shift`, are inside: *first..<*last. */
D3K_INLINE void d3k_taps_inside(const d3k_taps *t, int64_t shift, int64_t size, int64_t *first,
                                int64_t *last) {
  int64_t input = t->input + shift;
  *first = input < 0 ? d3k_min(d3k_ceil_div(-input, t->input_step), t->count) : 0;
  *last = input >= size ? 0 : d3k_min(t->count, (size - 1 - input) / t->input_step + 1);
  *last = d3k_max(*first, *last);
}

#endif /* D3K_CONV_TAPS_H */
