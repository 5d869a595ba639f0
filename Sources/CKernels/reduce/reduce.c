/* outer x count x inner -> outer x inner: one number from each line along the middle axis.
 *
 * Sums are float32 within BLOCK rows and double beyond, so the error does not grow with the count.
 * The blocks depend on the sizes alone, so the number of threads does not change the result. Cost:
 * x is read once; log-sum-exp reads it twice and computes one exponential a value. */
#include "base/lanes.h"
#include "base/vector_math.h"

/* Longest line that is turned, sixteen at a time, so that lanes are lines. */
#define SHORT 256
/* Values added in float before they go into a double. */
#define BLOCK 256
/* Lines side by side. */
#define WIDE 64
/* Parts of one reduction that threads may share. */
#define PARTS 32

typedef enum term { PLAIN, MAGNITUDE, SQUARE, EXPONENTIAL } term;
typedef enum fold { ADD, MULTIPLY, LARGEST, SMALLEST } fold;

typedef struct job {
  const float *x;
  float *y;
  d3k_lines of;
  int64_t tiles, width;     /* of `inner`; each `width` wide, the last one less */
  int64_t parts, part_rows; /* of `count` */
  int32_t reduction;
  int32_t is_short; /* a tile is 16 lines */
  term term;
  fold fold;
  int64_t tile;            /* the one being shared, outer * tiles + tile */
  double (*partial)[WIDE]; /* parts x WIDE, on the caller's stack */
  double largest[WIDE];    /* log-sum-exp */
} job;

D3K_INLINE float value_of(term term, float x, float largest) {
  switch (term) {
    case PLAIN:
      return x;
    case MAGNITUDE:
      return d3k_abs(x);
    case SQUARE:
      return x * x;
    case EXPONENTIAL:
      return d3k_exp_negative(x - largest);
  }
  return x;
}

D3K_INLINE double start_of(fold fold) {
  return fold == ADD ? 0. : fold == MULTIPLY ? 1. : fold == LARGEST ? -INFINITY : INFINITY;
}

#define DEFINE_FOLD(name, type)                     \
  D3K_INLINE type name(fold fold, type a, type b) { \
    switch (fold) {                                 \
      case ADD:                                     \
        return a + b;                               \
      case MULTIPLY:                                \
        return a * b;                               \
      case LARGEST:                                 \
        return ((b > a) | (b != b)) ? b : a;        \
      case SMALLEST:                                \
        return ((b < a) | (b != b)) ? b : a;        \
    }                                               \
    return a;                                       \
  }
DEFINE_FOLD(fold_one, float)
DEFINE_FOLD(fold_double, double)

/* sums = folded with `count` rows of `width` values. */
D3K_INLINE void fold_rows(term term, fold fold, const float *x, int64_t stride, int64_t count,
                          int64_t width, const float *peak, float *sums) {
  for (int64_t r = 0; r < count; r++, x += stride) {
    D3K_VECTOR
    for (int64_t i = 0; i < width; i++) {
      sums[i] = fold_one(fold, sums[i], value_of(term, x[i], peak[i]));
    }
  }
}

/* Lines with gaps: `width` of them side by side, `rows` long. */
D3K_INLINE void fold_wide(term term, fold fold, const float *x, int64_t stride, int64_t rows,
                          int64_t width, const double *largest, double *out) {
  float peak[WIDE];
  for (int64_t i = 0; i < width; i++) {
    peak[i] = term == EXPONENTIAL ? (float)largest[i] : 0.f;
    out[i] = start_of(fold);
  }
  for (int64_t block = 0; block < rows; block += BLOCK) {
    const int64_t count = d3k_min(BLOCK, rows - block);
    float sums[WIDE];
    for (int64_t i = 0; i < width; i++) sums[i] = (float)start_of(fold);
    const float *row = x + block * stride;
    if (width == WIDE) { /* known length: the sums stay in registers */
      fold_rows(term, fold, row, stride, count, WIDE, peak, sums);
    } else {
      fold_rows(term, fold, row, stride, count, width, peak, sums);
    }
    for (int64_t i = 0; i < width; i++) out[i] = fold_double(fold, out[i], sums[i]);
  }
}

/* One line without gaps, `count` long: BLOCK sums side by side in registers is too many, so the
 * blocks are 32 lanes of up to 32 values. */
