/* Weights -> the running average of them that a teacher is made of. */
#include "base/internal.h"
#include "d3k_train.h"

/* Elements of a work item: a fixed number, so that vectors start at the same elements whatever the
 * number of threads. */
#define CHUNK 1024

typedef struct job {
  float *teacher;
  const float *weights;
  int64_t count;
  float keep, take;
} job;

D3K_CLONED_BODY(average_chunks) {
  const job *j = context;
  float *t = j->teacher;
  const float *w = j->weights;
  const float keep = j->keep, take = j->take;
  const int64_t last = d3k_min(j->count, end * CHUNK);
  if (take < 0.5f) { /* start from the nearer of the two: equal values stay equal */
    D3K_VECTOR
    for (int64_t i = begin * CHUNK; i < last; i++) t[i] += (w[i] - t[i]) * take;
  } else {
    D3K_VECTOR
    for (int64_t i = begin * CHUNK; i < last; i++) t[i] = w[i] - (w[i] - t[i]) * keep;
  }
}

void d3k_average(int32_t threads, float *teacher, const float *weights, int64_t count,
                 double momentum) {
  job j = {teacher, weights, count, (float)momentum, (float)(1 - momentum)};
  d3k_parallel(d3k_threads_for(threads, count), d3k_ceil_div(count, CHUNK), average_chunks, &j);
}
