/* Convolution in tiles of output pixels. The window of each pixel is copied to a row (im2col), the
 * rows are multiplied by the weights (sgemm), and the chain runs while the tile is in the cache.
 * 1x1 convolutions multiply the image itself. */
#include <string.h>

#include "backend/openblas.h"
#include "conv/conv_internal.h"

/* Floats of im2col per tile: with the weights and the output they stay in a 1 MB cache. */
enum { tile_floats = 128 * 1024, tile_most = 512, tile_least = 32 };

static int64_t inner_of(const d3k_window *w) {
  return (int64_t)w->kernel_height * w->kernel_width * (w->in_channels / w->groups);
}

static int64_t tile_pixels_of(const d3k_window *w) {
  int64_t fitting = tile_floats / (inner_of(w) * w->groups) / 16 * 16;
  return d3k_max(tile_least, d3k_min(tile_most, fitting));
}

/* One row of im2col per pixel, [group][pixel][tap][channel of the group]. */
static void gather(const d3k_conv_call *call, int64_t first, int64_t count, float *rows) {
  const d3k_window *w = &call->conv->options.window;
  int64_t in = w->in_channels / w->groups, inner = inner_of(w);
  for (int64_t p = 0; p < count; p++) {
    int64_t pixel = first + p, line = pixel / w->out_width;
    int64_t left = pixel % w->out_width * w->stride_x - w->pad_left;
    int64_t top = line % w->out_height * w->stride_y - w->pad_top;
    const float *image = call->x + line / w->out_height * w->in_height * w->in_width * w->x_stride;
    float *row = rows + p * inner;
    for (int64_t ky = 0; ky < w->kernel_height; ky++) {
      int64_t iy = top + ky * w->dilation_y;
      for (int64_t kx = 0; kx < w->kernel_width; kx++, row += in) {
        int64_t ix = left + kx * w->dilation_x;
        int32_t inside = iy >= 0 && iy < w->in_height && ix >= 0 && ix < w->in_width;
        const float *x = inside ? image + (iy * w->in_width + ix) * w->x_stride : NULL;
        for (int64_t g = 0; g < w->groups; g++) {
          float *to = row + g * count * inner;
          if (inside)
            memcpy(to, x + g * in, sizeof(float) * (size_t)in);
          else
            memset(to, 0, sizeof(float) * (size_t)in);
        }
      }
    }
  }
}

static void run_tile(const void *context, int64_t tile, char *scratch) {
  const d3k_conv_call *call = context;
  const d3k_window *w = &call->conv->options.window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups, inner = inner_of(w);
  int64_t first = tile * tile_pixels_of(w);
  int64_t count = d3k_min(tile_pixels_of(w), d3k_conv_pixels(w) - first);
  int32_t in_place = d3k_is_pointwise(w);
  float *y = call->y + first * w->y_stride;
  if (!in_place) gather(call, first, count, (float *)scratch);
  if (call->bias)
    for (int64_t p = 0; p < count; p++)
      memcpy(y + p * w->y_stride, call->bias, sizeof(float) * (size_t)w->out_channels);
  for (int64_t g = 0; g < w->groups; g++) {
    const float *a =
        in_place ? call->x + first * w->x_stride + g * in : (float *)scratch + g * count * inner;
    d3k_product product = {.rows = count,
                           .columns = out,
                           .inner = inner,
                           .a = {a, in_place ? w->x_stride : inner, 0},
                           .b = {call->weights + g * inner * out, out, 0},
                           .alpha = 1,
                           .beta = call->bias ? 1 : 0,
                           .c = y + g * out,
                           .c_leading = w->y_stride};
    d3k_sgemm(&product);
  }
  d3k_chain_apply(call->chain, y, w->y_stride, first, count, w->out_channels);
}

static void run(const d3k_conv_call *call) {
  const d3k_conv *conv = call->conv;
  const d3k_window *w = &conv->options.window;
  d3k_tiles_run(conv->options.threads, d3k_ceil_div(d3k_conv_pixels(w), tile_pixels_of(w)),
                run_tile, call, call->scratch,
                conv->scratch_bytes / (size_t)d3k_parts(conv->options.threads));
}

typedef struct pack_call {
  const d3k_conv *conv;
  const float *weights, *scale;
  float *packed;
} pack_call;

/* Packed: [group][tap][input of the group][output of the group]. */
static void pack_group_block(const void *context, int64_t tile, char *scratch) {
  (void)scratch;
  const pack_call *call = context;
  const d3k_window *w = &call->conv->options.window;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t blocks = (out + 15) / 16, g = tile / blocks, begin = tile % blocks * 16;
  int64_t end = d3k_min(begin + 16, out);
  for (int64_t i = 0; i < in; i++)
    for (int64_t k = 0; k < taps; k++)
      for (int64_t o = begin; o < end; o++)
        call->packed[((g * taps + k) * in + i) * out + o] =
            call->weights[d3k_weight_at(call->conv, g, o, i, k)] *
            (call->scale ? call->scale[g * out + o] : 1);
}

static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  pack_call call = {conv, weights, scale, packed};
  int64_t blocks = (w->out_channels / w->groups + 15) / 16;
  d3k_tiles_run(conv->options.threads, w->groups * blocks, pack_group_block, &call, NULL, 0);
}

static int32_t fits(const d3k_conv_options *options) {
  return !options->transposed && options->backend != D3K_BACKEND_REFERENCE;
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  d3k_openblas_prepare();
  conv->packed_bytes = sizeof(float) * (size_t)(inner_of(w) * w->out_channels);
  if (!d3k_is_pointwise(w))
    conv->scratch_bytes =
        d3k_round64(sizeof(float) * (size_t)(tile_pixels_of(w) * inner_of(w) * w->groups)) *
        (size_t)d3k_parts(conv->options.threads);
  return 1;
}

const d3k_conv_implementation d3k_conv_openblas = {
    fits, d3k_always, create, NULL, pack, run, "openblas",
};
