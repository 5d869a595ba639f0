/* One matrix product per tap: (outputs x pixels) · (pixels x inputs). The input pixels of a tap are
 * copied to rows (zeros outside the image), a tile at a time. For 1x1 convolutions the image itself
 * is multiplied. */
#include "backend/openblas.h"
#include "conv/conv_gradient_internal.h"

/* Pixels of a tile: a product long enough for BLAS, rows that stay in the L2 cache. */
enum { tile_pixels = 256, tile_floats = 64 * 1024, tile_least = 48 };

typedef struct openblas_call {
  const d3k_window *window;
  d3k_pixel_bands bands;
  const float *x, *dy;
  float *sums; /* [band][group][tap][output][input] */
} openblas_call;

static int64_t tile_pixels_of(const d3k_window *w) {
  int64_t in = w->in_channels / w->groups;
  return d3k_max(tile_least, d3k_min(tile_pixels, tile_floats / in));
}

/* The inputs that tap (ky, kx) brings to output pixels first..<first + count, as rows. */
static void gather(const openblas_call *call, int64_t g, int64_t ky, int64_t kx, int64_t first,
                   int64_t count, float *rows) {
  const d3k_window *w = call->window;
  int64_t in = w->in_channels / w->groups;
  for (int64_t p = first; p < first + count; p++, rows += in) {
    int64_t line = p / w->out_width, n = line / w->out_height;
    int64_t iy = line % w->out_height * w->stride_y - w->pad_top + ky * w->dilation_y;
    int64_t ix = p % w->out_width * w->stride_x - w->pad_left + kx * w->dilation_x;
    d3k_input_pixel(w, call->x, n, iy, ix, g, rows);
  }
}

/* One band, group and tap. */
static void run_product(const void *context, int64_t tile, char *scratch) {
  const openblas_call *call = context;
  const d3k_window *w = call->window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width, tap = tile % taps;
  int64_t g = tile / taps % w->groups, band = tile / taps / w->groups;
  int64_t begin = d3k_pixel_band_begin(&call->bands, band) * call->bands.run_pixels;
  int64_t end = d3k_pixel_band_begin(&call->bands, band + 1) * call->bands.run_pixels;
  int64_t most = tile_pixels_of(w);
  float *sums = call->sums + tile * out * in;
  int32_t in_place = d3k_is_pointwise(w);
  end = d3k_min(end, call->bands.pixels);
  for (int64_t first = begin; first < end; first += most) {
    int64_t count = d3k_min(most, end - first);
    const float *rows = call->x + first * w->x_stride + g * in;
    if (!in_place) {
      gather(call, g, tap / w->kernel_width, tap % w->kernel_width, first, count, (float *)scratch);
      rows = (const float *)scratch;
    }
    d3k_product product = {.rows = out,
                           .columns = in,
                           .inner = count,
                           .a = {call->dy + first * w->y_stride + g * out, w->y_stride, 1},
                           .b = {rows, in_place ? w->x_stride : in, 0},
                           .alpha = 1,
                           .beta = first > begin ? 1 : 0,
                           .c = sums,
                           .c_leading = in};
    d3k_sgemm(&product);
  }
}

static int64_t weight_count(const d3k_window *w) {
  return (int64_t)w->out_channels * (w->in_channels / w->groups) * w->kernel_height *
         w->kernel_width;
}

static void run(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
                void *scratch) {
  const d3k_window *w = &gradient->window;
  int32_t threads = gradient->options.threads;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  openblas_call call = {w, d3k_pixel_bands_of(w, d3k_is_pointwise(w), weight_count(w)), x, dy,
                        scratch};
  size_t sum_bytes = d3k_round64(sizeof(float) * (size_t)(call.bands.count * weight_count(w)));
  d3k_tiles_run(threads, call.bands.count * w->groups * taps, run_product, &call,
                (char *)scratch + sum_bytes,
                (gradient->scratch_bytes - sum_bytes) / (size_t)d3k_parts(threads));
  d3k_conv_sums merge = {call.sums,
                         call.bands.count,
                         w->groups,
                         taps,
                         out,
                         in,
                         in,
                         in,
                         {out * in * taps, in * taps, 0, taps},
                         dweights};
  d3k_conv_merge(threads, &merge);
}

static int32_t create(d3k_conv_gradient *gradient) {
  const d3k_window *w = &gradient->window;
  if (gradient->options.backend == D3K_BACKEND_REFERENCE) return 0;
  d3k_openblas_prepare();
  d3k_pixel_bands bands = d3k_pixel_bands_of(w, d3k_is_pointwise(w), weight_count(w));
  gradient->scratch_bytes = d3k_round64(sizeof(float) * (size_t)(bands.count * weight_count(w)));
  if (!d3k_is_pointwise(w))
    gradient->scratch_bytes +=
        d3k_round64(sizeof(float) * (size_t)(tile_pixels_of(w) * (w->in_channels / w->groups))) *
        (size_t)d3k_parts(gradient->options.threads);
  return 1;
}

const d3k_conv_gradient_implementation d3k_conv_gradient_openblas = {create, NULL, run, "openblas"};
