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

/** No arrays yet, over `rank` dims. */
d3k_operands d3k_operands_of(int32_t rank, const int64_t *dims);

/** Array number `a`, with strides in floats, 0 where it repeats. */
void d3k_operands_set(d3k_operands *operands, int32_t a, const float *data, const int64_t *strides);

/** Call it once all are set: as few dims as can be. 0 where the result is empty. */
int32_t d3k_operands_merge(d3k_operands *operands);

/** `count` elements of array `a` for the result's elements from `position` on: where they are, or
 *  gathered in `buffer`; NULL of an array that is not read. *is_scalar: one stands for all. */
const float *d3k_operands_fetch(const d3k_operands *operands, int32_t a, int64_t position,
                                int64_t count, float *buffer, int32_t *is_scalar);

#endif /* D3K_BROADCAST_H */
