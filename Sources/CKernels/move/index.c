/* An array and a table of positions per dimension -> the elements at those positions; and their
 * gradients -> the gradient of the array.
 *
 * Backwards, each thread owns positions along one dimension of dx and skips the elements of dy that
 * belong elsewhere. Gradients of one element are added in the order of dy, in float32. */
#include "base/lanes.h"
#include "base/walk.h"
#include "d3k_gradient.h"

typedef struct job {
  d3k_walk walk;                       /* dims of y or dy; array 0 = x or dx */
  const int32_t *tables[D3K_MAX_RANK]; /* of walk's dimensions; NULL = identity */
  int64_t block;                       /* floats after the last dimension that are one piece */
  const float *x;                      /* dy, backward */
  float *y;                            /* dx, backward */
  float fill;
  /* Backward only: */
  int64_t in_dims[D3K_MAX_RANK];
  int32_t owned; /* the dimension that threads share */
  int32_t accumulates;
} job;

/* Dimensions after the last table that are one run in x become the block. */
static job job_of(const d3k_walk *walk, const int64_t *in_dims, const int32_t *const *tables) {
  job j = {.walk = *walk, .block = 1};
  int32_t rank = walk->rank;
  while (rank > 0 && tables[rank - 1] == NULL &&
         (walk->dims[rank - 1] == 1 || walk->strides[0][rank - 1] == j.block)) {
    j.block *= walk->dims[--rank];
  }
  j.walk.rank = rank;
  for (int32_t k = 0; k < rank; k++) {
    j.in_dims[k] = in_dims[k];
    j.tables[k] = tables[k];
  }
  if (rank == 0) { /* the block is a dimension of single floats */
    j.walk.rank = 1;
    j.walk.dims[0] = j.in_dims[0] = j.block;
    j.walk.strides[0][0] = j.block = 1;
  }
  return j;
}

/* The line after the one at `at` in all dimensions but the last. */
static void next_line(const job *j, int64_t *at) {
  for (int32_t k = j->walk.rank - 2; k >= 0 && ++at[k] == j->walk.dims[k]; k--) at[k] = 0;
}

/* The number of consecutive positions from i on, below `end`. With padding and cropping most of a
 * line is one run. */
D3K_INLINE int64_t run_of(const int32_t *table, int64_t i, int64_t length, int64_t end) {
  int64_t run = 1;
  const int64_t first = table[i];
  while (i + run < length && table[i + run] == first + run && first + run < end) run++;
  return run;
}

static void fill_line(float *y, float value, int64_t count) {
  for (int64_t i = 0; i < count; i++) y[i] = value;
}

/* One line along the last dimension: y[i] = x[t[i]], each a block. */
D3K_CLONES(static, void, take_line, (const job *j, const float *x, float *y), (j, x, y)) {
  const int32_t last = j->walk.rank - 1;
  const int64_t length = j->walk.dims[last], stride = j->walk.strides[0][last], block = j->block;
  const int32_t *table = j->tables[last];
  if (table == NULL) {
    if (stride == block) {
      d3k_copy_line(y, x, length * block);
    } else {
      for (int64_t i = 0; i < length; i++) d3k_copy_line(y + i * block, x + i * stride, block);
    }
    return;
  }
  for (int64_t i = 0, run; i < length; i += run) {
    const int64_t first = table[i];
    run = 1;
    if (first < 0) {
      while (i + run < length && table[i + run] < 0) run++;
      fill_line(y + i * block, j->fill, run * block);
    } else {
      if (stride == block) run = run_of(table, i, length, INT64_MAX);
      d3k_copy_line(y + i * block, x + first * stride, run * block);
    }
  }
}

static void take_lines(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int32_t last = j->walk.rank - 1;
  const int64_t line = j->walk.dims[last] * j->block;
  int64_t at[D3K_MAX_RANK];
  d3k_walk_locate(&j->walk, last, begin, at);
  for (int64_t i = begin; i < end; i++, next_line(j, at)) {
    int64_t offset = 0;
    int32_t is_outside = 0;
    for (int32_t k = 0; k < last; k++) {
      const int64_t from = j->tables[k] ? j->tables[k][at[k]] : at[k];
      is_outside |= from < 0;
      offset += from * j->walk.strides[0][k];
    }
    float *y = j->y + i * line;
    if (is_outside) {
      fill_line(y, j->fill, line);
    } else {
      take_line(j, j->x + offset, y);
    }
  }
}

