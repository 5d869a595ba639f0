/* Matrix product by OpenBLAS, in tiles of fixed size; operands it cannot read are copied first. */
#include "backend/openblas.h"
#include "product/matmul_internal.h"

enum { tile_rows = 128, tile_columns = 512 };

static d3k_matrix view(const float *data, int64_t rows, int64_t columns, int64_t row_stride,
                       int64_t column_stride, float *copy) {
  if (column_stride == 1 && row_stride >= columns) return (d3k_matrix){data, row_stride, 0};
  if (row_stride == 1 && column_stride >= rows) return (d3k_matrix){data, column_stride, 1};
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      copy[i * columns + j] = data[i * row_stride + j * column_stride];
  return (d3k_matrix){copy, columns, 0};
}

typedef struct product_call {
  const d3k_matmul_options *options;
  const float *a, *b;
  const d3k_chain *chain;
  float *y;
  int64_t row_tiles;
} product_call;

/* All columns of some rows, so that the chain sees whole rows. */
static void run_tile(const void *context, int64_t tile, char *scratch) {
  const product_call *call = context;
  const d3k_matmul_options *o = call->options;
  int64_t batch = tile / call->row_tiles, first = tile % call->row_tiles * tile_rows;
  int64_t rows = d3k_min(tile_rows, o->rows - first);
  const float *b = call->b + d3k_matmul_offset(o, o->b_batch_strides, batch);
  float *a_copy = (float *)scratch, *b_copy = a_copy + tile_rows * o->inner;
  d3k_matrix a =
      view(call->a + d3k_matmul_offset(o, o->a_batch_strides, batch) + first * o->a_row_stride,
           rows, o->inner, o->a_row_stride, o->a_column_stride, a_copy);
  float *y = call->y + (batch * o->rows + first) * o->columns;
  for (int64_t j = 0; j < o->columns; j += tile_columns) {
    int64_t columns = d3k_min(tile_columns, o->columns - j);
    d3k_product product = {.rows = rows,
                           .columns = columns,
                           .inner = o->inner,
                           .a = a,
                           .b = view(b + j * o->b_column_stride, o->inner, columns, o->b_row_stride,
                                     o->b_column_stride, b_copy),
                           .alpha = o->alpha,
                           .c = y + j,
                           .c_leading = o->columns};
    d3k_sgemm(&product);
  }
  d3k_chain_apply(call->chain, y, o->columns, batch * o->rows + first, rows, o->columns);
}

static void run(const d3k_matmul *matmul, const float *a, const void *b_or_packed,
                const d3k_chain *chain, float *y, void *scratch) {
  d3k_matmul_options o = d3k_matmul_dense_options(matmul);
  product_call call = {&o, a, b_or_packed, chain, y, d3k_ceil_div(o.rows, tile_rows)};
  d3k_tiles_run(o.threads, d3k_matmul_batches(&o) * call.row_tiles, run_tile, &call, scratch,
                matmul->scratch_bytes / (size_t)d3k_parts(o.threads));
}

static int32_t create(d3k_matmul *matmul) {
  const d3k_matmul_options *o = &matmul->options;
  int64_t strides[D3K_MAX_RANK], floats = 0;
  d3k_openblas_prepare();
  if (!d3k_is_plain(o->rows, o->inner, o->a_row_stride, o->a_column_stride) ||
      (!o->constant_b && !d3k_is_plain(o->inner, o->columns, o->b_row_stride, o->b_column_stride)))
    floats = (tile_rows + d3k_min(tile_columns, o->columns)) * o->inner;
  matmul->scratch_bytes =
      d3k_round64(sizeof(float) * (size_t)floats) * (size_t)d3k_parts(o->threads);
  if (o->constant_b) matmul->packed_bytes = sizeof(float) * (size_t)d3k_matmul_dense_b(o, strides);
  return 1;
}

const d3k_matmul_implementation d3k_matmul_openblas = {create, NULL, d3k_matmul_pack_dense, run,
                                                       "openblas"};
