/* Gradient of the weights by oneDNN, where it has a compiled kernel for it: sums of each piece of
 * dy, added in the order of the bands. */
#include "base/bands.h"
#include "conv/conv_dnnl.h"
#include "conv/conv_gradient_internal.h"

#ifdef D3K_ONEDNN
#include <stdlib.h>

typedef struct dnnl_state {
  d3k_dnnl_pieces pieces; /* calls: src, diff_dst, diff_weights, scratchpad                     */
  int32_t is_bf16;
  int32_t copies_x, copies_dy; /* through dense scratch                                         */
  size_t x_bytes, dy_bytes; /* scratch: x; sums of each band; dy of a piece, and oneDNN's own, for
                               each thread                                                      */
} dnnl_state;

enum { arg_src, arg_diff_dst, arg_diff_weights, arg_scratchpad };

enum {
  band_pixels = 2048,            /* fewer would make merging show                               */
  most_floats = 4 * 1024 * 1024, /* of the sums of all bands                                    */
};

/* Measured on AVX2: its kernels for that are no faster than OpenBLAS, some half as fast. */
static int32_t is_worth_having(const char *name) {
  return d3k_dnnl_is_compiled(name) && strstr(name, "avx2") == NULL;
}

/* The descriptor, which oneDNN derives from the one of the forward pass. */
static dnnl_primitive_desc_t describe(const void *context, const d3k_window *w,
                                      const dnnl_memory_desc_t *weights) {
  const dnnl_state *state = context;
  dnnl_data_type_t type = state->is_bf16 ? dnnl_bf16 : dnnl_f32;
  d3k_dnnl_window forward, backward;
  dnnl_memory_desc_t x, y;
  dnnl_convolution_desc_t op;
  dnnl_primitive_desc_t hint = NULL, desc = NULL;
  if (!d3k_dnnl_fits(w) || !d3k_dnnl_window_of(w, 0, type, NULL, &forward) ||
      !d3k_dnnl_window_of(w, 0, dnnl_f32, weights, &backward) ||
      d3k_dnnl_image(&x, type, w->batch, w->in_channels, w->in_height, w->in_width,
                     w->in_channels) != dnnl_success ||
      d3k_dnnl_image(&y, type, w->batch, w->out_channels, w->out_height, w->out_width,
                     w->out_channels) != dnnl_success ||
      dnnl_dilated_convolution_forward_desc_init(
          &op, dnnl_forward_training, dnnl_convolution_direct, &x, &forward.weights, NULL, &y,
          forward.strides, forward.dilations, forward.near, forward.far) != dnnl_success ||
      dnnl_primitive_desc_create(&hint, &op, NULL, d3k_dnnl_engine(), NULL) != dnnl_success)
    return NULL;
  if (dnnl_dilated_convolution_backward_weights_desc_init(
          &op, dnnl_convolution_direct, &x, &backward.weights, NULL, &y, backward.strides,
          backward.dilations, backward.near, backward.far) == dnnl_success)
    desc = d3k_dnnl_desc_create(&op, 1, hint, is_worth_having);
  dnnl_primitive_desc_destroy(hint);
  return desc;
}

static int32_t add_arguments(const void *context, dnnl_primitive_desc_t desc, d3k_dnnl_call *call) {
  (void)context;
  return d3k_dnnl_call_add(call, DNNL_ARG_SRC, d3k_dnnl_layout(desc, dnnl_query_src_md)) &&
         d3k_dnnl_call_add(call, DNNL_ARG_DIFF_DST,
                           d3k_dnnl_layout(desc, dnnl_query_diff_dst_md)) &&
         d3k_dnnl_call_add(call, DNNL_ARG_DIFF_WEIGHTS,
                           d3k_dnnl_layout(desc, dnnl_query_diff_weights_md)) &&
         d3k_dnnl_call_add(call, DNNL_ARG_SCRATCHPAD,
                           d3k_dnnl_layout(desc, dnnl_query_scratchpad_md));
}

static int64_t in_pixels(const d3k_window *w) {
  return (int64_t)w->batch * w->in_height * w->in_width;
}

/* In pieces where it can. */
static int32_t choose(const d3k_conv_gradient *gradient, dnnl_state *state) {
  const d3k_window *w = &gradient->window;
  int64_t floats =
      (int64_t)w->out_channels * (w->in_channels / w->groups) * w->kernel_height * w->kernel_width;
  int64_t pixels = (int64_t)w->out_height * w->out_width;
  int64_t pixels_each = d3k_max(band_pixels, pixels * w->batch * floats / most_floats);
  const d3k_conv_split splits[2] = {d3k_conv_split_of(w, 0, pixels_each), d3k_conv_whole(w)};
  const d3k_dnnl_maker maker = {describe, add_arguments, state, dnnl_query_diff_weights_md};
  int32_t status = 0;
  for (int32_t is_bf16 = gradient->options.precision == D3K_BF16; is_bf16 >= 0 && !status;
       is_bf16--)
    for (int32_t is_whole = 0; is_whole < 2 && !status; is_whole++) {
      state->is_bf16 = is_bf16;
      status = d3k_dnnl_pieces_create(&state->pieces, &splits[is_whole], w, 0,
                                      gradient->options.threads, &maker);
    }
  return status;
}

