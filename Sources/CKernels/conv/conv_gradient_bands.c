/* Cuts pixels into bands, each with sums of its own, and adds the bands in a fixed order: the bits
 * do not depend on the number of threads, and each float32 sum is short enough to be precise. */
#include "conv/conv_gradient_internal.h"

enum {
  flat_pixels =
      96, /* of a run that need not be a line: its pixels of both images fit the L2 cache */
  band_pixels = 128, /* fewer would make merging show                                   */
  most_bands = 16,   /* enough for as many threads                                      */
  most_floats = 4 * 1024 * 1024, /* of all bands together                                       */
  lanes_at_once = 64,
  bias_rows = 64, /* summed in float32                                               */
  bias_bands = 16,
};

d3k_pixel_bands d3k_pixel_bands_of(const d3k_window *w, int32_t is_flat, int64_t floats) {
  int64_t lines = (int64_t)w->batch * w->out_height, pixels = lines * w->out_width;
  d3k_pixel_bands bands = {lines, w->out_width, pixels, 1};
  if (is_flat) {
    bands.run_pixels = d3k_min(flat_pixels, pixels);
    bands.runs = d3k_ceil_div(pixels, bands.run_pixels);
  }
  while (bands.count < most_bands && bands.count * 2 <= bands.runs &&
         bands.count * 2 * band_pixels <= pixels && bands.count * 2 * floats <= most_floats)
    bands.count *= 2;
  return bands;
}

/* One row of one block, all taps: they are neighbours in the gradient. */
D3K_CLONES(static, void, merge_row, (const void *context, int64_t tile, char *scratch),
           (context, tile, scratch)) {
  (void)scratch;
  const d3k_conv_sums *m = context;
  int64_t block = tile / m->rows, row = tile % m->rows;
  int64_t band_floats = m->blocks * m->taps * m->rows * m->pitch;
  for (int64_t first = 0; first < m->lanes; first += lanes_at_once) {
    int64_t count = d3k_min(lanes_at_once, m->lanes - first);
    for (int64_t tap = 0; tap < m->taps; tap++) {
      const float *from = m->sums + ((block * m->taps + tap) * m->rows + row) * m->pitch + first;
      double total[lanes_at_once] = {0};
      for (int64_t b = 0; b < m->bands; b++, from += band_floats)
        for (int64_t l = 0; l < count; l++) total[l] += from[l];
      float *to = m->dweights + block * m->strides[0] + tap + row * m->strides[1];
      if (m->lane_group == m->lanes) { /* no division, which takes longer than all the rest */
        to += first * m->strides[3];
        for (int64_t l = 0; l < count; l++) to[l * m->strides[3]] += (float)total[l];
        continue;
      }
      for (int64_t l = 0; l < count; l++)
        to[(first + l) / m->lane_group * m->strides[2] +
           (first + l) % m->lane_group * m->strides[3]] += (float)total[l];
    }
  }
}

void d3k_conv_merge(int32_t threads, const d3k_conv_sums *merge) {
  int64_t work = merge->bands * merge->blocks * merge->taps * merge->rows * merge->lanes;
  d3k_tiles_run(d3k_threads_for(threads, work), merge->blocks * merge->rows, merge_row, merge, NULL,
                0);
}

typedef struct bias_call {
  const float *dy;
  int64_t dy_stride, rows, channels, bands;
  double *sums; /* channels of each band */
} bias_call;

static int64_t bias_bands_of(int64_t rows) {
  return d3k_max(1, d3k_min(bias_bands, rows / (2 * bias_rows)));
}

D3K_CLONES(static, void, bias_band, (const void *context, int64_t band, char *scratch),
           (context, band, scratch)) {
  (void)scratch;
  const bias_call *call = context;
  int64_t begin = band * call->rows / call->bands, end = (band + 1) * call->rows / call->bands;
  double *sums = call->sums + band * call->channels;
  memset(sums, 0, sizeof(double) * (size_t)call->channels);
  for (int64_t row = begin; row < end; row += bias_rows) {
    const float *dy = call->dy + row * call->dy_stride;
    int64_t rows = d3k_min(bias_rows, end - row);
    for (int64_t first = 0; first < call->channels; first += lanes_at_once) {
      int64_t count = d3k_min(lanes_at_once, call->channels - first);
      float part[lanes_at_once] = {0};
      for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < count; c++) part[c] += dy[r * call->dy_stride + first + c];
      for (int64_t c = 0; c < count; c++) sums[first + c] += part[c];
    }
  }
}

void d3k_conv_bias_gradient(int32_t threads, const float *dy, int64_t dy_stride, int64_t rows,
                            int64_t channels, float *dbias, double *scratch) {
  bias_call call = {dy, dy_stride, rows, channels, bias_bands_of(rows), scratch};
  d3k_tiles_run(d3k_threads_for(threads, rows * channels), call.bands, bias_band, &call, NULL, 0);
  for (int64_t c = 0; c < channels; c++) {
    double total = 0;
    for (int64_t b = 0; b < call.bands; b++) total += scratch[b * channels + c];
    dbias[c] = (float)(dbias[c] + total);
  }
}

size_t d3k_conv_bias_bytes(int64_t rows, int64_t channels) {
  return d3k_round64(sizeof(double) * (size_t)(bias_bands_of(rows) * channels));
}
