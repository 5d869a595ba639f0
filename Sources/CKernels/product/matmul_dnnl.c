/* Matrix product by oneDNN, where it has a compiled kernel for the operands' strides. */
#include "backend/dnnl_common.h"
#include "product/matmul_internal.h"

#ifdef D3K_ONEDNN
#include <stdlib.h>

typedef struct dnnl_state {
  d3k_dnnl_call call; /* a, b, y, scratchpad                                                    */
  dnnl_memory_desc_t b;
  size_t a_bytes; /* scratch: a as bfloat16, oneDNN's own                                       */
} dnnl_state;

enum { arg_a, arg_b, arg_y, arg_scratchpad };

/* [batch…, rows, columns] with a batch stride of 0 as a dim of 1, which oneDNN repeats. */
static dnnl_status_t operand_desc(const d3k_matmul_options *o, const int64_t *batch_strides,
                                  int64_t rows, int64_t columns, int64_t row_stride,
                                  int64_t column_stride, dnnl_memory_desc_t *desc) {
  dnnl_dims_t dims, strides;
  int32_t rank = o->batch_rank;
  for (int32_t i = 0; i < rank; i++) {
    dims[i] = batch_strides[i] ? o->batch[i] : 1;
    strides[i] = batch_strides[i] ? batch_strides[i] : rows * columns;
  }
  dims[rank] = rows, dims[rank + 1] = columns;
  strides[rank] = row_stride, strides[rank + 1] = column_stride;
  return dnnl_memory_desc_init_by_strides(desc, rank + 2, dims, dnnl_f32, strides);
}

static int32_t make_descs(const d3k_matmul_options *o, dnnl_memory_desc_t *a, dnnl_memory_desc_t *b,
                          dnnl_memory_desc_t *y) {
  int64_t y_strides[D3K_MAX_RANK], size = o->rows * o->columns;
  for (int32_t i = o->batch_rank - 1; i >= 0; size *= o->batch[i--]) y_strides[i] = size;
  if (operand_desc(o, o->a_batch_strides, o->rows, o->inner, o->a_row_stride, o->a_column_stride,
                   a) != dnnl_success ||
      operand_desc(o, y_strides, o->rows, o->columns, o->columns, 1, y) != dnnl_success)
    return 0;
  if (!o->constant_b)
    return operand_desc(o, o->b_batch_strides, o->inner, o->columns, o->b_row_stride,
                        o->b_column_stride, b) == dnnl_success;
  dnnl_dims_t dims;
  for (int32_t i = 0; i < o->batch_rank; i++) dims[i] = o->b_batch_strides[i] ? o->batch[i] : 1;
  dims[o->batch_rank] = o->inner, dims[o->batch_rank + 1] = o->columns;
  return dnnl_memory_desc_init_by_tag(b, o->batch_rank + 2, dims,
                                      o->precision == D3K_BF16 ? dnnl_bf16 : dnnl_f32,
                                      dnnl_format_tag_any) == dnnl_success;
}

static dnnl_primitive_desc_t make_desc(const d3k_matmul_options *o) {
  dnnl_memory_desc_t a, b, y;
  dnnl_matmul_desc_t op;
  if (!make_descs(o, &a, &b, &y)) return NULL;
  if (o->precision == D3K_BF16) { /* a is rounded into scratch, densely */
    int64_t sizes[2] = {o->rows, o->inner};
    dnnl_dims_t dims = {sizes[0], sizes[1]};
    if (dnnl_memory_desc_init_by_tag(&a, 2, dims, dnnl_bf16, dnnl_ab) != dnnl_success) return NULL;
  }
  if (dnnl_matmul_desc_init(&op, &a, &b, NULL, &y) != dnnl_success) return NULL;
  return d3k_dnnl_desc_create(&op, o->constant_b ? 1 : o->alpha, NULL, d3k_dnnl_is_best);
}

static void destroy(d3k_matmul *matmul) {
  dnnl_state *state = matmul->state;
  if (!state) return;
  d3k_dnnl_call_destroy(&state->call);
  free(state);
  matmul->state = NULL;
}

