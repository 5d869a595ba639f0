/* What conv.c shares with the implementations it chooses from. */
#ifndef D3K_CONV_INTERNAL_H
#define D3K_CONV_INTERNAL_H

#include "tiles.h"

typedef struct d3k_conv_implementation {
  const char *name;
  /** 1 where _create would take these options (it may still decline); costs nothing. */
  int32_t (*fits)(const d3k_conv_options *options);
  /** 1 where y_stride > out_channels costs nothing extra. */
  int32_t (*writes_strided)(const d3k_conv_options *options);
  /** Fills sizes, name and state; 1 = taken, 0 = declined (nothing left behind), -1 = no memory. */
  int32_t (*create)(d3k_conv *conv);
  void (*destroy)(d3k_conv *conv);
  void (*pack)(const d3k_conv *conv, const float *weights, const float *scale, void *packed);
  void (*run)(const d3k_conv *conv, const float *x, const void *packed, const float *bias,
              const d3k_chain *chain, float *y, void *scratch);
} d3k_conv_implementation;

struct d3k_conv {
  d3k_conv_options options;
  const d3k_conv_implementation *implementation;
  const char *name;
  size_t packed_bytes, scratch_bytes;
  void *state; /* the implementation's own */
};

extern const d3k_conv_implementation d3k_conv_depthwise;
extern const d3k_conv_implementation d3k_conv_direct;
extern const d3k_conv_implementation d3k_conv_onednn;
extern const d3k_conv_implementation d3k_conv_openblas;
extern const d3k_conv_implementation d3k_conv_transposed;
extern const d3k_conv_implementation d3k_conv_reference;

static inline int32_t d3k_always(const d3k_conv_options *options) {
  (void)options;
  return 1;
}

D3K_INLINE int64_t d3k_conv_pixels(const d3k_window *w) {
  return (int64_t)w->batch * w->out_height * w->out_width;
}

#endif /* D3K_CONV_INTERNAL_H */
