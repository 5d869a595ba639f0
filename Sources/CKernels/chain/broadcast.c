/* Two or three arrays whose shapes repeat -> one dense array, element by element. */
#include "base/lanes.h"
#include "base/walk.h"

/* Rows at least this long are worked on where they are; shorter ones are gathered first. */
#define LONG_ROW 256
#define TILE 1024

typedef struct job {
  d3k_walk walk;
  const float *data[3];
  int32_t is_dense[3]; /* laid out exactly like y */
  int32_t arrays, kind;
  int64_t size;
  float *y;
} job;

/* `count` consecutive values (in y's order) of array `a` from `position`: where they are, or
 * gathered in `buffer`. *is_scalar: one value stands for all. */
static const float *fetch(const job *j, int32_t a, int64_t position, int64_t count, float *buffer,
                          int32_t *is_scalar) {
  *is_scalar = 0;
  if (j->is_dense[a]) return j->data[a] + position;
  const d3k_walk *walk = &j->walk;
  const int32_t outer = walk->rank - 1;
  const int64_t length = walk->dims[outer], stride = walk->strides[a][outer];
  int64_t at[D3K_MAX_RANK];
  d3k_walk_locate(walk, outer, position / length, at);
  int64_t offset = d3k_walk_offset(walk, outer, a, at), inner = position % length;
  if (inner + count <= length && (stride == 0 || stride == 1)) {
    *is_scalar = stride == 0;
    return j->data[a] + offset + inner * stride;
  }
  for (int64_t done = 0; done < count;) {
    const int64_t piece = d3k_min(length - inner, count - done);
    const float *x = j->data[a] + offset + inner * stride;
    float *out = buffer + done;
    if (stride == 1) {
      d3k_copy_line(out, x, piece);
    } else if (stride == 0) {
      const float value = *x;
      for (int64_t i = 0; i < piece; i++) out[i] = value;
    } else {
      for (int64_t i = 0; i < piece; i++) out[i] = x[i * stride];
    }
    done += piece;
    inner = 0;
    for (int32_t k = outer - 1; k >= 0; k--) { /* next row of this array */
      offset += walk->strides[a][k];
      if (++at[k] < walk->dims[k]) break;
      offset -= walk->strides[a][k] * walk->dims[k];
      at[k] = 0;
    }
  }
  return buffer;
}

/* f(a, b) = g(b, a) */
static int32_t reversed(int32_t kind) {
  static const int32_t pairs[][2] = {
      {D3K_SUB, D3K_RSUB},         {D3K_DIV, D3K_RDIV},     {D3K_POW, D3K_RPOW},
      {D3K_PRELU, D3K_RPRELU},     {D3K_MOD, D3K_RMOD},     {D3K_FMOD, D3K_RFMOD},
      {D3K_INT_DIV, D3K_RINT_DIV}, {D3K_LESS, D3K_GREATER}, {D3K_LESS_EQUAL, D3K_GREATER_EQUAL}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    if (kind == pairs[i][0]) return pairs[i][1];
    if (kind == pairs[i][1]) return pairs[i][0];
  }
  return kind;
}

D3K_CLONES(static, void, select_line,
           (const float *condition, const float *a, const float *b, float *y, int64_t count),
           (condition, a, b, y, count)) {
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) {
    const float p = a[i], q = b[i];
    y[i] = condition[i] != 0.f ? p : q;
  }
}

static const float *fill(float *buffer, const float *value, int64_t count) {
  const float v = *value;
  for (int64_t i = 0; i < count; i++) buffer[i] = v;
  return buffer;
}

static void run_tile(const job *j, int64_t position, int64_t count) {
  float buffers[3][TILE];
  const float *in[3];
  int32_t is_scalar[3];
  for (int32_t a = 0; a < j->arrays; a++) {
    in[a] = fetch(j, a, position, count, buffers[a], &is_scalar[a]);
  }
  float *y = j->y + position;
  if (j->arrays == 3) {
    for (int32_t a = 0; a < 3; a++) {
      if (is_scalar[a]) in[a] = fill(buffers[a], in[a], count);
    }
    select_line(in[0], in[1], in[2], y, count);
  } else if (is_scalar[0] && is_scalar[1]) {
    float value;
    d3k_line_binary(j->kind, in[0], in[1], 1, &value, 1);
    fill(y, &value, count);
  } else if (is_scalar[0]) {
    d3k_line_binary(reversed(j->kind), in[1], in[0], 1, y, count);
  } else {
    d3k_line_binary(j->kind, in[0], in[1], is_scalar[1], y, count);
  }
}

static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int64_t length = j->walk.dims[j->walk.rank - 1];
  int64_t position = begin * TILE;
  const int64_t stop = d3k_min(end * TILE, j->size);
  while (position < stop) {
    int64_t count = d3k_min(TILE, stop - position);
    if (length >= LONG_ROW) count = d3k_min(count, length - position % length);
    run_tile(j, position, count);
    position += count;
  }
}

static void start(job *j, int32_t threads) {
  j->size = d3k_walk_size(&j->walk);
  if (j->size <= 0) return;
  d3k_walk_merge(&j->walk, j->arrays);
  for (int32_t a = 0; a < j->arrays; a++) {
    int64_t dense = 1;
    j->is_dense[a] = 1;
    for (int32_t k = j->walk.rank - 1; k >= 0; k--) {
      if (j->walk.strides[a][k] != dense) j->is_dense[a] = 0;
      dense *= j->walk.dims[k];
    }
  }
  /* One value per channel against a whole image: the chain does that best. */
  const int64_t *dims = j->walk.dims;
  for (int32_t a = 0; a < 2 && j->arrays == 2 && j->walk.rank == 2; a++) {
    if (!j->is_dense[1 - a] || j->walk.strides[a][0] != 0 || j->walk.strides[a][1] != 1) continue;
    const d3k_chain chain = {.count = 1,
                             .stages = {{.kind = a == 1 ? j->kind : reversed(j->kind),
                                         .extent = D3K_CHANNEL,
                                         .operand = j->data[a]}}};
    d3k_chain_run(threads, &chain, j->data[1 - a], dims[1], j->y, dims[1], dims[0], dims[1]);
    return;
  }
  d3k_parallel(d3k_threads_for(threads, j->size * 2), d3k_ceil_div(j->size, TILE), run, j);
}

static void add(job *j, int32_t rank, const float *data, const int64_t *strides) {
  j->data[j->arrays] = data;
  for (int32_t k = 0; k < rank; k++) j->walk.strides[j->arrays][k] = strides[k];
  j->arrays++;
}

void d3k_broadcast(int32_t threads, int32_t kind, int32_t rank, const int64_t *dims, const float *a,
                   const int64_t *a_strides, const float *b, const int64_t *b_strides, float *y) {
  job j = {.kind = kind, .y = y, .walk.rank = rank};
  for (int32_t k = 0; k < rank; k++) j.walk.dims[k] = dims[k];
  add(&j, rank, a, a_strides);
  add(&j, rank, b, b_strides);
  start(&j, threads);
}

void d3k_where(int32_t threads, int32_t rank, const int64_t *dims, const float *condition,
               const int64_t *condition_strides, const float *a, const int64_t *a_strides,
               const float *b, const int64_t *b_strides, float *y) {
  job j = {.y = y, .walk.rank = rank};
  for (int32_t k = 0; k < rank; k++) j.walk.dims[k] = dims[k];
  add(&j, rank, condition, condition_strides);
  add(&j, rank, a, a_strides);
  add(&j, rank, b, b_strides);
  start(&j, threads);
}
