/* An array with any strides -> the same elements with other strides. */
#include "base/lanes.h"
#include "base/walk.h"

/* Floats of a run handled as one item of work. */
#define PIECE 8192
/* A transposition goes in squares of this side: 16 floats are one cache line. */
#define SIDE 16

/* Transposing 2 or 3 rows into one line, 2 rows out of one line, or anything else. */
typedef enum way { WEAVE, UNWEAVE, SQUARES } way;

/* Arrays of the walk: 0 = x, 1 = y. */
typedef struct job {
  d3k_walk walk; /* the last dimension is done by the inner loops; so is the one before it
                    in a transposition */
  const float *x;
  float *y;
  int32_t outer;  /* dimensions walked one by one */
  int64_t pieces; /* parts of the inner loops */
  way way;        /* of a transposition */
} job;

/* Runs, fills and strided lines. */
D3K_CLONED_BODY(copy_lines) {
  const job *j = context;
  const int32_t last = j->outer;
  const int64_t length = j->walk.dims[last];
  const int64_t from = j->walk.strides[0][last], to = j->walk.strides[1][last];
  int64_t at[D3K_MAX_RANK], offsets[2];
  d3k_walk_start(&j->walk, last, 2, begin / j->pieces, at, offsets);
  for (int64_t i = begin; i < end; i++) {
    const int64_t piece = i % j->pieces, first = piece * PIECE;
    const int64_t count = j->pieces == 1 ? length : d3k_min(PIECE, length - first);
    const float *x = j->x + offsets[0] + first * from;
    float *y = j->y + offsets[1] + first * to;
    if (to == 1 && from == 1) {
      d3k_copy_line(y, x, count);
    } else if (to == 1 && from == 0) {
      const float value = *x;
      for (int64_t k = 0; k < count; k++) y[k] = value;
    } else if (to == 1 && from == 2) {
      for (int64_t k = 0; k < count; k++) y[k] = x[2 * k];
    } else if (to == 1) {
      for (int64_t k = 0; k < count; k++) y[k] = x[k * from];
    } else {
      for (int64_t k = 0; k < count; k++) y[k * to] = x[k * from];
    }
    if (piece == j->pieces - 1) d3k_walk_step(&j->walk, last, 2, at, offsets);
  }
}

/* y[p * to + q] = x[q * from + p] for p < rows, q < columns; at most SIDE x SIDE. */
D3K_INLINE void transpose_square(const float *x, int64_t from, float *y, int64_t to, int64_t rows,
                                 int64_t columns) {
  if (columns == SIDE && rows >= 4) {
    d3k_gather16(x, from, SIDE, rows, y, to);
  } else if (rows == SIDE && columns >= 4) {
    d3k_scatter16(x, from, y, to, SIDE, columns);
  } else {
    for (int64_t p = 0; p < rows; p++) {
      for (int64_t q = 0; q < columns; q++) y[p * to + q] = x[q * from + p];
    }
  }
}

/* A few rows of x woven into one line of y: y[p * count + q] = x[q * from + p]. */
D3K_INLINE void weave(const float *x, int64_t from, float *y, int64_t length, int64_t count) {
  const float *const x1 = x + from;
  if (count == 2) {
    for (int64_t p = 0; p < length; p++) {
      const float a = x[p], b = x1[p];
      y[2 * p] = a;
      y[2 * p + 1] = b;
    }
  } else if (count == 3) {
    const float *const x2 = x1 + from;
    for (int64_t p = 0; p < length; p++) {
      const float a = x[p], b = x1[p], c = x2[p];
      y[3 * p] = a;
      y[3 * p + 1] = b;
      y[3 * p + 2] = c;
    }
  }
}

/* The way back for two: y[p * to + q] = x[2 * q + p]. */
D3K_INLINE void unweave(const float *x, float *y, int64_t to, int64_t length) {
  float *const y1 = y + to;
#pragma clang loop vectorize(enable)
  for (int64_t q = 0; q < length; q++) {
    const float a = x[2 * q], b = x[2 * q + 1];
    y[q] = a;
    y1[q] = b;
  }
}

