/* Class scores per pixel -> labels, confidence, entropy, probabilities, resized on the way.
 *
 * Sixteen pixels at a time, turned so that lanes are pixels. Cost: labels alone need one
 * comparison a score; anything else one exponential a score (one logarithm for probabilities). */
#include "base/lanes.h"
#include "base/vector_math.h"
#include "image/rows.h"

/* Classes fit labels of 8 bits; the block of 16 pixels is 16 KiB of stack. */
#define MOST_CLASSES 256

typedef struct job {
  const float *x;
  int64_t x_stride, in_width, in_height, height, width, classes, slots;
  int32_t is_probability;
  const d3k_axis *rows, *columns; /* NULL = same size */
  uint8_t *labels, *confidence;
  float *entropy, *probabilities, *scratch;
} job;

/* 0...1, and 0 for not-a-number. */
D3K_INLINE float unit(float p) {
  p = p > 0.f ? p : 0.f;
  return p > 1.f ? 1.f : p;
}

/* Scores s[c][i] of 16 pixels -> largest score and its first class. */
D3K_INLINE void find_best(const float *s, int64_t classes, float *best, int32_t *label) {
  d3k_f16 top = (d3k_f16)(-INFINITY);
  d3k_i16 index = (d3k_i16)(0);
  for (int64_t c = 0; c < classes; c++) {
    const d3k_f16 v = d3k_load16(s + c * 16);
    const d3k_i16 wins = v > top; /* never for not-a-number */
    top = wins ? v : top;
    index = wins ? (d3k_i16)((int32_t)c) : index;
  }
  d3k_store16(best, top);
  memcpy(label, &index, sizeof index);
}

/* Scores of 16 pixels -> probabilities in place (where asked), the best one, the entropy. */
D3K_INLINE void soften(float *s, int64_t classes, int32_t is_probability, int32_t keeps,
                       const float *best, float *confidence, float *entropy) {
  float sum[16] = {0}, weighted[16] = {0};
  const float scale = classes > 1 ? 1.f / d3k_log((float)classes) : 0.f;
  for (int64_t c = 0; c < classes; c++) {
    float *line = s + c * 16;
    if (is_probability) {
      D3K_VECTOR
      for (int64_t i = 0; i < 16; i++) {
        const float p = line[i];
        weighted[i] -= p > 0.f ? p * d3k_log(p > 0.f ? p : 1.f) : 0.f;
      }
    } else {
      D3K_VECTOR
      for (int64_t i = 0; i < 16; i++) {
        float distance = line[i] - best[i];
        distance = distance < -87.f ? -87.f : distance; /* -infinity * 0 is not 0 */
        const float e = d3k_exp_negative(distance);
        line[i] = e;
        sum[i] += e;
        weighted[i] += e * distance;
      }
    }
  }
  float inverse[16];
  D3K_VECTOR
  for (int64_t i = 0; i < 16; i++) {
    /* -sum p ln p = ln S - sum e d / S, with p = e / S and ln p = d - ln S */
    const float r = 1.f / sum[i];
    const float h = is_probability ? weighted[i] : d3k_log(sum[i]) - weighted[i] * r;
    inverse[i] = r;
    confidence[i] = is_probability ? best[i] : r;
    entropy[i] = unit(h * scale);
  }
  if (!keeps || is_probability) return;
  for (int64_t c = 0; c < classes; c++) {
    float *line = s + c * 16;
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) line[i] *= inverse[i];
  }
}

/* One output row from scores `stride` floats apart; `at` is its first pixel. */
D3K_CLONES(static, void, label_row, (const job *j, const float *x, int64_t stride, int64_t at),
           (j, x, stride, at)) {
  const int64_t classes = j->classes, plane = j->height * j->width;
  const int32_t wants_softmax = j->confidence || j->entropy || j->probabilities;
  float s[MOST_CLASSES * 16], best[16], confidence[16], entropy[16];
  int32_t label[16];
  for (int64_t p = 0; p < j->width; p += 16, at += 16) {
    const int64_t count = d3k_min(16, j->width - p);
    d3k_gather16(x + p * stride, stride, count, classes, s, 16);
    find_best(s, classes, best, label);
    if (j->labels) {
      for (int64_t i = 0; i < count; i++) j->labels[at + i] = (uint8_t)label[i];
    }
    if (!wants_softmax) continue;
    soften(s, classes, j->is_probability, j->probabilities != NULL, best, confidence, entropy);
    if (j->confidence) {
      for (int64_t i = 0; i < count; i++) {
        j->confidence[at + i] = (uint8_t)(255.f * unit(confidence[i]) + 0.5f);
      }
    }
    if (j->entropy) {
      for (int64_t i = 0; i < count; i++) j->entropy[at + i] = entropy[i];
    }
    if (j->probabilities) {
      for (int64_t c = 0; c < classes; c++) {
        d3k_copy_line(j->probabilities + c * plane + at, s + c * 16, count);
      }
    }
  }
}

/* Output rows first..<last; each slot owns a part of the scratch. */
static void label_resized(const job *j, int64_t slot, int64_t first, int64_t last) {
  const int64_t line = j->width * j->classes;
  float *scratch = j->scratch + slot * 3 * line;
  d3k_row_pair pair = {.x = j->x,
                       .x_stride = j->x_stride,
                       .in_width = j->in_width,
                       .channels = j->classes,
                       .columns = j->columns,
                       .rows = {scratch, scratch + line},
                       .numbers = {-1, -1}};
  for (int64_t row = first; row < last; row++) {
    const float w = j->rows->weight[row];
    const int64_t low = j->rows->low[row], high = w == 0.f ? low : j->rows->high[row];
    const float *a, *b;
    d3k_row_pair_get(&pair, low, high, &a, &b);
    if (low != high) {
      float *blend = scratch + 2 * line;
      d3k_blend(a, b, w, blend, line);
      a = blend;
    }
    label_row(j, a, j->classes, row * j->width);
  }
}

/* Each slot has a run of output rows. */
static void run_slots(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  for (int64_t slot = begin; slot < end; slot++) {
    const int64_t first = j->height * slot / j->slots, last = j->height * (slot + 1) / j->slots;
    if (j->rows) {
      label_resized(j, slot, first, last);
      continue;
    }
    for (int64_t row = first; row < last; row++) {
      label_row(j, j->x + row * j->width * j->x_stride, j->x_stride, row * j->width);
    }
  }
}

void d3k_label(int32_t threads, const float *x, int64_t x_stride, int64_t height, int64_t width,
               int64_t classes, int32_t is_probability, const d3k_axis *rows,
               const d3k_axis *columns, uint8_t *labels, uint8_t *confidence, float *entropy,
               float *probabilities, float *scratch) {
  job j = {.x = x,
           .x_stride = x_stride,
           .in_width = width,
           .in_height = height,
           .height = rows ? rows->size : height,
           .width = columns ? columns->size : width,
           .classes = classes,
           .is_probability = is_probability,
           .rows = rows,
           .columns = columns,
           .labels = labels,
           .confidence = confidence,
           .entropy = entropy,
           .probabilities = probabilities,
           .scratch = scratch};
  const int64_t work = j.height * j.width * classes;
  if (work <= 0 || classes > MOST_CLASSES) return;
  j.slots = d3k_min(d3k_threads_for(threads, work), j.height);
  d3k_parallel((int32_t)j.slots, j.slots, run_slots, &j);
}
