/* Sixteen pixels, turned so that lanes are pixels: class scores -> losses and their gradient.
 *
 * With d_c = z_c - max z and e_c = exp d_c:
 *
 *     S = sum e,  T = S - 1 without the subtraction,  p_c = e_c / S,  log p_c = d_c - log S
 *     H = log(1 + T) - sum e d / S     both parts are positive: H keeps its digits down to p = 1
 *
 * Every gradient has the form dz_c = p_c (u_c - sum_k p_k u_k); u is written beside each loss. */
#ifndef D3K_LOSS_BLOCK_H
#define D3K_LOSS_BLOCK_H

#include "base/vector_math.h"
#include "d3k_train.h"
#include "scores/scores.h"

/* 1 - p of negative labels is at least this, so -log(1 - p) at most 87.3. */
#define FLOOR 1.17549435e-38f
/* 1 - h of a focal exponent below 1 is at least this: its slope is infinite at h = 1. */
#define SLOPE_FLOOR 1e-6f

enum {
  CROSS_ENTROPY,
  FOCAL,
  NEGATIVE,
  ENTROPY,
  MAX_SQUARE,
  RANKED,
  SMALL,
  CONSISTENCY,
  DIVERGENCE,
  SUMS
};

/* P of a label with some confidence, of each other class, and the entropy of both, in nats. */
typedef struct soft_label {
  float own, other, entropy;
} soft_label;

typedef struct job {
  d3k_scores z;
  int64_t pixels, counted, classes, band;
  const uint8_t *ignored;            /* NULL = all pixels count */
  const uint8_t *labels, *negatives; /* NULL = off */
  const uint8_t *confidences;        /* NULL = labels are certain */
  const soft_label *soft;            /* one a confidence */
  const uint8_t *pixel_weights;      /* NULL = 1 each */
  const float *class_weights;        /* NULL = 1 each */
  const float *probabilities;        /* of consistency and divergence; NULL = both are off */
  int32_t rank;                      /* 0 = off */
  int32_t has_small, has_consistency, has_divergence;
  float small_probability;
  float *dz; /* NULL = not in this pass */
  int64_t dz_stride;
  int32_t has_values, has_diversity, has_max_square;
  float inverse_log; /* 1 / log C, 0 for one class */
  float gamma, lambda;
  float cross_entropy, focal, negative, entropy, max_square; /* factors of the gradients */
  float ranked, small, consistency, divergence;              /* these, too */
  float *slopes; /* of diversity, one a class; centred */
  double *sums;  /* a band: SUMS, then `classes` of w p */
} job;

/* A line of 16 floats is one of the cache: else most stores of AVX-512 would touch two. */
typedef struct block {
  /* Scores, then d but at least -88: all that e > 0 needs. */
  _Alignas(64) float d[MOST_CLASSES * 16];
  float e[MOST_CLASSES * 16]; /* ends as the gradient */
  int32_t top[16];            /* first class with the largest score */
  float largest[16];
  float rest[16]; /* T */
  float sum[16], inverse[16], log_sum[16], mean[16] /* of d */, h[16];
  int32_t counts[16];      /* 0 = ignored, or behind the last pixel */
  float weight[16];        /* of diversity */
  float hit[16], odds[16]; /* negative: top is marked; sum of e / (S - e) of the others marked */
  int32_t label[16];       /* -1 = none */
  float label_weight[16];  /* 0 = none */
  int32_t bits[MOST_CLASSES / 8 * 16];
  soft_label soft[16];
  float falls[16];               /* of the other classes: sum of max z - z */
  float more[MOST_CLASSES * 16]; /* gradient of loss_uncommon.h */
} block;

/* Blocks after which float sums of classes go on in double. */
#define FLUSH 16

/* total += q, q = 0. */
D3K_INLINE void flush(float *q, double *total, int64_t classes) {
  for (int64_t c = 0; c < classes; c++) {
    double sum = 0;
    for (int64_t i = 0; i < 16; i++) sum += q[c * 16 + i];
    total[c] += sum;
  }
  memset(q, 0, (size_t)classes * 16 * sizeof(float));
}

/* q += p of the pixels that are numbers. */
D3K_INLINE void add_masses(const block *b, int64_t classes, const int32_t *is_number, float *q) {
  for (int64_t c = 0; c < classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) q[c * 16 + i] += is_number[i] ? b->e[c * 16 + i] : 0.f;
  }
}

/* Bytes of `count` sums for each band of an image. */
D3K_INLINE size_t band_sums_bytes(int64_t pixels, int64_t count) {
  return (size_t)(d3k_ceil_div(pixels, d3k_pixel_band(pixels)) * count) * sizeof(double);
}

/* Factor of an entropy in nats that makes it 0...1. */
D3K_INLINE float inverse_log_of(int64_t classes) {
  return classes > 1 ? (float)(1 / log((double)classes)) : 0.f;
}

