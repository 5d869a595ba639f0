/* Chooses the best implementation for a convolution's options, and calls it. */
#include <stdlib.h>

#include "conv/conv_internal.h"

/* Best first, reference last. */
static const d3k_conv_implementation *const implementations[] = {
    &d3k_conv_depthwise, &d3k_conv_winograd_4, &d3k_conv_winograd_2,
    &d3k_conv_dense,     &d3k_conv_direct,
#ifdef D3K_ONEDNN
    &d3k_conv_onednn,
#endif
    &d3k_conv_openblas,  &d3k_conv_transposed, &d3k_conv_reference,
};

enum { implementation_count = sizeof(implementations) / sizeof(implementations[0]) };

/* A transposed convolution of stride 1 is a plain convolution with the kernel turned by 180
 * degrees. The plain implementations are faster. */
static int32_t is_plain(const d3k_conv_options *options) {
  return !options->transposed || (options->window.stride_y == 1 && options->window.stride_x == 1 &&
                                  options->backend != D3K_BACKEND_REFERENCE);
}

static d3k_conv_options plain_options(const d3k_conv_options *options) {
  d3k_conv_options plain = *options;
  d3k_window *w = &plain.window;
  if (options->transposed && is_plain(options)) {
    plain.transposed = 0;
    w->pad_top = (w->kernel_height - 1) * w->dilation_y - w->pad_top;
    w->pad_left = (w->kernel_width - 1) * w->dilation_x - w->pad_left;
  }
  return plain;
}

static d3k_conv_weights weights_of(const d3k_conv_options *options) {
  const d3k_window *w = &options->window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  d3k_conv_weights at = {0, in * out * taps, in * taps, taps, w->kernel_width, 1};
  if (options->transposed) at.out = taps, at.in = out * taps;
  if (options->transposed && is_plain(options))
    at.first = taps - 1, at.down = -at.down, at.right = -1;
  return at;
}

d3k_conv *d3k_conv_create(const d3k_conv_options *given) {
  d3k_conv *conv = calloc(1, sizeof(d3k_conv));
  if (!conv) return NULL;
  const d3k_conv_options *options = &conv->options;
  conv->options = plain_options(given);
  conv->weights = weights_of(given);
  for (int32_t i = 0; i < implementation_count; i++) {
    if (!implementations[i]->fits(options)) continue;
    conv->implementation = implementations[i];
    int32_t taken = implementations[i]->create(conv);
    if (taken > 0) return conv;
    if (taken < 0) break;
  }
  free(conv);
  return NULL;
}

void d3k_conv_free(d3k_conv *conv) {
  if (!conv) return;
  if (conv->implementation->destroy) conv->implementation->destroy(conv);
  free(conv);
}

int32_t d3k_conv_writes_strided(const d3k_conv_options *given) {
  const d3k_conv_options options = plain_options(given);
  for (int32_t i = 0; i < implementation_count; i++)
    if (implementations[i]->fits(&options)) return implementations[i]->writes_strided(&options);
  return 0;
}

size_t d3k_conv_packed_bytes(const d3k_conv *conv) { return conv->packed_bytes; }

size_t d3k_conv_scratch_bytes(const d3k_conv *conv) { return conv->scratch_bytes; }

const char *d3k_conv_name(const d3k_conv *conv) { return conv->implementation->name; }

void d3k_conv_pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  conv->implementation->pack(conv, weights, scale, packed);
}

void d3k_conv_run(const d3k_conv *conv, const float *x, const void *packed, const float *bias,
                  const d3k_chain *chain, float *y, void *scratch) {
  const d3k_conv_call call = {conv,  x, packed, conv->options.has_bias ? bias : NULL,
                              chain, y, scratch};
  conv->implementation->run(&call);
}
