/* One matrix product per tap: (channels of one image x pixels) · (pixels x channels of the other).
 *
 * Bands of pixels have sums of their own; a band passes in tiles. Of one image, a tile is copied
 * into panels as wide as two vectors, which stay in L1 while single channels of the other image are
 * multiplied with whole vectors of them. The sums stay in registers while the pixels of the tile
 * pass. */
#include "conv/conv_gradient_internal.h"

enum {
  tile_pixels = 128, /* long enough that loading and storing sums does not show                  */
  chunk_singles = 384, /* a tile of them stays in a small L2 while panels pass */
  most_singles = 12, /* channels whose sums stay in registers                                     */
  copy_singles = 8,  /* multiplied in the time in which a panel is copied */
  scatter_singles = 192, /* in that in which a derivative is added elsewhere  */
  lane_count = 16,
  enough_items = 16, /* of work, for as many threads */
  panel_width = 32,  /* channels of a panel                                                       */
};

typedef struct product_call {
  const d3k_window *window;
  d3k_pixel_bands bands;
  const float *x, *dy;
  float *sums;       /* [band][group][tap][single][lane]                              */
  int64_t in, out;   /* channels of a group                                           */
  int32_t x_is_wide; /* lanes are inputs, singles outputs; else the other way round   */
  int64_t lanes, singles, pitch;
  int64_t chunks; /* of singles: a work item is one of a band, group and tap */
} product_call;

/* Rows of channels, one of each pixel. */
typedef struct rows {
  const float *first;
  int64_t apart;
} rows;

/* Lanes that vectors of a panel compute for `count` channels. */
static int64_t padded(int64_t count) { return d3k_ceil_div(count, lane_count) * lane_count; }

static product_call call_of(const d3k_window *w) {
  product_call c = {
      .window = w, .in = w->in_channels / w->groups, .out = w->out_channels / w->groups};
  /* Lanes are copied; the derivatives of weights lie the way of inputs. */
  const int64_t pixels = d3k_conv_pixels(w);
  const int64_t if_wide = padded(c.in) * (c.out + copy_singles) * pixels;
  const int64_t if_not = padded(c.out) * (c.in + copy_singles) * pixels;
  c.x_is_wide = if_wide < if_not + scatter_singles * c.in * c.out;
  c.lanes = c.x_is_wide ? c.in : c.out;
  c.singles = c.x_is_wide ? c.out : c.in;
  c.pitch = padded(c.lanes);
  c.chunks = d3k_ceil_div(c.singles, chunk_singles);
  const int64_t products = (int64_t)w->groups * w->kernel_height * w->kernel_width;
  c.bands = d3k_pixel_bands_of(w, d3k_is_pointwise(w), products * c.singles * c.pitch);
  c.bands.count = d3k_min(c.bands.count, d3k_ceil_div(enough_items, products * c.chunks));
  return c;
}

/* The inputs that tap (ky, kx) brings to output pixels first..<first + count, as rows. */
static void gather(const product_call *call, int64_t g, int64_t ky, int64_t kx, int64_t first,
                   int64_t count, float *to) {
  const d3k_window *w = call->window;
  for (int64_t p = first; p < first + count; p++, to += call->in) {
    const int64_t line = p / w->out_width, n = line / w->out_height;
    const int64_t iy = line % w->out_height * w->stride_y - w->pad_top + ky * w->dilation_y;
    const int64_t ix = p % w->out_width * w->stride_x - w->pad_left + kx * w->dilation_x;
    d3k_input_pixel(w, call->x, n, iy, ix, g, to);
  }
}

#define EACH_SINGLE _Pragma("clang loop unroll(full)") for (int32_t j = 0; j < singles; j++)
#define EACH_VECTOR _Pragma("clang loop unroll(full)") for (int32_t v = 0; v < vectors; v++)

