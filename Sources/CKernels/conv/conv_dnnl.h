/* What the users of oneDNN's convolution share: the window and the images as it describes them. */
#ifndef D3K_CONV_DNNL_H
#define D3K_CONV_DNNL_H

#include "backend/dnnl_common.h"
#include "conv/conv_internal.h"

#ifdef D3K_ONEDNN
typedef struct d3k_dnnl_window {
  dnnl_dims_t strides, dilations, near, far;
  dnnl_memory_desc_t weights; /* any layout; grouped ones have the group as their first axis   */
} d3k_dnnl_window;

/** 0 where oneDNN does not have such a window. */
int32_t d3k_dnnl_window_of(const d3k_window *window, int32_t transposed, dnnl_data_type_t type,
                           d3k_dnnl_window *out);

/** Returns the image if it is dense and float32 is wanted; else writes a dense copy to `copy`, with
 *  is_bf16 as bfloat16, and returns that. */
const void *d3k_dnnl_dense(int32_t threads, const float *image, int64_t stride, int64_t pixels,
                           int64_t channels, int32_t is_bf16, void *copy);

/** 1 where the near pads are such as oneDNN's kernels expect. */
int32_t d3k_dnnl_fits(const d3k_window *window);

/** Channels last, pixels `stride` apart. */
dnnl_status_t d3k_dnnl_image(dnnl_memory_desc_t *desc, dnnl_data_type_t type, int64_t n, int64_t c,
                             int64_t h, int64_t w, int64_t stride);
#endif

#endif /* D3K_CONV_DNNL_H */
