/* Convolution and transposed convolution by oneDNN, where it has a compiled kernel for them. */
#include "conv/conv_dnnl.h"

#ifdef D3K_ONEDNN
#include <stdlib.h>

typedef struct dnnl_state {
  d3k_dnnl_call call; /* src, weights, dst, scratchpad, (bias)                           */
  dnnl_memory_desc_t weights;
  int32_t is_bf16;
  int32_t copies_x, copies_y; /* through dense scratch                                        */
  size_t x_bytes, y_bytes;    /* scratch: x, y, oneDNN's own                                  */
} dnnl_state;

enum { arg_src, arg_weights, arg_dst, arg_scratchpad, arg_bias };

/* The far padding for this output size. Any value in [least, least + stride) gives the same size.
 * The result is negative where the image is cropped, which oneDNN cannot do. */
static int64_t far_pad(int64_t small, int64_t large, int64_t kernel, int64_t stride,
                       int64_t dilation, int64_t pad) {
  int64_t least = (small - 1) * stride + (kernel - 1) * dilation + 1 - large - pad;
  return least < 0 ? d3k_min(0, least + stride - 1) : least;
}

int32_t d3k_dnnl_window_of(const d3k_window *w, int32_t transposed, dnnl_data_type_t type,
                           d3k_dnnl_window *out) {
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
  int64_t g = w->groups, in = w->in_channels / g, o = w->out_channels / g;
  dnnl_dims_t grouped = {g, o, in, w->kernel_height, w->kernel_width};
  return dnnl_memory_desc_init_by_tag(&out->weights, g > 1 ? 5 : 4, g > 1 ? grouped : grouped + 1,
                                      type, dnnl_format_tag_any) == dnnl_success;
}

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