static void destroy(d3k_conv_gradient *gradient) {
  dnnl_state *state = gradient->state;
  d3k_dnnl_pieces_destroy(&state->pieces);
  free(state);
  gradient->state = NULL;
}

static int32_t create(d3k_conv_gradient *gradient) {
  const d3k_window *w = &gradient->window;
  if (gradient->options.backend != D3K_BACKEND_ONEDNN || !d3k_dnnl_engine()) return 0;
  dnnl_state *state = calloc(1, sizeof(dnnl_state));
  if (!state) return -1;
  gradient->state = state;
  int32_t status = choose(gradient, state);
  if (status < 1) {
    destroy(gradient);
    return status;
  }
  const d3k_dnnl_pieces *pieces = &state->pieces;
  const d3k_conv_split *split = &pieces->split;
  size_t element = state->is_bf16 ? 2 : 4;
  state->copies_x = state->is_bf16 || w->x_stride != w->in_channels;
  state->copies_dy = state->is_bf16 || w->y_stride != w->out_channels || split->blocks > 1;
  if (state->copies_x)
    state->x_bytes = d3k_round64(element * (size_t)(in_pixels(w) * w->in_channels));
  if (state->copies_dy)
    state->dy_bytes = d3k_round64(element * (size_t)(split->pixels * split->channels));
  gradient->scratch_bytes = state->x_bytes +
                            (size_t)(split->images * split->bands) * pieces->weights_bytes +
                            (size_t)pieces->slots * (state->dy_bytes + pieces->scratchpad_bytes);
  return 1;
}

typedef struct run_call {
  const d3k_conv_gradient *gradient;
  const char *x; /* dense, in the precision of the kernel */
  const float *dy;
  char *sums, *scratch; /* of bands, of threads */
} run_call;

static char *sums_of(const d3k_dnnl_pieces *pieces, char *sums, int64_t index) {
  int64_t blocks = pieces->split.blocks;
  return sums + (size_t)(index / blocks) * pieces->weights_bytes +
         (size_t)(index % blocks) * pieces->block_bytes;
}

static void run_piece(void *context, int64_t index, int32_t slot) {
  const run_call *run = context;
  const d3k_window *w = &run->gradient->window;
  const dnnl_state *state = run->gradient->state;
  const d3k_dnnl_pieces *pieces = &state->pieces;
  const d3k_dnnl_call *call = d3k_dnnl_piece_call(pieces, index, slot);
  d3k_conv_piece piece;
  d3k_conv_piece_at(&pieces->split, w, 0, index, &piece);
  int64_t channels = piece.window.out_channels, rows = d3k_conv_pixels(&piece.window);
  char *own = run->scratch + (size_t)slot * (state->dy_bytes + pieces->scratchpad_bytes);
  const float *dy = run->dy + piece.y * w->y_stride + piece.block * pieces->split.channels;
  if (state->is_bf16)
    d3k_to_bf16(1, dy, w->y_stride, rows, channels, (uint16_t *)own);
  else if (state->copies_dy)
    d3k_copy_rows(dy, w->y_stride, (float *)own, channels, rows, channels);
  d3k_dnnl_call_set(call, arg_src, run->x + (state->is_bf16 ? 2 : 4) * piece.x * w->in_channels);
  d3k_dnnl_call_set(call, arg_diff_dst, state->copies_dy ? own : (const void *)dy);
  d3k_dnnl_call_set(call, arg_diff_weights, sums_of(pieces, run->sums, index));
  d3k_dnnl_call_set(call, arg_scratchpad, own + state->dy_bytes);
  d3k_dnnl_call_run(call);
}

static void run(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
                void *scratch) {
  const d3k_window *w = &gradient->window;
  const dnnl_state *state = gradient->state;
  const d3k_dnnl_pieces *pieces = &state->pieces;
  const d3k_conv_split *split = &pieces->split;
  int32_t threads = gradient->options.threads;
  char *sums = (char *)scratch + state->x_bytes;
  run_call run = {gradient,
                  d3k_dnnl_dense(threads, x, w->x_stride, in_pixels(w), w->in_channels,
                                 state->is_bf16, scratch),
                  dy, sums, sums + (size_t)(split->images * split->bands) * pieces->weights_bytes};
  d3k_threads_run(threads, split->count, run_piece, &run);
  int64_t channel_floats = w->in_channels / w->groups * (int64_t)w->kernel_height * w->kernel_width;
  for (int64_t i = 0; i < split->count; i++) {
    int64_t block = i % split->blocks;
    d3k_dnnl_unpack_add(threads, d3k_dnnl_block_layout(pieces, block),
                        (const float *)sums_of(pieces, sums, i),
                        dweights + block * split->channels * channel_floats);
  }
}

const d3k_conv_gradient_implementation d3k_conv_gradient_onednn = {create, destroy, run, "onednn"};
#endif
