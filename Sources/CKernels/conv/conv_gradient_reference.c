/* Images -> gradient of the weights by its definition, in double: the oracle, and last resort.
 *
 *     dw[o,i,ky,kx] += Σ x[n, oy*s - pad + ky*d, ox*s - pad + kx*d, i] · dy[n,oy,ox,o]
 */
#include "conv/conv_gradient_internal.h"

typedef struct reference_call {
  const d3k_window *window;
  const float *x, *dy;
  float *dweights;
} reference_call;

static double sum(const reference_call *call, int64_t o, int64_t i, int64_t ky, int64_t kx) {
  const d3k_window *w = call->window;
  double total = 0;
  for (int64_t n = 0; n < w->batch; n++)
    for (int64_t oy = 0; oy < w->out_height; oy++) {
      int64_t iy = oy * w->stride_y - w->pad_top + ky * w->dilation_y;
      if (iy < 0 || iy >= w->in_height) continue;
      for (int64_t ox = 0; ox < w->out_width; ox++) {
        int64_t ix = ox * w->stride_x - w->pad_left + kx * w->dilation_x;
        if (ix < 0 || ix >= w->in_width) continue;
        total += (double)call->x[((n * w->in_height + iy) * w->in_width + ix) * w->x_stride + i] *
                 call->dy[((n * w->out_height + oy) * w->out_width + ox) * w->y_stride + o];
      }
    }
  return total;
}

static void run_output(const void *context, int64_t o, char *scratch) {
  (void)scratch;
  const reference_call *call = context;
  const d3k_window *w = call->window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  float *dweights = call->dweights + o * in * w->kernel_height * w->kernel_width;
  for (int64_t i = 0; i < in; i++)
    for (int64_t ky = 0; ky < w->kernel_height; ky++)
      for (int64_t kx = 0; kx < w->kernel_width; kx++, dweights++)
        *dweights = (float)(*dweights + sum(call, o, o / out * in + i, ky, kx));
}

static void run(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
                void *scratch) {
  (void)scratch;
  reference_call call = {&gradient->window, x, dy, dweights};
  d3k_tiles_run(gradient->options.threads, gradient->window.out_channels, run_output, &call, NULL,
                0);
}

static int32_t create(d3k_conv_gradient *gradient) {
  (void)gradient;
  return 1;
}

const d3k_conv_gradient_implementation d3k_conv_gradient_reference = {create, NULL, run,
                                                                      "reference"};
