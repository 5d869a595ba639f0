/* Gradients of elements taken by tables of positions -> added up where they came from.
 *
 * Each thread owns positions along one dimension of dx and leaves out what is not for them; the
 * gradients of one element are added in the order of dy, in float32. */
#include "base/bands.h"
#include "base/lanes.h"
#include "base/walk.h"
#include "d3k_gradient.h"

typedef struct job {
  d3k_walk walk;                       /* dims of dy; array 0 = dx */
  const int32_t *tables[D3K_MAX_RANK]; /* NULL = identity */
  int64_t in_dims[D3K_MAX_RANK];
  const float *dy;
  float *dx;
  int64_t block; /* floats after the last dimension that are added as one piece */
  int32_t owned; /* the dimension that threads share */
  int32_t accumulates;
} job;

/* dx = 0 at the positions begin..<end of the owned dimension. */
static void clear(const job *j, int64_t begin, int64_t end) {
  d3k_walk walk = {.rank = j->walk.rank};
  for (int32_t k = 0; k < walk.rank; k++) {
    walk.dims[k] = k == j->owned ? end - begin : j->in_dims[k];
    walk.strides[0][k] = j->walk.strides[0][k];
  }
  float *dx = j->dx + begin * walk.strides[0][j->owned];
  /* Blocks that follow each other are one. */
  int64_t block = j->block;
  int32_t rank = walk.rank;
  while (rank > 0 && walk.strides[0][rank - 1] == block) block *= walk.dims[--rank];
  int64_t count = 1, at[D3K_MAX_RANK] = {0}, offset = 0;
  for (int32_t k = 0; k < rank; k++) count *= walk.dims[k];
  for (int64_t i = 0; i < count; i++) {
    memset(dx + offset, 0, (size_t)block * sizeof(float));
    d3k_walk_step(&walk, rank, 1, at, &offset);
  }
}

D3K_INLINE void add_line(const float *x, float *y, int64_t count) {
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) y[i] += x[i];
}

/* One line of dy along the last dimension, for dx's positions begin..<end of it. */
D3K_CLONES(static, void, index_line,
           (const job *j, const float *dy, float *dx, int64_t begin, int64_t end),
           (j, dy, dx, begin, end)) {
  const int32_t last = j->walk.rank - 1;
  const int64_t length = j->walk.dims[last], stride = j->walk.strides[0][last], block = j->block;
  const int32_t *table = j->tables[last];
  if (table == NULL) {
    if (stride == block) {
      add_line(dy + begin * block, dx + begin * block, (end - begin) * block);
      return;
    }
    for (int64_t i = begin; i < end; i++) add_line(dy + i * block, dx + i * stride, block);
    return;
  }
  for (int64_t i = 0; i < length;) {
    const int64_t first = table[i];
    int64_t run = 1;
    if (first >= begin && first < end) {
      if (stride == block) { /* padding and cropping: most of a line is one run */
        while (i + run < length && table[i + run] == first + run && first + run < end) run++;
      }
      add_line(dy + i * block, dx + first * stride, run * block);
    }
    i += run;
  }
}

static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int32_t last = j->walk.rank - 1;
  const int64_t line = j->walk.dims[last] * j->block;
  if (!j->accumulates) clear(j, begin, end);
  int64_t at[D3K_MAX_RANK] = {0}, lines = 1;
  for (int32_t k = 0; k < last; k++) lines *= j->walk.dims[k];
  for (int64_t i = 0; i < lines; i++) {
    int64_t offset = 0;
    int32_t is_ours = 1;
    for (int32_t k = 0; k < last; k++) {
      const int64_t to = j->tables[k] ? j->tables[k][at[k]] : at[k];
      is_ours &= to >= 0 && (k != j->owned || (to >= begin && to < end));
      offset += to * j->walk.strides[0][k];
    }
    if (is_ours) {
      const int32_t is_last = j->owned == last;
      index_line(j, j->dy + i * line, j->dx + offset, is_last ? begin : 0,
                 is_last ? end : j->in_dims[last]);
    }
    for (int32_t k = last - 1; k >= 0 && ++at[k] == j->walk.dims[k]; k--) at[k] = 0;
  }
}

void d3k_index_backward(int32_t threads, int32_t rank, const int64_t *dims, const float *dy,
                        const int32_t *const *tables, const int64_t *in_dims,
                        const int64_t *x_strides, float *dx, int32_t accumulates) {
  job j = {.dy = dy, .dx = dx, .block = 1, .accumulates = accumulates};
  int64_t size = 1, in_size = 1;
  for (int32_t k = 0; k < rank; k++) {
    size *= dims[k];
    in_size *= in_dims[k];
  }
  if (in_size <= 0) return;
  /* Dimensions after the last table that are one run in dx are added as a block. */
  while (rank > 0 && tables[rank - 1] == NULL &&
         (dims[rank - 1] == 1 || x_strides[rank - 1] == j.block)) {
    j.block *= dims[--rank];
  }
  j.walk.rank = rank;
  for (int32_t k = 0; k < rank; k++) {
    j.walk.dims[k] = dims[k];
    j.walk.strides[0][k] = x_strides[k];
    j.in_dims[k] = in_dims[k];
    j.tables[k] = tables[k];
  }
  if (rank == 0) { /* threads share the block */
    j.walk.rank = 1;
    j.walk.dims[0] = j.in_dims[0] = j.block;
    j.walk.strides[0][0] = j.block = 1;
  }
  /* The first dimension that is long enough, else the longest. */
  for (int32_t k = 1; k < j.walk.rank; k++) {
    const int64_t best = j.in_dims[j.owned];
    if (best < 16 && j.in_dims[k] > best) j.owned = k;
  }
  d3k_parallel(d3k_threads_for(threads, d3k_max(size, in_size)), j.in_dims[j.owned], run, &j);
}
