/* A convolution's options -> the best implementation for them -> its calls. */
#include <stdlib.h>

#include "conv_internal.h"

/* Best first, reference last. */
static const d3k_conv_implementation *const implementations[] = {
    &d3k_conv_depthwise, &d3k_conv_direct,     &d3k_conv_onednn,
    &d3k_conv_openblas,  &d3k_conv_transposed, &d3k_conv_reference,
};

enum { implementation_count = sizeof(implementations) / sizeof(implementations[0]) };

d3k_conv *d3k_conv_create(const d3k_conv_options *options) {
  d3k_conv *conv = calloc(1, sizeof(d3k_conv));
  if (!conv) return NULL;
  conv->options = *options;
  for (int32_t i = 0; i < implementation_count; i++) {
    if (!implementations[i]->fits(options)) continue;
    conv->implementation = implementations[i];
    conv->name = implementations[i]->name;
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

int32_t d3k_conv_writes_strided(const d3k_conv_options *options) {
  for (int32_t i = 0; i < implementation_count; i++)
    if (implementations[i]->fits(options)) return implementations[i]->writes_strided(options);
  return 0;
}

const char *d3k_conv_name(const d3k_conv *conv) { return conv->name; }

size_t d3k_conv_packed_bytes(const d3k_conv *conv) { return conv->packed_bytes; }

size_t d3k_conv_scratch_bytes(const d3k_conv *conv) { return conv->scratch_bytes; }

void d3k_conv_pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed,
                   void *scratch) {
  (void)scratch; /* every implementation packs in one pass */
  conv->implementation->pack(conv, weights, scale, packed);
}

void d3k_conv_run(const d3k_conv *conv, const float *x, const void *packed, const float *bias,
                  const d3k_chain *chain, float *y, void *scratch) {
  conv->implementation->run(conv, x, packed, conv->options.has_bias ? bias : NULL, chain, y,
                            scratch);
}
