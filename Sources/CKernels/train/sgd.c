/* Weights and their gradient -> new weights, and the sum of squares that clipping needs.
 *
 * Cost: three streams read and two written once; as fast as the memory. */
#include "base/internal.h"
#include "d3k_train.h"

/* Bands of a sum. Their borders depend on the number of elements alone. */
#define MOST_BANDS 64
#define LEAST_BAND 8192
/* Elements of a work item: a fixed number, so that vectors start at the same elements whatever the
 * number of threads. */
#define CHUNK 1024

typedef struct sum_job {
  const float *x;
  int64_t count, band;
  double *sums;
} sum_job;

D3K_CLONED_BODY(sum_bands) {
  const sum_job *j = context;
  for (int64_t band = begin; band < end; band++) {
    const float *x = j->x + band * j->band;
    const int64_t count = d3k_min(j->band, j->count - band * j->band);
    double lanes[16] = {0}, sum = 0; /* squares of floats do not overflow in double */
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      D3K_VECTOR
      for (int64_t k = 0; k < 16; k++) lanes[k] += (double)x[i + k] * (double)x[i + k];
    }
    for (; i < count; i++) sum += (double)x[i] * (double)x[i];
    for (int64_t k = 0; k < 16; k++) sum += lanes[k];
    j->sums[band] = sum;
  }
}

double d3k_sum_of_squares(int32_t threads, const float *x, int64_t count) {
  if (count <= 0) return 0;
  double sums[MOST_BANDS], sum = 0;
  const int64_t size = d3k_ceil_div(d3k_ceil_div(count, MOST_BANDS), 16) * 16;
  sum_job j = {x, count, d3k_max(LEAST_BAND, size), sums};
  const int64_t bands = d3k_ceil_div(count, j.band);
  d3k_parallel(d3k_threads_for(threads, count), bands, sum_bands, &j);
  for (int64_t band = 0; band < bands; band++) sum += sums[band];
  return sum;
}

typedef struct step_job {
  float *weights, *velocity;
  const float *gradient;
  int64_t count;
  d3k_sgd step;
} step_job;

D3K_CLONED_BODY(step_chunks) {
  const step_job *j = context;
  float *w = j->weights, *v = j->velocity;
  const float *gradient = j->gradient;
  const float rate = j->step.rate, momentum = j->step.momentum, decay = j->step.weight_decay;
  const float scale = j->step.gradient_scale;
  const int64_t last = d3k_min(j->count, end * CHUNK);
  D3K_VECTOR
  for (int64_t i = begin * CHUNK; i < last; i++) {
    const float g = gradient[i] * scale + decay * w[i];
    const float velocity = momentum * v[i] + g;
    v[i] = velocity;
    w[i] -= rate * velocity;
  }
}

void d3k_sgd_step(int32_t threads, const d3k_sgd *step, float *weights, const float *gradient,
                  float *velocity, int64_t count) {
  step_job j = {weights, velocity, gradient, count, *step};
  d3k_parallel(d3k_threads_for(threads, count), d3k_ceil_div(count, CHUNK), step_chunks, &j);
}
