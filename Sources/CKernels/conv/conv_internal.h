/* What conv.c shares with the implementations it chooses from. */
#ifndef D3K_CONV_INTERNAL_H
#define D3K_CONV_INTERNAL_H

#include "base/tiles.h"

/** One call of d3k_conv_run. */
typedef struct d3k_conv_call {
  const d3k_conv *conv;
  const float *x;
  const float *weights; /* as the implementation has packed them */
  const float *bias;    /* or NULL */
  const d3k_chain *chain;
  float *y;
  void *scratch;
} d3k_conv_call;

typedef struct d3k_conv_implementation {
  /** 1 where _create may succeed with these options. It does no work. */
  int32_t (*fits)(const d3k_conv_options *options);
  /** 1 where y_stride > out_channels costs nothing extra. */
  int32_t (*writes_strided)(const d3k_conv_options *options);
  /** Fills sizes and state; 1 = taken, 0 = declined (nothing left behind), -1 = no memory. */
  int32_t (*create)(d3k_conv *conv);
  void (*destroy)(d3k_conv *conv);
  void (*pack)(const d3k_conv *conv, const float *weights, const float *scale, void *packed);
  void (*run)(const d3k_conv_call *call);
  const char *name;
} d3k_conv_implementation;

/** The place of a weight in the array given to _pack: `first`, plus each index times its step.
 * Steps are negative for transposed convolutions of stride 1, which are computed with a turned
 * kernel. */
typedef struct d3k_conv_weights {
  int64_t first, group, out, in, down, right;
} d3k_conv_weights;

struct d3k_conv {
  d3k_conv_options options; /* as given, or those of the plain convolution that does the same  */
  d3k_conv_weights weights;
  const d3k_conv_implementation *implementation;
  size_t packed_bytes, scratch_bytes;
  void *state; /* the implementation's own */
};

extern const d3k_conv_implementation d3k_conv_depthwise;
extern const d3k_conv_implementation d3k_conv_direct;
extern const d3k_conv_implementation d3k_conv_dense;
extern const d3k_conv_implementation d3k_conv_onednn;
extern const d3k_conv_implementation d3k_conv_openblas;
extern const d3k_conv_implementation d3k_conv_transposed;
extern const d3k_conv_implementation d3k_conv_reference;
extern const d3k_conv_implementation d3k_conv_winograd_2;
extern const d3k_conv_implementation d3k_conv_winograd_4;

/** Of group g, output o and input i of the group, tap k. */
D3K_INLINE int64_t d3k_weight_at(const d3k_conv *conv, int64_t g, int64_t o, int64_t i, int64_t k) {
  const d3k_conv_weights *at = &conv->weights;
  int64_t width = conv->options.window.kernel_width;
  return at->first + g * at->group + o * at->out + i * at->in + k / width * at->down +
         k % width * at->right;
}

static inline int32_t d3k_always(const d3k_conv_options *options) {
  (void)options;
  return 1;
}

D3K_INLINE int64_t d3k_conv_pixels(const d3k_window *w) {
  return (int64_t)w->batch * w->out_height * w->out_width;
}

/** Channels of group g of input pixel (iy, ix) of image n -> to; zeros outside the image. */
D3K_INLINE void d3k_input_pixel(const d3k_window *w, const float *x, int64_t n, int64_t iy,
                                int64_t ix, int64_t g, float *to) {
  int64_t in = w->in_channels / w->groups;
  if (iy < 0 || iy >= w->in_height || ix < 0 || ix >= w->in_width)
    memset(to, 0, sizeof(float) * (size_t)in);
  else
    memcpy(to, x + ((n * w->in_height + iy) * w->in_width + ix) * w->x_stride + g * in,
           sizeof(float) * (size_t)in);
}

/** 1 where the pixels of x and y are the same ones in the same order: 1x1, stride 1, no pads. */
D3K_INLINE int32_t d3k_is_pointwise(const d3k_window *w) {
  return w->kernel_height == 1 && w->kernel_width == 1 && w->stride_y == 1 && w->stride_x == 1 &&
         w->pad_top == 0 && w->pad_left == 0 && w->out_height == w->in_height &&
         w->out_width == w->in_width;
}

/** Floats that all registers hold. Blocks are chosen by it: their sums take three quarters, and
 * what is added to them passes through the rest. */
static inline int32_t d3k_register_floats(void) {
  static const int32_t by_level[] = {
      [D3K_ISA_BASE] = 16 * 4,
      [D3K_ISA_AVX2] = 16 * 8,
      [D3K_ISA_AVX512] = 32 * 16,
      [D3K_ISA_NEON] = 32 * 4,
  };
  return by_level[d3k_isa()];
}

/** 1 where sums may take 24 registers of 16 floats; else they take at most as many of 4, or 12
 * of 8.
 */
static inline int32_t d3k_has_many_registers(void) { return d3k_register_floats() >= 32 * 16; }

#endif /* D3K_CONV_INTERNAL_H */
