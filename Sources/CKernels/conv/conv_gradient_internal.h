/* What conv_gradient.c shares with the implementations it chooses from. All of them see a plain
 * convolution: conv_gradient.c has exchanged the images of a transposed one. */
#ifndef D3K_CONV_GRADIENT_INTERNAL_H
#define D3K_CONV_GRADIENT_INTERNAL_H

#include "base/lanes.h"
#include "conv/conv_internal.h"
#include "d3k_conv_gradient.h"

typedef struct d3k_conv_gradient_implementation {
  /** Fills sizes and state; 1 = taken, 0 = declined (nothing left behind), -1 = no memory. */
  int32_t (*create)(d3k_conv_gradient *gradient);
  void (*destroy)(d3k_conv_gradient *gradient);
  /** dweights += sum of x * dy. */
  void (*run)(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
              void *scratch);
  const char *name;
} d3k_conv_gradient_implementation;

struct d3k_conv_gradient {
  d3k_conv_options options; /* as given                                                        */
  d3k_window window;        /* of the plain convolution                                        */
  const d3k_conv_gradient_implementation *implementation;
  size_t scratch_bytes, bias_bytes; /* of the implementation; of the bias, before it           */
  void *state;                      /* the implementation's own                                */
};

extern const d3k_conv_gradient_implementation d3k_conv_gradient_depthwise;
extern const d3k_conv_gradient_implementation d3k_conv_gradient_direct;
extern const d3k_conv_gradient_implementation d3k_conv_gradient_onednn;
extern const d3k_conv_gradient_implementation d3k_conv_gradient_product_best;
extern const d3k_conv_gradient_implementation d3k_conv_gradient_product;
extern const d3k_conv_gradient_implementation d3k_conv_gradient_reference;
extern const d3k_conv_gradient_implementation d3k_conv_gradient_winograd_2;
extern const d3k_conv_gradient_implementation d3k_conv_gradient_winograd_4;

/* conv_gradient_bands.c ------------------------------------------------------------------- */

/** Output pixels are divided into runs: lines of the image, or runs of one length where lines do
 * not matter. Runs are divided into bands, each with sums of its own. Both depend on the sizes
 * alone. */
typedef struct d3k_pixel_bands {
  int64_t runs, run_pixels; /* the last run may be shorter where they are not lines            */
  int64_t pixels;
  int64_t count;
} d3k_pixel_bands;

/** is_flat: runs need not be lines. floats: of the sums of one band. */
d3k_pixel_bands d3k_pixel_bands_of(const d3k_window *window, int32_t is_flat, int64_t floats);

D3K_INLINE int64_t d3k_pixel_band_begin(const d3k_pixel_bands *bands, int64_t band) {
  return band * bands->runs / bands->count;
}

/** Sums of bands -> gradient. Each band holds [block][tap][row][lane] floats, lanes `pitch` apart
 *  from row to row; the gradient of lane l is at
 *  block * strides[0] + tap + row * strides[1] + l / lane_group * strides[2]
 *                                              + l % lane_group * strides[3]. */
typedef struct d3k_conv_sums {
  const float *sums;
  int64_t bands, blocks, taps, rows, lanes, pitch, lane_group;
  int64_t strides[4];
  float *dweights;
} d3k_conv_sums;

/** Adds the sums of all bands, in double, to the gradient. */
void d3k_conv_merge(int32_t threads, const d3k_conv_sums *merge);

/** dbias += sum of dy over its rows of `channels`. scratch: d3k_conv_bias_bytes. */
void d3k_conv_bias_gradient(int32_t threads, const float *dy, int64_t dy_stride, int64_t rows,
                            int64_t channels, float *dbias, double *scratch);
size_t d3k_conv_bias_bytes(int64_t rows, int64_t channels);

/** Whether reading the channels of pixel `last` in whole vectors stays inside an image of `pixels`
 *  pixels, of which the last one has `after` more channels. The values past the channels are not
 *  used, but reading them must be allowed. */
D3K_INLINE int32_t d3k_can_overread(int64_t last, int64_t pixels, int64_t stride, int64_t channels,
                                    int64_t after) {
  return channels % 16 == 0 || last * stride + d3k_ceil_div(channels, 16) * 16 <=
                                   (pixels - 1) * stride + channels + after;
}

/** The columns begin..<end of the output whose tap kx lies inside the image. */
D3K_INLINE void d3k_tap_columns(const d3k_window *w, int64_t kx, int64_t *begin, int64_t *end) {
  int64_t offset = kx * w->dilation_x - w->pad_left, last = w->in_width - 1 - offset;
  *begin = offset < 0 ? d3k_min(d3k_ceil_div(-offset, w->stride_x), w->out_width) : 0;
  *end = last < 0 ? 0 : d3k_min(last / w->stride_x + 1, w->out_width);
  if (*end < *begin) *end = *begin;
}

#endif /* D3K_CONV_GRADIENT_INTERNAL_H */
