/* Images and positions in them -> the images at these positions, and the gradients of both.
 *
 * Cost: a few dozen operations per output pixel, then one multiply-add per channel and neighbour.
 * For the gradient of the image each thread owns rows of it and reads dy in order, so that sums do
 * not depend on the number of threads. */
#include "base/internal.h"
#include "d3k_gradient.h"

#define MOST_TAPS 4

/* Neighbours along one axis. A weight belongs to a position in 0..<size; -1 = reads 0. */
typedef struct taps {
  int32_t count;
  int64_t at[MOST_TAPS];
  float weight[MOST_TAPS];
  float slope[MOST_TAPS]; /* of the weight, by the grid's value */
} taps;

typedef struct job {
  const d3k_grid_sample *shape;
  const float *x, *grid, *dy;
  float *y, *dx, *dgrid;
  int64_t slots;
  int32_t accumulates;
} job;

/* Reflects a position into low...high. `sign` changes with every reflection: it is the derivative.
 */
static float reflect(float p, float low, float high, float *sign) {
  const float range = high - low;
  if (!(range > 0.f)) {
    *sign = 0.f;
    return low;
  }
  const float distance = p < low ? low - p : p > high ? p - high : 0.f;
  if (distance == 0.f) return p;
  const float turns = __builtin_floorf(distance / range), rest = distance - turns * range;
  const int32_t is_even = fmodf(turns, 2.f) == 0.f;
  /* The first turn comes back from the edge it left by. */
  const int32_t from_low = (p < low) == is_even;
  *sign = from_low == (p < low) ? -*sign : *sign;
  return from_low ? low + rest : high - rest;
}

static int64_t resolve(int64_t at, int64_t size, int32_t padding, float low, float high) {
  if (at >= 0 && at < size) return at;
  if (padding == D3K_PAD_ZEROS) return -1;
  float sign = 1.f;
  const float p = padding == D3K_PAD_REFLECTION ? reflect((float)at, low, high, &sign) : (float)at;
  return d3k_max(0, d3k_min(size - 1, (int64_t)p));
}

/* Keys' cubic of -0.75 at a distance t from 0 to 2, and its slope. */
static void cubic(float t, float *weight, float *slope) {
  const float a = -0.75f;
  if (t <= 1.f) {
    *weight = ((a + 2.f) * t - (a + 3.f)) * t * t + 1.f;
    *slope = (3.f * (a + 2.f) * t - 2.f * (a + 3.f)) * t;
  } else {
    *weight = ((a * t - 5.f * a) * t + 8.f * a) * t - 4.f * a;
    *slope = (3.f * a * t - 10.f * a) * t + 8.f * a;
  }
}

static void find_taps(const d3k_grid_sample *s, float value, int64_t size, taps *out) {
  const float low = s->aligns_corners ? 0.f : -0.5f;
  const float high = s->aligns_corners ? (float)(size - 1) : (float)size - 0.5f;
  float scale = s->aligns_corners ? (float)(size - 1) * 0.5f : (float)size * 0.5f;
  float p = s->aligns_corners ? (value + 1.f) * 0.5f * (float)(size - 1)
                              : ((value + 1.f) * (float)size - 1.f) * 0.5f;
  if (s->mode == D3K_SAMPLE_NEAREST) p = __builtin_roundevenf(p);
  if (p < low || p > high) {
    if (s->padding == D3K_PAD_BORDER && s->mode != D3K_SAMPLE_CUBIC) {
      p = p < 0.f ? 0.f : (float)(size - 1);
      scale = 0.f;
    } else if (s->padding == D3K_PAD_REFLECTION) {
      p = reflect(p, low, high, &scale);
    }
  }
  /* Positions far outside and NaN do not fit an integer and are replaced. The weights stay NaN. */
  float whole = __builtin_floorf(p);
  const float part = p - whole;
  if (!(whole > -1e9f)) whole = p != p ? 0.f : -1e9f;
  if (whole > 1e9f) whole = 1e9f;
  const int64_t first = (int64_t)whole;
  switch (s->mode) {
    case D3K_SAMPLE_NEAREST:
      *out = (taps){.count = 1, .at = {first}, .weight = {1.f}};
      break;
    case D3K_SAMPLE_LINEAR:
      *out = (taps){.count = 2,
                    .at = {first, first + 1},
                    .weight = {1.f - part, part},
                    .slope = {-scale, scale}};
      break;
    default:
      out->count = 4;
      for (int32_t k = 0; k < 4; k++) {
        const float offset = part - (float)(k - 1);
        float slope;
        cubic(offset < 0.f ? -offset : offset, &out->weight[k], &slope);
        out->slope[k] = (offset < 0.f ? -slope : slope) * scale;
        out->at[k] = first + k - 1;
      }
      break;
  }
  for (int32_t k = 0; k < out->count; k++) {
    out->at[k] = resolve(out->at[k], size, s->padding, low, high);
  }
}

/* The neighbours of output pixel `pixel`, along both axes. Returns its image's number. */
static int64_t find_both(const job *j, int64_t pixel, taps *rows, taps *columns) {
  const d3k_grid_sample *s = j->shape;
  find_taps(s, j->grid[2 * pixel], s->in_width, columns);
  find_taps(s, j->grid[2 * pixel + 1], s->in_height, rows);
  return pixel / (s->out_height * s->out_width);
}

