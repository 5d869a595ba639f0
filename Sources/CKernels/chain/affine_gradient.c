/* The stages that follow convolutions, backwards over one line: scale and shift, an addition, relu
 * or prelu. */
#include "base/lanes.h"
#include "chain/line_gradient.h"

/* The constants are spelled out so that each combination gets a loop of its own. */
D3K_INLINE void affine(const d3k_affine_line *l, int64_t count, int32_t has_center,
                       int32_t has_scale_sum, int32_t has_shift_sum, int32_t has_dx) {
  const float *x = l->x, *scale = l->scale, *center = l->center, *dy = l->dy;
  float *scale_sum = l->scale_sum, *shift_sum = l->shift_sum, *dx = l->dx;
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) {
    const float g = dy[i];
    if (has_scale_sum) scale_sum[i] += g * (has_center ? x[i] - center[i] : x[i]);
    if (has_shift_sum) shift_sum[i] += g;
    if (has_dx) dx[i] = g * scale[i];
  }
}

D3K_CLONES(extern, void, d3k_line_affine_gradient, (const d3k_affine_line *line, int64_t count),
           (line, count)) {
#define CASE(bits)                                               \
  case bits:                                                     \
    affine(line, count, bits & 8, bits & 4, bits & 2, bits & 1); \
    break
  const int32_t has_center = line->scale_sum && line->center;
  switch ((has_center ? 8 : 0) + (line->scale_sum ? 4 : 0) + (line->shift_sum ? 2 : 0) +
          (line->dx ? 1 : 0)) {
    CASE(1);
    CASE(2);
    CASE(3);
    CASE(4);
    CASE(5);
    CASE(6);
    CASE(7);
    CASE(12);
    CASE(13);
    CASE(14);
    CASE(15);
    default:
      break;
  }
#undef CASE
}

D3K_CLONES(extern, void, d3k_line_prelu_gradient,
           (const float *x, const float *slope, const float *dy, float *slope_sum, float *dx,
            int64_t count),
           (x, slope, dy, slope_sum, dx, count)) {
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) {
    const float v = x[i], g = dy[i];
    const float by_slope = g * v, by_x = g * slope[i];
    slope_sum[i] += v > 0.f ? 0.f : by_slope;
    dx[i] = v > 0.f ? g : by_x;
  }
}

D3K_CLONES(extern, void, d3k_line_add, (const float *x, float *y, int64_t count), (x, y, count)) {
  d3k_add_line(y, x, count);
}

D3K_INLINE void block(const d3k_block_line *l, int64_t count, int32_t has_add, int32_t has_slope) {
  const float *x = l->x, *scale = l->scale, *shift = l->shift, *center = l->center;
  const float *add = l->add, *slope = l->slope, *dy = l->dy;
  float *scale_sum = l->scale_sum, *shift_sum = l->shift_sum, *slope_sum = l->slope_sum;
  float *dx = l->dx, *add_gradient = l->add_gradient;
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) {
    const float u = x[i], s = scale[i], g = dy[i];
    const float w = u * s + shift[i], v = has_add ? w + add[i] : w;
    const float low = has_slope ? g * slope[i] : 0.f, by_slope = g * v;
    const float d = v > 0.f ? g : low;
    if (has_slope) slope_sum[i] += v > 0.f ? 0.f : by_slope;
    if (has_add) add_gradient[i] = d;
    scale_sum[i] += d * (u - center[i]);
    shift_sum[i] += d;
    dx[i] = d * s;
  }
}

D3K_CLONES(extern, void, d3k_line_block_gradient, (const d3k_block_line *line, int64_t count),
           (line, count)) {
  if (line->add && line->slope) {
    block(line, count, 1, 1);
  } else if (line->add) {
    block(line, count, 1, 0);
  } else if (line->slope) {
    block(line, count, 0, 1);
  } else {
    block(line, count, 0, 0);
  }
}
