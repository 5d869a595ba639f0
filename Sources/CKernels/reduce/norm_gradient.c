/* Gradients after a normalisation -> before it, and of scale and shift.
 *
 * Batch and group normalisation need sums per channel over pixels, then one pass over the pixels
 *
 *     dx = dy * gain - (x - mean) * pull - drop        all four per channel */
#include "base/bands.h"
#include "base/tiles.h"
#include "d3k_gradient.h"

/* Sums of x; of (x - mean)^2; of dy and dy * (x - mean). */
typedef enum term { VALUES, SQUARES, GRADIENTS } term;

/* Arrays of pixels x channels. */
typedef struct job {
  const float *x, *dy;
  float *dx;
  int64_t x_stride; /* dy and dx are dense */
  int32_t threads, accumulates;
  term term;
  d3k_bands bands;
  double *sums[2];                        /* bands x channels */
  char *scratch;                          /* of the parts of the work */
  const float *mean, *gain, *pull, *drop; /* one per channel */
} job;

/* Lines that a part of the work owns. */
#define LINES 8

/* Layer normalisation keeps two rows of sums in the same place. */
static size_t part_bytes(int64_t channels) {
  return d3k_round64((size_t)d3k_max(LINES * D3K_LINE, 2 * channels) * sizeof(float));
}

static size_t sums_bytes(int64_t rows, int64_t channels) {
  return d3k_round64((size_t)(d3k_bands_most(rows, channels) * channels) * sizeof(double));
}

/* Two totals in double and four coefficients per channel, then sums and parts. */
static size_t channel_bytes(int64_t channels) {
  return d3k_round64((size_t)channels * (2 * sizeof(double) + 4 * sizeof(float)));
}

size_t d3k_norm_backward_scratch_bytes(int32_t threads, int64_t rows, int64_t channels) {
  if (rows <= 0 || channels <= 0) return 64;
  return channel_bytes(channels) + 2 * sums_bytes(rows, channels) +
         (size_t)d3k_parts(threads) * part_bytes(channels);
}

/* What channel_bytes holds. */
typedef struct channel_scratch {
  double *first, *second;
  float *mean, *gain, *pull, *drop;
} channel_scratch;

static channel_scratch cut(job *j, int64_t rows, int64_t channels, char *scratch) {
  channel_scratch s = {.first = (double *)scratch};
  s.second = s.first + channels;
  s.mean = (float *)(s.second + channels);
  s.gain = s.mean + channels;
  s.pull = s.gain + channels;
  s.drop = s.pull + channels;
  scratch += channel_bytes(channels);
  j->sums[0] = (double *)scratch;
  j->sums[1] = (double *)(scratch + sums_bytes(rows, channels));
  j->scratch = scratch + 2 * sums_bytes(rows, channels);
  return s;
}

D3K_CLONES(static, void, add_line,
           (term term, const float *x, const float *dy, const float *mean, float *first,
            float *second, int64_t count),
           (term, x, dy, mean, first, second, count)) {
  switch (term) {
    case VALUES: {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) first[i] += x[i];
      break;
    }
    case SQUARES: {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) first[i] += (x[i] - mean[i]) * (x[i] - mean[i]);
      break;
    }
    case GRADIENTS: {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) {
        const float g = dy[i];
        first[i] += g;
        second[i] += g * (x[i] - mean[i]);
      }
      break;
    }
  }
}

static void sum_item(const void *context, int64_t item, char *scratch) {
  const job *j = context;
  int64_t end, pending = 0;
  d3k_band_line at = d3k_bands_first(&j->bands, item, &end);
  const int64_t rows = at.rows, has_dy = j->term == GRADIENTS;
  float *line = (float *)scratch, *first = line, *second = line + D3K_LINE;
  float *mean = line + 2 * D3K_LINE, *x_buffer = line + 3 * D3K_LINE;
  float *dy_buffer = line + 4 * D3K_LINE;
  double *sums[2];
  memset(first, 0, 2 * D3K_LINE * sizeof(float));
  if (j->term != VALUES) d3k_line_repeat(j->mean, 0, &at, mean);
  for (int32_t k = 0; k < 1 + has_dy; k++) {
    sums[k] = j->sums[k] + item / j->bands.blocks * j->bands.channels + at.channel;
    memset(sums[k], 0, (size_t)at.channels * sizeof(double));
  }
  for (int32_t more = 1; more;) {
    const float *x = d3k_line_load(j->x, j->x_stride, &at, x_buffer);
    const float *dy = has_dy ? d3k_line_load(j->dy, j->bands.channels, &at, dy_buffer) : NULL;
    add_line(j->term, x, dy, mean, first, second, at.rows * at.channels);
    more = d3k_bands_next(&j->bands, &at, end);
    if (more && ++pending % D3K_FLUSH != 0) continue;
    for (int32_t k = 0; k < 1 + has_dy; k++) {
      d3k_line_flush(k == 0 ? first : second, rows, at.channels, 0, sums[k]);
    }
  }
}

