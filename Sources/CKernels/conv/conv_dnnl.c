/* Convolution and transposed convolution by oneDNN, where it has a compiled kernel for them. */
#include "conv/conv_dnnl.h"

#include "base/bands.h"

#ifdef D3K_ONEDNN
#include <stdlib.h>

typedef struct dnnl_state {
  d3k_dnnl_pieces pieces; /* calls: src, weights, dst, scratchpad, (bias)                       */
  int32_t is_bf16;
  int32_t copies_x, copies_y; /* through dense scratch                                          */
  size_t x_bytes, y_bytes;    /* scratch: x; y of a piece, and oneDNN's own, for each thread    */
} dnnl_state;

enum { arg_src, arg_weights, arg_dst, arg_scratchpad, arg_bias };

/* Pixels of a band: the weights are read for each. */
enum { band_pixels = 128 };

const void *d3k_dnnl_dense(int32_t threads, const float *image, int64_t stride, int64_t pixels,
                           int64_t channels, int32_t is_bf16, void *copy) {
  const d3k_chain none = {0};
  if (!is_bf16 && stride == channels) return image;
  if (is_bf16)
    d3k_to_bf16(threads, image, stride, pixels, channels, copy);
  else
    d3k_chain_run(threads, &none, image, stride, copy, channels, pixels, channels);
  return copy;
}

int32_t d3k_dnnl_fits(const d3k_window *w) {
  return w->pad_top >= 0 && w->pad_left >= 0 &&
         w->pad_top < (w->kernel_height - 1) * w->dilation_y + 1 &&
         w->pad_left < (w->kernel_width - 1) * w->dilation_x + 1;
}

dnnl_status_t d3k_dnnl_image(dnnl_memory_desc_t *desc, dnnl_data_type_t type, int64_t n, int64_t c,
                             int64_t h, int64_t w, int64_t stride) {
  dnnl_dims_t dims = {n, c, h, w}, strides = {h * w * stride, 1, w * stride, stride};
  return dnnl_memory_desc_init_by_strides(desc, 4, dims, type, strides);
}

/* What is tried: bfloat16 or not, only the best kernels or any. */
typedef struct attempt {
  const d3k_conv *conv;
  int32_t is_bf16, only_best;
} attempt;

static int32_t make_op_desc(const d3k_conv *conv, const d3k_window *w,
                            const dnnl_memory_desc_t *src, const dnnl_memory_desc_t *weights,
                            const dnnl_memory_desc_t *dst, dnnl_convolution_desc_t *op) {
  d3k_dnnl_window own;
  dnnl_dims_t bias_dims = {w->out_channels};
  dnnl_memory_desc_t bias;
  if (!d3k_dnnl_window_of(w, conv->options.transposed, src->data_type, weights, &own) ||
      dnnl_memory_desc_init_by_tag(&bias, 1, bias_dims, dnnl_f32, dnnl_a) != dnnl_success)
    return 0;
  const dnnl_memory_desc_t *bias_or_none = conv->options.has_bias ? &bias : NULL;
  if (conv->options.transposed)
    return dnnl_dilated_deconvolution_forward_desc_init(
               op, dnnl_forward_inference, dnnl_deconvolution_direct, src, &own.weights,
               bias_or_none, dst, own.strides, own.dilations, own.near, own.far) == dnnl_success;
  return dnnl_dilated_convolution_forward_desc_init(
             op, dnnl_forward_inference, dnnl_convolution_direct, src, &own.weights, bias_or_none,
             dst, own.strides, own.dilations, own.near, own.far) == dnnl_success;
}

