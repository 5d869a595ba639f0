/* Labels and their confidence -> how often each confidence occurs, and labels that are certain.
 *
 * Cost: one increment a pixel; one look-up a pixel. */
#include "d3k_labels.h"
#include "internal.h"

/* Pixels that one thread takes at least. */
#define CHUNK 4096

void d3k_histogram(const uint8_t *labels, const float *confidence, int64_t pixels, int64_t classes,
                   uint64_t *counts) {
  for (int64_t i = 0; i < pixels; i++) {
    if (labels[i] >= classes) continue;
    const float place = confidence[i] * D3K_BINS;
    const int64_t bin = place >= D3K_BINS - 1 ? D3K_BINS - 1 : place > 0.f ? (int64_t)place : 0;
    counts[labels[i] * (int64_t)D3K_BINS + bin]++;
  }
}

typedef struct job {
  const uint8_t *labels;
  const float *confidence;
  int64_t pixels;
  uint8_t *out;
  float thresholds[256];
} job;

D3K_CLONES
static void threshold_chunks(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const uint8_t *labels = j->labels;
  const float *confidence = j->confidence, *thresholds = j->thresholds;
  uint8_t *out = j->out;
  const int64_t last = d3k_min(j->pixels, end * CHUNK);
  D3K_VECTOR
  for (int64_t i = begin * CHUNK; i < last; i++) {
    const uint8_t label = labels[i];
    out[i] = confidence[i] > thresholds[label] ? label : 255;
  }
}

void d3k_threshold_labels(int32_t threads, const uint8_t *labels, const float *confidence,
                          int64_t pixels, int64_t classes, const float *thresholds, uint8_t *out) {
  job j = {labels, confidence, pixels, out, {0}};
  for (int64_t c = 0; c < 256; c++) j.thresholds[c] = c < classes ? thresholds[c] : INFINITY;
  d3k_parallel(d3k_threads_for(threads, pixels * 2), d3k_ceil_div(pixels, CHUNK), threshold_chunks,
               &j);
}
