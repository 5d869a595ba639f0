/* A long sum of few results, such as the gradient of weights: products of parts of it, which
 * several threads compute, added in their order. How it is cut depends on the sizes alone. */
#include <stdlib.h>

#include "product/matmul_internal.h"

enum {
  band_products = 4 * 1024 * 1024, /* multiply-adds of a part                                   */
  band_inner = 256,                /* fewer would make adding show                              */
  most_bands = 16,
  cut_rows = 64, /* with several times as many, implementations cut by rows                     */
};

typedef struct bands_state {
  d3k_matmul *parts; /* a batch of them */
  int64_t count;
  size_t sums_bytes;
} bands_state;

/* Parts of one length; 1 = the sum is not cut. */
static int64_t bands_of(const d3k_matmul_options *o) {
  if (o->batch_rank || o->constant_b || o->backend == D3K_BACKEND_REFERENCE) return 1;
  int64_t most = d3k_min(o->rows * o->columns * o->inner / band_products, o->inner / band_inner);
  most = d3k_min(most, most_bands);
  if (o->rows / cut_rows * 2 > most) return 1;
  for (int64_t bands = most; bands > 1; bands--)
    if (o->inner % bands == 0) return bands;
  return 1;
}

static void destroy(d3k_matmul *matmul) {
  bands_state *state = matmul->state;
  d3k_matmul_free(state->parts);
  free(state);
}

static int32_t create(d3k_matmul *matmul) {
  d3k_matmul_options part = matmul->options;
  const int64_t count = bands_of(&part);
  if (count == 1) return 0;
  bands_state *state = calloc(1, sizeof(bands_state));
  if (!state) return -1;
  part.inner /= count;
  part.batch_rank = 1;
  part.batch[0] = count;
  part.a_batch_strides[0] = part.inner * part.a_column_stride;
  part.b_batch_strides[0] = part.inner * part.b_row_stride;
  part.chain = (d3k_chain){0};
  *state = (bands_state){d3k_matmul_create(&part), count,
                         d3k_round64(sizeof(float) * (size_t)(count * part.rows * part.columns))};
  if (!state->parts) {
    free(state);
    return -1;
  }
  matmul->state = state;
  matmul->scratch_bytes = state->sums_bytes + d3k_matmul_scratch_bytes(state->parts);
  return 1;
}

static void pack(const d3k_matmul *matmul, const float *b, void *packed) {
  (void)matmul, (void)b, (void)packed;
}

typedef struct merge_call {
  const d3k_matmul_options *options;
  const d3k_chain *chain;
  const float *sums;
  float *y;
  int64_t count;
} merge_call;

D3K_CLONED_BODY(merge_rows) {
  const merge_call *call = context;
  const int64_t columns = call->options->columns, size = call->options->rows * columns;
  for (int64_t i = begin * columns; i < end * columns; i++) {
    float sum = call->sums[i];
    for (int64_t band = 1; band < call->count; band++) sum += call->sums[band * size + i];
    call->y[i] = sum;
  }
  d3k_chain_apply(call->chain, call->y + begin * columns, columns, begin, end - begin, columns);
}

static void run(const d3k_matmul *matmul, const float *a, const void *b, const d3k_chain *chain,
                float *y, void *scratch) {
  const d3k_matmul_options *o = &matmul->options;
  const bands_state *state = matmul->state;
  const d3k_chain none = {0};
  d3k_matmul_run(state->parts, a, b, &none, scratch, (char *)scratch + state->sums_bytes);
  merge_call call = {o, chain, scratch, y, state->count};
  d3k_parallel(d3k_threads_for(o->threads, o->rows * o->columns * state->count), o->rows,
               merge_rows, &call);
}

const d3k_matmul_implementation d3k_matmul_bands = {create, destroy, pack, run, "bands"};