static dnnl_primitive_desc_t describe(const void *context, const d3k_window *w,
                                      const dnnl_memory_desc_t *weights) {
  const attempt *tried = context;
  dnnl_memory_desc_t src, dst;
  dnnl_convolution_desc_t op;
  if (!d3k_dnnl_fits(w) ||
      d3k_dnnl_image(&src, tried->is_bf16 ? dnnl_bf16 : dnnl_f32, w->batch, w->in_channels,
                     w->in_height, w->in_width, w->in_channels) != dnnl_success ||
      d3k_dnnl_image(&dst, dnnl_f32, w->batch, w->out_channels, w->out_height, w->out_width,
                     w->out_channels) != dnnl_success ||
      !make_op_desc(tried->conv, w, &src, weights, &dst, &op))
    return NULL;
  return d3k_dnnl_desc_create(&op, 1, NULL,
                              tried->only_best ? d3k_dnnl_is_best : d3k_dnnl_is_compiled);
}

static int32_t add_arguments(const void *context, dnnl_primitive_desc_t desc, d3k_dnnl_call *call) {
  const attempt *tried = context;
  const dnnl_memory_desc_t *bias = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1);
  return d3k_dnnl_call_add(call, DNNL_ARG_SRC, d3k_dnnl_layout(desc, dnnl_query_src_md)) &&
         d3k_dnnl_call_add(call, DNNL_ARG_WEIGHTS, d3k_dnnl_layout(desc, dnnl_query_weights_md)) &&
         d3k_dnnl_call_add(call, DNNL_ARG_DST, d3k_dnnl_layout(desc, dnnl_query_dst_md)) &&
         d3k_dnnl_call_add(call, DNNL_ARG_SCRATCHPAD,
                           d3k_dnnl_layout(desc, dnnl_query_scratchpad_md)) &&
         (!tried->conv->options.has_bias || d3k_dnnl_call_add(call, DNNL_ARG_BIAS, bias));
}

/* The best that oneDNN has; in pieces where it can. */
static int32_t choose(const d3k_conv *conv, dnnl_state *state) {
  const d3k_conv_options *o = &conv->options;
  const d3k_conv_split splits[2] = {d3k_conv_split_of(&o->window, o->transposed, band_pixels),
                                    d3k_conv_whole(&o->window)};
  int32_t status = 0;
  for (int32_t is_bf16 = o->precision == D3K_BF16; is_bf16 >= 0; is_bf16--)
    for (int32_t is_whole = 0; is_whole < 2; is_whole++)
      for (int32_t only_best = 1; only_best >= is_bf16; only_best--) {
        const attempt tried = {conv, is_bf16, only_best};
        const d3k_dnnl_maker maker = {describe, add_arguments, &tried, dnnl_query_weights_md};
        state->is_bf16 = is_bf16;
        status = d3k_dnnl_pieces_create(&state->pieces, &splits[is_whole], &o->window,
                                        o->transposed, o->threads, &maker);
        if (status) return status;
      }
  return status;
}

static void destroy(d3k_conv *conv) {
  dnnl_state *state = conv->state;
  d3k_dnnl_pieces_destroy(&state->pieces);
  free(state);
  conv->state = NULL;
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  dnnl_state *state = calloc(1, sizeof(dnnl_state));
  if (!state) return -1;
  conv->state = state;
  int32_t status = choose(conv, state);
  if (status < 1) {
    destroy(conv);
    return status;
  }
  const d3k_dnnl_pieces *pieces = &state->pieces;
  const d3k_conv_split *split = &pieces->split;
  state->copies_x = state->is_bf16 || w->x_stride != w->in_channels;
  state->copies_y = w->y_stride != w->out_channels || split->blocks > 1;
  if (state->copies_x)
    state->x_bytes =
        d3k_round64((state->is_bf16 ? 2 : 4) * (size_t)w->batch * (size_t)w->in_height *
                    (size_t)w->in_width * (size_t)w->in_channels);
  if (state->copies_y)
    state->y_bytes = d3k_round64(sizeof(float) * (size_t)(split->pixels * split->channels));
  conv->scratch_bytes =
      state->x_bytes + (size_t)pieces->slots * (state->y_bytes + pieces->scratchpad_bytes);
  conv->packed_bytes = pieces->weights_bytes;
  return 1;
}