/* y = x^exponent for x in 0...1, exponent >= 0; 0^0 = 1. Whole exponents by multiplication. */
D3K_INLINE void power16(const float *x, float exponent, float *y) {
  for (int64_t i = 0; i < 16; i++) y[i] = 1.f;
  for (; exponent >= 1.f && exponent <= 16.f; exponent -= 1.f) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) y[i] *= x[i];
  }
  if (exponent <= 0.f) return;
  D3K_VECTOR
  for (int64_t i = 0; i < 16; i++) y[i] *= d3k_exp(exponent * d3k_log(x[i]));
}

/* Scores in b->d -> everything that p is made of, and the entropy h = H / log C. */
D3K_INLINE void softmax(block *b, int64_t classes, float inverse_log) {
  float rest[16] = {0}, weighted[16] = {0};
  find_top(b->d, classes, d3k_load16(b->d), b->largest, b->top);
  for (int64_t c = 0; c < classes; c++) {
    float *d = b->d + c * 16, *e = b->e + c * 16;
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      float distance = d[i] - b->largest[i];
      distance = distance < -88.f ? -88.f : distance; /* e is 0 there; -infinity * 0 is not */
      const float y = d3k_exp_negative(distance);
      d[i] = distance;
      e[i] = y;
      rest[i] += b->top[i] == (int32_t)c ? 0.f : y;
      weighted[i] += y * distance;
    }
  }
  D3K_VECTOR
  for (int64_t i = 0; i < 16; i++) {
    const float s = 1.f + rest[i], r = 1.f / s;
    const float log_sum = d3k_log1p_unit(rest[i]); /* holds for any T >= 0 */
    const float h = (log_sum - weighted[i] * r) * inverse_log;
    b->rest[i] = rest[i];
    b->sum[i] = s;
    b->inverse[i] = r;
    b->log_sum[i] = log_sum;
    b->mean[i] = weighted[i] * r;
    b->h[i] = h > 1.f ? 1.f : h;
  }
}

/* b->e of `softmax` becomes the probabilities. */
D3K_INLINE void divide(block *b, int64_t classes) {
  for (int64_t c = 0; c < classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) b->e[c * 16 + i] *= b->inverse[i];
  }
}

/* 1 where class c is marked. */
D3K_INLINE float mark(const block *b, int64_t c, int64_t i) {
  return (float)(b->bits[c / 8 * 16 + i] >> c % 8 & 1);
}

/* Value: sum over marked classes of -log(1 - p_c), 1 - p_c = (S - e_c) / S, T / S for the top. */
D3K_INLINE void mark_classes(block *b, const uint8_t *negatives, int64_t count, int64_t classes,
                             float *value) {
  const int64_t stride = (classes + 7) / 8;
  for (int64_t k = 0; k < stride; k++) {
    for (int64_t i = 0; i < 16; i++) {
      b->bits[k * 16 + i] = i < count ? negatives[i * stride + k] : 0;
    }
  }
  float odds[16] = {0}, hit[16] = {0}, some[16] = {0};
  for (int64_t c = 0; c < classes; c++) {
    const float *e = b->e + c * 16;
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const int32_t is_top = b->top[i] == (int32_t)c;
      const float m = mark(b, c, i), other = is_top ? 0.f : m, marked = other * e[i];
      const float p = marked * b->inverse[i];
      hit[i] += m - other;
      odds[i] += marked / (b->sum[i] - (is_top ? 0.f : e[i]));
      some[i] += p - some[i] * p; /* 1 - product of 1 - p; at most 3/4 */
    }
  }
  D3K_VECTOR
  for (int64_t i = 0; i < 16; i++) {
    const float rest = b->rest[i] > FLOOR ? b->rest[i] : FLOOR;
    b->hit[i] = hit[i] / rest;
    b->odds[i] = odds[i];
    value[i] = hit[i] * (b->log_sum[i] - d3k_log(rest)) - d3k_log1p_unit(-some[i]);
  }
}

/* sum P log(P / p) of a pixel, -log p = log S + max z - z; `fall` is that of the label. A class of
 * P = 0 counts for nothing, even if its score is minus infinity. */
D3K_INLINE float soft_divergence(const block *b, int64_t i, float fall) {
  const soft_label *soft = b->soft + i;
  const float own = soft->own > 0.f ? soft->own * fall : 0.f;
  const float others = soft->other > 0.f ? soft->other * b->falls[i] : 0.f;
  const float divergence = b->log_sum[i] + own + others - soft->entropy;
  return divergence < 0.f ? 0.f : divergence; /* not-a-number stays */
}

