/* Sixteen pixels, turned so that lanes are pixels: what few methods use.
 *
 * The gradient of these losses goes to b->more. A set of classes that are unlikely is pushed down
 * as one:
 *
 *     odds = sum of e in the set / sum of e outside
 *     -log(1 - sum of p in the set) = log(1 + odds),  dz_c = p_c in the set, -p_c odds outside */
#ifndef D3K_LOSS_UNCOMMON_H
#define D3K_LOSS_UNCOMMON_H

#include "scores/loss_block.h"

/* Bits of |x|. */
D3K_INLINE d3k_i16 size_bits(const float *x) { return (d3k_i16)d3k_load16(x) & 0x7fffffff; }

/* The class at a rank, from 1 = the largest d, which is at most 0; of equals the first comes
 * before.
 *
 * Bits of -d have its order. Those of the class are, bit by bit, the largest bound below which
 * there are fewer classes than the rank. */
D3K_INLINE void find_ranked(const float *d, int64_t classes, int32_t rank, int32_t *ranked) {
  d3k_i16 bound = (d3k_i16)(0), below = (d3k_i16)(0), index = (d3k_i16)(0);
  for (int32_t bit = 1 << 30; bit > 0; bit >>= 1) {
    const d3k_i16 raised = bound | bit;
    d3k_i16 count = (d3k_i16)(0);
    for (int64_t c = 0; c < classes; c++) count -= size_bits(d + c * 16) < raised;
    const d3k_i16 holds = count < rank;
    bound = holds ? raised : bound;
    below = holds ? count : below;
  }
  for (int64_t c = 0; c < classes; c++) { /* equals take the next ranks, one after the other */
    const d3k_i16 is_equal = size_bits(d + c * 16) == bound;
    below -= is_equal;
    const d3k_i16 is_it = is_equal & (below == rank);
    index = is_it ? (d3k_i16)((int32_t)c) : index;
  }
  memcpy(ranked, &index, sizeof index);
}

/* Adds values of 16 pixels, of those that count. */
D3K_INLINE void add_counted(const block *b, const float *values, double *sums) {
  for (int64_t i = 0; i < 16; i++) sums[i] += b->counts[i] ? (double)values[i] : 0.;
}

/* The class of one rank. */
D3K_INLINE void push_ranked(const job *j, block *b, double *sums) {
  int32_t ranked[16];
  float odds[16], values[16];
  find_ranked(b->d, j->classes, j->rank, ranked);
  for (int64_t i = 0; i < 16; i++) {
    const float e = b->e[ranked[i] * 16 + i];
    const float others = ranked[i] == b->top[i] ? b->rest[i] : b->sum[i] - e;
    odds[i] = e / (others < FLOOR ? FLOOR : others); /* not-a-number stays */
    values[i] = d3k_log1p_unit(odds[i]);
  }
  add_counted(b, values, sums);
  for (int64_t c = 0; c < j->classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float p = b->e[c * 16 + i] * b->inverse[i];
      b->more[c * 16 + i] += j->ranked * (ranked[i] == (int32_t)c ? p : -(p * odds[i]));
    }
  }
}

/* All classes below a probability. Where that is every one, they sum to 1 whatever is learned. */
D3K_INLINE void push_small(const job *j, block *b, double *sums) {
  float inside[16] = {0}, outside[16] = {0}, odds[16], factor[16], values[16];
  const float bound = j->small_probability;
  for (int64_t c = 0; c < j->classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float e = b->e[c * 16 + i];
      const int32_t is_small = e * b->inverse[i] < bound;
      inside[i] += is_small ? e : 0.f;
      outside[i] += is_small ? 0.f : e;
    }
  }
  for (int64_t i = 0; i < 16; i++) {
    const int32_t is_all = outside[i] == 0.f;
    odds[i] = is_all ? 0.f : inside[i] / outside[i];
    factor[i] = is_all ? 0.f : j->small;
    values[i] = d3k_log1p_unit(odds[i]);
  }
  add_counted(b, values, sums);
  for (int64_t c = 0; c < j->classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float p = b->e[c * 16 + i] * b->inverse[i];
      b->more[c * 16 + i] += factor[i] * (p < bound ? p : -(p * odds[i]));
    }
  }
}

