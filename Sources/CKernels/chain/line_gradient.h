/* Derivatives of single stages over one line of contiguous floats. dx may be dy. */
#ifndef D3K_LINE_GRADIENT_H
#define D3K_LINE_GRADIENT_H

#include "base/internal.h"

/** dx = dy * f'(x); kinds below D3K_ADD. */
void d3k_line_unary_gradient(int32_t kind, float a, float b, const float *x, const float *dy,
                             float *dx, int64_t count);

/** 1 where f' follows from f's result. */
int32_t d3k_follows_from_result(const d3k_stage *stage);

/** dx = dy * f'(x) from y = f(x), of such stages. */
void d3k_line_result_gradient(int32_t kind, float a, float b, const float *y, const float *dy,
                              float *dx, int64_t count);

/** dx = dy * df(x, operand)/dx, one operand per value; is_constant: they are all the same. The
 *  derivative by the operand is that of the reversed kind with x and operand exchanged. */
void d3k_line_binary_gradient(int32_t kind, const float *x, const float *operand,
                              int32_t is_constant, const float *dy, float *dx, int64_t count);

/** dx = dy * scale; scale_sum += dy * (x - center); shift_sum += dy. center, scale_sum (then x),
 *  shift_sum and dx may be NULL. */
typedef struct d3k_affine_line {
  const float *x, *scale, *center, *dy;
  float *scale_sum, *shift_sum, *dx;
} d3k_affine_line;

void d3k_line_affine_gradient(const d3k_affine_line *line, int64_t count);

/** dx = dy * (x > 0 ? 1 : slope); slope_sum += x > 0 ? 0 : dy * x. */
void d3k_line_prelu_gradient(const float *x, const float *slope, const float *dy, float *slope_sum,
                             float *dx, int64_t count);

/** v = x * scale + shift (+ add), then relu or prelu, all at once; pointers but add (with
 *  add_gradient) and slope (with slope_sum) are never NULL. */
typedef struct d3k_block_line {
  const float *x, *scale, *shift, *center, *add, *slope, *dy;
  float *scale_sum, *shift_sum, *slope_sum;
  float *add_gradient, *dx; /* written */
} d3k_block_line;

void d3k_line_block_gradient(const d3k_block_line *line, int64_t count);

/** y += x. */
void d3k_line_add(const float *x, float *y, int64_t count);

#endif /* D3K_LINE_GRADIENT_H */
