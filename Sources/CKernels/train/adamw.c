/* Weights, their gradient and its two moments -> new weights: Adam with decoupled weight decay.
 *
 * Cost: four streams read and three written once; as fast as the memory. */
#include "base/internal.h"
#include "d3k_train.h"

/* Elements of a work item: a fixed number, so that vectors start at the same elements whatever the
 * number of threads. */
#define CHUNK 1024

typedef struct job {
  float *weights, *mean, *square;
  const float *gradient;
  int64_t count;
  float gradient_scale, keep, beta1, rest1, beta2, rest2;
  float rate;    /* of m, its bias divided out */
  float inverse; /* 1 / root of the bias of v */
  float epsilon;
} job;

D3K_CLONED_BODY(step_chunks) {
  const job *j = context;
  float *w = j->weights, *m = j->mean, *v = j->square;
  const float *gradient = j->gradient;
  const float scale = j->gradient_scale, keep = j->keep, rate = j->rate;
  const float beta1 = j->beta1, rest1 = j->rest1, beta2 = j->beta2, rest2 = j->rest2;
  const float inverse = j->inverse, epsilon = j->epsilon;
  const int64_t last = d3k_min(j->count, end * CHUNK);
  D3K_VECTOR
  for (int64_t i = begin * CHUNK; i < last; i++) {
    const float g = gradient[i] * scale;
    const float mean = beta1 * m[i] + rest1 * g, square = beta2 * v[i] + rest2 * g * g;
    m[i] = mean;
    v[i] = square;
    w[i] = keep * w[i] - rate * mean / (__builtin_elementwise_sqrt(square) * inverse + epsilon);
  }
}

void d3k_adamw_step(int32_t threads, const d3k_adamw *step, float *weights, const float *gradient,
                    float *mean, float *square, int64_t count) {
  job j = {.weights = weights,
           .mean = mean,
           .square = square,
           .gradient = gradient,
           .count = count,
           .gradient_scale = (float)step->gradient_scale,
           .keep = (float)(1 - step->rate * step->weight_decay),
           .beta1 = (float)step->beta1,
           .rest1 = (float)(1 - step->beta1),
           .beta2 = (float)step->beta2,
           .rest2 = (float)(1 - step->beta2),
           .rate = (float)(step->rate / step->bias1),
           .inverse = (float)(1 / sqrt(step->bias2)),
           .epsilon = (float)step->epsilon};
  d3k_parallel(d3k_threads_for(threads, count), d3k_ceil_div(count, CHUNK), step_chunks, &j);
}
