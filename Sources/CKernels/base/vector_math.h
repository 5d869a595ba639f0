/* Floats -> functions of them, without branches or tables, so that loops of them vectorise.
 *
 * Largest errors against double precision, every 997th float tried, where the result is a normal
 * number, in units in the last place: exp 1.0, log 0.8, sigmoid 2.2, tanh 1.3, erf 1.0, elu 0.9,
 * softplus 1.9, mish 3.5; gelu 1.7 for positive x, and 1e-7 * |x| below (1 + erf cancels, as in the
 * definition). Not-a-number goes through; overflow gives infinity. */
#ifndef D3K_VECTOR_MATH_H
#define D3K_VECTOR_MATH_H

#include "base/internal.h"

D3K_INLINE int32_t d3k_bits(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

D3K_INLINE float d3k_from_bits(int32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/** 2^n for n in -126...127; any n without undefined behaviour. */
D3K_INLINE float d3k_power_of_two(int32_t n) {
  return d3k_from_bits((int32_t)(((uint32_t)n + 127u) << 23));
}

/** |x| with the sign of `sign`. */
D3K_INLINE float d3k_sign_of(float x, float sign) {
  return d3k_from_bits((d3k_bits(x) & 0x7fffffff) | (d3k_bits(sign) & (int32_t)0x80000000));
}

D3K_INLINE float d3k_abs(float x) { return d3k_from_bits(d3k_bits(x) & 0x7fffffff); }

/* x = n ln 2 + r; gives n as an integer and e^r - 1. */
D3K_INLINE float d3k_exp_parts(float x, int32_t *n) {
  const float magic = 12582912.f; /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
  const float shifted = x * 1.44269504f + magic;
  const float whole = shifted - magic;
  *n = (int32_t)((uint32_t)d3k_bits(shifted) - 0x4b400000u);
  /* ln 2 in two parts; the first has few bits, so whole * it is exact even without fma. */
  const float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  float p = 1.98756912e-4f;
  p = p * r + 1.39819994e-3f;
  p = p * r + 8.33345205e-3f;
  p = p * r + 4.16657962e-2f;
  p = p * r + 1.66666657e-1f;
  p = p * r + 0.5f;
  return p * (r * r) + r;
}

/** e^x. */
D3K_INLINE float d3k_exp(float x) {
  x = x > 89.f ? 89.f : x;
  x = x < -105.f ? -105.f : x;
  int32_t n;
  const float p = d3k_exp_parts(x, &n) + 1.f;
  /* 2^n in two factors: n may be beyond the exponents of normal numbers. */
  const int32_t half = n >> 1;
  return p * d3k_power_of_two(half) * d3k_power_of_two(n - half);
}

/** e^x for x <= 88 where results below 2^-126 may become 0: the softmax kind. */
D3K_INLINE float d3k_exp_negative(float x) {
  int32_t n;
  const float p = d3k_exp_parts(x < -87.f ? -87.f : x, &n) + 1.f;
  const float y = p * d3k_power_of_two(n);
  return x < -87.f ? 0.f : y;
}

/** e^x - 1 for x <= 0. */
D3K_INLINE float d3k_expm1_negative(float x) {
  x = x < -30.f ? -30.f : x;
  int32_t n;
  const float p = d3k_exp_parts(x, &n);
  const float scale = d3k_power_of_two(n);
  return scale * p + (scale - 1.f);
}

/** ln x. */
D3K_INLINE float d3k_log(float x) {
  const int32_t is_small = x < 1.17549435e-38f;
  const float scaled = is_small ? x * 8388608.f : x;
  const int32_t bits = d3k_bits(scaled);
  /* mantissa into [2/3, 4/3) around 1 */
  const int32_t exponent = (int32_t)(((uint32_t)bits - 0x3f2aaaabu) & 0xff800000u);
  const float m = d3k_from_bits((int32_t)((uint32_t)bits - (uint32_t)exponent)) - 1.f;
  const float e = (float)(exponent >> 23) + (is_small ? -23.f : 0.f);
  const float s = m * m;
  float r = -0.130310059f, t = 0.140869141f;
  r = r * s + -0.121484190f;
  t = t * s + 0.139814854f;
  r = r * s + -0.166846052f;
  t = t * s + 0.200120345f;
  r = r * s + -0.249996200f;
  r = t * m + r;
  r = r * m + 0.333331972f;
  r = r * m + -0.5f;
  r = r * s + m;
  r = e * 0.693147182f + r;
  r = x < INFINITY ? r : x; /* infinity and not-a-number */
  r = x < 0.f ? NAN : r;
  return x == 0.f ? -INFINITY : r;
}

/** ln(1 + u) for u in 0...1. */
D3K_INLINE float d3k_log1p_unit(float u) {
  const float w = 1.f + u;
  return d3k_log(w) + (u - (w - 1.f)) / w; /* what the rounding of w lost */
}

D3K_INLINE float d3k_sigmoid(float x) { return 1.f / (1.f + d3k_exp(-x)); }

D3K_INLINE float d3k_tanh(float x) {
  const float t = d3k_abs(x), s = x * x;
  float p = -5.70498873e-3f;
  p = p * s + 2.06390888e-2f;
  p = p * s + -5.37397156e-2f;
  p = p * s + 1.33314422e-1f;
  p = p * s + -3.33332819e-1f;
  const float near = p * s * x + x;
  const float far = d3k_sign_of(1.f - 2.f / (d3k_exp(2.f * t) + 1.f), x);
  return t < 0.625f ? near : far;
}

D3K_INLINE float d3k_erf(float x) {
  const float t = d3k_abs(x), s = x * x;
  float q = -5.96761703e-4f; /* x + x q(x^2) below 0.93 */
  q = q * s + 4.99119423e-3f;
  q = q * s + -2.67681349e-2f;
  q = q * s + 1.12819925e-1f;
  q = q * s + -3.76125336e-1f;
  q = q * s + 1.28379166e-1f;
  const float near = q * x + x;
  const float c = t > 4.f ? 4.f : t; /* erf(4) rounds to 1; keeps the polynomial in range */
  const float cc = c * c;
  float r = -1.72853470e-5f * c + 3.83197126e-4f; /* 1 - e^r(x) above */
  const float u = -3.88396438e-3f * c + 2.42546219e-2f;
  r = r * cc + u;
  r = r * c + -1.06777877e-1f;
  r = r * c + -6.34846687e-1f;
  r = r * c + -1.28717512e-1f;
  r = r * c - c;
  const float far = d3k_sign_of(1.f - d3k_exp_negative(r), x);
  return t > 0.927734375f ? far : near;
}

D3K_INLINE float d3k_softplus(float x) {
  return (x < 0.f ? 0.f : x) + d3k_log1p_unit(d3k_exp(-d3k_abs(x)));
}

/** x tanh(softplus(x)) = x (e^2 + 2e) / (e^2 + 2e + 2), e = e^x; 1 beyond 20. */
D3K_INLINE float d3k_mish(float x) {
  const float e = d3k_exp(x > 20.f ? 20.f : x);
  const float n = e * (e + 2.f);
  return x * (n / (n + 2.f));
}

D3K_INLINE float d3k_gelu(float x) { return 0.5f * x * (1.f + d3k_erf(x * 0.707106781f)); }

D3K_INLINE float d3k_gelu_tanh(float x) {
  return 0.5f * x * (1.f + d3k_tanh(0.797884561f * (x + 0.044715f * x * x * x)));
}

#endif /* D3K_VECTOR_MATH_H */