/* Sums over all rows -> first (and second), one per channel. */
static void sum_channels(job *j, term term, const float *mean, double *first, double *second) {
  const d3k_bands *b = &j->bands;
  j->term = term;
  j->mean = mean;
  d3k_tiles_run(d3k_threads_for(j->threads, b->rows * b->channels), d3k_bands_items(b), sum_item, j,
                j->scratch, part_bytes(b->channels));
  for (int32_t k = 0; k < 1 + (term == GRADIENTS); k++) {
    double *out = k == 0 ? first : second;
    for (int64_t c = 0; c < b->channels; c++) {
      double sum = 0;
      for (int64_t band = 0; band < b->count; band++) sum += j->sums[k][band * b->channels + c];
      out[c] = sum;
    }
  }
}

D3K_CLONES(static, void, gradient_line,
           (const float *x, const float *dy, const float *const *c, float *dx, int64_t count),
           (x, dy, c, dx, count)) {
  const float *mean = c[0], *gain = c[1], *pull = c[2], *drop = c[3];
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) {
    dx[i] = dy[i] * gain[i] - (x[i] - mean[i]) * pull[i] - drop[i];
  }
}

static void gradient_item(const void *context, int64_t item, char *scratch) {
  const job *j = context;
  int64_t end;
  d3k_band_line at = d3k_bands_first(&j->bands, item, &end);
  float *line = (float *)scratch;
  const float *const values[4] = {j->mean, j->gain, j->pull, j->drop};
  const float *repeated[4];
  for (int32_t k = 0; k < 4; k++) {
    d3k_line_repeat(values[k], 0, &at, line + k * D3K_LINE);
    repeated[k] = line + k * D3K_LINE;
  }
  do {
    const float *x = d3k_line_load(j->x, j->x_stride, &at, line + 4 * D3K_LINE);
    const float *dy = d3k_line_load(j->dy, j->bands.channels, &at, line + 5 * D3K_LINE);
    float *direct = d3k_line_direct(j->dx, j->bands.channels, j->accumulates, &at);
    float *dx = direct ? direct : line + 6 * D3K_LINE;
    gradient_line(x, dy, repeated, dx, at.rows * at.channels);
    if (direct) continue;
    d3k_put_rows(dx, j->dx + at.row * j->bands.channels + at.channel, j->bands.channels, at.rows,
                 at.channels, j->accumulates);
  } while (d3k_bands_next(&j->bands, &at, end));
}

static void run_gradient(job *j, const channel_scratch *s) {
  const d3k_bands *b = &j->bands;
  j->mean = s->mean;
  j->gain = s->gain;
  j->pull = s->pull;
  j->drop = s->drop;
  d3k_tiles_run(d3k_threads_for(j->threads, b->rows * b->channels * 3), d3k_bands_items(b),
                gradient_item, j, j->scratch, part_bytes(b->channels));
}

void d3k_channel_statistics(int32_t threads, const float *x, int64_t x_stride, int64_t rows,
                            int64_t channels, float *mean, float *variance, void *scratch) {
  if (rows <= 0 || channels <= 0) return;
  job j = {.x = x, .x_stride = x_stride, .threads = threads};
  j.bands = d3k_bands_cut(rows, channels, x_stride == channels);
  const channel_scratch s = cut(&j, rows, channels, scratch);
  sum_channels(&j, VALUES, NULL, s.first, NULL);
  for (int64_t c = 0; c < channels; c++) mean[c] = (float)(s.first[c] / (double)rows);
  sum_channels(&j, SQUARES, mean, s.first, NULL);
  for (int64_t c = 0; c < channels; c++) variance[c] = (float)(s.first[c] / (double)rows);
}

