/* Up to three arrays whose shapes repeat -> pieces of them in the order of the dense result. */
#ifndef D3K_BROADCAST_H
#define D3K_BROADCAST_H

#include "base/walk.h"

typedef struct d3k_operands {
  d3k_walk walk;
  const float *data[3]; /* NULL = not read */
  int32_t is_dense[3];  /* laid out exactly like the result */
  int64_t size;         /* of the result */
} d3k_operands;

/** Merges dimensions where possible; arrays that are NULL are not read. Returns 0 where the result
 * is empty. */
int32_t d3k_operands_of(d3k_operands *operands, const d3k_walk *walk, const float *const data[3]);

/** The `count` elements of array `a` that belong to the result's elements from `position` on.
 * Returns a pointer into the array where they are contiguous, else gathers them in `buffer`; NULL
 * for an array that is not read. *is_scalar: all are equal and only the first is there. */
const float *d3k_operands_fetch(const d3k_operands *operands, int32_t a, int64_t position,
                                int64_t count, float *buffer, int32_t *is_scalar);

#endif /* D3K_BROADCAST_H */
