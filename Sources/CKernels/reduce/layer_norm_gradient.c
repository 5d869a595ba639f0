/* Gradients after a layer normalisation -> before it, and of scale and shift.
 *
 *     xh = (x - mean) / deviation, g = dy * scale
 *     dx = (g - mean(g) - xh * mean(g * xh)) / deviation */
#include "base/bands.h"
#include "base/tiles.h"
#include "d3k_gradient.h"

typedef struct job {
  const d3k_norm_gradient *norm;
  int64_t rows, count, bands, band_rows;
  double *sums; /* bands x 2 x count: of scale, of shift */
} job;

typedef struct row_sums {
  double first, second;
} row_sums;

/* Sums of x and nothing; of (x - mean)^2 and nothing; of g and g * (x - mean). */
typedef enum term { VALUES, SQUARES, GRADIENTS } term;

D3K_INLINE row_sums sum_row(term term, const float *x, const float *dy, const float *scale,
                            float mean, int64_t count) {
  row_sums sums = {0, 0};
  for (int64_t block = 0; block < count; block += 1024) {
    const int64_t end = d3k_min(count, block + 1024);
    float first = 0.f, second = 0.f;
    {
#pragma clang fp reassociate(on)
      for (int64_t i = block; i < end; i++) {
        const float d = x[i] - mean;
        if (term == VALUES) first += x[i];
        if (term == SQUARES) first += d * d;
        if (term == GRADIENTS) {
          const float g = scale ? dy[i] * scale[i] : dy[i];
          first += g;
          second += g * d;
        }
      }
    }
    sums.first += (double)first;
    sums.second += (double)second;
  }
  return sums;
}

/* One row; its share of the sums is added to dscale and dshift, which may be NULL. */
D3K_CLONES(static, void, backward_row,
           (const job *j, const float *x, const float *dy, float *dx, float *dscale, float *dshift),
           (j, x, dy, dx, dscale, dshift)) {
  const int64_t count = j->count;
  const float *scale = j->norm->scale;
  const double n = (double)count;
  const float mean = (float)(sum_row(VALUES, x, NULL, NULL, 0.f, count).first / n);
  const double variance = sum_row(SQUARES, x, NULL, NULL, mean, count).first / n;
  const double inverse = 1. / sqrt(variance + (double)j->norm->epsilon);
  if (dscale) {
    const float factor = (float)inverse;
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) dscale[i] += dy[i] * ((x[i] - mean) * factor);
  }
  if (dshift) {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) dshift[i] += dy[i];
  }
  if (dx == NULL) return;
  const row_sums sums = sum_row(GRADIENTS, x, dy, scale, mean, count);
  const float gain = (float)inverse, drop = (float)(inverse * sums.first / n);
  const float pull = (float)(inverse * inverse * inverse * sums.second / n);
  if (j->norm->accumulates) {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) {
      const float g = scale ? dy[i] * scale[i] : dy[i];
      dx[i] += g * gain - (x[i] - mean) * pull - drop;
    }
  } else {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) {
      const float g = scale ? dy[i] * scale[i] : dy[i];
      dx[i] = g * gain - (x[i] - mean) * pull - drop;
    }
  }
}

static void backward_band(const void *context, int64_t band, char *scratch) {
  const job *j = context;
  const d3k_norm_gradient *norm = j->norm;
  const int64_t count = j->count, first = band * j->band_rows;
  const int64_t last = d3k_min(j->rows, first + j->band_rows);
  float *dscale = norm->dscale ? (float *)scratch : NULL;
  float *dshift = norm->dshift ? (float *)scratch + count : NULL;
  double *sums = j->sums + band * 2 * count;
  memset(scratch, 0, (size_t)(2 * count) * sizeof(float));
  memset(sums, 0, (size_t)(2 * count) * sizeof(double));
  for (int64_t r = first; r < last; r++) {
    const int64_t row = r * count;
    backward_row(j, norm->x + row, norm->dy + row, norm->dx ? norm->dx + row : NULL, dscale,
                 dshift);
    if (r + 1 < last && (r + 1 - first) % D3K_FLUSH != 0) continue;
    if (dscale) d3k_line_flush(dscale, 1, count, 0, sums);
    if (dshift) d3k_line_flush(dshift, 1, count, 0, sums + count);
  }
}

static void finish(const job *j, const double *sums, float *out) {
  for (int64_t i = 0; out && i < j->count; i++) {
    double sum = 0;
    for (int64_t b = 0; b < j->bands; b++) sum += sums[b * 2 * j->count + i];
    out[i] = (float)((double)out[i] + sum);
  }
}

void d3k_layer_norm_backward(int32_t threads, const d3k_norm_gradient *norm, int64_t rows,
                             int64_t count) {
  if (rows <= 0 || count <= 0) return;
  job j = {.norm = norm, .rows = rows, .count = count, .sums = norm->scratch};
  j.band_rows = d3k_ceil_div(rows, d3k_bands_most(rows, count));
  j.bands = d3k_ceil_div(rows, j.band_rows);
  /* Two rows of sums for each part of the work. */
  const size_t sums_bytes = d3k_round64((size_t)(j.bands * 2 * count) * sizeof(double));
  const size_t part_bytes = d3k_round64((size_t)(2 * count) * sizeof(float));
  d3k_tiles_run(d3k_threads_for(threads, rows * count * 4), j.bands, backward_band, &j,
                (char *)norm->scratch + sums_bytes, part_bytes);
  finish(&j, j.sums, norm->dscale);
  finish(&j, j.sums + count, norm->dshift);
}