/* The last two dimensions: p (x stride 1) and q (y stride 1). */
D3K_CLONED_BODY(transpose_squares) {
  const job *j = context;
  const int32_t p_dim = j->outer, q_dim = j->outer + 1;
  const int64_t rows = j->walk.dims[p_dim], columns = j->walk.dims[q_dim];
  const int64_t to = j->walk.strides[1][p_dim], from = j->walk.strides[0][q_dim];
  int64_t at[D3K_MAX_RANK], offsets[2];
  d3k_walk_start(&j->walk, j->outer, 2, begin / j->pieces, at, offsets);
  /* A piece is a strip of x: SIDE rows (q) of all of p, or of y where p is the longer one. */
  for (int64_t i = begin; i < end; i++) {
    const int64_t piece = i % j->pieces;
    const float *x = j->x + offsets[0];
    float *y = j->y + offsets[1];
    if (piece == j->pieces - 1) d3k_walk_step(&j->walk, j->outer, 2, at, offsets);
    if (j->way == WEAVE) {
      const int64_t p = piece * PIECE;
      weave(x + p, from, y + p * to, d3k_min(PIECE, rows - p), columns);
      continue;
    }
    if (j->way == UNWEAVE) {
      const int64_t q = piece * PIECE;
      unweave(x + 2 * q, y + q, to, d3k_min(PIECE, columns - q));
      continue;
    }
    if (columns >= rows) {
      const int64_t q = piece * SIDE, width = d3k_min(SIDE, columns - q);
      for (int64_t p = 0; p < rows; p += SIDE) {
        transpose_square(x + q * from + p, from, y + p * to + q, to, d3k_min(SIDE, rows - p),
                         width);
      }
    } else {
      const int64_t p = piece * SIDE, height = d3k_min(SIDE, rows - p);
      for (int64_t q = 0; q < columns; q += SIDE) {
        transpose_square(x + q * from + p, from, y + p * to + q, to, height,
                         d3k_min(SIDE, columns - q));
      }
    }
  }
}

void d3k_copy(int32_t threads, const d3k_walk *walk, const float *x, float *y) {
  job j = {.walk = *walk, .x = x, .y = y};
  const int64_t size = d3k_walk_sort_and_merge(&j.walk);
  if (size == 0) return;
  const int32_t last = j.walk.rank - 1;
  int32_t p = -1;
  if (j.walk.strides[1][last] == 1 && j.walk.strides[0][last] != 1) {
    for (int32_t k = 0; k < last; k++) {
      if (j.walk.strides[0][k] == 1) p = k;
    }
  }
  if (p >= 0 && j.walk.strides[0][last] != 0) {
    for (int32_t k = p; k < last - 1; k++) d3k_walk_swap(&j.walk, 2, k, k + 1);
    j.outer = last - 1;
    const int64_t rows = j.walk.dims[last - 1], columns = j.walk.dims[last];
    if (columns < 4 && j.walk.strides[1][last - 1] == columns) {
      j.way = WEAVE;
      j.pieces = d3k_ceil_div(rows, PIECE);
    } else if (rows == 2 && j.walk.strides[0][last] == 2) {
      j.way = UNWEAVE;
      j.pieces = d3k_ceil_div(columns, PIECE);
    } else {
      j.way = SQUARES;
      j.pieces = d3k_ceil_div(d3k_max(rows, columns), SIDE);
    }
    d3k_parallel(d3k_threads_for(threads, size), size / (rows * columns) * j.pieces,
                 transpose_squares, &j);
  } else {
    j.outer = last;
    j.pieces = d3k_ceil_div(j.walk.dims[last], PIECE);
    d3k_parallel(d3k_threads_for(threads, size), size / j.walk.dims[last] * j.pieces, copy_lines,
                 &j);
  }
}