/* sums[single][lane] += Σ pixels single · panel[pixel][lane]. */
#define DEFINE_MULTIPLY(vector, floats, name)                                                     \
  D3K_INLINE void name(rows from, const float *panel, int64_t pixels, float *sums, int64_t pitch, \
                       int32_t singles, int32_t vectors) {                                        \
    vector sum[most_singles][2];                                                                  \
    const float *single = from.first;                                                             \
    EACH_SINGLE EACH_VECTOR sum[j][v] = (vector){0};                                              \
    _Pragma("clang loop unroll(disable)") for (int64_t p = pixels; p > 0; p--) {                  \
      vector value[2];                                                                            \
      EACH_VECTOR value[v] = *(const vector *)(panel + v * (floats));                             \
      EACH_SINGLE {                                                                               \
        const float one = single[j];                                                              \
        EACH_VECTOR sum[j][v] += one * value[v];                                                  \
      }                                                                                           \
      single += from.apart;                                                                       \
      panel += vectors * (floats);                                                                \
    }                                                                                             \
    EACH_SINGLE EACH_VECTOR *(vector *)(sums + j * pitch + v * (floats)) += sum[j][v];            \
  }

DEFINE_MULTIPLY(d3k_f16, 16, multiply_16)
DEFINE_MULTIPLY(d3k_f8, 8, multiply_8)

/* `width` lanes of a panel, all singles. */
#define DEFINE_PANEL(name, multiply, vectors, most)                                               \
  D3K_INLINE void name(rows from, const float *panel, int64_t pixels, float *sums, int64_t pitch, \
                       int64_t count) {                                                           \
    for (; count >= most; count -= most, from.first += most, sums += most * pitch)                \
      multiply(from, panel, pixels, sums, pitch, most, vectors);                                  \
    for (; count >= 4; count -= 4, from.first += 4, sums += 4 * pitch)                            \
      multiply(from, panel, pixels, sums, pitch, 4, vectors);                                     \
    for (; count > 0; count--, from.first++, sums += pitch)                                       \
      multiply(from, panel, pixels, sums, pitch, 1, vectors);                                     \
  }

DEFINE_PANEL(panel_32, multiply_16, 2, 12)
DEFINE_PANEL(panel_16, multiply_16, 1, 12)
DEFINE_PANEL(panel_16_of_8, multiply_8, 2, 6)

/* One panel of a tile: `width` lanes of which `count` exist. */
D3K_INLINE void copy_panel(rows from, int64_t pixels, int64_t width, int64_t count, float *panel) {
  for (int64_t p = 0; p < pixels; p++, from.first += from.apart, panel += width) {
    if (count == width) {
      for (int64_t l = 0; l < width; l += lane_count)
        d3k_store16(panel + l, d3k_load16(from.first + l));
    } else {
      d3k_copy_line(panel, from.first, count);
      for (int64_t l = count; l < width; l++) panel[l] = 0;
    }
  }
}

/* The pixels of a tile, `count` singles. */
D3K_CLONES(static, void, multiply_tile,
           (const product_call *call, rows wide, rows single, int64_t count, int64_t pixels,
            float *sums, float *panel),
           (call, wide, single, count, pixels, sums, panel)) {
  const int64_t pitch = call->pitch, most = d3k_has_many_registers() ? panel_width : lane_count;
  for (int64_t lane = 0; lane < call->lanes; lane += most) {
    const int64_t width = d3k_min(most, pitch - lane);
    const rows lanes = {wide.first + lane, wide.apart};
    copy_panel(lanes, pixels, width, d3k_min(width, call->lanes - lane), panel);
    if (!d3k_has_many_registers())
      panel_16_of_8(single, panel, pixels, sums + lane, pitch, count);
    else if (width == panel_width)
      panel_32(single, panel, pixels, sums + lane, pitch, count);
    else
      panel_16(single, panel, pixels, sums + lane, pitch, count);
  }
}

enum { panel_bytes = tile_pixels * panel_width * sizeof(float) };

static size_t part_bytes(const product_call *call) {
  const int32_t gathers = !d3k_is_pointwise(call->window);
  return panel_bytes +
         (gathers ? d3k_round64(sizeof(float) * (size_t)(tile_pixels * call->in)) : 0);
}

