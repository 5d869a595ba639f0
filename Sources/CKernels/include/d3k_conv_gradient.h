/* Gradients of a convolution's weights and bias. The gradient of its input is a convolution too:
 * the transposed one of d3k.h over the same weights (and the other way round).
 */
#ifndef D3K_CONV_GRADIENT_H
#define D3K_CONV_GRADIENT_H

#include "d3k.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct d3k_conv_gradient d3k_conv_gradient;

/** `options`: those of the forward pass (chain ignored; x_stride, y_stride: of x and dy). Chooses
 *  the best implementation; NULL when memory runs out. One thread at a time uses it. */
d3k_conv_gradient *d3k_conv_gradient_create(const d3k_conv_options *options);
void d3k_conv_gradient_free(d3k_conv_gradient *gradient);
size_t d3k_conv_gradient_scratch_bytes(const d3k_conv_gradient *gradient);
/** Of the implementation that was chosen. */
const char *d3k_conv_gradient_name(const d3k_conv_gradient *gradient);

/** dweights += sum over pixels of x * dy, in ONNX order like the forward pass's weights;
 *  dbias += sum of dy. Each may be NULL. scratch: 64-byte aligned. */
void d3k_conv_gradient_run(const d3k_conv_gradient *gradient, const float *x, const float *dy,
                           float *dweights, float *dbias, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* D3K_CONV_GRADIENT_H */
