/* Backward passes of the kernels in d3k.h.
 *
 * x and y are the forward pass's input and output; dx and dy are the derivatives of the loss by
 * them, in the same layout. dx is overwritten, or with `accumulates` added to. Gradients of
 * parameters (scales, slopes, weights) are always added to. `threads` does not change the bits of a
 * result unless a function says so: sums over pixels are cut into bands that depend on the sizes
 * alone. A band adds some hundred values at a time in float32, and the rest in double, in a fixed
 * order.
 * scratch: 64-byte aligned; its size is what the function's _scratch_bytes says. Nothing allocates
 * after _create.
 */
#ifndef D3K_GRADIENT_H
#define D3K_GRADIENT_H

#include "d3k.h"

#ifdef __cplusplus
extern "C" {
#endif

/* chain_gradient.c --------------------------------------------------------------------------- */

/** Where the gradients of one stage's operands go; NULL = not wanted. */
typedef struct d3k_stage_gradient {
  float *operand;        /* one value, one per channel, or (D3K_FULL) one per element            */
  float *operand2;       /* D3K_AFFINE: of the addend                                            */
  int64_t stride;        /* D3K_FULL: floats from one row to the next                            */
  int32_t accumulates;   /* D3K_FULL: add; scalars and channels always add                       */
  int32_t reserved;
  /* D3K_AFFINE but D3K_FULL, one per channel (or one value), NULL = 0 and 1:
   * operand[c] += factor[c] * sum of g * (v - center[c]): the scale of a normalisation.          */
  const float *center, *factor;
} d3k_stage_gradient;

typedef struct d3k_chain_gradient {
  d3k_stage_gradient stages[D3K_MAX_STAGES];
} d3k_chain_gradient;

/** 0 where d3k_chain_backward does not need x. Then every stage is one of:
 *  - add, sub, rsub, neg;
 *  - mul, div, affine, whose factor wants no gradient;
 *  - a function without derivative (floor, comparisons, ...);
 *  - the last stage, where its derivative follows from its result (relu, leaky relu with a > 0,
 *    sigmoid, tanh, clip, exp, sqrt, elu with a > 0).
 *  For example [add, relu] at the end of a residual block needs y alone. */
int32_t d3k_chain_needs_x(const d3k_chain *chain, const d3k_chain_gradient *gradients);

size_t d3k_chain_backward_scratch_bytes(int32_t threads, const d3k_chain *chain, int64_t rows,
                                        int64_t channels);

/** What the backward pass of a chain reads and writes: `rows` rows of `channels`, each array with a
 *  stride of its own. */
typedef struct d3k_chain_pass {
  const d3k_chain *chain;
  const d3k_chain_gradient *gradients; /* NULL = none wanted                                      */
  const float *x, *y, *dy;
  float *dx;
  int64_t x_stride, y_stride, dy_stride, dx_stride;
  int64_t rows, channels;
  int32_t accumulates;
  void *scratch;                       /* d3k_chain_backward_scratch_bytes                        */
} d3k_chain_pass;

/** The gradients of y = chain(x). The stages between are computed again, block by block in the cache.
 *  x may be NULL where d3k_chain_needs_x is 0, y where it is 1. Where it is 0, operands that were only
 *  added (add, sub, rsub, affine's addend) are not read and may be NULL. dx may be dy (with equal
 *  strides and without `accumulates`), or NULL where only operands want gradients. No dx and no full
 *  gradient may overlap x, y or an operand.
 *  At a kink: relu'(0) = 0, clip'(bound) = 0 (as relu6 in PyTorch; from y the bound cannot be told
 *  from what is beyond), abs'(0) = 0, leaky relu'(0) = prelu'(0) = slope; a tie of minimum and
 *  maximum gives half to each; floor, ceil, round, sign, integer division, comparisons and logic
 *  give 0; mod and fmod give 1 and minus the whole quotient. */
void d3k_chain_backward(int32_t threads, const d3k_chain_pass *pass);

/* broadcast_gradient.c ------------------------------------------------------------------------ */

/** dx = dy * df/da (`operand` 0) or df/db (1) of d3k_broadcast, over all of `walk`; dx is dense.
 *  Kinks as above. Strides: a, b, dy. */
void d3k_broadcast_backward(int32_t threads, int32_t kind, int32_t operand, const d3k_walk *walk,
                            const float *a, const float *b, const float *dy, float *dx);

/** dx = (condition != 0) == is_first ? dy : 0 over all of `walk`; dx is dense. Strides: condition,
 *  none (zeros), dy. */
void d3k_where_backward(int32_t threads, int32_t is_first, const d3k_walk *walk,
                        const float *condition, const float *dy, float *dx);

/* accumulate.c ------------------------------------------------------------------------------- */

/** y[i] += x[i]; where a stride of y is 0 the values are summed, in bands as above. This is the
 *  gradient of copies, slices, transposition and broadcasting. Strides: x, y. */
void d3k_accumulate(int32_t threads, const d3k_walk *walk, const float *x, float *y);

/** y[0..<count] = value. */
void d3k_fill(int32_t threads, float *y, int64_t count, float value);

/** dx of d3k_index: dx[t0[i0], t1[i1], …] += dy[i0, i1, …]. The dimensions of `walk` are those of dy,
 *  which is dense; its strides and in_dims are those of dx. Without `accumulates` every element of dx
 *  is written. Values that meet in one element are added in the order of dy, in float32. */
void d3k_index_backward(int32_t threads, const d3k_walk *walk, const int32_t *const *tables,
                        const int64_t *in_dims, const float *dy, float *dx, int32_t accumulates);

/* reduce_gradient.c, softmax_gradient.c -------------------------------------------------------- */

/** dx of d3k_reduce. max and min: shared equally by all elements that are it (PyTorch's amax);
 *  L1, L2 at 0: 0; products also where elements are 0. */
void d3k_reduce_backward(int32_t threads, int32_t reduction, const d3k_lines *lines, const float *x,
                         const float *y, const float *dy, float *dx, int32_t accumulates);

/** dx of d3k_softmax from y alone. */
void d3k_softmax_backward(int32_t threads, int32_t is_log, const d3k_lines *lines, const float *y,
                          const float *dy, float *dx, int32_t accumulates);

/* norm_gradient.c ----------------------------------------------------------------------------- */

size_t d3k_norm_backward_scratch_bytes(int32_t threads, int64_t rows, int64_t channels);

/** The backward pass of a normalisation of dense rows of channels. dx, dscale and dshift may be NULL
 *  where they are not wanted. `accumulates` concerns dx alone; without it dx may be dy. */
typedef struct d3k_norm_gradient {
  const float *x, *dy;
  const float *scale; /* NULL = 1 */
  float *dx, *dscale, *dshift;
  float epsilon;
  int32_t accumulates;
  void *scratch; /* d3k_norm_backward_scratch_bytes of all rows */
} d3k_norm_gradient;

/** Of d3k_layer_norm over `count` channels; statistics are computed again. */
void d3k_layer_norm_backward(int32_t threads, const d3k_norm_gradient *norm, int64_t rows,
                             int64_t count);

/** Of d3k_group_norm, with batch * pixels rows. */
void d3k_group_norm_backward(int32_t threads, const d3k_norm_gradient *norm, int64_t batch,
                             int64_t pixels, int64_t channels, int64_t groups);

/** Mean and biased variance of each channel over `rows` pixels x_stride apart, two passes, bands as
 *  above. scratch: d3k_norm_backward_scratch_bytes. */
void d3k_channel_statistics(int32_t threads, const float *x, int64_t x_stride, int64_t rows,
                            int64_t channels, float *mean, float *variance, void *scratch);

/** BatchNormalization with the batch's statistics, backward (Ioffe and Szegedy, 2015):
 *  xh = (x - mean) / sqrt(variance + epsilon); dscale += sum dy * xh; dshift += sum dy;
 *  dx = scale / sqrt(variance + epsilon) * (dy - mean(dy) - xh * mean(dy * xh)).
 *  mean and variance: those of the batch. */
void d3k_batch_norm_backward(int32_t threads, const d3k_norm_gradient *norm, const float *mean,
                             const float *variance, int64_t rows, int64_t channels);

/* pool_gradient.c, resize_gradient.c ----------------------------------------------------------- */

/** dx of d3k_pool_run (without chain). The first maximum in row-major order takes all; a mean is
 *  shared by its divisor. x is read for a maximum alone. */
void d3k_pool_backward(int32_t threads, const d3k_pool *pool, const float *x, const float *dy,
                       float *dx, int32_t accumulates);

size_t d3k_resize_backward_scratch_bytes(int32_t threads, int64_t in_width, int64_t channels);

/** dx of d3k_resize_linear (without chain): the transposed interpolation. x_stride is dx's, y_stride
 *  dy's. */
void d3k_resize_linear_backward(int32_t threads, const d3k_resize *resize, const float *dy,
                                float *dx, int32_t accumulates, void *scratch);

/* grid_sample.c -------------------------------------------------------------------------------- */

/** dx of d3k_grid_sample_run, and dgrid, which is always added to; each may be NULL, x without
 *  dgrid too. Where the padding moved a position its edge has no derivative (PyTorch). */
void d3k_grid_sample_backward(int32_t threads, const d3k_grid_sample *shape, const float *x,
                              const float *grid, const float *dy, float *dx, int32_t accumulates,
                              float *dgrid);

#ifdef __cplusplus
}
#endif

#endif /* D3K_GRADIENT_H */
