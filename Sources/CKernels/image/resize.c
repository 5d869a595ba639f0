/* Images -> larger or smaller images by linear interpolation, then the chain.
 *
 * Cost: each source row is widened once per thread that needs it, then each output value is one
 * subtraction and one multiply-add; bound by writing y. */
#include "image/rows.h"

typedef struct job {
  const float *x;
  float *y, *scratch;
  const d3k_resize *of;
  const d3k_chain *chain;
  int64_t slots;
} job;

static void resize_row(const job *j, d3k_row_pair *pair, int64_t row, float *y) {
  const int64_t width = j->of->columns->size, channels = j->of->channels;
  const int32_t is_dense = j->of->y_stride == channels;
  const float w = j->of->rows->weight[row];
  if (w == -1.f) {
    for (int64_t c = 0; c < width; c++) {
      for (int64_t i = 0; i < channels; i++) y[c * j->of->y_stride + i] = j->of->fill;
    }
    return;
  }
  const int64_t low = j->of->rows->low[row], high = w == 0.f ? low : j->of->rows->high[row];
  const float *a, *b;
  d3k_row_pair_get(pair, low, high, &a, &b);
  if (is_dense) {
    if (low == high) {
      memcpy(y, a, (size_t)(width * channels) * sizeof(float));
    } else {
      d3k_blend(a, b, w, y, width * channels);
    }
    return;
  }
  for (int64_t c = 0; c < width; c++) {
    d3k_blend(a + c * channels, b + c * channels, w, y + c * j->of->y_stride, channels);
  }
}

/* Each slot owns a part of the scratch and a run of output rows. */
static void run_slots(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int64_t height = j->of->rows->size, width = j->of->columns->size;
  const int64_t total = j->of->batch * height, line = width * j->of->channels;
  for (int64_t slot = begin; slot < end; slot++) {
    float *scratch = j->scratch + slot * 2 * line;
    d3k_row_pair pair = {.x_stride = j->of->x_stride,
                         .in_width = j->of->in_width,
                         .channels = j->of->channels,
                         .columns = j->of->columns,
                         .fill = j->of->fill,
                         .rows = {scratch, scratch + line}};
    int64_t image = -1;
    const int64_t last = total * (slot + 1) / j->slots;
    for (int64_t i = total * slot / j->slots; i < last; i++) {
      if (i / height != image) {
        image = i / height;
        pair.x = j->x + image * j->of->in_height * j->of->in_width * j->of->x_stride;
        pair.numbers[0] = pair.numbers[1] = -1;
      }
      float *y = j->y + i * width * j->of->y_stride;
      resize_row(j, &pair, i % height, y);
      d3k_chain_apply(j->chain, y, j->of->y_stride, i * width, width, j->of->channels);
    }
  }
}

void d3k_resize_linear(int32_t threads, const d3k_resize *resize, const d3k_chain *chain,
                       const float *x, float *y, float *scratch) {
  const int64_t total = resize->batch * resize->rows->size;
  const int64_t work = total * resize->columns->size * resize->channels;
  if (work <= 0) return;
  threads = (int32_t)d3k_min(d3k_threads_for(threads, work), total);
  job j = {x, y, scratch, resize, chain, threads};
  d3k_parallel(threads, threads, run_slots, &j);
}