static int32_t make_op_desc(const d3k_conv *conv, const dnnl_memory_desc_t *src,
                            const dnnl_memory_desc_t *dst, dnnl_convolution_desc_t *op) {
  const d3k_window *w = &conv->options.window;
  d3k_dnnl_window own;
  dnnl_dims_t bias_dims = {w->out_channels};
  dnnl_memory_desc_t bias;
  if (!d3k_dnnl_window_of(w, conv->options.transposed, src->data_type, &own) ||
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

static dnnl_primitive_desc_t make_desc(const d3k_conv *conv, int32_t is_bf16, int32_t only_best) {
  const d3k_window *w = &conv->options.window;
  dnnl_memory_desc_t src, dst;
  dnnl_convolution_desc_t op;
  if (d3k_dnnl_image(&src, is_bf16 ? dnnl_bf16 : dnnl_f32, w->batch, w->in_channels, w->in_height,
                     w->in_width, w->in_channels) != dnnl_success ||
      d3k_dnnl_image(&dst, dnnl_f32, w->batch, w->out_channels, w->out_height, w->out_width,
                     w->out_channels) != dnnl_success ||
      !make_op_desc(conv, &src, &dst, &op))
    return NULL;
  return d3k_dnnl_desc_create(&op, 1, NULL, only_best ? d3k_dnnl_is_best : d3k_dnnl_is_compiled);
}

static dnnl_primitive_desc_t choose_desc(const d3k_conv *conv, dnnl_state *state) {
  const d3k_window *w = &conv->options.window;
  dnnl_primitive_desc_t desc = NULL;
  state->copies_y = w->y_stride != w->out_channels;
  for (int32_t is_bf16 = conv->options.precision == D3K_BF16; is_bf16 >= 0 && !desc; is_bf16--) {
    state->is_bf16 = is_bf16;
    state->copies_x = is_bf16 || w->x_stride != w->in_channels;
    for (int32_t only_best = 1; only_best >= is_bf16 && !desc; only_best--)
      desc = make_desc(conv, is_bf16, only_best);
  }
  return desc;
}

static void destroy(d3k_conv *conv) {
  dnnl_state *state = conv->state;
  if (!state) return;
  d3k_dnnl_call_destroy(&state->call);
  free(state);
  conv->state = NULL;
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  dnnl_state *state = calloc(1, sizeof(dnnl_state));
  if (!state) return -1;
  conv->state = state;
  int32_t before = d3k_dnnl_threads(conv->options.threads);
  dnnl_primitive_desc_t desc = choose_desc(conv, state);
  d3k_dnnl_call *call = &state->call;
  int32_t fine = desc && d3k_dnnl_call_create(call, desc);
  d3k_dnnl_threads(before);
  const dnnl_memory_desc_t *scratchpad = NULL;
  if (fine) {
    scratchpad = d3k_dnnl_layout(desc, dnnl_query_scratchpad_md);
    const dnnl_memory_desc_t *bias = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1);
    state->weights = *d3k_dnnl_layout(desc, dnnl_query_weights_md);
    fine = d3k_dnnl_can_pack(&state->weights) &&
           d3k_dnnl_call_add(call, DNNL_ARG_SRC, d3k_dnnl_layout(desc, dnnl_query_src_md)) &&
           d3k_dnnl_call_add(call, DNNL_ARG_WEIGHTS, &state->weights) &&
           d3k_dnnl_call_add(call, DNNL_ARG_DST, d3k_dnnl_layout(desc, dnnl_query_dst_md)) &&
           d3k_dnnl_call_add(call, DNNL_ARG_SCRATCHPAD, scratchpad) &&
           (!conv->options.has_bias || d3k_dnnl_call_add(call, DNNL_ARG_BIAS, bias));
  }
  if (fine) {
    size_t element = state->is_bf16 ? 2 : 4;
    if (state->copies_x)
      state->x_bytes = d3k_round64(element * (size_t)w->batch * (size_t)w->in_height *
                                   (size_t)w->in_width * (size_t)w->in_channels);
    if (state->copies_y)
      state->y_bytes =
          d3k_round64(sizeof(float) * (size_t)d3k_conv_pixels(w) * (size_t)w->out_channels);
    conv->scratch_bytes =
        state->x_bytes + state->y_bytes + d3k_round64(dnnl_memory_desc_get_size(scratchpad));
    conv->packed_bytes = dnnl_memory_desc_get_size(&state->weights);
  }
  if (desc) dnnl_primitive_desc_destroy(desc);
  if (!fine) destroy(conv);
  return fine;
}

static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  const dnnl_state *state = conv->state;
  const d3k_conv_weights *at = &conv->weights;
  d3k_dnnl_packing packing = {.desc = &state->weights,
                              .from = weights + at->first,
                              .scale = scale,
                              .strides = {at->group, at->out, at->in, at->down, at->right},
                              .scale_axis = 1,
                              .outer_axis = 0,
                              .alpha = 1,
                              .to = packed};
  if (w->groups == 1) {
    memmove(packing.strides, packing.strides + 1, 4 * sizeof(int64_t));
    packing.scale_axis = 0;
    packing.outer_axis = -1;
  }
  d3k_dnnl_pack(conv->options.threads, &packing);
}

static void run(const d3k_conv_call *given) {
  const d3k_conv *conv = given->conv;
  const d3k_window *w = &conv->options.window;
  const dnnl_state *state = conv->state;
  const d3k_dnnl_call *call = &state->call;
  int32_t threads = conv->options.threads;
  int64_t in_rows = (int64_t)w->batch * w->in_height * w->in_width, rows = d3k_conv_pixels(w);
  char *own_x = given->scratch, *own_y = own_x + state->x_bytes;
  float *result = state->copies_y ? (float *)own_y : given->y;
  const void *x = d3k_dnnl_dense(threads, given->x, w->x_stride, in_rows, w->in_channels,
                                 state->is_bf16, own_x);
  d3k_dnnl_call_set(call, arg_src, x);
  d3k_dnnl_call_set(call, arg_weights, given->weights);
  d3k_dnnl_call_set(call, arg_dst, result);
  d3k_dnnl_call_set(call, arg_scratchpad, own_y + state->y_bytes);
  if (given->bias) d3k_dnnl_call_set(call, arg_bias, given->bias);
  d3k_dnnl_call_run(call, threads);
  if (state->copies_y || given->chain->count)
    d3k_chain_run(threads, given->chain, result, w->out_channels, given->y, w->y_stride, rows,
                  w->out_channels);
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
