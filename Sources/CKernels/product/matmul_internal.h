/* What matmul.c shares with the implementations it chooses from. */
#ifndef D3K_MATMUL_INTERNAL_H
#define D3K_MATMUL_INTERNAL_H

#include "base/tiles.h"

typedef struct d3k_matmul_implementation {
  /** Fills sizes and state; 1 = taken, 0 = declined (nothing left behind), -1 = no memory. */
  int32_t (*create)(d3k_matmul *matmul);
  void (*destroy)(d3k_matmul *matmul);
  void (*pack)(const d3k_matmul *matmul, const float *b, void *packed);
  void (*run)(const d3k_matmul *matmul, const float *a, const void *b_or_packed,
              const d3k_chain *chain, float *y, void *scratch);
  const char *name;
} d3k_matmul_implementation;

struct d3k_matmul {
  d3k_matmul_options options; /* batch dims merged where they can be                            */
  const d3k_matmul_implementation *implementation;
  size_t packed_bytes, scratch_bytes;
  void *state;
};

extern const d3k_matmul_implementation d3k_matmul_small;
extern const d3k_matmul_implementation d3k_matmul_bands;
extern const d3k_matmul_implementation d3k_matmul_onednn;
extern const d3k_matmul_implementation d3k_matmul_openblas;

/** Whether BLAS and oneDNN can read a matrix with these strides: one of them is 1 and rows do not
 *  overlap. */
D3K_INLINE int32_t d3k_is_plain(int64_t rows, int64_t columns, int64_t row_stride,
                                int64_t column_stride) {
  return (column_stride == 1 && row_stride >= columns) ||
         (row_stride == 1 && column_stride >= rows);
}

/** How many products there are. */
D3K_INLINE int64_t d3k_matmul_batches(const d3k_matmul_options *o) {
  int64_t count = 1;
  for (int32_t i = 0; i < o->batch_rank; i++) count *= o->batch[i];
  return count;
}

/** Where operand number `batch` begins, by its batch strides. */
D3K_INLINE int64_t d3k_matmul_offset(const d3k_matmul_options *o, const int64_t *strides,
                                     int64_t batch) {
  int64_t offset = 0;
  for (int32_t i = o->batch_rank - 1; i >= 0; i--) {
    offset += batch % o->batch[i] * strides[i];
    batch /= o->batch[i];
  }
  return offset;
}

/** Strides of b copied densely, [batch where it differs…][inner][columns]; returns its floats. */
D3K_INLINE int64_t d3k_matmul_dense_b(const d3k_matmul_options *o, int64_t *batch_strides) {
  int64_t size = o->inner * o->columns;
  for (int32_t i = o->batch_rank - 1; i >= 0; i--) {
    batch_strides[i] = o->b_batch_strides[i] ? size : 0;
    if (o->b_batch_strides[i]) size *= o->batch[i];
  }
  return size;
}

/** The options with b's strides as _run finds it: copied densely where it is constant. */
d3k_matmul_options d3k_matmul_dense_options(const d3k_matmul *matmul);

/** Copies b that way. */
void d3k_matmul_pack_dense(const d3k_matmul *matmul, const float *b, void *packed);

#endif /* D3K_MATMUL_INTERNAL_H */