/* A pixel of x, its rows counted through all images. */
D3K_INLINE const float *pixel_at(const job *j, int64_t row, int64_t column) {
  return j->x + (row * j->shape->in_width + column) * j->shape->channels;
}

/* y += x * weight. */
D3K_INLINE void add_pixel(const float *x, float weight, float *y, int64_t channels) {
  D3K_VECTOR
  for (int64_t c = 0; c < channels; c++) y[c] += x[c] * weight;
}

D3K_CLONED_BODY(sample) {
  const job *j = context;
  const d3k_grid_sample *s = j->shape;
  const int64_t channels = s->channels;
  taps rows, columns;
  for (int64_t pixel = begin; pixel < end; pixel++) {
    const int64_t top = find_both(j, pixel, &rows, &columns) * s->in_height;
    float *y = j->y + pixel * channels;
    memset(y, 0, (size_t)channels * sizeof(float));
    for (int32_t r = 0; r < rows.count; r++) {
      for (int32_t k = 0; k < columns.count && rows.at[r] >= 0; k++) {
        const float weight = rows.weight[r] * columns.weight[k];
        /* A weight of 0 keeps a neighbour's infinity out. */
        if (columns.at[k] < 0 || weight == 0.f) continue;
        add_pixel(pixel_at(j, top + rows.at[r], columns.at[k]), weight, y, channels);
      }
    }
  }
}

void d3k_grid_sample_run(int32_t threads, const d3k_grid_sample *shape, const float *x,
                         const float *grid, float *y) {
  const int64_t pixels = shape->batch * shape->out_height * shape->out_width;
  if (pixels * shape->channels <= 0) return;
  job j = {.shape = shape, .x = x, .grid = grid, .y = y};
  const int64_t work = pixels * (64 + 4 * shape->channels);
  d3k_parallel(d3k_threads_for(threads, work), pixels, sample, &j);
}

/* Slot begin..<end own rows of dx, over all images. */
D3K_CLONED_BODY(image_gradient) {
  const job *j = context;
  const d3k_grid_sample *s = j->shape;
  const int64_t channels = s->channels, total = s->batch * s->in_height;
  const int64_t line = s->in_width * channels, pixels = s->out_height * s->out_width;
  taps rows, columns;
  for (int64_t slot = begin; slot < end; slot++) {
    const int64_t first = total * slot / j->slots, last = total * (slot + 1) / j->slots;
    if (first == last) continue;
    if (!j->accumulates) {
      memset(j->dx + first * line, 0, (size_t)((last - first) * line) * sizeof(float));
    }
    const int64_t from = first / s->in_height * pixels;
    const int64_t to = ((last - 1) / s->in_height + 1) * pixels;
    for (int64_t pixel = from; pixel < to; pixel++) {
      const int64_t top = find_both(j, pixel, &rows, &columns) * s->in_height;
      for (int32_t r = 0; r < rows.count; r++) {
        const int64_t row = top + rows.at[r];
        if (rows.at[r] < 0 || row < first || row >= last) continue;
        for (int32_t k = 0; k < columns.count; k++) {
          if (columns.at[k] < 0) continue;
          add_pixel(j->dy + pixel * channels, rows.weight[r] * columns.weight[k],
                    j->dx + row * line + columns.at[k] * channels, channels);
        }
      }
    }
  }
}

D3K_CLONED_BODY(grid_gradient) {
  const job *j = context;
  const d3k_grid_sample *s = j->shape;
  const int64_t channels = s->channels;
  taps rows, columns;
  for (int64_t pixel = begin; pixel < end; pixel++) {
    const int64_t top = find_both(j, pixel, &rows, &columns) * s->in_height;
    const float *dy = j->dy + pixel * channels;
    float by_column = 0.f, by_row = 0.f;
    for (int32_t r = 0; r < rows.count; r++) {
      for (int32_t k = 0; k < columns.count && rows.at[r] >= 0; k++) {
        if (columns.at[k] < 0) continue;
        const float *x = pixel_at(j, top + rows.at[r], columns.at[k]);
        float product = 0.f;
        for (int64_t c = 0; c < channels; c++) product += x[c] * dy[c];
        by_column += product * rows.weight[r] * columns.slope[k];
        by_row += product * rows.slope[r] * columns.weight[k];
      }
    }
    j->dgrid[2 * pixel] += by_column;
    j->dgrid[2 * pixel + 1] += by_row;
  }
}

void d3k_grid_sample_backward(int32_t threads, const d3k_grid_sample *shape, const float *x,
                              const float *grid, const float *dy, float *dx, int32_t accumulates,
                              float *dgrid) {
  const int64_t pixels = shape->batch * shape->out_height * shape->out_width;
  const int64_t rows = shape->batch * shape->in_height;
  const int64_t work = pixels * (64 + 4 * shape->channels);
  job j = {.shape = shape,
           .x = x,
           .grid = grid,
           .dy = dy,
           .dx = dx,
           .dgrid = dgrid,
           .accumulates = accumulates};
  if (dx != NULL && rows * shape->in_width * shape->channels > 0) {
    j.slots = d3k_min(d3k_threads_for(threads, work), rows);
    d3k_parallel((int32_t)j.slots, j.slots, image_gradient, &j);
  }
  if (dgrid != NULL && pixels > 0) {
    d3k_parallel(d3k_threads_for(threads, work), pixels, grid_gradient, &j);
  }
}
