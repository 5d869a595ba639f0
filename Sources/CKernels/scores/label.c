/* Class scores per pixel -> labels, confidence, entropy, probabilities, resized on the way.
 *
 * Sixteen pixels at a time, turned so that lanes are pixels. Cost: labels alone need one
 * comparison a score; anything else one exponential a score (one logarithm for probabilities). */
#include "base/vector_math.h"
#include "d3k_labels.h"
#include "image/rows.h"
#include "scores/scores.h"

typedef struct job {
  const d3k_scores *scores;
  const d3k_labelling *out;
  int64_t height, width, slots; /* of the labels */
} job;

/* 0...1, and 0 for not-a-number. */
D3K_INLINE float unit(float p) {
  p = p > 0.f ? p : 0.f;
  return p > 1.f ? 1.f : p;
}

/* Scores of 16 pixels -> probabilities in place (where asked), the best one, the entropy. */
D3K_INLINE void softmax(float *s, int64_t classes, int32_t is_probability, int32_t keeps,
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
  const d3k_labelling *out = j->out;
  const int64_t classes = j->scores->classes, plane = j->height * j->width;
  const int32_t wants_softmax = out->confidence || out->entropy || out->probabilities;
  float s[MOST_CLASSES * 16], best[16], confidence[16], entropy[16];
  int32_t label[16];
  for (int64_t p = 0; p < j->width; p += 16, at += 16) {
    const int64_t count = d3k_min(16, j->width - p);
    d3k_gather16(x + p * stride, stride, count, classes, s, 16);
    find_top(s, classes, (d3k_f16)(-INFINITY), best, label);
    for (int64_t i = 0; out->labels && i < count; i++) out->labels[at + i] = (uint8_t)label[i];
    if (!wants_softmax) continue;
    softmax(s, classes, j->scores->is_probability, out->probabilities != NULL, best, confidence,
            entropy);
    for (int64_t i = 0; out->confidence && i < count; i++) {
      out->confidence[at + i] = (uint8_t)(255.f * unit(confidence[i]) + 0.5f);
    }
    for (int64_t i = 0; out->entropy && i < count; i++) out->entropy[at + i] = entropy[i];
    for (int64_t c = 0; out->probabilities && c < classes; c++) {
      d3k_copy_line(out->probabilities + c * plane + at, s + c * 16, count);
    }
  }
}

/* Output rows first..<last; each slot owns a part of the scratch. */
static void label_resized(const job *j, int64_t slot, int64_t first, int64_t last) {
  const d3k_scores *s = j->scores;
  const d3k_axis *rows = j->out->rows;
  const int64_t line = j->width * s->classes;
  float *scratch = j->out->scratch + slot * 3 * line, *blend = scratch + 2 * line;
  d3k_row_pair pair = {.x = s->data,
                       .x_stride = s->stride,
                       .in_width = s->width,
                       .channels = s->classes,
                       .columns = j->out->columns,
                       .rows = {scratch, scratch + line},
                       .numbers = {-1, -1}};
  for (int64_t row = first; row < last; row++) {
    const float w = rows->weight[row];
    const int64_t low = rows->low[row], high = w == 0.f ? low : rows->high[row];
    const float *a, *b;
    d3k_row_pair_get(&pair, low, high, &a, &b);
    if (low != high) d3k_blend(a, b, w, blend, line);
    label_row(j, low == high ? a : blend, s->classes, row * j->width);
  }
}

/* Each slot has a run of output rows. */
static void run_slots(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int64_t stride = j->scores->stride;
  for (int64_t slot = begin; slot < end; slot++) {
    const int64_t first = j->height * slot / j->slots, last = j->height * (slot + 1) / j->slots;
    if (j->out->rows) {
      label_resized(j, slot, first, last);
      continue;
    }
    for (int64_t at = first * j->width; at < last * j->width; at += j->width) {
      label_row(j, j->scores->data + at * stride, stride, at);
    }
  }
}

void d3k_label(int32_t threads, const d3k_scores *scores, const d3k_labelling *out) {
  job j = {.scores = scores,
           .out = out,
           .height = out->rows ? out->rows->size : scores->height,
           .width = out->columns ? out->columns->size : scores->width};
  const int64_t work = j.height * j.width * scores->classes;
  if (work <= 0 || scores->classes > MOST_CLASSES) return;
  j.slots = d3k_min(d3k_threads_for(threads, work), j.height);
  d3k_parallel((int32_t)j.slots, j.slots, run_slots, &j);
}
