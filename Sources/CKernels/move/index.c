/* An array and a table of positions per dimension -> the elements at those positions. */
#include "base/lanes.h"
#include "base/walk.h"

typedef struct job {
  d3k_walk walk;                       /* array 0 = x */
  const int32_t *tables[D3K_MAX_RANK]; /* of walk's dimensions; NULL = identity */
  const float *x;
  float *y;
  float fill;
  int64_t block; /* floats copied as one piece after the last dimension */
} job;

static void fill_line(float *y, float value, int64_t count) {
  for (int64_t i = 0; i < count; i++) y[i] = value;
}

/* One line along the last dimension: y[i] = x[t[i]], each a block. */
D3K_CLONES(static, void, index_line, (const job *j, const float *x, float *y), (j, x, y)) {
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
  for (int64_t i = 0; i < length;) {
    const int64_t first = table[i];
    int64_t run = 1;
    if (first < 0) {
      while (i + run < length && table[i + run] < 0) run++;
      fill_line(y + i * block, j->fill, run * block);
    } else {
      if (stride == block) { /* padding and cropping: most of a line is one run */
        while (i + run < length && table[i + run] == first + run) run++;
      }
      d3k_copy_line(y + i * block, x + first * stride, run * block);
    }
    i += run;
  }
}

static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int32_t last = j->walk.rank - 1;
  const int64_t line = j->walk.dims[last] * j->block;
  int64_t at[D3K_MAX_RANK];
  d3k_walk_locate(&j->walk, last, begin, at);
  for (int64_t i = begin; i < end; i++) {
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
      index_line(j, j->x + offset, y);
    }
    for (int32_t k = last - 1; k >= 0 && ++at[k] == j->walk.dims[k]; k--) at[k] = 0;
  }
}

void d3k_index(int32_t threads, int32_t rank, const int64_t *dims, const float *x,
               const int64_t *x_strides, const int32_t *const *tables, float fill, float *y) {
  job j = {.x = x, .y = y, .fill = fill, .block = 1};
  int64_t size = 1;
  for (int32_t k = 0; k < rank; k++) size *= dims[k];
  if (size <= 0) return;
  /* Dimensions after the last table that are one run in x are copied as a block. */
  while (rank > 0 && tables[rank - 1] == NULL &&
         (dims[rank - 1] == 1 || x_strides[rank - 1] == j.block)) {
    j.block *= dims[--rank];
  }
  j.walk.rank = rank;
  for (int32_t k = 0; k < rank; k++) {
    j.walk.dims[k] = dims[k];
    j.walk.strides[0][k] = x_strides[k];
    j.tables[k] = tables[k];
  }
  if (rank == 0) {
    j.walk.rank = 1;
    j.walk.dims[0] = 1;
    j.walk.strides[0][0] = j.block;
  }
  const int64_t line = j.walk.dims[j.walk.rank - 1] * j.block;
  d3k_parallel(d3k_threads_for(threads, size), size / line, run, &j);
}
