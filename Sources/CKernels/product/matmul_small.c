/* Products of a few thousand multiply-adds, and the oracle: plain loops on the calling thread. */
#include "product/matmul_internal.h"

/* Below this, calling a library costs more than multiplying. */
enum { small_products = 16 * 1024 };

/* y[0..<columns] = alpha * a · b for one row, b's columns side by side. */
D3K_CLONES(static, void, add_rows,
           (const float *a, int64_t a_stride, const float *b, int64_t b_stride, int64_t inner,
            int64_t columns, float alpha, float *y),
           (a, a_stride, b, b_stride, inner, columns, alpha, y)) {
  for (int64_t j = 0; j < columns; j++) y[j] = 0;
  for (int64_t k = 0; k < inner; k++) {
    float factor = alpha * a[k * a_stride];
    const float *row = b + k * b_stride;
    for (int64_t j = 0; j < columns; j++) y[j] += factor * row[j];
  }
}

static void dot_products(const d3k_matmul_options *o, const float *a, const float *b, float *y) {
  for (int64_t j = 0; j < o->columns; j++) {
    double sum = 0;
    for (int64_t k = 0; k < o->inner; k++)
      sum += (double)a[k * o->a_column_stride] * b[k * o->b_row_stride + j * o->b_column_stride];
    y[j] = (float)(o->alpha * sum);
  }
}

typedef struct small_call {
  const d3k_matmul_options *options;
  const float *a, *b;
  const d3k_chain *chain;
  float *y;
} small_call;

static void run_batch(const void *context, int64_t batch, char *scratch) {
  (void)scratch;
  const small_call *call = context;
  const d3k_matmul_options *o = call->options;
  const float *a = call->a + d3k_matmul_offset(o, o->a_batch_strides, batch);
  const float *b = call->b + d3k_matmul_offset(o, o->b_batch_strides, batch);
  float *y = call->y + batch * o->rows * o->columns;
  for (int64_t i = 0; i < o->rows; i++) {
    if (o->b_column_stride == 1 && o->backend != D3K_BACKEND_REFERENCE)
      add_rows(a + i * o->a_row_stride, o->a_column_stride, b, o->b_row_stride, o->inner,
               o->columns, o->alpha, y + i * o->columns);
    else
      dot_products(o, a + i * o->a_row_stride, b, y + i * o->columns);
  }
  d3k_chain_apply(call->chain, y, o->columns, batch * o->rows, o->rows, o->columns);
}

static void run(const d3k_matmul *matmul, const float *a, const void *b_or_packed,
                const d3k_chain *chain, float *y, void *scratch) {
  (void)scratch;
  d3k_matmul_options o = d3k_matmul_dense_options(matmul);
  small_call call = {&o, a, b_or_packed, chain, y};
  int64_t batches = d3k_matmul_batches(&o);
  d3k_tiles_run(d3k_threads_for(o.threads, batches * o.rows * o.columns * o.inner / 8), batches,
                run_batch, &call, NULL, 0);
}

d3k_matmul_options d3k_matmul_dense_options(const d3k_matmul *matmul) {
  d3k_matmul_options o = matmul->options;
  if (!o.constant_b) return o;
  d3k_matmul_dense_b(&o, o.b_batch_strides);
  o.b_row_stride = o.columns;
  o.b_column_stride = 1;
  return o;
}

void d3k_matmul_pack_dense(const d3k_matmul *matmul, const float *b, void *packed) {
  const d3k_matmul_options *o = &matmul->options;
  int64_t strides[D3K_MAX_RANK];
  d3k_matmul_dense_b(o, strides);
  for (int64_t batch = 0; batch < d3k_matmul_batches(o); batch++) {
    const float *from = b + d3k_matmul_offset(o, o->b_batch_strides, batch);
    float *to = (float *)packed + d3k_matmul_offset(o, strides, batch);
    for (int64_t k = 0; k < o->inner; k++)
      for (int64_t j = 0; j < o->columns; j++)
        to[k * o->columns + j] = from[k * o->b_row_stride + j * o->b_column_stride];
  }
}

static int32_t create(d3k_matmul *matmul) {
  const d3k_matmul_options *o = &matmul->options;
  int64_t strides[D3K_MAX_RANK];
  if (o->backend != D3K_BACKEND_REFERENCE && o->rows * o->columns * o->inner > small_products)
    return 0;
  if (o->constant_b) matmul->packed_bytes = sizeof(float) * (size_t)d3k_matmul_dense_b(o, strides);
  return 1;
}

const d3k_matmul_implementation d3k_matmul_small = {create, NULL, d3k_matmul_pack_dense, run,
                                                    "small"};
