/* Class scores of an image and probabilities of another network -> weights of the pixels in its
 * losses: 1 where both say the same, towards 0 the further they are apart.
 *
 * With log p = d - log S: KL(P || p) = sum P (log P - d) + log S. Cost: an exponential and a
 * logarithm a score. Memory: none. */
#include "base/vector_math.h"
#include "d3k_train.h"
#include "scores/scores.h"

typedef struct job {
  const d3k_scores *z;
  const float *probabilities;
  const uint8_t *ignored; /* NULL = all pixels count */
  uint8_t *weights;
} job;

/* Scores in z -> largest, and log S. */
D3K_INLINE void sum_exponentials(const float *z, int64_t classes, float *largest, float *log_sum) {
  float rest[16] = {0};
  int32_t top[16];
  find_top(z, classes, d3k_load16(z), largest, top);
  for (int64_t c = 0; c < classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float e = d3k_exp_negative(z[c * 16 + i] - largest[i]);
      rest[i] += top[i] == (int32_t)c ? 0.f : e;
    }
  }
  D3K_VECTOR
  for (int64_t i = 0; i < 16; i++) log_sum[i] = d3k_log1p_unit(rest[i]); /* of any rest >= 0 */
}

/* A part is a block of 16 pixels. */
D3K_CLONED_BODY(weigh_blocks) {
  const job *j = context;
  const d3k_scores *s = j->z;
  const int64_t classes = s->classes, pixels = s->height * s->width;
  float z[MOST_CLASSES * 16], p[MOST_CLASSES * 16];
  for (int64_t n = begin * 16; n < d3k_min(pixels, end * 16); n += 16) {
    const int64_t count = d3k_min(16, pixels - n);
    float largest[16] = {0}, divergence[16] = {0}, weight[16];
    d3k_gather16(s->data + n * s->stride, s->stride, count, classes, z, 16);
    d3k_gather16(j->probabilities + n * classes, classes, count, classes, p, 16);
    if (!s->is_probability) {
      sum_exponentials(z, classes, largest, divergence);
    } else {
      for (int64_t c = 0; c < classes; c++) {
        D3K_VECTOR
        for (int64_t i = 0; i < 16; i++) z[c * 16 + i] = d3k_log(z[c * 16 + i]);
      }
    }
    for (int64_t c = 0; c < classes; c++) {
      D3K_VECTOR
      for (int64_t i = 0; i < 16; i++) {
        const float own = p[c * 16 + i], distance = z[c * 16 + i] - largest[i];
        const float part = own * (d3k_log(own) - distance);
        divergence[i] += own == 0.f ? 0.f : part; /* 0 log 0 = 0 */
      }
    }
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) weight[i] = d3k_exp(-divergence[i]);
    for (int64_t i = 0; i < count; i++) {
      const int32_t counts = weight[i] >= 0.f && !(j->ignored && j->ignored[n + i]);
      const float bounded = weight[i] > 1.f ? 1.f : weight[i];
      j->weights[n + i] = counts ? (uint8_t)(255.f * bounded + 0.5f) : 0;
    }
  }
}

void d3k_divergence_weights(int32_t threads, const d3k_scores *scores, const float *probabilities,
                            const uint8_t *ignored, uint8_t *weights) {
  const int64_t pixels = scores->height * scores->width, classes = scores->classes;
  if (pixels <= 0 || classes <= 0 || classes > MOST_CLASSES) return;
  job j = {scores, probabilities, ignored, weights};
  d3k_parallel(d3k_threads_for(threads, pixels * classes * 16), d3k_ceil_div(pixels, 16),
               weigh_blocks, &j);
}