static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  const d3k_dnnl_pieces *pieces = &((const dnnl_state *)conv->state)->pieces;
  const d3k_conv_weights *at = &conv->weights;
  d3k_dnnl_packing packing = {.strides = {at->group, at->out, at->in, at->down, at->right},
                              .scale_axis = 1,
                              .outer_axis = 0,
                              .alpha = 1};
  if (w->groups == 1) {
    memmove(packing.strides, packing.strides + 1, 4 * sizeof(int64_t));
    packing.scale_axis = 0;
    packing.outer_axis = -1;
  }
  for (int64_t block = 0; block < pieces->split.blocks; block++) {
    int64_t channel = block * pieces->split.channels;
    packing.desc = d3k_dnnl_block_layout(pieces, block);
    packing.from = weights + at->first + channel * at->out;
    packing.scale = scale ? scale + channel : NULL;
    packing.to = (char *)packed + (size_t)block * pieces->block_bytes;
    d3k_dnnl_pack(conv->options.threads, &packing);
  }
}

typedef struct run_call {
  const d3k_conv_call *given;
  const char *x; /* dense, in the precision of the kernel */
  char *scratch; /* of threads                            */
} run_call;

static void run_piece(void *context, int64_t index, int32_t slot) {
  const run_call *run = context;
  const d3k_conv_call *given = run->given;
  const d3k_window *w = &given->conv->options.window;
  const dnnl_state *state = given->conv->state;
  const d3k_dnnl_pieces *pieces = &state->pieces;
  const d3k_dnnl_call *call = d3k_dnnl_piece_call(pieces, index, slot);
  d3k_conv_piece piece;
  d3k_conv_piece_at(&pieces->split, w, given->conv->options.transposed, index, &piece);
  int64_t channel = piece.block * pieces->split.channels, channels = piece.window.out_channels;
  int64_t rows = d3k_conv_pixels(&piece.window);
  char *own = run->scratch + (size_t)slot * (state->y_bytes + pieces->scratchpad_bytes);
  float *y = given->y + piece.y * w->y_stride, *result = state->copies_y ? (float *)own : y;
  d3k_dnnl_call_set(call, arg_src, run->x + (state->is_bf16 ? 2 : 4) * piece.x * w->in_channels);
  d3k_dnnl_call_set(call, arg_weights,
                    (const char *)given->weights + (size_t)piece.block * pieces->block_bytes);
  d3k_dnnl_call_set(call, arg_dst, result);
  d3k_dnnl_call_set(call, arg_scratchpad, own + state->y_bytes);
  if (given->bias) d3k_dnnl_call_set(call, arg_bias, given->bias + channel);
  d3k_dnnl_call_run(call);
  if (state->copies_y) d3k_copy_rows(result, channels, y + channel, w->y_stride, rows, channels);
  if (pieces->split.blocks == 1)
    d3k_chain_apply(given->chain, y, w->y_stride, piece.y, rows, channels);
}

static void run(const d3k_conv_call *given) {
  const d3k_conv *conv = given->conv;
  const d3k_window *w = &conv->options.window;
  const dnnl_state *state = conv->state;
  const d3k_conv_split *split = &state->pieces.split;
  int32_t threads = conv->options.threads;
  int64_t in_rows = (int64_t)w->batch * w->in_height * w->in_width;
  char *own_x = given->scratch;
  run_call run = {given,
                  d3k_dnnl_dense(threads, given->x, w->x_stride, in_rows, w->in_channels,
                                 state->is_bf16, own_x),
                  own_x + state->x_bytes};
  d3k_threads_run(threads, split->count, run_piece, &run);
  if (split->blocks > 1 && given->chain->count)
    d3k_chain_run(threads, given->chain, given->y, w->y_stride, given->y, w->y_stride,
                  d3k_conv_pixels(w), w->out_channels);
}

static int32_t fits(const d3k_conv_options *options) {
  return options->backend == D3K_BACKEND_ONEDNN && d3k_dnnl_engine() &&
         d3k_dnnl_fits(&options->window);
}

static int32_t writes_strided(const d3k_conv_options *options) {
  (void)options;
  return 0;
}

const d3k_conv_implementation d3k_conv_onednn = {
    fits, writes_strided, create, destroy, pack, run, "onednn",
};
#endif
