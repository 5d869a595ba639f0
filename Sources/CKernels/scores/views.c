/* Class scores of an image and probabilities of its mirror image -> how sure the network is, and
 * how far the two views agree.
 *
 * With p of the image and m of its mirror image, mirrored back, at one pixel, in nats:
 *
 *     entropy     -sum p log p
 *     divergence  sum (p log p + m log m) / 2 - a log a,  a = (p + m) / 2     (Jensen-Shannon)
 *
 * Cost: four logarithms and one exponential a score. Memory: the sums of at most 256 bands, whose
 * borders depend on the number of pixels alone. */
#include "d3k_labels.h"
#include "scores/loss_block.h"

enum { VIEW_ENTROPY, VIEW_DIVERGENCE, VIEW_SAME, VIEW_COUNT, VIEW_SUMS };

typedef struct views {
  const d3k_scores *scores;
  const float *mirrored;
  const uint8_t *ignored; /* NULL = all pixels count */
  int64_t pixels, band;
  double *sums; /* a band: VIEW_SUMS, then of each class p */
} views;

D3K_INLINE float self_information(float p) { return p * d3k_log(p < FLOOR ? FLOOR : p); }

/* Probabilities in b->e, those of the mirror image in b->d -> entropy, divergence, and 1 where both
 * have the same most likely class, of 16 pixels. */
D3K_INLINE void compare(const block *b, int64_t classes, float *entropy, float *divergence,
                        float *same) {
  float largest[16];
  int32_t top[16];
  find_top(b->d, classes, d3k_load16(b->d), largest, top);
  for (int64_t c = 0; c < classes; c++) {
    const float *e = b->e + c * 16, *d = b->d + c * 16;
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) {
      const float own = self_information(e[i]), other = self_information(d[i]);
      entropy[i] -= own;
      divergence[i] += 0.5f * (own + other) - self_information(0.5f * (e[i] + d[i]));
    }
  }
  for (int64_t i = 0; i < 16; i++) same[i] = top[i] == b->top[i] ? 1.f : 0.f;
}

D3K_CLONED_BODY(run_bands) {
  const views *j = context;
  const d3k_scores *s = j->scores;
  const int64_t classes = s->classes;
  block b;
  float q[MOST_CLASSES * 16];
  memset(q, 0, (size_t)classes * 16 * sizeof(float));
  for (int64_t band = begin; band < end; band++) {
    double *out = j->sums + band * (VIEW_SUMS + classes);
    memset(out, 0, (size_t)(VIEW_SUMS + classes) * sizeof(double));
    const int64_t last = d3k_min(j->pixels, (band + 1) * j->band);
    for (int64_t n = band * j->band, turn = 1, count; n < last; n += count, turn++) {
      const int64_t x = n % s->width;
      count = d3k_min(d3k_min(16, last - n), s->width - x);
      d3k_gather16(s->data + n * s->stride, s->stride, count, classes, b.d, 16);
      softmax(&b, classes, 0.f);
      divide(&b, classes);
      const float *mirrored = j->mirrored + (n - x + s->width - 1 - x) * classes;
      d3k_gather16(mirrored, -classes, count, classes, b.d, 16);
      float entropy[16] = {0}, divergence[16] = {0}, same[16];
      compare(&b, classes, entropy, divergence, same);
      int32_t counts[16] = {0};
      for (int64_t i = 0; i < count; i++) {
        counts[i] = entropy[i] + divergence[i] < INFINITY; /* not where a score is no number */
        if (j->ignored && j->ignored[n + i]) counts[i] = 0;
        if (!counts[i]) continue;
        out[VIEW_ENTROPY] += (double)entropy[i];
        out[VIEW_DIVERGENCE] += divergence[i] > 0.f ? (double)divergence[i] : 0.;
        out[VIEW_SAME] += (double)same[i];
        out[VIEW_COUNT] += 1.;
      }
      add_masses(&b, classes, counts, q);
      if (turn % FLUSH == 0 || n + count == last) flush(q, out + VIEW_SUMS, classes);
    }
  }
}

size_t d3k_compare_views_scratch_bytes(int64_t pixels, int64_t classes) {
  return band_sums_bytes(pixels, VIEW_SUMS + classes);
}

void d3k_compare_views(int32_t threads, const d3k_scores *scores, const float *mirrored,
                       const uint8_t *ignored, d3k_view_sums *result, double *masses,
                       void *scratch) {
  const int64_t pixels = scores->height * scores->width, classes = scores->classes;
  *result = (d3k_view_sums){0};
  for (int64_t c = 0; c < classes; c++) masses[c] = 0;
  if (pixels <= 0 || classes <= 0 || classes > MOST_CLASSES) return;
  views j = {scores, mirrored, ignored, pixels, d3k_pixel_band(pixels), scratch};
  const int64_t bands = d3k_ceil_div(pixels, j.band);
  d3k_parallel(d3k_threads_for(threads, pixels * classes * 24), bands, run_bands, &j);
  for (int64_t band = 0; band < bands; band++) {
    const double *own = j.sums + band * (VIEW_SUMS + classes);
    result->entropy += own[VIEW_ENTROPY];
    result->divergence += own[VIEW_DIVERGENCE];
    result->same += own[VIEW_SAME];
    result->count += own[VIEW_COUNT];
    for (int64_t c = 0; c < classes; c++) masses[c] += own[VIEW_SUMS + c];
  }
}
