/* Transposed convolution, one output phase at a time.
 *
 * Output pixels whose position has the same remainder by the stride meet the same taps, one input
 * pixel per tap: with those pixels copied to rows, each phase is a matrix product and every output
 * is written once, so nothing is scattered and no sum depends on the threads. */
#include <string.h>

#include "backend/openblas.h"
#include "conv/conv_internal.h"

enum { tile_pixels = 256 };

/* Lines of a phase which make about tile_pixels output pixels. */
static int64_t tile_lines_of(const d3k_window *w) {
  int64_t columns = (w->out_width + w->stride_x - 1) / w->stride_x;
  return (tile_pixels + columns - 1) / columns;
}

/* Tiles per image and phase. */
static int64_t line_tiles_of(const d3k_window *w) {
  int64_t lines = (w->out_height + w->stride_y - 1) / w->stride_y;
  return d3k_ceil_div(lines, tile_lines_of(w));
}

/* Outputs oy0 + j * stride_y and px + i * stride_x of image n, and the taps that reach them. */
typedef struct phase {
  int64_t n, oy0, px, lines, columns;
  int32_t *taps;
  int64_t tap_count;
} phase;

/* Copies the pixels that the taps of one phase meet. */
static void gather(const d3k_conv_call *call, const phase *f, int64_t g, float *rows) {
  const d3k_window *w = &call->conv->options.window;
  int64_t in = w->in_channels / w->groups;
  for (int64_t j = 0; j < f->lines; j++)
    for (int64_t i = 0; i < f->columns; i++)
      for (int64_t t = 0; t < f->tap_count; t++, rows += in) {
        int64_t ky = f->taps[t] / w->kernel_width, kx = f->taps[t] % w->kernel_width;
        int64_t iy = f->oy0 + j * w->stride_y + w->pad_top - ky * w->dilation_y;
        int64_t ix = f->px + i * w->stride_x + w->pad_left - kx * w->dilation_x;
        iy = iy < 0 ? -1 : iy / w->stride_y; /* divisible: the taps are this phase's */
        ix = ix < 0 ? -1 : ix / w->stride_x;
        d3k_input_pixel(w, call->x, f->n, iy, ix, g, rows);
      }
}

/* The taps that reach outputs at (py, px) modulo the stride. */
static int64_t phase_taps(const d3k_window *w, int64_t py, int64_t px, int32_t *taps) {
  int64_t count = 0;
  for (int32_t ky = 0; ky < w->kernel_height; ky++)
    for (int32_t kx = 0; kx < w->kernel_width; kx++)
      if ((py + w->pad_top - (int64_t)ky * w->dilation_y) % w->stride_y == 0 &&
          (px + w->pad_left - (int64_t)kx * w->dilation_x) % w->stride_x == 0)
        taps[count++] = ky * w->kernel_width + kx;
  return count;
}

/* Where the weights of a phase begin: phases follow each other, [phase][group][tap][in][out]. */
static int64_t phase_offset(const d3k_window *w, int64_t py, int64_t px, int32_t *taps) {
  int64_t tap_count = 0;
  for (int64_t y = 0; y < w->stride_y; y++)
    for (int64_t x = 0; x < w->stride_x && (y < py || (y == py && x < px)); x++)
      tap_count += phase_taps(w, y, x, taps);
  return tap_count * (w->in_channels / w->groups) * w->out_channels;
}