static int32_t fits(d3k_matmul_options *o) {
  if (o->backend != D3K_BACKEND_ONEDNN || !d3k_dnnl_engine()) return 0;
  if (!o->constant_b || o->batch_rank > 0 || o->a_column_stride != 1) o->precision = D3K_F32;
  return d3k_is_plain(o->rows, o->inner, o->a_row_stride, o->a_column_stride) &&
         (o->constant_b ? o->batch_rank <= 1
                        : d3k_is_plain(o->inner, o->columns, o->b_row_stride, o->b_column_stride));
}

static int32_t create(d3k_matmul *matmul) {
  d3k_matmul_options *o = &matmul->options;
  if (!fits(o)) return 0;
  dnnl_state *state = calloc(1, sizeof(dnnl_state));
  if (!state) return -1;
  matmul->state = state;
  int32_t before = d3k_dnnl_threads(o->threads);
  dnnl_primitive_desc_t desc = make_desc(o);
  d3k_dnnl_call *call = &state->call;
  int32_t fine = desc && d3k_dnnl_call_create(call, desc);
  d3k_dnnl_threads(before);
  const dnnl_memory_desc_t *scratchpad = NULL;
  if (fine) {
    scratchpad = d3k_dnnl_layout(desc, dnnl_query_scratchpad_md);
    state->b = *d3k_dnnl_layout(desc, dnnl_query_weights_md);
    fine = (!o->constant_b || d3k_dnnl_can_pack(&state->b)) &&
           d3k_dnnl_call_add(call, DNNL_ARG_SRC, d3k_dnnl_layout(desc, dnnl_query_src_md)) &&
           d3k_dnnl_call_add(call, DNNL_ARG_WEIGHTS, &state->b) &&
           d3k_dnnl_call_add(call, DNNL_ARG_DST, d3k_dnnl_layout(desc, dnnl_query_dst_md)) &&
           d3k_dnnl_call_add(call, DNNL_ARG_SCRATCHPAD, scratchpad);
  }
  if (fine) {
    if (o->constant_b) matmul->packed_bytes = dnnl_memory_desc_get_size(&state->b);
    if (o->precision == D3K_BF16)
      state->a_bytes = d3k_round64(sizeof(uint16_t) * (size_t)(o->rows * o->inner));
    matmul->scratch_bytes = state->a_bytes + d3k_round64(dnnl_memory_desc_get_size(scratchpad));
  }
  if (desc) dnnl_primitive_desc_destroy(desc);
  if (!fine) destroy(matmul);
  return fine;
}

static void pack(const d3k_matmul *matmul, const float *b, void *packed) {
  const d3k_matmul_options *o = &matmul->options;
  const dnnl_state *state = matmul->state;
  int32_t rank = o->batch_rank;
  d3k_dnnl_packing packing = {&state->b, b, NULL, {0}, rank + 1, rank ? 0 : -1, o->alpha, packed};
  for (int32_t i = 0; i < rank; i++) packing.strides[i] = o->b_batch_strides[i];
  packing.strides[rank] = o->b_row_stride;
  packing.strides[rank + 1] = o->b_column_stride;
  d3k_dnnl_pack(o->threads, &packing);
}

static void run(const d3k_matmul *matmul, const float *a, const void *b_or_packed,
                const d3k_chain *chain, float *y, void *scratch) {
  const d3k_matmul_options *o = &matmul->options;
  const dnnl_state *state = matmul->state;
  const d3k_dnnl_call *call = &state->call;
  if (state->a_bytes)
    d3k_to_bf16(o->threads, a, o->a_row_stride, o->rows, o->inner, (uint16_t *)scratch);
  d3k_dnnl_call_set(call, arg_a, state->a_bytes ? scratch : (const void *)a);
  d3k_dnnl_call_set(call, arg_b, b_or_packed);
  d3k_dnnl_call_set(call, arg_y, y);
  d3k_dnnl_call_set(call, arg_scratchpad, (char *)scratch + state->a_bytes);
  d3k_dnnl_call_run(call, o->threads);
  if (chain->count)
    d3k_chain_run(o->threads, chain, y, o->columns, y, o->columns, d3k_matmul_batches(o) * o->rows,
                  o->columns);
}

const d3k_matmul_implementation d3k_matmul_onednn = {create, destroy, pack, run, "onednn"};
#endif