/* One band, group, tap and chunk. */
static void run_product(const void *context, int64_t item, char *scratch) {
  const product_call *call = context;
  const d3k_window *w = call->window;
  const int64_t taps = (int64_t)w->kernel_height * w->kernel_width, product = item / call->chunks;
  const int64_t tap = product % taps, g = product / taps % w->groups;
  const int64_t band = product / taps / w->groups, chunk = item % call->chunks * chunk_singles;
  const int64_t begin = d3k_pixel_band_begin(&call->bands, band) * call->bands.run_pixels;
  const int64_t end = d3k_min(
      call->bands.pixels, d3k_pixel_band_begin(&call->bands, band + 1) * call->bands.run_pixels);
  const int64_t count = d3k_min(chunk_singles, call->singles - chunk);
  float *sums = call->sums + (product * call->singles + chunk) * call->pitch;
  float *gathered = (float *)(scratch + panel_bytes);
  memset(sums, 0, sizeof(float) * (size_t)(count * call->pitch));
  for (int64_t first = begin; first < end; first += tile_pixels) {
    const int64_t pixels = d3k_min(tile_pixels, end - first);
    const rows dy = {call->dy + first * w->y_stride + g * call->out, w->y_stride};
    rows x = {call->x + first * w->x_stride + g * call->in, w->x_stride};
    if (!d3k_is_pointwise(w)) {
      gather(call, g, tap / w->kernel_width, tap % w->kernel_width, first, pixels, gathered);
      x = (rows){gathered, call->in};
    }
    rows single = call->x_is_wide ? dy : x;
    single.first += chunk;
    multiply_tile(call, call->x_is_wide ? x : dy, single, count, pixels, sums, (float *)scratch);
  }
}

static size_t sums_bytes(const product_call *call) {
  const d3k_window *w = call->window;
  return d3k_round64(sizeof(float) * (size_t)(call->bands.count * w->groups * w->kernel_height *
                                              w->kernel_width * call->singles * call->pitch));
}

static void run(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
                void *scratch) {
  const d3k_window *w = &gradient->window;
  const int32_t threads = gradient->options.threads;
  const int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  product_call call = call_of(w);
  call.x = x;
  call.dy = dy;
  call.sums = scratch;
  d3k_tiles_run(threads, call.bands.count * w->groups * taps * call.chunks, run_product, &call,
                (char *)scratch + sums_bytes(&call), part_bytes(&call));
  const int64_t of_out = call.in * taps, of_in = taps;
  d3k_conv_sums merge = {call.sums,
                         call.bands.count,
                         w->groups,
                         taps,
                         call.singles,
                         call.lanes,
                         call.pitch,
                         call.lanes,
                         {call.out * call.in * taps, call.x_is_wide ? of_out : of_in, 0,
                          call.x_is_wide ? of_in : of_out},
                         dweights};
  d3k_conv_merge(threads, &merge);
}

static int32_t create(d3k_conv_gradient *gradient) {
  if (gradient->options.backend == D3K_BACKEND_REFERENCE) return 0;
  const product_call call = call_of(&gradient->window);
  gradient->scratch_bytes =
      sums_bytes(&call) + part_bytes(&call) * (size_t)d3k_parts(gradient->options.threads);
  return 1;
}

/* Measured on AVX-512 (Zen 5) by benchmarks/convolutions.c: elsewhere oneDNN is faster. */
static int32_t create_best(d3k_conv_gradient *gradient) {
  const d3k_window *w = &gradient->window;
  if (gradient->options.precision == D3K_BF16 || w->groups > 1) return 0;
  const int32_t skips = w->stride_y > 1 || w->stride_x > 1;
  return d3k_is_pointwise(w) || (skips && w->in_channels >= 64) ? create(gradient) : 0;
}

const d3k_conv_gradient_implementation d3k_conv_gradient_product = {create, NULL, run, "product"};
const d3k_conv_gradient_implementation d3k_conv_gradient_product_best = {create_best, NULL, run,
                                                                         "product"};
