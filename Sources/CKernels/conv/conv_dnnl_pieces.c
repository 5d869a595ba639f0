/* Pieces of a convolution -> oneDNN's primitives for them. */
#include "conv/conv_dnnl.h"

#ifdef D3K_ONEDNN
#include <stdlib.h>

/* The far padding for this output size. Any value in [least, least + stride) gives the same size.
 * The result is negative where the image is cropped, which oneDNN cannot do. */
static int64_t far_pad(int64_t small, int64_t large, int64_t kernel, int64_t stride,
                       int64_t dilation, int64_t pad) {
  int64_t least = (small - 1) * stride + (kernel - 1) * dilation + 1 - large - pad;
  return least < 0 ? d3k_min(0, least + stride - 1) : least;
}

int32_t d3k_dnnl_window_of(const d3k_window *w, int32_t transposed, dnnl_data_type_t type,
                           const dnnl_memory_desc_t *weights, d3k_dnnl_window *out) {
  int64_t small_height = transposed ? w->in_height : w->out_height;
  int64_t large_height = transposed ? w->out_height : w->in_height;
  int64_t small_width = transposed ? w->in_width : w->out_width;
  int64_t large_width = transposed ? w->out_width : w->in_width;
  *out = (d3k_dnnl_window){.strides = {w->stride_y, w->stride_x},
                           .dilations = {w->dilation_y - 1, w->dilation_x - 1},
                           .near = {w->pad_top, w->pad_left},
                           .far = {far_pad(small_height, large_height, w->kernel_height,
                                           w->stride_y, w->dilation_y, w->pad_top),
                                   far_pad(small_width, large_width, w->kernel_width, w->stride_x,
                                           w->dilation_x, w->pad_left)}};
  if (out->far[0] < 0 || out->far[1] < 0) return 0;
  if (weights) {
    out->weights = *weights;
    return 1;
  }
  int64_t g = w->groups, in = w->in_channels / g, o = w->out_channels / g;
  dnnl_dims_t grouped = {g, o, in, w->kernel_height, w->kernel_width};
  return dnnl_memory_desc_init_by_tag(&out->weights, g > 1 ? 5 : 4, g > 1 ? grouped : grouped + 1,
                                      type, dnnl_format_tag_any) == dnnl_success;
}

/* The calls of one kind; 0 where that fails. */
static int32_t make_calls(d3k_dnnl_pieces *p, const d3k_dnnl_maker *maker,
                          dnnl_primitive_desc_t desc) {
  d3k_dnnl_call *calls = p->calls + p->kinds * p->slots;
  p->kinds++; /* what is made of it is destroyed with the rest */
  for (int32_t slot = 0; slot < p->slots; slot++)
    if (!d3k_dnnl_call_create(&calls[slot], desc, slot ? calls : NULL) ||
        !maker->add_arguments(maker->context, desc, &calls[slot]))
      return 0;
  return 1;
}

/* The kind of a piece, made where it is new; -1 where oneDNN has none. */
static int32_t find_kind(d3k_dnnl_pieces *p, const d3k_conv_piece *piece,
                         const d3k_dnnl_maker *maker) {
  for (int32_t i = 0; i < p->kinds; i++)
    if (memcmp(&p->windows[i], &piece->window, sizeof piece->window) == 0) return i;
  dnnl_memory_desc_t *layout = &p->weights[piece->window.out_channels < p->split.channels];
  int32_t kind = p->kinds, is_known = layout->ndims > 0;
  p->windows[kind] = piece->window;
  dnnl_primitive_desc_t desc =
      maker->describe(maker->context, &piece->window, is_known ? layout : NULL);
  if (!desc) return -1;
  if (!is_known) *layout = *d3k_dnnl_layout(desc, maker->weights);
  size_t bytes = dnnl_memory_desc_get_size(d3k_dnnl_layout(desc, dnnl_query_scratchpad_md));
  if (bytes > p->scratchpad_bytes) p->scratchpad_bytes = bytes;
  if (!d3k_dnnl_can_pack(layout) || !make_calls(p, maker, desc)) kind = -1;
  dnnl_primitive_desc_destroy(desc);
  return kind;
}

static int32_t make_kinds(d3k_dnnl_pieces *p, const d3k_window *w, int32_t transposed,
                          const d3k_dnnl_maker *maker) {
  const d3k_conv_split *split = &p->split;
  /* The middle ones choose the layout of weights: most are like them. */
  for (int64_t i = 0; i < split->count; i++) {
    int64_t index = (i + split->bands / 2 * split->blocks) % split->count;
    d3k_conv_piece piece;
    if (!d3k_conv_piece_at(split, w, transposed, index, &piece)) return 0;
    p->kind_of[index] = find_kind(p, &piece, maker);
    if (p->kind_of[index] < 0) return 0;
  }
  return 1;
}

int32_t d3k_dnnl_pieces_create(d3k_dnnl_pieces *p, const d3k_conv_split *split, const d3k_window *w,
                               int32_t transposed, int32_t threads, const d3k_dnnl_maker *maker) {
  size_t count = (size_t)split->count;
  *p = (d3k_dnnl_pieces){.split = *split,
                         .slots = (int32_t)d3k_min(d3k_parts(threads), split->count)};
  p->windows = calloc(count, sizeof *p->windows);
  p->kind_of = calloc(count, sizeof *p->kind_of);
  p->calls = calloc(count * (size_t)p->slots, sizeof *p->calls);
  int32_t status = -1;
  if (p->windows && p->kind_of && p->calls) {
    int32_t before = d3k_dnnl_keep();
    status = make_kinds(p, w, transposed, maker);
    d3k_dnnl_restore(before);
  }
  if (status < 1) {
    d3k_dnnl_pieces_destroy(p);
    return status;
  }
  d3k_dnnl_call *calls = realloc(p->calls, sizeof *calls * (size_t)(p->kinds * p->slots));
  if (calls) p->calls = calls;
  if (p->weights[1].ndims == 0) p->weights[1] = p->weights[0];
  p->scratchpad_bytes = d3k_round64(p->scratchpad_bytes);
  p->block_bytes = d3k_round64(dnnl_memory_desc_get_size(&p->weights[0]));
  p->weights_bytes = p->block_bytes;
  if (split->blocks > 1)
    p->weights_bytes = p->block_bytes * (size_t)(split->blocks - 1) +
                       d3k_round64(dnnl_memory_desc_get_size(&p->weights[1]));
  return 1;
}

void d3k_dnnl_pieces_destroy(d3k_dnnl_pieces *p) {
  for (int32_t i = p->kinds * p->slots - 1; p->calls && i >= 0; i--)
    d3k_dnnl_call_destroy(&p->calls[i]);
  free(p->calls);
  free(p->kind_of);
  free(p->windows);
  *p = (d3k_dnnl_pieces){0};
}
#endif
