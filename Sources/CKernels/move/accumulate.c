/* An array with any strides -> added to another one, or summed where that one has stride 0.
 *
 * Sums are float32 over at most BLOCK rows and double beyond. How rows are divided depends on the
 * sizes alone. */
#include "base/lanes.h"
#include "base/walk.h"
#include "d3k_gradient.h"

/* Floats of a run handled as one item of work. */
#define PIECE 4096
/* Rows added in float before they go into a double. */
#define BLOCK 128
/* Sums side by side. */
#define WIDE 64
/* Parts of one sum that threads may share. */
#define PARTS 32

/* Element by element ------------------------------------------------------------------------ */

/* Arrays of the walk: 0 = x, 1 = y. */
typedef struct job {
  d3k_walk walk; /* kept dimensions, then those that are summed over */
  int32_t kept;
  const float *x;
  float *y;
  int64_t pieces; /* of the last dimension */
  /* Sums only: */
  int64_t tiles, width;           /* of the last kept dimension */
  int64_t rows, parts, part_rows; /* of what is summed over, pieces of the last one */
  int32_t is_line;                /* what is summed over is contiguous, not what is kept */
  int64_t tile;                   /* the one being shared */
  double (*partial)[WIDE];        /* parts x WIDE, on the caller's stack */
} job;

D3K_CLONED_BODY(add_lines) {
  const job *j = context;
  const int32_t last = j->walk.rank - 1;
  const int64_t length = j->walk.dims[last];
  const int64_t from = j->walk.strides[0][last], to = j->walk.strides[1][last];
  int64_t at[D3K_MAX_RANK], offsets[2];
  d3k_walk_start(&j->walk, last, 2, begin / j->pieces, at, offsets);
  for (int64_t i = begin; i < end; i++) {
    const int64_t piece = i % j->pieces, first = piece * PIECE;
    const int64_t count = d3k_min(PIECE, length - first);
    const float *x = j->x + offsets[0] + first * from;
    float *y = j->y + offsets[1] + first * to;
    if (to == 1 && from == 1) {
      d3k_add_line(y, x, count);
    } else if (to == 1 && from == 0) {
      const float value = *x;
      D3K_VECTOR
      for (int64_t k = 0; k < count; k++) y[k] += value;
    } else {
      for (int64_t k = 0; k < count; k++) y[k * to] += x[k * from];
    }
    if (piece == j->pieces - 1) d3k_walk_step(&j->walk, last, 2, at, offsets);
  }
}

/* Sums ---------------------------------------------------------------------------------------- */

/* Sum of a run of at most PIECE: 64 lanes of 64 values, then pairs of lanes. */
D3K_INLINE double sum_run(const float *x, int64_t count) {
  float lanes[WIDE] = {0};
  int64_t i = 0;
  for (; i + WIDE <= count; i += WIDE) {
    d3k_add_line(lanes, x + i, WIDE);
  }
  for (int64_t k = 0; i + k < count; k++) lanes[k] += x[i + k];
  for (int64_t half = WIDE / 2; half > 0; half /= 2) {
    for (int64_t k = 0; k < half; k++) lanes[k] += lanes[k + half];
  }
  return (double)lanes[0];
}

/* The walk over what is summed: the dimensions after the kept ones. */
static d3k_walk summed(const job *j) {
  d3k_walk walk = {.rank = j->walk.rank - j->kept};
  for (int32_t k = 0; k < walk.rank; k++) {
    walk.dims[k] = j->walk.dims[j->kept + k];
    walk.strides[0][k] = j->walk.strides[0][j->kept + k];
  }
  return walk;
}