D3K_INLINE double fold_line(term term, fold fold, const float *x, int64_t count, float largest) {
  double out = start_of(fold);
  int64_t at = 0;
  while (count - at >= 32) {
    const int64_t rows = d3k_min(32, (count - at) / 32);
    float sums[32];
    for (int64_t i = 0; i < 32; i++) sums[i] = (float)start_of(fold);
    for (int64_t r = 0; r < rows; r++, at += 32) {
      D3K_VECTOR
      for (int64_t i = 0; i < 32; i++) {
        sums[i] = fold_one(fold, sums[i], value_of(term, x[at + i], largest));
      }
    }
    for (int64_t half = 16; half > 0; half /= 2) {
      for (int64_t i = 0; i < half; i++) sums[i] = fold_one(fold, sums[i], sums[i + half]);
    }
    out = fold_double(fold, out, sums[0]);
  }
  for (; at < count; at++) out = fold_double(fold, out, value_of(term, x[at], largest));
  return out;
}

/* Sixteen short lines one after the other. */
D3K_INLINE void fold_short(term term, fold fold, const float *x, int64_t rows, int64_t count,
                           const double *largest, double *out) {
  float lanes[SHORT * 16];
  d3k_gather16(x, count, rows, count, lanes, 16);
  fold_wide(term, fold, lanes, 16, count, 16, largest, out);
}

/* Part `part` of tile `tile` -> out[0..<width]. */
D3K_INLINE void fold_part(const job *j, term term, fold fold, int64_t tile, int64_t part,
                          const double *largest, double *out) {
  const int64_t first = part * j->part_rows;
  const int64_t rows = d3k_min(j->part_rows, j->of.count - first);
  const int64_t column = tile % j->tiles * j->width;
  const float *x = j->x + (tile / j->tiles * j->of.count + first) * j->of.inner + column;
  if (j->is_short) {
    const int64_t line = tile * 16;
    fold_short(term, fold, j->x + line * j->of.count, d3k_min(16, j->of.outer - line), j->of.count,
               largest, out);
  } else if (j->of.inner == 1) {
    out[0] = fold_line(term, fold, x, rows, (float)largest[0]);
  } else {
    fold_wide(term, fold, x, j->of.inner, rows, d3k_min(j->width, j->of.inner - column), largest,
              out);
  }
}

/* The constants are spelled out so that each pair gets loops of its own. */
D3K_CLONES(static, void, fold_any,
           (const job *j, int64_t tile, int64_t part, const double *largest, double *out),
           (j, tile, part, largest, out)) {
  if (j->fold == MULTIPLY) return fold_part(j, PLAIN, MULTIPLY, tile, part, largest, out);
  if (j->fold == LARGEST) return fold_part(j, PLAIN, LARGEST, tile, part, largest, out);
  if (j->fold == SMALLEST) return fold_part(j, PLAIN, SMALLEST, tile, part, largest, out);
  switch (j->term) {
    case PLAIN:
      return fold_part(j, PLAIN, ADD, tile, part, largest, out);
    case MAGNITUDE:
      return fold_part(j, MAGNITUDE, ADD, tile, part, largest, out);
    case SQUARE:
      return fold_part(j, SQUARE, ADD, tile, part, largest, out);
    case EXPONENTIAL:
      return fold_part(j, EXPONENTIAL, ADD, tile, part, largest, out);
  }
}

/* Results of a tile: where the first is, and how many. */
static int64_t place_of(const job *j, int64_t tile) {
  if (j->is_short) return tile * 16;
  return tile / j->tiles * j->of.inner + tile % j->tiles * j->width;
}

static int64_t width_of(const job *j, int64_t tile) {
  if (j->is_short) return d3k_min(16, j->of.outer - tile * 16);
  return d3k_min(j->width, j->of.inner - tile % j->tiles * j->width);
}

static void finish(const job *j, int64_t tile, const double *sums, const double *largest) {
  float *y = j->y + place_of(j, tile);
  for (int64_t i = 0; i < width_of(j, tile); i++) {
    double v = sums[i];
    switch (j->reduction) {
      case D3K_REDUCE_MEAN:
        v /= (double)j->of.count;
        break;
      case D3K_REDUCE_L2:
        v = sqrt(v);
        break;
      case D3K_REDUCE_LOG_SUM:
        v = log(v);
        break;
      case D3K_REDUCE_LOG_SUM_EXP:
        v = log(v) + largest[i];
        break;
      default:
        break;
    }
    y[i] = (float)v;
  }
}

