/* One stage over one line of contiguous floats; y may be x. */
#ifndef D3K_LINE_H
#define D3K_LINE_H

#include "base/internal.h"

/** y = f(x, operands): lines like x, or one value where the stage's extent is D3K_SCALAR. */
void d3k_line_stage(const d3k_stage *stage, const float *x, const float *operand,
                    const float *operand2, float *y, int64_t count);

/** y = f(x, operand), kinds from D3K_ADD to below D3K_AFFINE; the operand is one value when
 *  `is_scalar`. */
void d3k_line_binary(int32_t kind, const float *x, const float *operand, int32_t is_scalar,
                     float *y, int64_t count);

/** Whether rows without gaps and channels are one long line: no operand has one value a channel or
 *  gaps of its own. */
int32_t d3k_chain_is_flat(const d3k_chain *chain, int64_t channels);

/** The kind with f(a, b) = kind(b, a): itself where both sides are alike. */
int32_t d3k_reversed_kind(int32_t kind);

#endif /* D3K_LINE_H */