/* Rows begin..<end (pieces) of what is summed, each a run, for `width` kept elements from x. */
D3K_CLONES(static, void, sum_lines,
           (const job *j, const float *x, int64_t width, int64_t begin, int64_t end, double *out),
           (j, x, width, begin, end, out)) {
  const d3k_walk walk = summed(j);
  const int64_t step = j->kept > 0 ? j->walk.strides[0][j->kept - 1] : 0;
  const int32_t last = walk.rank - 1;
  int64_t at[D3K_MAX_RANK], offset;
  d3k_walk_start(&walk, last, 1, begin / j->pieces, at, &offset);
  for (int64_t r = begin; r < end; r++) {
    const int64_t piece = r % j->pieces, first = piece * PIECE;
    const int64_t count = d3k_min(PIECE, walk.dims[last] - first);
    for (int64_t i = 0; i < width; i++) out[i] += sum_run(x + offset + first + i * step, count);
    if (piece == j->pieces - 1) d3k_walk_step(&walk, last, 1, at, &offset);
  }
}

/* sums += `count` rows of `width` neighbours; spelled out widths stay in registers. */
D3K_INLINE void add_columns(const float *x, int64_t stride, int64_t count, int64_t width,
                            float *sums) {
  for (int64_t r = 0; r < count; r++, x += stride) d3k_add_line(sums, x, width);
}

/* The same of rows whose kept elements lie side by side, or anyhow. */
D3K_CLONES(static, void, sum_columns,
           (const job *j, const float *x, int64_t width, int64_t begin, int64_t end, double *out),
           (j, x, width, begin, end, out)) {
  const d3k_walk walk = summed(j);
  const int64_t step = j->kept > 0 ? j->walk.strides[0][j->kept - 1] : 1;
  const int32_t last = walk.rank - 1;
  const int64_t stride = walk.strides[0][last];
  float sums[WIDE] = {0};
  int64_t at[D3K_MAX_RANK], offset, pending = 0;
  d3k_walk_start(&walk, walk.rank, 1, begin, at, &offset);
  for (int64_t r = begin; r < end;) {
    const float *row = x + offset;
    const int64_t count = d3k_min(d3k_min(BLOCK - pending, end - r), walk.dims[last] - at[last]);
    if (step != 1) {
      for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < width; i++) sums[i] += row[k * stride + i * step];
      }
    } else if (width == 64) {
      add_columns(row, stride, count, 64, sums);
    } else if (width == 32) {
      add_columns(row, stride, count, 32, sums);
    } else if (width == 16) {
      add_columns(row, stride, count, 16, sums);
    } else {
      add_columns(row, stride, count, width, sums);
    }
    r += count;
    pending += count;
    offset += (count - 1) * stride;
    at[last] += count - 1;
    d3k_walk_step(&walk, walk.rank, 1, at, &offset);
    if (pending < BLOCK && r < end) continue;
    for (int64_t i = 0; i < width; i++) out[i] += (double)sums[i];
    memset(sums, 0, sizeof sums);
    pending = 0;
  }
}

/* A tile of kept elements: offsets of its first one in x and y; returns how many. */
static int64_t tile_at(const job *j, int64_t tile, int64_t *offsets) {
  int64_t at[D3K_MAX_RANK];
  const int32_t outer = j->kept > 0 ? j->kept - 1 : 0;
  d3k_walk_locate(&j->walk, outer, tile / j->tiles, at);
  const int64_t first = tile % j->tiles * j->width;
  for (int32_t a = 0; a < 2; a++) {
    offsets[a] = d3k_walk_offset(&j->walk, outer, a, at);
    if (j->kept > 0) offsets[a] += first * j->walk.strides[a][outer];
  }
  return j->kept > 0 ? d3k_min(j->width, j->walk.dims[outer] - first) : 1;
}

static void sum_part(const job *j, int64_t tile, int64_t part, double *out) {
  int64_t offsets[2];
  const int64_t width = tile_at(j, tile, offsets);
  const int64_t begin = part * j->part_rows, end = d3k_min(j->rows, begin + j->part_rows);
  memset(out, 0, WIDE * sizeof(double));
  if (j->is_line) {
    sum_lines(j, j->x + offsets[0], width, begin, end, out);
  } else {
    sum_columns(j, j->x + offsets[0], width, begin, end, out);
  }
}