static job job_of(int32_t threads, const d3k_norm_gradient *norm, int64_t channels) {
  return (job){.x = norm->x,
               .dy = norm->dy,
               .dx = norm->dx,
               .x_stride = channels,
               .threads = threads,
               .accumulates = norm->accumulates};
}

void d3k_batch_norm_backward(int32_t threads, const d3k_norm_gradient *norm, const float *mean,
                             const float *variance, int64_t rows, int64_t channels) {
  if (rows <= 0 || channels <= 0) return;
  job j = job_of(threads, norm, channels);
  j.bands = d3k_bands_cut(rows, channels, 1);
  const channel_scratch s = cut(&j, rows, channels, norm->scratch);
  sum_channels(&j, GRADIENTS, mean, s.first, s.second);
  for (int64_t c = 0; c < channels; c++) {
    const double inverse = 1. / sqrt((double)variance[c] + (double)norm->epsilon);
    const double gain = inverse * (norm->scale ? (double)norm->scale[c] : 1.);
    if (norm->dscale) norm->dscale[c] = (float)((double)norm->dscale[c] + s.second[c] * inverse);
    if (norm->dshift) norm->dshift[c] = (float)((double)norm->dshift[c] + s.first[c]);
    s.mean[c] = mean[c];
    s.gain[c] = (float)gain;
    s.pull[c] = (float)(gain * inverse * inverse * s.second[c] / (double)rows);
    s.drop[c] = (float)(gain * s.first[c] / (double)rows);
  }
  if (norm->dx) run_gradient(&j, &s);
}

/* Mean and 1 / deviation of each group from sums per channel; the mean is repeated per channel. */
static void group_means(const double *sums, int64_t channels, int64_t group, double cells,
                        float *mean) {
  for (int64_t c = 0; c < channels; c += group) {
    double sum = 0;
    for (int64_t i = c; i < c + group; i++) sum += sums[i];
    for (int64_t i = c; i < c + group; i++) mean[i] = (float)(sum / cells);
  }
}

void d3k_group_norm_backward(int32_t threads, const d3k_norm_gradient *norm, int64_t batch,
                             int64_t pixels, int64_t channels, int64_t groups) {
  if (batch <= 0 || pixels <= 0 || channels <= 0 || groups <= 0) return;
  const int64_t group = channels / groups;
  const double cells = (double)pixels * (double)group;
  job j = job_of(threads, norm, channels);
  j.bands = d3k_bands_cut(pixels, channels, 1);
  const channel_scratch s = cut(&j, batch * pixels, channels, norm->scratch);
  for (int64_t b = 0; b < batch; b++) {
    const int64_t image = b * pixels * channels;
    j.x = norm->x + image;
    j.dy = norm->dy + image;
    sum_channels(&j, VALUES, NULL, s.first, NULL);
    group_means(s.first, channels, group, cells, s.mean);
    sum_channels(&j, SQUARES, s.mean, s.first, NULL);
    group_means(s.first, channels, group, cells, s.gain); /* variances, for now */
    sum_channels(&j, GRADIENTS, s.mean, s.first, s.second);
    for (int64_t c = 0; c < channels; c += group) {
      const double inverse = 1. / sqrt((double)s.gain[c] + (double)norm->epsilon);
      double by_mean = 0, by_deviation = 0;
      for (int64_t i = c; i < c + group; i++) {
        const double w = norm->scale ? (double)norm->scale[i] : 1.;
        by_mean += w * s.first[i];
        by_deviation += w * s.second[i];
        if (norm->dscale)
          norm->dscale[i] = (float)((double)norm->dscale[i] + s.second[i] * inverse);
        if (norm->dshift) norm->dshift[i] = (float)((double)norm->dshift[i] + s.first[i]);
        s.gain[i] = (float)(w * inverse);
      }
      for (int64_t i = c; i < c + group; i++) {
        s.pull[i] = (float)(inverse * inverse * inverse * by_deviation / cells);
        s.drop[i] = (float)(inverse * by_mean / cells);
      }
    }
    if (norm->dx == NULL) continue;
    j.dx = norm->dx + image;
    run_gradient(&j, &s);
  }
}
