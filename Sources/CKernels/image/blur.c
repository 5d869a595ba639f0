/* An image -> the same out of focus: a separable Gaussian.
 *
 *     y[i] = sum over k in -r...r of w[k] x[i + k]        w ~ exp(-k^2 / (2 sigma^2)), sum 1
 *
 * Cost: 2 r + 1 multiply-adds a float and direction; two passes, the scratch between them. */
#include "base/lanes.h"
#include "d3k_augment.h"

#define MOST_RADIUS 64

typedef struct job {
  float *image, *scratch;
  int64_t height, width, channels, radius;
  float weights[MOST_RADIUS + 1]; /* of k = 0...r */
} job;

/* 0..<count, mirrored at the first and last one without repeating them. */
D3K_INLINE int64_t reflect(int64_t i, int64_t count) {
  if (count == 1) return 0;
  const int64_t period = 2 * (count - 1);
  i %= period;
  if (i < 0) i += period;
  return i < count ? i : period - i;
}

/* y = sum of taps[r + k] w[|k|] over `count` floats. */
D3K_INLINE void blur_line(const job *j, const float *const *taps, float *y, int64_t count) {
  const int64_t r = j->radius;
  const float *middle = taps[r];
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    d3k_f16 a = d3k_load16(middle + i) * j->weights[0];
    d3k_f16 b = d3k_load16(middle + i + 16) * j->weights[0];
    for (int64_t k = 1; k <= r; k++) {
      const float *before = taps[r - k] + i, *after = taps[r + k] + i;
      a += (d3k_load16(before) + d3k_load16(after)) * j->weights[k];
      b += (d3k_load16(before + 16) + d3k_load16(after + 16)) * j->weights[k];
    }
    d3k_store16(y + i, a);
    d3k_store16(y + i + 16, b);
  }
  for (; i < count; i++) {
    float sum = middle[i] * j->weights[0];
    for (int64_t k = 1; k <= r; k++) sum += (taps[r - k][i] + taps[r + k][i]) * j->weights[k];
    y[i] = sum;
  }
}

/* Image -> scratch, along the width. */
D3K_CLONED_BODY(blur_rows) {
  const job *j = context;
  const int64_t r = j->radius, channels = j->channels, width = j->width;
  const float *taps[2 * MOST_RADIUS + 1];
  const int64_t edge = d3k_min(r, width), right = d3k_max(edge, width - r);
  for (int64_t row = begin; row < end; row++) {
    const float *x = j->image + row * width * channels;
    float *y = j->scratch + row * width * channels;
    for (int64_t p = 0; p < width; p = p + 1 == edge ? right : p + 1) {
      for (int64_t k = -r; k <= r; k++) taps[r + k] = x + reflect(p + k, width) * channels;
      blur_line(j, taps, y + p * channels, channels);
    }
    if (edge == right) continue;
    for (int64_t k = -r; k <= r; k++) taps[r + k] = x + (edge + k) * channels;
    blur_line(j, taps, y + edge * channels, (right - edge) * channels);
  }
}

/* Scratch -> image, along the height. */
D3K_CLONED_BODY(blur_columns) {
  const job *j = context;
  const int64_t r = j->radius, line = j->width * j->channels;
  const float *taps[2 * MOST_RADIUS + 1];
  for (int64_t row = begin; row < end; row++) {
    for (int64_t k = -r; k <= r; k++) taps[r + k] = j->scratch + reflect(row + k, j->height) * line;
    blur_line(j, taps, j->image + row * line, line);
  }
}

size_t d3k_blur_scratch_bytes(int64_t height, int64_t width, int64_t channels) {
  return (size_t)(height * width * channels) * sizeof(float);
}

void d3k_blur(int32_t threads, double sigma, float *image, int64_t height, int64_t width,
              int64_t channels, void *scratch) {
  if (!(sigma > 0)) return;
  job j = {image, scratch, height, width, channels, MOST_RADIUS, {0}};
  if (sigma * 3 < MOST_RADIUS) j.radius = (int64_t)ceil(sigma * 3);
  double sum = 1;
  for (int64_t k = 1; k <= j.radius; k++) sum += 2 * exp(-0.5 * (double)(k * k) / (sigma * sigma));
  for (int64_t k = 0; k <= j.radius; k++) {
    j.weights[k] = (float)(exp(-0.5 * (double)(k * k) / (sigma * sigma)) / sum);
  }
  threads = d3k_threads_for(threads, height * width * channels * 2);
  d3k_parallel(threads, height, blur_rows, &j);
  d3k_parallel(threads, height, blur_columns, &j);
}