void d3k_index(int32_t threads, const d3k_walk *walk, const int32_t *const *tables, float fill,
               const float *x, float *y) {
  const int64_t size = d3k_walk_size(walk);
  if (size <= 0) return;
  job j = job_of(walk, walk->dims, tables);
  j.x = x;
  j.y = y;
  j.fill = fill;
  const int64_t line = j.walk.dims[j.walk.rank - 1] * j.block;
  d3k_parallel(d3k_threads_for(threads, size), size / line, take_lines, &j);
}

/* dx = 0 at the positions begin..<end of the owned dimension. */
static void clear(const job *j, int64_t begin, int64_t end) {
  d3k_walk walk = j->walk;
  for (int32_t k = 0; k < walk.rank; k++)
    walk.dims[k] = k == j->owned ? end - begin : j->in_dims[k];
  float *dx = j->y + begin * walk.strides[0][j->owned];
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

/* One line of dy along the last dimension, for dx's positions begin..<end of it. */
D3K_CLONES(static, void, add_line,
           (const job *j, const float *dy, float *dx, int64_t begin, int64_t end),
           (j, dy, dx, begin, end)) {
  const int32_t last = j->walk.rank - 1;
  const int64_t length = j->walk.dims[last], stride = j->walk.strides[0][last], block = j->block;
  const int32_t *table = j->tables[last];
  if (table == NULL) {
    if (stride == block) {
      d3k_add_line(dx + begin * block, dy + begin * block, (end - begin) * block);
      return;
    }
    for (int64_t i = begin; i < end; i++) d3k_add_line(dx + i * stride, dy + i * block, block);
    return;
  }
  for (int64_t i = 0, run; i < length; i += run) {
    const int64_t first = table[i];
    run = 1;
    if (first < begin || first >= end) continue;
    if (stride == block) run = run_of(table, i, length, end);
    d3k_add_line(dx + first * stride, dy + i * block, run * block);
  }
}

static void add_lines(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int32_t last = j->walk.rank - 1;
  const int64_t line = j->walk.dims[last] * j->block;
  if (!j->accumulates) clear(j, begin, end);
  int64_t at[D3K_MAX_RANK] = {0}, lines = 1;
  for (int32_t k = 0; k < last; k++) lines *= j->walk.dims[k];
  for (int64_t i = 0; i < lines; i++, next_line(j, at)) {
    int64_t offset = 0;
    int32_t is_ours = 1;
    for (int32_t k = 0; k < last; k++) {
      const int64_t to = j->tables[k] ? j->tables[k][at[k]] : at[k];
      is_ours &= to >= 0 && (k != j->owned || (to >= begin && to < end));
      offset += to * j->walk.strides[0][k];
    }
    if (!is_ours) continue;
    const int32_t is_last = j->owned == last;
    add_line(j, j->x + i * line, j->y + offset, is_last ? begin : 0,
             is_last ? end : j->in_dims[last]);
  }
}

void d3k_index_backward(int32_t threads, const d3k_walk *walk, const int32_t *const *tables,
                        const int64_t *in_dims, const float *dy, float *dx, int32_t accumulates) {
  const int64_t size = d3k_walk_size(walk);
  int64_t in_size = 1;
  for (int32_t k = 0; k < walk->rank; k++) in_size *= in_dims[k];
  if (in_size <= 0) return;
  job j = job_of(walk, in_dims, tables);
  j.x = dy;
  j.y = dx;
  j.accumulates = accumulates;
  /* The first dimension that is long enough, else the longest. */
  for (int32_t k = 1; k < j.walk.rank; k++) {
    const int64_t best = j.in_dims[j.owned];
    if (best < 16 && j.in_dims[k] > best) j.owned = k;
  }
  d3k_parallel(d3k_threads_for(threads, d3k_max(size, in_size)), j.in_dims[j.owned], add_lines, &j);
}
