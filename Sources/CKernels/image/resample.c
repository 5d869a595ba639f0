/* Lines along one axis -> lines of weighted sums of them, and their gradients: the same with the
 * table turned round.
 *
 * Cost: one multiply-add per term and element; terms are added in the order of the table, whatever
 * the number of threads. */
#include "base/internal.h"

/* Elements of y that stay in the cache while the terms are added. */
#define PIECE 2048

typedef struct job {
  const float *x;
  float *y;
  const d3k_terms *terms;
  int64_t count, inner, pieces;
  float fill;
  int32_t accumulates;
} job;

D3K_INLINE void add_terms(const job *j, const float *x, int64_t row, float *y, int64_t length) {
  const d3k_terms *terms = j->terms;
  int64_t k = terms->starts[row];
  const int64_t end = terms->starts[row + 1];
  if (!j->accumulates && k == end) {
    for (int64_t i = 0; i < length; i++) y[i] = j->fill;
  } else if (!j->accumulates) {
    const float weight = terms->weights[k];
    const float *from = x + terms->positions[k] * j->inner;
    D3K_VECTOR
    for (int64_t i = 0; i < length; i++) y[i] = from[i] * weight;
    k++;
  }
  for (; k < end; k++) {
    const float weight = terms->weights[k];
    const float *from = x + terms->positions[k] * j->inner;
    D3K_VECTOR
    for (int64_t i = 0; i < length; i++) y[i] += from[i] * weight;
  }
}

/* Items: outer, positions, pieces of a line. */
D3K_CLONED_BODY(run) {
  const job *j = context;
  for (int64_t item = begin; item < end; item++) {
    const int64_t line = item / j->pieces, start = item % j->pieces * PIECE;
    const int64_t outer = line / j->terms->size, row = line % j->terms->size;
    add_terms(j, j->x + outer * j->count * j->inner + start, row, j->y + line * j->inner + start,
              d3k_min(PIECE, j->inner - start));
  }
}

void d3k_resample(int32_t threads, const float *x, int64_t outer, int64_t count, int64_t inner,
                  const d3k_terms *terms, float fill, float *y, int32_t accumulates) {
  const int64_t size = outer * terms->size * inner;
  if (size <= 0) return;
  const int64_t pieces = d3k_ceil_div(inner, PIECE);
  job j = {x, y, terms, count, inner, pieces, fill, accumulates};
  d3k_parallel(d3k_threads_for(threads, size * 4), outer * terms->size * pieces, run, &j);
}