/* All parts of one tile, in order. */
static void fold_tile(const job *j, int64_t tile, const double *largest, double *out) {
  double next[WIDE];
  fold_any(j, tile, 0, largest, out);
  for (int64_t p = 1; p < j->parts; p++) {
    fold_any(j, tile, p, largest, next);
    for (int64_t i = 0; i < width_of(j, tile); i++) out[i] = fold_double(j->fold, out[i], next[i]);
  }
}

/* infinity - infinity is NaN: the exponentials of such a line are taken relative to 0. */
static void make_finite(double *largest, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (largest[i] == -INFINITY || largest[i] == INFINITY) largest[i] = 0;
  }
}

static void run_tiles(void *context, int64_t begin, int64_t end) {
  const job *shared = context;
  const int32_t is_log_sum_exp = shared->reduction == D3K_REDUCE_LOG_SUM_EXP;
  for (int64_t tile = begin; tile < end; tile++) {
    double sums[WIDE], largest[WIDE] = {0};
    if (is_log_sum_exp) {
      job peak = *shared;
      peak.fold = LARGEST;
      fold_tile(&peak, tile, largest, largest);
      make_finite(largest, WIDE);
    }
    fold_tile(shared, tile, largest, sums);
    finish(shared, tile, sums, largest);
  }
}

static void run_parts(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  for (int64_t p = begin; p < end; p++) fold_any(j, j->tile, p, j->largest, j->partial[p]);
}

static void share_tile(int32_t threads, job *j, double *out) {
  d3k_parallel(threads, j->parts, run_parts, j);
  memcpy(out, j->partial[0], sizeof(double[WIDE]));
  for (int64_t p = 1; p < j->parts; p++) {
    for (int64_t i = 0; i < width_of(j, j->tile); i++) {
      out[i] = fold_double(j->fold, out[i], j->partial[p][i]);
    }
  }
}

/* What is folded, and how, before `finish`. */
static const struct {
  term term;
  fold fold;
} ways[] = {
    [D3K_REDUCE_SUM] = {PLAIN, ADD},       [D3K_REDUCE_MEAN] = {PLAIN, ADD},
    [D3K_REDUCE_MAX] = {PLAIN, LARGEST},   [D3K_REDUCE_MIN] = {PLAIN, SMALLEST},
    [D3K_REDUCE_L1] = {MAGNITUDE, ADD},    [D3K_REDUCE_L2] = {SQUARE, ADD},
    [D3K_REDUCE_PROD] = {PLAIN, MULTIPLY}, [D3K_REDUCE_SUM_SQUARE] = {SQUARE, ADD},
    [D3K_REDUCE_LOG_SUM] = {PLAIN, ADD},   [D3K_REDUCE_LOG_SUM_EXP] = {EXPONENTIAL, ADD},
};

void d3k_reduce(int32_t threads, int32_t reduction, const d3k_lines *lines, const float *x,
                float *y) {
  const int64_t outer = lines->outer, count = lines->count, inner = lines->inner;
  if (outer <= 0 || inner <= 0) return;
  job j = {.x = x,
           .y = y,
           .of = *lines,
           .reduction = reduction,
           .term = ways[reduction].term,
           .fold = ways[reduction].fold};
  j.width = d3k_min(inner, WIDE);
  j.tiles = d3k_ceil_div(inner, j.width);
  /* At least a few thousand values a part, at most PARTS parts. */
  const int64_t wanted = d3k_max(1, d3k_min(PARTS, count * j.width / 8192));
  j.part_rows = d3k_max(1, d3k_ceil_div(count, wanted));
  j.parts = d3k_max(1, d3k_ceil_div(count, j.part_rows));
  threads = d3k_threads_for(threads, outer * count * inner);
  j.is_short = inner == 1 && count > 0 && count <= SHORT && outer >= 16;
  const int64_t tiles = j.is_short ? d3k_ceil_div(outer, 16) : outer * j.tiles;
  if (tiles >= threads || j.parts == 1) {
    d3k_parallel(threads, tiles, run_tiles, &j);
    return;
  }
  double partial[PARTS][WIDE];
  j.partial = partial;
  for (j.tile = 0; j.tile < tiles; j.tile++) {
    double sums[WIDE];
    memset(j.largest, 0, sizeof j.largest);
    if (reduction == D3K_REDUCE_LOG_SUM_EXP) {
      double largest[WIDE];
      j.fold = LARGEST;
      share_tile(threads, &j, largest);
      j.fold = ADD;
      memcpy(j.largest, largest, sizeof largest);
      make_finite(j.largest, width_of(&j, j.tile));
    }
    share_tile(threads, &j, sums);
    finish(&j, j.tile, sums, j.largest);
  }
}
