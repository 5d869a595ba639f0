/* What the users of oneDNN's convolution share: the window and the images as it describes them. */
#ifndef D3K_CONV_DNNL_H
#define D3K_CONV_DNNL_H

#include "backend/dnnl_common.h"
#include "conv/conv_split.h"

#ifdef D3K_ONEDNN
typedef struct d3k_dnnl_window {
  dnnl_dims_t strides, dilations, near, far;
  dnnl_memory_desc_t weights; /* any layout; grouped ones have the group as their first axis   */
} d3k_dnnl_window;

/** 0 where oneDNN does not have such a window. weights: NULL = any layout. */
int32_t d3k_dnnl_window_of(const d3k_window *window, int32_t transposed, dnnl_data_type_t type,
                           const dnnl_memory_desc_t *weights, d3k_dnnl_window *out);

/** Returns the image if it is dense and float32 is wanted; else writes a dense copy to `copy`, with
 *  is_bf16 as bfloat16, and returns that. */
const void *d3k_dnnl_dense(int32_t threads, const float *image, int64_t stride, int64_t pixels,
                           int64_t channels, int32_t is_bf16, void *copy);

/** 1 where the near pads are such as oneDNN's kernels expect. */
int32_t d3k_dnnl_fits(const d3k_window *window);

/** Channels last, pixels `stride` apart. */
dnnl_status_t d3k_dnnl_image(dnnl_memory_desc_t *desc, dnnl_data_type_t type, int64_t n, int64_t c,
                             int64_t h, int64_t w, int64_t stride);

/** What makes the primitives of a convolution's pieces. */
typedef struct d3k_dnnl_maker {
  /** Of a piece; weights: a layout that it must have, or NULL. Returns NULL where it declines. */
  dnnl_primitive_desc_t (*describe)(const void *context, const d3k_window *window,
                                    const dnnl_memory_desc_t *weights);
  /** Adds the arguments; 0 where that fails. */
  int32_t (*add_arguments)(const void *context, dnnl_primitive_desc_t desc, d3k_dnnl_call *call);
  const void *context;
  dnnl_query_t weights; /* the kind of array: weights or their gradient                         */
} d3k_dnnl_maker;

/** The primitives: one for each kind of piece, with memories of its own for each thread. */
typedef struct d3k_dnnl_pieces {
  d3k_conv_split split;
  int32_t kinds, slots;
  d3k_window *windows;  /* of kinds                                                             */
  int32_t *kind_of;     /* of pieces                                                            */
  d3k_dnnl_call *calls; /* [kind][slot]                                                         */
  dnnl_memory_desc_t weights[2]; /* of a block; of the last one where it has fewer channels     */
  size_t block_bytes, weights_bytes; /* of the first; of all blocks                             */
  size_t scratchpad_bytes;           /* for each slot                                           */
} d3k_dnnl_pieces;

/** 1 = made, 0 = declined, -1 = no memory; nothing is left behind unless 1. */
int32_t d3k_dnnl_pieces_create(d3k_dnnl_pieces *pieces, const d3k_conv_split *split,
                               const d3k_window *window, int32_t transposed, int32_t threads,
                               const d3k_dnnl_maker *maker);
void d3k_dnnl_pieces_destroy(d3k_dnnl_pieces *pieces);

D3K_INLINE const d3k_dnnl_call *d3k_dnnl_piece_call(const d3k_dnnl_pieces *pieces, int64_t index,
                                                    int32_t slot) {
  return &pieces->calls[pieces->kind_of[index] * pieces->slots + slot];
}

/** The layout of a block's weights. */
D3K_INLINE const dnnl_memory_desc_t *d3k_dnnl_block_layout(const d3k_dnnl_pieces *pieces,
                                                           int64_t block) {
  const d3k_conv_split *split = &pieces->split;
  return &pieces->weights[block > 0 && block + 1 == split->blocks];
}
#endif

#endif /* D3K_CONV_DNNL_H */