/* Adds the values of 16 pixels to double sums, one a lane; those that do not count are 0. */
D3K_INLINE void add_values(const job *j, const block *b, const float *z, int64_t count,
                           const float *negative, int32_t has_uncommon, double sums[SUMS][16]) {
  float square[16] = {0}, cross[16] = {0}, x[16], power[16];
  double valid[16];
  for (int64_t c = 0; c < (j->has_max_square ? j->classes : 0); c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float p = b->e[c * 16 + i] * b->inverse[i];
      square[i] += p * p;
    }
  }
  for (int64_t i = 0; j->labels && i < count; i++) { /* -log p = log S - d */
    if (b->label[i] < 0) continue;
    const float fall = b->largest[i] - z[i * j->z.stride + b->label[i]];
    const int32_t is_soft = has_uncommon && j->confidences != NULL;
    const float value = is_soft ? soft_divergence(b, i, fall) : b->log_sum[i] + fall;
    cross[i] = b->label_weight[i] * value;
  }
  for (int64_t i = 0; i < 16; i++) {
    valid[i] = b->counts[i] ? 1. : 0.;
    x[i] = 1.f - b->h[i];
  }
  power16(x, j->gamma, power);
  D3K_VECTOR
  for (int64_t i = 0; i < 16; i++) {
    sums[CROSS_ENTROPY][i] += (double)cross[i];
    sums[FOCAL][i] += valid[i] * (power[i] * b->h[i]);
    sums[NEGATIVE][i] += valid[i] * negative[i];
    sums[ENTROPY][i] += valid[i] * b->h[i];
    sums[MAX_SQUARE][i] -= valid[i] * (0.5f * square[i]);
  }
}

/* b->e becomes the gradient. Where this is inlined, has_uncommon (any of loss_uncommon.h, or soft
 * labels) is a constant; so are the others where it is 0. */
D3K_INLINE void make_gradient(const job *j, block *b, int32_t has_labels, int32_t has_negatives,
                              int32_t has_sums, int32_t has_uncommon) {
  float x[16], slope[16], square[16] = {0}, bar[16] = {0}, shift[16], pull[16] = {0};
  float own[16], other[16] = {0};
  const int32_t is_soft = has_uncommon && j->confidences != NULL;
  for (int64_t c = 0; c < (has_sums ? j->classes : 0); c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float p = b->e[c * 16 + i] * b->inverse[i];
      square[i] += p * p;
      bar[i] += p * j->slopes[c];
    }
  }
  /* h: u = -d / log C. (1 - h)^gamma h: the same times (1 - h)^(gamma - 1) (1 - h - gamma h). */
  const float gamma = j->gamma, cross_entropy = j->cross_entropy, negative = j->negative;
  const float focal = j->focal, entropy = j->entropy, max_square = j->max_square;
  const float inverse_log = j->inverse_log;
  for (int64_t i = 0; i < 16; i++) x[i] = 1.f - b->h[i];
  power16(x, gamma >= 1.f ? gamma - 1.f : gamma, slope);
  D3K_VECTOR
  for (int64_t i = 0; i < 16; i++) {
    const float h = b->h[i], bounded = x[i] > SLOPE_FLOOR ? x[i] : SLOPE_FLOOR;
    const float f = slope[i] * (gamma >= 1.f ? x[i] - gamma * h : 1.f - gamma * h / bounded);
    slope[i] = (focal * f + entropy) * inverse_log;
    shift[i] = slope[i] * b->mean[i];
    if (has_sums) shift[i] += max_square * square[i] - b->weight[i] * bar[i];
    if (has_labels) pull[i] = cross_entropy * b->label_weight[i];
    shift[i] += pull[i];
    own[i] = pull[i];
  }
  for (int64_t i = 0; is_soft && i < 16; i++) {
    own[i] = pull[i] * b->soft[i].own;
    other[i] = pull[i] * b->soft[i].other;
  }
  for (int64_t c = 0; c < j->classes; c++) {
    const float *d = b->d + c * 16;
    float *e = b->e + c * 16;
    const float diversity = j->slopes[c]; /* u = w log q / log C */
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float p = e[i] * b->inverse[i];
      float u = shift[i] - slope[i] * d[i];
      if (has_sums) u += b->weight[i] * diversity - max_square * p; /* -1/2 sum p^2: u = -p */
      if (has_negatives) { /* p_c (m_c - sum over other marked k of p_k / (1 - p_k)) */
        const float m = mark(b, c, i), self = m * e[i] / (b->sum[i] - e[i]);
        const float others = b->odds[i] + (b->top[i] == (int32_t)c ? 0.f : b->hit[i] - self);
        u += negative * (m - others);
      }
      e[i] = p * u;
      if (has_labels) { /* p - y, p - P */
        e[i] -= b->label[i] == (int32_t)c ? own[i] : is_soft ? other[i] : 0.f;
      }
      if (has_uncommon) e[i] += b->more[c * 16 + i];
    }
  }
}

#endif /* D3K_LOSS_BLOCK_H */
