/* Chooses the best implementation for the gradient of a convolution's weights, and calls it. */
#include <stdlib.h>

#include "conv/conv_gradient_internal.h"

/* Best first, reference last. */
static const d3k_conv_gradient_implementation *const implementations[] = {
    &d3k_conv_gradient_depthwise, &d3k_conv_gradient_winograd_4,   &d3k_conv_gradient_winograd_2,
    &d3k_conv_gradient_direct,    &d3k_conv_gradient_product_best,
#ifdef D3K_ONEDNN
    &d3k_conv_gradient_onednn,
#endif
    &d3k_conv_gradient_product,   &d3k_conv_gradient_reference,
};

enum { implementation_count = sizeof(implementations) / sizeof(implementations[0]) };

/* The gradient of a transposed convolution's weights is that of the plain convolution from y to x
 * with the same weights: x and dy exchange their places. */
static d3k_window plain_window(const d3k_conv_options *options) {
  const d3k_window *w = &options->window;
  d3k_window plain = *w;
  if (!options->transposed) return plain;
  plain.in_height = w->out_height;
  plain.in_width = w->out_width;
  plain.in_channels = w->out_channels;
  plain.out_height = w->in_height;
  plain.out_width = w->in_width;
  plain.out_channels = w->in_channels;
  plain.x_stride = w->y_stride;
  plain.y_stride = w->x_stride;
  return plain;
}

d3k_conv_gradient *d3k_conv_gradient_create(const d3k_conv_options *options) {
  d3k_conv_gradient *gradient = calloc(1, sizeof(d3k_conv_gradient));
  if (!gradient) return NULL;
  gradient->options = *options;
  gradient->window = plain_window(options);
  gradient->bias_bytes =
      d3k_conv_bias_bytes(d3k_conv_pixels(&options->window), options->window.out_channels);
  for (int32_t i = 0; i < implementation_count; i++) {
    gradient->implementation = implementations[i];
    int32_t taken = implementations[i]->create(gradient);
    if (taken > 0) return gradient;
    if (taken < 0) break;
  }
  free(gradient);
  return NULL;
}

void d3k_conv_gradient_free(d3k_conv_gradient *gradient) {
  if (!gradient) return;
  if (gradient->implementation->destroy) gradient->implementation->destroy(gradient);
  free(gradient);
}

size_t d3k_conv_gradient_scratch_bytes(const d3k_conv_gradient *gradient) {
  return gradient->bias_bytes + gradient->scratch_bytes;
}

const char *d3k_conv_gradient_name(const d3k_conv_gradient *gradient) {
  return gradient->implementation->name;
}

void d3k_conv_gradient_run(const d3k_conv_gradient *gradient, const float *x, const float *dy,
                           float *dweights, float *dbias, void *scratch) {
  const d3k_conv_options *o = &gradient->options;
  int32_t exchanged = o->transposed;
  if (dbias)
    d3k_conv_bias_gradient(o->threads, dy, o->window.y_stride, d3k_conv_pixels(&o->window),
                           o->window.out_channels, dbias, scratch);
  if (dweights)
    gradient->implementation->run(gradient, exchanged ? dy : x, exchanged ? x : dy, dweights,
                                  (char *)scratch + gradient->bias_bytes);
}
