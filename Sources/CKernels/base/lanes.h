/* Sixteen floats side by side, and blocks of rows <-> columns of them. Lowered to what each clone
 * has: one AVX-512 register, two of AVX2, four of SSE or NEON. */
#ifndef D3K_LANES_H
#define D3K_LANES_H

#include "base/internal.h"

/* All functions below are inlined: there is no call whose convention could differ. */
#pragma clang diagnostic ignored "-Wpsabi"

/* They need no alignment beyond a float's: a pointer to floats may be read as a pointer to these.
 */
typedef float d3k_f4 __attribute__((ext_vector_type(4), aligned(4)));
typedef float d3k_f8 __attribute__((ext_vector_type(8), aligned(4)));
typedef float d3k_f16 __attribute__((ext_vector_type(16), aligned(4)));
typedef int32_t d3k_i4 __attribute__((ext_vector_type(4), aligned(4)));
typedef int32_t d3k_i16 __attribute__((ext_vector_type(16), aligned(4)));

D3K_INLINE d3k_f4 d3k_load4(const float *x) { return *(const d3k_f4 *)x; }
D3K_INLINE d3k_f8 d3k_load8(const float *x) { return *(const d3k_f8 *)x; }
D3K_INLINE d3k_f16 d3k_load16(const float *x) { return *(const d3k_f16 *)x; }
D3K_INLINE void d3k_store4(float *y, d3k_f4 v) { *(d3k_f4 *)y = v; }
D3K_INLINE void d3k_store8(float *y, d3k_f8 v) { *(d3k_f8 *)y = v; }
D3K_INLINE void d3k_store16(float *y, d3k_f16 v) { *(d3k_f16 *)y = v; }

/** y += x. */
D3K_INLINE void d3k_add_line(float *y, const float *x, int64_t count) {
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) y[i] += x[i];
}

/** y = x. Short lines are copied without a call, in pieces of fixed size that overlap at the end.
 */
D3K_INLINE void d3k_copy_line(float *y, const float *x, int64_t count) {
  if (count >= 256) {
    memcpy(y, x, (size_t)count * sizeof(float));
  } else if (count >= 16) {
    for (int64_t i = 0; i < count - 16; i += 16) d3k_store16(y + i, d3k_load16(x + i));
    d3k_store16(y + count - 16, d3k_load16(x + count - 16));
  } else if (count >= 8) {
    const d3k_f8 last = d3k_load8(x + count - 8);
    d3k_store8(y, d3k_load8(x));
    d3k_store8(y + count - 8, last);
  } else if (count >= 4) {
    const d3k_f4 last = d3k_load4(x + count - 4);
    d3k_store4(y, d3k_load4(x));
    d3k_store4(y + count - 4, last);
  } else {
    for (int64_t i = 0; i < count; i++) y[i] = x[i];
  }
}

D3K_INLINE d3k_f16 d3k_join4(d3k_f4 a, d3k_f4 b, d3k_f4 c, d3k_f4 d) {
  const d3k_f8 ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
  const d3k_f8 cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/* Transposes the 4 x 4 block in each quarter of four vectors. */
D3K_INLINE void d3k_quarters(d3k_f16 v[4]) {
#define LOW 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define FIRST 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define SECOND 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
  const d3k_f16 a = __builtin_shufflevector(v[0], v[1], LOW);
  const d3k_f16 b = __builtin_shufflevector(v[2], v[3], LOW);
  const d3k_f16 c = __builtin_shufflevector(v[0], v[1], HIGH);
  const d3k_f16 d = __builtin_shufflevector(v[2], v[3], HIGH);
  v[0] = __builtin_shufflevector(a, b, FIRST);
  v[1] = __builtin_shufflevector(a, b, SECOND);
  v[2] = __builtin_shufflevector(c, d, FIRST);
  v[3] = __builtin_shufflevector(c, d, SECOND);
#undef LOW
#undef HIGH
#undef FIRST
#undef SECOND
}

/** out[c * out_step + i] = x[i * stride + c] for 16 rows i and `count` columns c. Rows from
 *  `rows` on repeat the last one, so nothing outside is read. */
D3K_INLINE void d3k_gather16(const float *x, int64_t stride, int64_t rows, int64_t count,
                             float *out, int64_t out_step) {
  const float *row[16];
  for (int64_t i = 0; i < 16; i++) row[i] = x + (i < rows ? i : rows - 1) * stride;
  if (count < 4) {
    for (int64_t c = 0; c < count; c++) {
      for (int64_t i = 0; i < 16; i++) out[c * out_step + i] = row[i][c];
    }
    return;
  }
  for (int64_t group = 0; group < count; group += 4) {
    const int64_t c = d3k_min(group, count - 4); /* the last four may overlap */
    d3k_f16 v[4];
    for (int32_t k = 0; k < 4; k++) {
      v[k] = d3k_join4(d3k_load4(row[k] + c), d3k_load4(row[k + 4] + c), d3k_load4(row[k + 8] + c),
                       d3k_load4(row[k + 12] + c));
    }
    d3k_quarters(v);
    for (int32_t k = 0; k < 4; k++) d3k_store16(out + (c + k) * out_step, v[k]);
  }
}

/** The way back: y[i * stride + c] = in[c * in_step + i] for i < rows <= 16. */
D3K_INLINE void d3k_scatter16(const float *in, int64_t in_step, float *y, int64_t stride,
                              int64_t rows, int64_t count) {
  if (count < 4) {
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t c = 0; c < count; c++) y[i * stride + c] = in[c * in_step + i];
    }
    return;
  }
  for (int64_t group = 0; group < count; group += 4) {
    const int64_t c = d3k_min(group, count - 4);
    d3k_f16 v[4];
    for (int32_t k = 0; k < 4; k++) v[k] = d3k_load16(in + (c + k) * in_step);
    d3k_quarters(v);
    for (int32_t k = 0; k < 4; k++) {
      const d3k_f4 quarter[4] = {v[k].lo.lo, v[k].lo.hi, v[k].hi.lo, v[k].hi.hi};
      for (int32_t q = 0; q < 4; q++) {
        const int64_t i = 4 * q + k;
        if (i < rows) d3k_store4(y + i * stride + c, quarter[q]);
      }
    }
  }
}

#endif /* D3K_LANES_H */
