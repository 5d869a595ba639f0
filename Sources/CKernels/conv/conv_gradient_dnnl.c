/* Gradient of the weights by oneDNN, where it has a compiled kernel for it. oneDNN splits the sum
 * over pixels among threads, so another number of threads may round differently. */
#include "conv/conv_dnnl.h"
#include "conv/conv_gradient_internal.h"

#ifdef D3K_ONEDNN
#include <stdlib.h>

typedef struct dnnl_state {
  d3k_dnnl_call call; /* src, diff_dst, diff_weights, scratchpad                              */
  dnnl_memory_desc_t weights;
  int32_t is_bf16;
  size_t x_bytes, dy_bytes, weights_bytes; /* scratch: x, dy, diff_weights, oneDNN's own      */
} dnnl_state;

enum { arg_src, arg_diff_dst, arg_diff_weights, arg_scratchpad };

/* Measured on AVX2: its kernels for that are no faster than OpenBLAS, some half as fast. */
static int32_t is_worth_having(const char *name) {
  return d3k_dnnl_is_compiled(name) && strstr(name, "avx2") == NULL;
}

/* The descriptor, which oneDNN derives from the one of the forward pass. */
static dnnl_primitive_desc_t make_desc(const d3k_window *w, dnnl_state *state) {
  dnnl_data_type_t type = state->is_bf16 ? dnnl_bf16 : dnnl_f32;
  d3k_dnnl_window forward, backward;
  dnnl_memory_desc_t x, y;
  dnnl_convolution_desc_t op;
  dnnl_primitive_desc_t hint = NULL, desc = NULL;
  if (!d3k_dnnl_window_of(w, 0, type, &forward) || !d3k_dnnl_window_of(w, 0, dnnl_f32, &backward) ||
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

static void destroy(d3k_conv_gradient *gradient) {
  dnnl_state *state = gradient->state;
  d3k_dnnl_call_destroy(&state->call);
  free(state);
  gradient->state = NULL;
}

static int64_t in_pixels(const d3k_window *w) {
  return (int64_t)w->batch * w->in_height * w->in_width;
}

/* Adds the arguments and finds how much scratch they take; 0 where that fails. */
static int32_t add_arguments(d3k_conv_gradient *gradient, dnnl_primitive_desc_t desc) {
  const d3k_window *w = &gradient->window;
  dnnl_state *state = gradient->state;
  d3k_dnnl_call *call = &state->call;
  const dnnl_memory_desc_t *scratchpad = d3k_dnnl_layout(desc, dnnl_query_scratchpad_md);
  state->weights = *d3k_dnnl_layout(desc, dnnl_query_diff_weights_md);
  if (!d3k_dnnl_can_pack(&state->weights) ||
      !d3k_dnnl_call_add(call, DNNL_ARG_SRC, d3k_dnnl_layout(desc, dnnl_query_src_md)) ||
      !d3k_dnnl_call_add(call, DNNL_ARG_DIFF_DST, d3k_dnnl_layout(desc, dnnl_query_diff_dst_md)) ||
      !d3k_dnnl_call_add(call, DNNL_ARG_DIFF_WEIGHTS, &state->weights) ||
      !d3k_dnnl_call_add(call, DNNL_ARG_SCRATCHPAD, scratchpad))
    return 0;
  size_t element = state->is_bf16 ? 2 : 4;
  if (state->is_bf16 || w->x_stride != w->in_channels)
    state->x_bytes = d3k_round64(element * (size_t)(in_pixels(w) * w->in_channels));
  if (state->is_bf16 || w->y_stride != w->out_channels)
    state->dy_bytes = d3k_round64(element * (size_t)(d3k_conv_pixels(w) * w->out_channels));
  state->weights_bytes = d3k_round64(dnnl_memory_desc_get_size(&state->weights));
  gradient->scratch_bytes = state->x_bytes + state->dy_bytes + state->weights_bytes +
                            d3k_round64(dnnl_memory_desc_get_size(scratchpad));
  return 1;
}

static int32_t create(d3k_conv_gradient *gradient) {
  const d3k_window *w = &gradient->window;
  const d3k_conv_options *o = &gradient->options;
  if (o->backend != D3K_BACKEND_ONEDNN || !d3k_dnnl_engine() || !d3k_dnnl_fits(w)) return 0;
  dnnl_state *state = calloc(1, sizeof(dnnl_state));
  if (!state) return -1;
  gradient->state = state;
  int32_t before = d3k_dnnl_threads(o->threads);
  dnnl_primitive_desc_t desc = NULL;
  for (int32_t is_bf16 = o->precision == D3K_BF16; is_bf16 >= 0 && !desc; is_bf16--) {
    state->is_bf16 = is_bf16;
    desc = make_desc(w, state);
  }
  int32_t fine = desc && d3k_dnnl_call_create(&state->call, desc) && add_arguments(gradient, desc);
  d3k_dnnl_threads(before);
  if (desc) dnnl_primitive_desc_destroy(desc);
  if (!fine) destroy(gradient);
  return fine;
}

static void run(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
                void *scratch) {
  const d3k_window *w = &gradient->window;
  const dnnl_state *state = gradient->state;
  const d3k_dnnl_call *call = &state->call;
  int32_t threads = gradient->options.threads;
  char *own_x = scratch, *own_dy = own_x + state->x_bytes, *sums = own_dy + state->dy_bytes;
  d3k_dnnl_call_set(
      call, arg_src,
      d3k_dnnl_dense(threads, x, w->x_stride, in_pixels(w), w->in_channels, state->is_bf16, own_x));
  d3k_dnnl_call_set(call, arg_diff_dst,
                    d3k_dnnl_dense(threads, dy, w->y_stride, d3k_conv_pixels(w), w->out_channels,
                                   state->is_bf16, own_dy));
  d3k_dnnl_call_set(call, arg_diff_weights, sums);
  d3k_dnnl_call_set(call, arg_scratchpad, sums + state->weights_bytes);
  d3k_dnnl_call_run(call, threads);
  d3k_dnnl_unpack_add(threads, &state->weights, (const float *)sums, dweights);
}

const d3k_conv_gradient_implementation d3k_conv_gradient_onednn = {create, destroy, run, "onednn"};
#endif
