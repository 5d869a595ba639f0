/* Gradients of resized images -> gradients of the images, by the transposed interpolation.
 *
 * Each row of dy is first reduced to dx's width, then added to the one or two rows of dx that it
 * was computed from. Each part of the work owns rows of dx and reads dy in order. Rows of dy that
 * belong to rows of two parts are reduced by both. */
#include "base/bands.h"
#include "base/lanes.h"
#include "base/tiles.h"
#include "d3k_gradient.h"

typedef struct job {
  const float *dy;
  float *dx;
  const d3k_resize *of;
  int64_t slots;
  int32_t accumulates;
} job;

static size_t slot_bytes(int64_t in_width, int64_t channels) {
  return d3k_round64((size_t)(in_width * channels) * sizeof(float));
}

size_t d3k_resize_backward_scratch_bytes(int32_t threads, int64_t in_width, int64_t channels) {
  return (size_t)d3k_parts(threads) * slot_bytes(in_width, channels);
}

/* A run of pixels of dy with the same two neighbours, and where those are. */
typedef struct run {
  const float *dy, *weight;
  float *low, *high; /* high = NULL: all weight is on low */
  int64_t stride, count;
} run;

/* The channels `i`.. that fit in one vector. */
#define NARROW(name, type)                                  \
  D3K_INLINE void name(const run *r, int64_t i) {           \
    type low = *(const type *)(r->low + i);                 \
    const float *dy = r->dy + i;                            \
    if (r->high == NULL) {                                  \
      for (int64_t k = 0; k < r->count; k++) {              \
        low += *(const type *)(dy + k * r->stride);         \
      }                                                     \
    } else {                                                \
      type high = *(const type *)(r->high + i);             \
      for (int64_t k = 0; k < r->count; k++) {              \
        const type g = *(const type *)(dy + k * r->stride); \
        const float w = r->weight[k];                       \
        low += g * (1.f - w);                               \
        high += g * w;                                      \
      }                                                     \
      *(type *)(r->high + i) = high;                        \
    }                                                       \
    *(type *)(r->low + i) = low;                            \
  }
NARROW(narrow16, d3k_f16)
NARROW(narrow4, d3k_f4)
NARROW(narrow1, float)

/* One row of dy -> in_width dense pixels. */
D3K_CLONES(static, void, narrow, (const job *j, const float *dy, float *line), (j, dy, line)) {
  const int64_t channels = j->of->channels;
  const d3k_axis *columns = j->of->columns;
  const int32_t *low = columns->low, *high = columns->high;
  memset(line, 0, (size_t)(j->of->in_width * channels) * sizeof(float));
  for (int64_t c = 0; c < columns->size;) {
    const float *w = columns->weight + c;
    if (*w == -1.f) {
      c++;
      continue;
    }
    const int32_t is_single = *w == 0.f || low[c] == high[c];
    run r = {.dy = dy + c * j->of->y_stride,
             .weight = w,
             .low = line + low[c] * channels,
             .high = is_single ? NULL : line + high[c] * channels,
             .stride = j->of->y_stride,
             .count = 1};
    for (int64_t k = c + 1; k < columns->size && !is_single; k++, r.count++) {
      const float v = columns->weight[k];
      if (v == 0.f || v == -1.f || low[k] != low[c] || high[k] != high[c]) break;
    }
    int64_t i = 0;
    for (; i + 16 <= channels; i += 16) narrow16(&r, i);
    for (; i + 4 <= channels; i += 4) narrow4(&r, i);
    for (; i < channels; i++) narrow1(&r, i);
    c += r.count;
  }
}

D3K_CLONES(static, void, add_row, (const job *j, const float *line, float weight, float *dx),
           (j, line, weight, dx)) {
  int64_t pixels = j->of->in_width, channels = j->of->channels;
  if (j->of->x_stride == channels) {
    channels *= pixels;
    pixels = 1;
  }
  for (int64_t p = 0; p < pixels; p++) {
    const float *from = line + p * channels;
    float *to = dx + p * j->of->x_stride;
    D3K_VECTOR
    for (int64_t i = 0; i < channels; i++) to[i] += from[i] * weight;
  }
}

/* Rows begin..<end of one image's dx. */
static void run_rows(const job *j, int64_t image, int64_t begin, int64_t end, float *line) {
  const int64_t row_step = j->of->in_width * j->of->x_stride;
  float *dx = j->dx + image * j->of->in_height * row_step;
  if (!j->accumulates) {
    d3k_clear_rows(dx + begin * row_step, j->of->x_stride, (end - begin) * j->of->in_width,
                   j->of->channels);
  }
  for (int64_t i = 0; i < j->of->rows->size; i++) {
    const float w = j->of->rows->weight[i];
    if (w == -1.f) continue;
    const int64_t low = j->of->rows->low[i], high = w == 0.f ? low : j->of->rows->high[i];
    const int32_t has_low = low >= begin && low < end;
    const int32_t has_high = high != low && high >= begin && high < end;
    if (!has_low && !has_high) continue;
    narrow(j, j->dy + (image * j->of->rows->size + i) * j->of->columns->size * j->of->y_stride,
           line);
    if (has_low) add_row(j, line, high == low ? 1.f : 1.f - w, dx + low * row_step);
    if (has_high) add_row(j, line, w, dx + high * row_step);
  }
}

/* A slot owns a run of dx's rows. */
static void run_slot(const void *context, int64_t slot, char *scratch) {
  const job *j = context;
  const int64_t total = j->of->batch * j->of->in_height;
  const int64_t end = total * (slot + 1) / j->slots;
  for (int64_t at = total * slot / j->slots; at < end;) {
    const int64_t image = at / j->of->in_height, first = at % j->of->in_height;
    const int64_t last = d3k_min(j->of->in_height, first + end - at);
    run_rows(j, image, first, last, (float *)scratch);
    at += last - first;
  }
}

void d3k_resize_linear_backward(int32_t threads, const d3k_resize *resize, const float *dy,
                                float *dx, int32_t accumulates, void *scratch) {
  const int64_t rows = resize->batch * d3k_max(resize->rows->size, resize->in_height);
  const int64_t columns = d3k_max(resize->columns->size, resize->in_width);
  const int64_t own_rows = resize->batch * resize->in_height;
  if (own_rows * resize->in_width * resize->channels <= 0) return;
  const int64_t slots =
      d3k_min(d3k_threads_for(threads, rows * columns * resize->channels), own_rows);
  const job j = {dy, dx, resize, slots, accumulates};
  d3k_tiles_run((int32_t)slots, slots, run_slot, &j, scratch,
                slot_bytes(resize->in_width, resize->channels));
}
