/* Image and weights -> convolution by its definition: the oracle, and last resort.
 *
 *     conv        y[n,oy,ox,o] = Σ x[n, oy*s - pad + ky*d, ox*s - pad + kx*d, i] · w[o,i,ky,kx]
 *     transposed  y[n, iy*s - pad + ky*d, ix*s - pad + kx*d, o] += x[n,iy,ix,i] · w[i,o,ky,kx]
 */
#include "conv/conv_internal.h"

/* The input position which tap k brings to output position o, or -1. */
static int32_t source(int32_t transposed, int32_t o, int32_t k, int32_t stride, int32_t dilation,
                      int32_t pad, int32_t size) {
  int32_t i = transposed ? o + pad - k * dilation : o * stride - pad + k * dilation;
  if (transposed) {
    if (i < 0 || i % stride) return -1;
    i /= stride;
  }
  return i >= 0 && i < size ? i : -1;
}

static float sum(const d3k_conv_call *call, int32_t n, int32_t oy, int32_t ox, int32_t o) {
  const d3k_window *w = &call->conv->options.window;
  int32_t transposed = call->conv->options.transposed;
  int32_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int32_t group = o / out, taps = w->kernel_height * w->kernel_width;
  double total = 0;
  for (int32_t ky = 0; ky < w->kernel_height; ky++) {
    int32_t iy = source(transposed, oy, ky, w->stride_y, w->dilation_y, w->pad_top, w->in_height);
    for (int32_t kx = 0; iy >= 0 && kx < w->kernel_width; kx++) {
      int32_t ix = source(transposed, ox, kx, w->stride_x, w->dilation_x, w->pad_left, w->in_width);
      if (ix < 0) continue;
      const float *x =
          call->x + (((int64_t)n * w->in_height + iy) * w->in_width + ix) * w->x_stride;
      for (int32_t i = 0; i < in; i++) {
        int64_t channel = (int64_t)group * in + i;
        total += (double)x[channel] *
                 call->weights[((int64_t)o * in + i) * taps + ky * w->kernel_width + kx];
      }
    }
  }
  return (float)(total + (call->bias ? call->bias[o] : 0));
}

static void run_row(const void *context, int64_t row, char *scratch) {
  (void)scratch;
  const d3k_conv_call *call = context;
  const d3k_window *w = &call->conv->options.window;
  float *y = call->y + row * w->out_width * w->y_stride;
  for (int32_t ox = 0; ox < w->out_width; ox++)
    for (int32_t o = 0; o < w->out_channels; o++)
      y[ox * w->y_stride + o] =
          sum(call, (int32_t)(row / w->out_height), (int32_t)(row % w->out_height), ox, o);
  d3k_chain_apply(call->chain, y, w->y_stride, row * w->out_width, w->out_width, w->out_channels);
}

static void run(const d3k_conv_call *call) {
  const d3k_conv_options *o = &call->conv->options;
  d3k_tiles_run(o->threads, (int64_t)o->window.batch * o->window.out_height, run_row, call, NULL,
                0);
}

static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  float *p = packed;
  for (int64_t o = 0; o < w->out_channels; o++)
    for (int64_t i = 0; i < in; i++)
      for (int64_t k = 0; k < taps; k++)
        *p++ = weights[d3k_weight_at(conv, o / out, o % out, i, k)] * (scale ? scale[o] : 1);
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  conv->packed_bytes = sizeof(float) * (size_t)w->in_channels * w->out_channels / w->groups *
                       w->kernel_height * w->kernel_width;
  return 1;
}

const d3k_conv_implementation d3k_conv_reference = {
    d3k_always, d3k_always, create, NULL, pack, run, "reference",
};