static void add_sums(const job *j, int64_t tile, const double *sums) {
  int64_t offsets[2];
  const int64_t width = tile_at(j, tile, offsets);
  const int64_t to = j->kept > 0 ? j->walk.strides[1][j->kept - 1] : 1;
  float *y = j->y + offsets[1];
  for (int64_t i = 0; i < width; i++) y[i * to] = (float)((double)y[i * to] + sums[i]);
}

static void sum_tiles(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  for (int64_t tile = begin; tile < end; tile++) {
    double sums[WIDE] = {0}, part[WIDE];
    for (int64_t p = 0; p < j->parts; p++) {
      sum_part(j, tile, p, part);
      for (int64_t i = 0; i < WIDE; i++) sums[i] += part[i];
    }
    add_sums(j, tile, sums);
  }
}

static void share_parts(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  for (int64_t p = begin; p < end; p++) sum_part(j, j->tile, p, j->partial[p]);
}

static void run_sums(int32_t threads, job *j) {
  const d3k_walk walk = summed(j);
  const int32_t last = walk.rank - 1;
  const int64_t kept_step = j->kept > 0 ? j->walk.strides[0][j->kept - 1] : 0;
  j->is_line = walk.strides[0][last] == 1 && kept_step != 1;
  j->pieces = j->is_line ? d3k_ceil_div(walk.dims[last], PIECE) : 1;
  j->rows = d3k_walk_size(&walk) / (j->is_line ? walk.dims[last] : 1) * j->pieces;
  const int64_t width = j->kept > 0 ? j->walk.dims[j->kept - 1] : 1;
  j->width = d3k_min(width, WIDE);
  j->tiles = d3k_ceil_div(width, j->width);
  int64_t tiles = j->tiles;
  for (int32_t k = 0; k + 1 < j->kept; k++) tiles *= j->walk.dims[k];
  const int64_t size = d3k_walk_size(&j->walk), tile_work = size / tiles;
  const int64_t wanted = d3k_max(1, d3k_min(PARTS, tile_work / 8192));
  j->part_rows = d3k_ceil_div(j->rows, wanted);
  j->parts = d3k_ceil_div(j->rows, j->part_rows);
  threads = d3k_threads_for(threads, size);
  if (tiles >= threads || j->parts == 1) {
    d3k_parallel(threads, tiles, sum_tiles, j);
    return;
  }
  double partial[PARTS][WIDE];
  j->partial = partial;
  for (j->tile = 0; j->tile < tiles; j->tile++) {
    d3k_parallel(threads, j->parts, share_parts, j);
    double sums[WIDE] = {0};
    for (int64_t p = 0; p < j->parts; p++) {
      for (int64_t i = 0; i < WIDE; i++) sums[i] += partial[p][i];
    }
    add_sums(j, j->tile, sums);
  }
}

void d3k_accumulate(int32_t threads, const d3k_walk *walk, const float *x, float *y) {
  job j = {.walk = *walk, .x = x, .y = y};
  const int64_t size = d3k_walk_sort_and_merge(&j.walk);
  if (size == 0) return;
  while (j.kept < j.walk.rank && j.walk.strides[1][j.kept] != 0) j.kept++;
  if (j.kept < j.walk.rank) {
    run_sums(threads, &j);
    return;
  }
  const int64_t length = j.walk.dims[j.walk.rank - 1];
  j.pieces = d3k_ceil_div(length, PIECE);
  d3k_parallel(d3k_threads_for(threads, size * 2), size / length * j.pieces, add_lines, &j);
}

typedef struct fill_job {
  float *y;
  float value;
  int64_t count;
} fill_job;

static void fill(void *context, int64_t begin, int64_t end) {
  const fill_job *j = context;
  const int64_t last = d3k_min(j->count, end * PIECE);
  if (j->value == 0.f) {
    memset(j->y + begin * PIECE, 0, (size_t)(last - begin * PIECE) * sizeof(float));
    return;
  }
  for (int64_t i = begin * PIECE; i < last; i++) j->y[i] = j->value;
}

void d3k_fill(int32_t threads, float *y, int64_t count, float value) {
  fill_job j = {y, value, count};
  d3k_parallel(d3k_threads_for(threads, count), d3k_ceil_div(count, PIECE), fill, &j);
}
