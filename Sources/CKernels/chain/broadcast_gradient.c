/* Gradients of element-wise functions of arrays whose shapes repeat -> of one operand, one value
 * per element of the result. */
#include "base/bands.h"
#include "base/lanes.h"
#include "base/walk.h"
#include "chain/line_gradient.h"
#include "d3k_gradient.h"

/* Elements gathered at a time. */
#define TILE 512

/* Arrays of the walk: 0 = the operand or condition, 1 = the other operand, 2 = dy. */
typedef struct job {
  d3k_walk walk;
  const float *data[3];
  int32_t is_dense[3]; /* laid out exactly like dx */
  int32_t is_used[3];
  int32_t kind, is_first;
  int64_t size;
  float *dx;
} job;

/* `count` consecutive elements of array `a` from `position`: where they are, or gathered. */
D3K_CLONES(static, const float *, fetch,
           (const job *j, int32_t a, int64_t position, int64_t count, float *buffer),
           (j, a, position, count, buffer)) {
  if (!j->is_used[a]) return NULL;
  if (j->is_dense[a]) return j->data[a] + position;
  const d3k_walk *walk = &j->walk;
  const int32_t last = walk->rank - 1;
  const int64_t length = walk->dims[last], stride = walk->strides[a][last];
  int64_t at[D3K_MAX_RANK], offsets[3] = {0};
  d3k_walk_locate(walk, last, position / length, at);
  offsets[a] = d3k_walk_offset(walk, last, a, at);
  int64_t inner = position % length;
  for (int64_t done = 0; done < count;) {
    const int64_t piece = d3k_min(length - inner, count - done);
    const float *x = j->data[a] + offsets[a] + inner * stride;
    float *out = buffer + done;
    if (stride == 1 && piece == count) return x;
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
    if (done < count) d3k_walk_step(walk, last, 3, at, offsets);
  }
  return buffer;
}

D3K_CLONES(static, void, select_line,
           (const float *condition, const float *dy, int32_t is_first, float *dx, int64_t count),
           (condition, dy, is_first, dx, count)) {
  if (is_first) {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) dx[i] = condition[i] != 0.f ? dy[i] : 0.f;
  } else {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) dx[i] = condition[i] != 0.f ? 0.f : dy[i];
  }
}

static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  float buffers[3][TILE];
  const int64_t length = j->walk.dims[j->walk.rank - 1];
  const int64_t stop = d3k_min(end * TILE, j->size);
  for (int64_t position = begin * TILE; position < stop;) {
    int64_t count = d3k_min(TILE, stop - position);
    /* Within long rows nothing needs to be gathered. */
    if (length >= TILE / 4) count = d3k_min(count, length - position % length);
    const float *in[3];
    for (int32_t a = 0; a < 3; a++) in[a] = fetch(j, a, position, count, buffers[a]);
    if (j->kind == 0) {
      select_line(in[0], in[2], j->is_first, j->dx + position, count);
    } else {
      const int32_t is_constant = j->walk.strides[1][j->walk.rank - 1] == 0 && count <= length;
      d3k_line_binary_gradient(j->kind, in[0], in[1],
                               is_constant && position % length + count <= length, in[2],
                               j->dx + position, count);
    }
    position += count;
  }
}

static void add(job *j, int32_t a, const float *data, const int64_t *strides) {
  j->data[a] = data;
  j->is_used[a] = 1;
  for (int32_t k = 0; k < j->walk.rank; k++) j->walk.strides[a][k] = strides[k];
}

static void start(job *j, int32_t threads) {
  j->size = d3k_walk_size(&j->walk);
  if (j->size <= 0) return;
  d3k_walk_merge(&j->walk, 3);
  for (int32_t a = 0; a < 3; a++) {
    int64_t dense = 1;
    j->is_dense[a] = 1;
    for (int32_t k = j->walk.rank - 1; k >= 0; k--) {
      if (j->walk.strides[a][k] != dense) j->is_dense[a] = 0;
      dense *= j->walk.dims[k];
    }
  }
  d3k_parallel(d3k_threads_for(threads, j->size * 2), d3k_ceil_div(j->size, TILE), run, j);
}

void d3k_broadcast_backward(int32_t threads, int32_t kind, int32_t operand, int32_t rank,
                            const int64_t *dims, const float *a, const int64_t *a_strides,
                            const float *b, const int64_t *b_strides, const float *dy,
                            const int64_t *dy_strides, float *dx) {
  job j = {.kind = operand == 0 ? kind : d3k_reversed_kind(kind), .dx = dx, .walk.rank = rank};
  for (int32_t k = 0; k < rank; k++) j.walk.dims[k] = dims[k];
  add(&j, operand == 0 ? 0 : 1, a, a_strides);
  add(&j, operand == 0 ? 1 : 0, b, b_strides);
  add(&j, 2, dy, dy_strides);
  start(&j, threads);
}

void d3k_where_backward(int32_t threads, int32_t is_first, int32_t rank, const int64_t *dims,
                        const float *condition, const int64_t *condition_strides, const float *dy,
                        const int64_t *dy_strides, float *dx) {
  job j = {.is_first = is_first, .dx = dx, .walk.rank = rank};
  for (int32_t k = 0; k < rank; k++) j.walk.dims[k] = dims[k];
  add(&j, 0, condition, condition_strides);
  add(&j, 2, dy, dy_strides);
  start(&j, threads);
}
