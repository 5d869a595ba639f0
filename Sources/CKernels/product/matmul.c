/* Chooses the best implementation for a matrix product's options, and calls it. */
#include <stdlib.h>

#include "product/matmul_internal.h"

/* Best first, reference last. */
static const d3k_matmul_implementation *const implementations[] = {
    &d3k_matmul_small,
    &d3k_matmul_bands,
#ifdef D3K_ONEDNN
    &d3k_matmul_onednn,
#endif
    &d3k_matmul_openblas,
};

enum { implementation_count = sizeof(implementations) / sizeof(implementations[0]) };

static void remove_batch(d3k_matmul_options *o, int32_t at) {
  for (int32_t i = at; i + 1 < o->batch_rank; i++) {
    o->batch[i] = o->batch[i + 1];
    o->a_batch_strides[i] = o->a_batch_strides[i + 1];
    o->b_batch_strides[i] = o->b_batch_strides[i + 1];
  }
  o->batch_rank--;
}

/* Merges batch dims into fewer dims and larger matrices. y is dense, so neighbouring dims merge
 * wherever the strides of a and b allow it. */
static void simplify(d3k_matmul_options *o) {
  for (int32_t i = o->batch_rank - 1; i >= 0; i--)
    if (o->batch[i] == 1) remove_batch(o, i);
  for (int32_t i = o->batch_rank - 2; i >= 0; i--)
    if (o->a_batch_strides[i] == o->batch[i + 1] * o->a_batch_strides[i + 1] &&
        o->b_batch_strides[i] == o->batch[i + 1] * o->b_batch_strides[i + 1]) {
      o->batch[i + 1] *= o->batch[i];
      remove_batch(o, i);
    }
  while (o->batch_rank > 0) { /* one b for all: the batch is more rows */
    int32_t last = o->batch_rank - 1;
    if (o->b_batch_strides[last] || o->a_batch_strides[last] != o->rows * o->a_row_stride) break;
    o->rows *= o->batch[last];
    o->batch_rank--;
  }
}

d3k_matmul *d3k_matmul_create(const d3k_matmul_options *options) {
  d3k_matmul *matmul = calloc(1, sizeof(d3k_matmul));
  if (!matmul) return NULL;
  matmul->options = *options;
  simplify(&matmul->options);
  for (int32_t i = 0; i < implementation_count; i++) {
    matmul->implementation = implementations[i];
    int32_t taken = implementations[i]->create(matmul);
    if (taken > 0) return matmul;
    if (taken < 0) break;
  }
  free(matmul);
  return NULL;
}

void d3k_matmul_free(d3k_matmul *matmul) {
  if (!matmul) return;
  if (matmul->implementation->destroy) matmul->implementation->destroy(matmul);
  free(matmul);
}

size_t d3k_matmul_packed_bytes(const d3k_matmul *matmul) { return matmul->packed_bytes; }

size_t d3k_matmul_scratch_bytes(const d3k_matmul *matmul) { return matmul->scratch_bytes; }

void d3k_matmul_pack(const d3k_matmul *matmul, const float *b, void *packed) {
  if (matmul->options.constant_b) matmul->implementation->pack(matmul, b, packed);
}

const char *d3k_matmul_name(const d3k_matmul *matmul) { return matmul->implementation->name; }

void d3k_matmul_run(const d3k_matmul *matmul, const float *a, const void *b_or_packed,
                    const d3k_chain *chain, float *y, void *scratch) {
  matmul->implementation->run(matmul, a, b_or_packed, chain, y, scratch);
}
