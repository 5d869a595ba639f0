/* The first stages of a chain, applied to the sums of a convolution while they are in registers.
 * They are, in this order, of which each may be missing:
 *
 *     y = y + residual;   y = y * scale + shift;   y = y <= 0 ? y * slope : y */
#ifndef D3K_EPILOGUE_H
#define D3K_EPILOGUE_H

#include "base/internal.h"
#include "base/lanes.h"

typedef struct d3k_epilogue {
  int32_t stages;        /* of the chain that are taken                                      */
  int32_t is_relu;       /* slope 0, and minus infinity becomes 0                            */
  const float *residual; /* D3K_FULL                                                         */
  int64_t residual_stride;
  /* One value per channel, repeated or padded as the kernel needs; NULL = missing (not biases). */
  const float *biases, *scale, *shift, *slope;
  const d3k_stage *affine, *activation; /* where they come from                                 */
} d3k_epilogue;

/** Finds what can be taken of a chain. */
static inline void d3k_epilogue_find(const d3k_chain *chain, d3k_epilogue *e) {
  const d3k_stage *stage = chain->stages, *end = stage + chain->count;
  *e = (d3k_epilogue){0};
  if (stage < end && stage->kind == D3K_ADD && stage->extent == D3K_FULL) {
    e->residual = stage->operand;
    e->residual_stride = stage->operand_stride;
    stage++;
  }
  if (stage < end && stage->kind == D3K_AFFINE && stage->extent != D3K_FULL) e->affine = stage++;
  if (stage < end && (stage->kind == D3K_RELU || stage->kind == D3K_LEAKY_RELU ||
                      (stage->kind == D3K_PRELU && stage->extent != D3K_FULL))) {
    e->is_relu = stage->kind == D3K_RELU;
    e->activation = stage++;
  }
  e->stages = (int32_t)(stage - chain->stages);
}

/** Writes bias, scale, shift and slope of channel c to to[0], to[apart], to[2 * apart], …; points
 *  e at them. */
static inline void d3k_epilogue_write(d3k_epilogue *e, const float *bias, int64_t c, float *to,
                                      int64_t apart) {
  const d3k_stage *affine = e->affine, *activation = e->activation;
  to[0] = bias ? bias[c] : 0;
  if (affine) {
    int64_t at = affine->extent == D3K_SCALAR ? 0 : c;
    to[apart] = affine->operand[at];
    to[2 * apart] = affine->operand2[at];
  }
  if (activation && activation->kind == D3K_PRELU)
    to[3 * apart] = activation->operand[activation->extent == D3K_SCALAR ? 0 : c];
  else
    to[3 * apart] = activation && activation->kind == D3K_LEAKY_RELU ? activation->a : 0;
}

/** Points e at what was written from `to` on. */
static inline void d3k_epilogue_point(d3k_epilogue *e, const float *to, int64_t apart) {
  e->biases = to;
  if (e->affine) e->scale = to + apart, e->shift = to + 2 * apart;
  if (e->activation) e->slope = to + 3 * apart;
}

/** The rest of a chain. */
static inline d3k_chain d3k_chain_after(const d3k_chain *chain, int32_t stages) {
  d3k_chain rest = {0};
  for (int32_t s = stages; s < chain->count; s++) rest.stages[rest.count++] = chain->stages[s];
  return rest;
}

/* y <= 0 ? y * slope : y, for each width of vector; NaN stays NaN. */
#define D3K_DEFINE_ACTIVATE(vector, name)                             \
  D3K_INLINE vector name(vector y, vector slope, int32_t is_relu) {   \
    const vector low = is_relu ? (vector)(0.f) : (vector)(y * slope); \
    return y <= 0.f ? low : y;                                        \
  }

D3K_DEFINE_ACTIVATE(d3k_f16, d3k_activate_16)
D3K_DEFINE_ACTIVATE(d3k_f8, d3k_activate_8)
D3K_DEFINE_ACTIVATE(d3k_f4, d3k_activate_4)
D3K_DEFINE_ACTIVATE(float, d3k_activate_1)

#endif /* D3K_EPILOGUE_H */
