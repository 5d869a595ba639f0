/* Matrix product by oneDNN, where it has a compiled kernel for the operands' strides. */
#include "backend/dnnl_common.h"
#include "product/matmul_internal.h"

#ifdef D3K_ONEDNN
#include <stdlib.h>

/* The products are cut by their outermost batch dim and by rows. How depends on the sizes alone, so
 * that results do not depend on the threads. */
typedef struct matmul_split {
  int64_t batch, batches; /* of the outermost dim in a piece; pieces of it                      */
  int64_t rows, bands;    /* the same of rows                                                   */
} matmul_split;

/* Pieces of up to four shapes: whole or the last ones, by batch and by rows. */
enum { shapes = 4 };

typedef struct dnnl_state {
  matmul_split split;
  int32_t slots;
  d3k_dnnl_call *calls;      /* [shape][slot]: a, b, y, scratchpad                              */
  dnnl_memory_desc_t b[2];   /* of a whole piece; of the last one by batch                      */
  size_t b_bytes;            /* of the first                                                    */
  size_t a_bytes, own_bytes; /* scratch: a as bfloat16; oneDNN's own for each thread            */
} dnnl_state;

enum { arg_a, arg_b, arg_y, arg_scratchpad };

enum { piece_rows = 64 /* at least: b is read for each piece */ };

static matmul_split split_of(const d3k_matmul_options *o) {
  int64_t outer = o->batch_rank ? o->batch[0] : 1, batches = d3k_matmul_batches(o);
  int64_t wanted = d3k_pieces_for(batches * o->rows * o->inner * o->columns);
  matmul_split split;
  split.batch = d3k_ceil_div(outer, wanted);
  split.batches = d3k_ceil_div(outer, split.batch);
  int64_t bands = d3k_max(1, d3k_min(d3k_ceil_div(wanted, split.batches), o->rows / piece_rows));
  split.rows = d3k_ceil_div(d3k_ceil_div(o->rows, bands), 16) * 16;
  split.bands = d3k_ceil_div(o->rows, split.rows);
  return split;
}

/* The options of one piece, and its shape. */
static d3k_matmul_options piece_of(const d3k_matmul_options *o, const matmul_split *split,
                                   int64_t index, int32_t *shape) {
  int64_t batch = index / split->bands, band = index % split->bands;
  d3k_matmul_options piece = *o;
  if (o->batch_rank) piece.batch[0] = d3k_min(split->batch, o->batch[0] - batch * split->batch);
  piece.rows = d3k_min(split->rows, o->rows - band * split->rows);
  *shape = (batch > 0 && batch + 1 == split->batches ? 2 : 0) +
           (band > 0 && band + 1 == split->bands ? 1 : 0);
  return piece;
}

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