static void run_tile(const void *context, int64_t tile, char *scratch) {
  const d3k_conv_call *call = context;
  const d3k_window *w = &call->conv->options.window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t line_tiles = line_tiles_of(w), tile_lines = tile_lines_of(w);
  int64_t n = tile / (line_tiles * w->stride_y), py = tile / line_tiles % w->stride_y;
  int64_t oy0 = py + tile % line_tiles * tile_lines * w->stride_y;
  if (oy0 >= w->out_height) return;
  int64_t lines = d3k_min(tile_lines, (w->out_height - oy0 + w->stride_y - 1) / w->stride_y);
  int32_t *taps = (int32_t *)scratch;
  int64_t all_taps = (int64_t)w->kernel_height * w->kernel_width;
  float *rows = (float *)(scratch + d3k_round64(sizeof(int32_t) * (size_t)all_taps));
  int64_t most = tile_lines * ((w->out_width + w->stride_x - 1) / w->stride_x);
  float *sums = rows + most * all_taps * in;
  float *y = call->y + (n * w->out_height + oy0) * w->out_width * w->y_stride;
  int64_t line_floats = w->stride_y * w->out_width * w->y_stride;
  for (int64_t px = 0; px < w->stride_x && px < w->out_width; px++) {
    int64_t columns = (w->out_width - px + w->stride_x - 1) / w->stride_x;
    const float *weights = call->weights + phase_offset(w, py, px, taps);
    int64_t tap_count = phase_taps(w, py, px, taps), inner = tap_count * in;
    for (int64_t p = 0; p < lines * columns; p++) {
      if (call->bias)
        memcpy(sums + p * w->out_channels, call->bias, sizeof(float) * (size_t)w->out_channels);
      else
        memset(sums + p * w->out_channels, 0, sizeof(float) * (size_t)w->out_channels);
    }
    for (int64_t g = 0; g < w->groups && inner; g++) {
      const phase f = {n, oy0, px, lines, columns, taps, tap_count};
      d3k_product product = {.rows = lines * columns,
                             .columns = out,
                             .inner = inner,
                             .a = {rows, inner, 0},
                             .b = {weights + g * inner * out, out, 0},
                             .alpha = 1,
                             .beta = 1,
                             .c = sums + g * out,
                             .c_leading = w->out_channels};
      gather(call, &f, g, rows);
      d3k_sgemm(&product);
    }
    for (int64_t j = 0; j < lines; j++)
      for (int64_t i = 0; i < columns; i++)
        memcpy(y + j * line_floats + (px + i * w->stride_x) * w->y_stride,
               sums + (j * columns + i) * w->out_channels, sizeof(float) * (size_t)w->out_channels);
  }
  for (int64_t j = 0; j < lines; j++)
    d3k_chain_apply(call->chain, y + j * line_floats, w->y_stride,
                    (n * w->out_height + oy0 + j * w->stride_y) * w->out_width, w->out_width,
                    w->out_channels);
}

static void run(const d3k_conv_call *call) {
  const d3k_conv *conv = call->conv;
  const d3k_window *w = &conv->options.window;
  d3k_tiles_run(conv->options.threads, w->batch * w->stride_y * line_tiles_of(w), run_tile, call,
                call->scratch, conv->scratch_bytes / (size_t)d3k_parts(conv->options.threads));
}

static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t all_taps = (int64_t)w->kernel_height * w->kernel_width;
  float *p = packed;
  for (int64_t py = 0; py < w->stride_y; py++)
    for (int64_t px = 0; px < w->stride_x; px++)
      for (int64_t g = 0; g < w->groups; g++)
        for (int64_t k = 0; k < all_taps; k++) {
          if ((py + w->pad_top - k / w->kernel_width * w->dilation_y) % w->stride_y ||
              (px + w->pad_left - k % w->kernel_width * w->dilation_x) % w->stride_x)
            continue;
          for (int64_t i = 0; i < in; i++)
            for (int64_t o = 0; o < out; o++)
              *p++ = weights[d3k_weight_at(conv, g, o, i, k)] * (scale ? scale[g * out + o] : 1);
        }
}

static int32_t fits(const d3k_conv_options *options) {
  return options->transposed && options->backend != D3K_BACKEND_REFERENCE;
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  size_t in = (size_t)(w->in_channels / w->groups), out = (size_t)w->out_channels;
  size_t taps = (size_t)w->kernel_height * (size_t)w->kernel_width;
  size_t most = (size_t)(tile_lines_of(w) * ((w->out_width + w->stride_x - 1) / w->stride_x));
  d3k_openblas_prepare();
  conv->packed_bytes = sizeof(float) * in * out * taps;
  conv->scratch_bytes = (d3k_round64(sizeof(int32_t) * taps) +
                         d3k_round64(sizeof(float) * most * (taps * in + out))) *
                        (size_t)d3k_parts(conv->options.threads);
  return 1;
}

const d3k_conv_implementation d3k_conv_transposed = {
    fits, d3k_always, create, NULL, pack, run, "transposed",
};
