/* Lines along one axis -> lines of weighted sums of their values. The gradient is the same function
 * with the transposed table.
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
  const d3k_lines *of;
  int64_t pieces;
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
    const float *from = x + terms->positions[k] * j->of->inner;
    D3K_VECTOR
    for (int64_t i = 0; i < length; i++) y[i] = from[i] * weight;
    k++;
  }
  for (; k < end; k++) {
    const float weight = terms->weights[k];
    const float *from = x + terms->positions[k] * j->of->inner;
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
    add_terms(j, j->x + outer * j->of->count * j->of->inner + start, row,
              j->y + line * j->of->inner + start, d3k_min(PIECE, j->of->inner - start));
  }
}

void d3k_resample(int32_t threads, const d3k_lines *lines, const d3k_terms *terms, float fill,
                  const float *x, float *y, int32_t accumulates) {
  const int64_t rows = lines->outer * terms->size, size = rows * lines->inner;
  if (size <= 0) return;
  job j = {x, y, terms, lines, d3k_ceil_div(lines->inner, PIECE), fill, accumulates};
  d3k_parallel(d3k_threads_for(threads, size * 4), rows * j.pieces, run, &j);
}
