/* Class scores of pixels -> predictions: labels, probabilities, and classes that are ruled out.
 *
 * Cost: one exponential a score; of probabilities one logarithm. Memory: the sums of at most 256
 * bands, whose borders depend on the number of pixels alone. */
#include "d3k_labels.h"
#include "scores/loss_block.h"

typedef struct prediction {
  const d3k_scores *z;
  const d3k_prediction *out;
  int64_t pixels, band;
  int64_t width; /* of the rows that are mirrored; all pixels where there is no mirror image */
  float inverse_log;
  double *sums; /* a band: of h, then of each class's p */
} prediction;

/* Probabilities in b->e as they are -> the largest, its first class, the entropy. */
D3K_INLINE void find_entropy(block *b, int64_t classes, float inverse_log) {
  float h[16] = {0};
  find_top(b->e, classes, d3k_load16(b->e), b->largest, b->top);
  for (int64_t c = 0; c < classes; c++) {
    const float *e = b->e + c * 16;
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) h[i] -= e[i] * d3k_log(e[i] < FLOOR ? FLOOR : e[i]);
  }
  D3K_VECTOR
  for (int64_t i = 0; i < 16; i++) {
    const float bounded = h[i] < 0.f ? 0.f : h[i] * inverse_log; /* not-a-number stays */
    b->h[i] = bounded > 1.f ? 1.f : bounded;
  }
}

/* Probabilities in b->e -> their mean with those of the mirror image. `q` is the last pixel of what
 * the first `count` of them look like there. */
D3K_INLINE void blend(block *b, const float *q, int64_t count, int64_t classes) {
  d3k_gather16(q, -classes, count, classes, b->d, 16);
  for (int64_t c = 0; c < classes; c++) {
    float *e = b->e + c * 16;
    d3k_store16(e, (d3k_load16(e) + d3k_load16(b->d + c * 16)) * 0.5f);
  }
}

/* Probabilities in b->e -> the same, and with this share others, dense, of the same pixels. */
D3K_INLINE void lean(block *b, const float *q, float share, int64_t count, int64_t classes) {
  d3k_gather16(q, classes, count, classes, b->d, 16);
  for (int64_t c = 0; c < classes; c++) {
    float *e = b->e + c * 16;
    d3k_store16(e, d3k_load16(e) + (d3k_load16(b->d + c * 16) - d3k_load16(e)) * share);
  }
}

/* Marks the classes below the threshold, of pixels that are numbers and count. */
D3K_INLINE void write_negatives(const block *b, const int32_t *is_number, int64_t count,
                                int64_t classes, float threshold, uint8_t *out) {
  const int64_t bytes = (classes + 7) / 8;
  for (int64_t byte = 0; byte < bytes; byte++) {
    uint32_t marks[16] = {0};
    const int64_t end = d3k_min(classes, byte * 8 + 8);
    for (int64_t c = byte * 8; c < end; c++) {
      D3K_VECTOR
      for (int64_t i = 0; i < 16; i++) {
        marks[i] |= (uint32_t)(b->e[c * 16 + i] < threshold) << (c - byte * 8);
      }
    }
    for (int64_t i = 0; i < count; i++) {
      out[i * bytes + byte] = is_number[i] ? (uint8_t)marks[i] : 0;
    }
  }
}

D3K_CLONED_BODY(run_bands) {
  const prediction *j = context;
  const d3k_prediction *o = j->out;
  const int64_t classes = j->z->classes, bytes = (classes + 7) / 8;
  block b;
  float q[MOST_CLASSES * 16];
  memset(q, 0, (size_t)classes * 16 * sizeof(float));
  for (int64_t band = begin; band < end; band++) {
    double *out = j->sums + band * (1 + classes);
    memset(out, 0, (size_t)(1 + classes) * sizeof(double));
    const int64_t last = d3k_min(j->pixels, (band + 1) * j->band);
    double sums[16] = {0};
    for (int64_t n = band * j->band, turn = 1, count; n < last; n += count, turn++) {
      const int64_t x = n % j->width;
      count = d3k_min(d3k_min(16, last - n), j->width - x);
      const float *z = j->z->data + n * j->z->stride;
      int32_t is_number[16] = {0};
      if (j->z->is_probability) {
        d3k_gather16(z, j->z->stride, count, classes, b.e, 16);
      } else {
        d3k_gather16(z, j->z->stride, count, classes, b.d, 16);
        softmax(&b, classes, j->inverse_log);
        divide(&b, classes);
        memcpy(b.largest, b.inverse, sizeof b.largest); /* e of the top class is 1 */
      }
      if (o->mirrored) {
        blend(&b, o->mirrored + (n - x + j->width - 1 - x) * classes, count, classes);
      }
      if (o->zoomed) lean(&b, o->zoomed + n * classes, o->zoomed_share, count, classes);
      if (j->z->is_probability || o->mirrored || o->zoomed) {
        find_entropy(&b, classes, j->inverse_log);
      }
      for (int64_t i = 0; i < count; i++) {
        const int32_t is_ignored = o->ignored && o->ignored[n + i];
        is_number[i] = b.h[i] >= 0.f && !is_ignored;
        sums[i] += is_number[i] ? (double)b.h[i] : is_ignored ? 0. : 1.;
        if (o->labels) o->labels[n + i] = is_number[i] ? (uint8_t)b.top[i] : 255;
        if (o->confidence) o->confidence[n + i] = is_number[i] ? b.largest[i] : 0.f;
      }
      if (o->masses) add_masses(&b, classes, is_number, q);
      if (turn % FLUSH == 0 || n + count == last) flush(q, out + 1, classes);
      if (o->negatives) {
        write_negatives(&b, is_number, count, classes, o->negative_threshold,
                        o->negatives + n * bytes);
      }
      if (o->probabilities) {
        d3k_scatter16(b.e, 16, o->probabilities + n * classes, classes, count, classes);
      }
    }
    for (int64_t i = 0; i < 16; i++) out[0] += sums[i];
  }
}

size_t d3k_predict_scratch_bytes(int64_t pixels, int64_t classes) {
  return band_sums_bytes(pixels, 1 + classes);
}

double d3k_predict(int32_t threads, const d3k_scores *scores, const d3k_prediction *out) {
  const int64_t pixels = scores->height * scores->width, classes = scores->classes;
  if (pixels <= 0 || classes <= 0 || classes > MOST_CLASSES) return 0;
  prediction j = {.z = scores,
                  .out = out,
                  .pixels = pixels,
                  .width = out->mirrored ? scores->width : pixels,
                  .band = d3k_pixel_band(pixels),
                  .inverse_log = inverse_log_of(classes),
                  .sums = out->scratch};
  const int64_t bands = d3k_ceil_div(pixels, j.band);
  d3k_parallel(d3k_threads_for(threads, pixels * classes * 8), bands, run_bands, &j);
  double sum = 0;
  for (int64_t c = 0; out->masses && c < classes; c++) out->masses[c] = 0;
  for (int64_t band = 0; band < bands; band++) {
    const double *own = j.sums + band * (1 + classes);
    sum += own[0];
    for (int64_t c = 0; out->masses && c < classes; c++) out->masses[c] += own[1 + c];
  }
  return sum / (double)d3k_max(1, count_counted(out->ignored, pixels));
}