/* sum (p - P)^2: dz_c = p_c (u_c - sum p u), u = 2 (p - P). Overwrites b->more. */
D3K_INLINE void pull_together(const job *j, block *b, int64_t n, int64_t count, double *sums) {
  float square[16] = {0}, mean[16] = {0};
  d3k_gather16(j->probabilities + n * j->classes, j->classes, count, j->classes, b->more, 16);
  for (int64_t c = 0; c < j->classes; c++) {
    float *more = b->more + c * 16;
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float p = b->e[c * 16 + i] * b->inverse[i], difference = p - more[i];
      square[i] += difference * difference;
      mean[i] += p * (2.f * difference);
      more[i] = 2.f * difference;
    }
  }
  add_counted(b, square, sums);
  for (int64_t c = 0; c < j->classes; c++) {
    float *more = b->more + c * 16;
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float p = b->e[c * 16 + i] * b->inverse[i];
      more[i] = j->consistency * (p * (more[i] - mean[i]));
    }
  }
}

/* sum P log(P / p), from scores as they were; -log p = log S + max z - z. P sums to 1 but for
 * rounding: dz_c = p_c sum P - P_c. */
D3K_INLINE void pull_towards(const job *j, block *b, int64_t n, int64_t count, double *sums) {
  _Alignas(64) float given[MOST_CLASSES * 16], z[MOST_CLASSES * 16];
  float mass[16] = {0}, divergence[16] = {0};
  d3k_gather16(j->probabilities + n * j->classes, j->classes, count, j->classes, given, 16);
  d3k_gather16(j->z.data + n * j->z.stride, j->z.stride, count, j->classes, z, 16);
  for (int64_t c = 0; c < j->classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float own = given[c * 16 + i], fall = b->log_sum[i] + (b->largest[i] - z[c * 16 + i]);
      const float part = own * (d3k_log(own) + fall);
      divergence[i] += own == 0.f ? 0.f : part; /* 0 log 0 = 0 */
      mass[i] += own;
    }
  }
  for (int64_t i = 0; i < 16; i++) divergence[i] = divergence[i] < 0.f ? 0.f : divergence[i];
  add_counted(b, divergence, sums);
  for (int64_t c = 0; c < j->classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float p = b->e[c * 16 + i] * b->inverse[i];
      b->more[c * 16 + i] += j->divergence * (p * mass[i] - given[c * 16 + i]);
    }
  }
}

/* Of soft labels: b->falls, from scores as they were. `softmax` has cut what is more than 88 below
 * the largest. Overwrites b->more. */
D3K_INLINE void sum_falls(const job *j, block *b, int64_t n, int64_t count) {
  float falls[16] = {0};
  d3k_gather16(j->z.data + n * j->z.stride, j->z.stride, count, j->classes, b->more, 16);
  for (int64_t c = 0; c < j->classes; c++) {
    const float *z = b->more + c * 16;
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      falls[i] += b->label[i] == (int32_t)c ? 0.f : b->largest[i] - z[i];
    }
  }
  memcpy(b->falls, falls, sizeof falls);
}

/* Values of all of them, and b->more, which is 0 where none is on. */
D3K_INLINE void add_uncommon(const job *j, block *b, int64_t n, int64_t count,
                             double sums[SUMS][16]) {
  if (j->confidences) sum_falls(j, b, n, count);
  if (j->has_consistency) {
    pull_together(j, b, n, count, sums[CONSISTENCY]);
  } else {
    memset(b->more, 0, (size_t)j->classes * 16 * sizeof(float));
  }
  if (j->has_divergence) pull_towards(j, b, n, count, sums[DIVERGENCE]);
  if (j->rank) push_ranked(j, b, sums[RANKED]);
  if (j->has_small) push_small(j, b, sums[SMALL]);
}

#endif /* D3K_LOSS_UNCOMMON_H */