/* o: of a piece; whole_rows: of the whole product, whose results follow each other. */
static int32_t make_descs(const d3k_matmul_options *o, int64_t whole_rows, dnnl_memory_desc_t *a,
                          dnnl_memory_desc_t *b, dnnl_memory_desc_t *y) {
  int64_t y_strides[D3K_MAX_RANK], size = whole_rows * o->columns;
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

/* known: the layout of a constant b, where another piece has chosen it. */
static dnnl_primitive_desc_t make_desc(const d3k_matmul_options *o, int64_t whole_rows,
                                       const dnnl_memory_desc_t *known) {
  dnnl_memory_desc_t a, b, y;
  dnnl_matmul_desc_t op;
  if (!make_descs(o, whole_rows, &a, &b, &y)) return NULL;
  if (o->constant_b && known->ndims) b = *known;
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
  for (int32_t i = shapes * state->slots - 1; state->calls && i >= 0; i--)
    d3k_dnnl_call_destroy(&state->calls[i]);
  free(state->calls);
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

/* How many pieces of b are packed: one, or one for each piece of a batch in which b differs. */
static int64_t b_count(const d3k_matmul_options *o, const matmul_split *split) {
  return o->batch_rank && o->b_batch_strides[0] ? split->batches : 1;
}

/* The calls of a shape; 0 where oneDNN has none. */
static int32_t make_calls(const d3k_matmul_options *piece, int64_t whole_rows, int32_t shape,
                          dnnl_state *state) {
  dnnl_memory_desc_t *b = &state->b[shape >= 2];
  dnnl_primitive_desc_t desc = make_desc(piece, whole_rows, b);
  if (!desc) return 0;
  const dnnl_memory_desc_t *scratchpad = d3k_dnnl_layout(desc, dnnl_query_scratchpad_md);
  const size_t own_bytes = d3k_round64(dnnl_memory_desc_get_size(scratchpad));
  state->own_bytes = own_bytes > state->own_bytes ? own_bytes : state->own_bytes;
  *b = *d3k_dnnl_layout(desc, dnnl_query_weights_md);
  d3k_dnnl_call *calls = state->calls + shape * state->slots;
  int32_t fine = !piece->constant_b || d3k_dnnl_can_pack(b);
  for (int32_t slot = 0; fine && slot < state->slots; slot++) {
    d3k_dnnl_call *call = &calls[slot];
    fine = d3k_dnnl_call_create(call, desc, slot ? calls : NULL) &&
           d3k_dnnl_call_add(call, DNNL_ARG_SRC, d3k_dnnl_layout(desc, dnnl_query_src_md)) &&
           d3k_dnnl_call_add(call, DNNL_ARG_WEIGHTS, b) &&
           d3k_dnnl_call_add(call, DNNL_ARG_DST, d3k_dnnl_layout(desc, dnnl_query_dst_md)) &&
           d3k_dnnl_call_add(call, DNNL_ARG_SCRATCHPAD, scratchpad);
  }
  dnnl_primitive_desc_destroy(desc);
  return fine;
}

static int32_t create(d3k_matmul *matmul) {
  d3k_matmul_options *o = &matmul->options;
  if (!fits(o)) return 0;
  dnnl_state *state = calloc(1, sizeof(dnnl_state));
  if (!state) return -1;
  matmul->state = state;
  state->split = split_of(o);
  const int64_t count = state->split.batches * state->split.bands;
  state->slots = (int32_t)d3k_min(d3k_parts(o->threads), count);
  state->calls = calloc((size_t)(shapes * state->slots), sizeof *state->calls);
  if (!state->calls) {
    destroy(matmul);
    return -1;
  }
  int32_t before = d3k_dnnl_keep(), fine = 1, made = 0;
  for (int64_t i = 0; fine && i < count; i++) {
    int32_t shape;
    const d3k_matmul_options piece = piece_of(o, &state->split, i, &shape);
    if (made & 1 << shape) continue;
    made |= 1 << shape;
    fine = make_calls(&piece, o->rows, shape, state);
  }
  d3k_dnnl_restore(before);
  if (!fine) {
    destroy(matmul);
    return 0;
  }
  if (o->constant_b) {
    state->b_bytes = d3k_round64(dnnl_memory_desc_get_size(&state->b[0]));
    matmul->packed_bytes = state->b_bytes * (size_t)b_count(o, &state->split);
  }
  if (o->precision == D3K_BF16)
    state->a_bytes = d3k_round64(sizeof(uint16_t) * (size_t)(o->rows * o->inner));
  matmul->scratch_bytes = state->a_bytes + state->own_bytes * (size_t)state->slots;
  return 1;
}

static void pack(const d3k_matmul *matmul, const float *b, void *packed) {
  const d3k_matmul_options *o = &matmul->options;
  const dnnl_state *state = matmul->state;
  const matmul_split *split = &state->split;
  int32_t rank = o->batch_rank;
  d3k_dnnl_packing packing = {
      .scale_axis = rank + 1, .outer_axis = rank ? 0 : -1, .alpha = o->alpha};
  for (int32_t i = 0; i < rank; i++) packing.strides[i] = o->b_batch_strides[i];
  packing.strides[rank] = o->b_row_stride;
  packing.strides[rank + 1] = o->b_column_stride;
  const int64_t count = b_count(o, split);
  for (int64_t i = 0; i < count; i++) {
    packing.desc = &state->b[i > 0 && i + 1 == count];
    packing.from = b + (rank ? i * split->batch * o->b_batch_strides[0] : 0);
    packing.to = (char *)packed + (size_t)i * state->b_bytes;
    d3k_dnnl_pack(o->threads, &packing);
  }
}

typedef struct run_call {
  const d3k_matmul *matmul;
  const char *a, *b; /* in the precision of the kernel, as packed */
  const d3k_chain *chain;
  float *y;
  char *scratch; /* of threads */
} run_call;

static void run_piece(void *context, int64_t index, int32_t slot) {
  const run_call *run = context;
  const d3k_matmul_options *o = &run->matmul->options;
  const dnnl_state *state = run->matmul->state;
  const matmul_split *split = &state->split;
  int32_t shape, rank = o->batch_rank;
  const d3k_matmul_options piece = piece_of(o, split, index, &shape);
  const d3k_dnnl_call *call = &state->calls[shape * state->slots + slot];
  int64_t batch = index / split->bands * split->batch, row = index % split->bands * split->rows;
  /* bfloat16 is dense, and has no batch. */
  int64_t a = state->a_bytes ? row * o->inner
                             : row * o->a_row_stride + (rank ? batch * o->a_batch_strides[0] : 0);
  int64_t outer = d3k_matmul_batches(o) / (rank ? o->batch[0] : 1); /* products in one of those */
  float *y = run->y + (batch * outer * o->rows + row) * o->columns;
  const char *b = run->b;
  if (o->constant_b && b_count(o, split) > 1)
    b += (size_t)(index / split->bands) * state->b_bytes;
  else if (!o->constant_b && rank)
    b += (int64_t)sizeof(float) * batch * o->b_batch_strides[0];
  d3k_dnnl_call_set(call, arg_a, run->a + (state->a_bytes ? 2 : 4) * a);
  d3k_dnnl_call_set(call, arg_b, b);
  d3k_dnnl_call_set(call, arg_y, y);
  d3k_dnnl_call_set(call, arg_scratchpad, run->scratch + (size_t)slot * state->own_bytes);
  d3k_dnnl_call_run(call);
  int64_t products = outer * (rank ? piece.batch[0] : 1);
  for (int64_t i = 0; i < products; i++)
    d3k_chain_apply(run->chain, y + i * o->rows * o->columns, o->columns,
                    (batch * outer + i) * o->rows + row, piece.rows, o->columns);
}

static void run(const d3k_matmul *matmul, const float *a, const void *b_or_packed,
                const d3k_chain *chain, float *y, void *scratch) {
  const d3k_matmul_options *o = &matmul->options;
  const dnnl_state *state = matmul->state;
  if (state->a_bytes)
    d3k_to_bf16(o->threads, a, o->a_row_stride, o->rows, o->inner, (uint16_t *)scratch);
  run_call run = {matmul,      state->a_bytes ? scratch : (const char *)a,
                  b_or_packed, chain,
                  y,           (char *)scratch + state->a_bytes};
  d3k_threads_run(o->threads, state->split.batches * state->split.bands, run_piece, &run);
}

const d3k_matmul_implementation d3k_matmul_onednn = {create, destroy, pack, run, "onednn"};
#endif
