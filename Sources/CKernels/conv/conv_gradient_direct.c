/* Few channels: images -> gradient of the weights straight from the images.
 *
 *     dw[o,i,tap] += Σ x[pixel of the tap, i] · dy[pixel, o]
 *
 * For each tap and group a line of pixels passes; vectors of channels of one image times single
 * channels of the other are summed in registers. Which is which is what fills vectors better. */
#include "conv/conv_gradient_internal.h"

enum { most_singles = 8, few_channels = 32 };

typedef struct direct_call {
  const d3k_window *window;
  d3k_pixel_bands bands;
  const float *x, *dy;
  float *sums;                   /* [band][group][tap][single][lane]                             */
  int64_t lanes, singles, pitch; /* of a group                                                   */
  int32_t x_is_wide;             /* lanes are inputs, singles outputs; else the other way round  */
} direct_call;

/* A run of pixels of both images, one group of channels. */
typedef struct streams {
  const float *wide, *single;
  int64_t wide_step, single_step, pixels;
  float *sums;
  int64_t pitch;
} streams;

/* sums[j][v] += Σ pixels single[j] · wide[v]. There are `sets` of sums, for pixels taken in turn,
 * because each addition to a sum waits for the one before it. */
#define DEFINE_KERNEL(vector, name)                                                              \
  D3K_INLINE void name##_block(const streams *s, int64_t first, int64_t lane, int32_t singles,   \
                               int32_t vectors, int32_t sets) {                                  \
    enum { width = sizeof(vector) / sizeof(float) };                                             \
    vector sum[4][most_singles][4];                                                              \
    const float *wide = s->wide + lane, *single = s->single + first;                             \
    EACH(u, sets) EACH(j, singles) EACH(v, vectors) sum[u][j][v] = (vector){0};                  \
    int64_t p = s->pixels;                                                                       \
    for (; p >= sets; p -= sets, wide += sets * s->wide_step, single += sets * s->single_step) { \
      EACH(u, sets) {                                                                            \
        vector values[4];                                                                        \
        EACH(v, vectors) values[v] = *(const vector *)(wide + u * s->wide_step + v * width);     \
        EACH(j, singles) {                                                                       \
          float one = single[u * s->single_step + j];                                            \
          EACH(v, vectors) sum[u][j][v] += one * values[v];                                      \
        }                                                                                        \
      }                                                                                          \
    }                                                                                            \
    for (; p > 0; p--, wide += s->wide_step, single += s->single_step) EACH(j, singles)          \
    EACH(v, vectors) sum[0][j][v] += single[j] * *(const vector *)(wide + v * width);            \
    float *sums = s->sums + first * s->pitch + lane;                                             \
    EACH(j, singles) EACH(v, vectors) {                                                          \
      EACH(u, sets) if (u) sum[0][j][v] += sum[u][j][v];                                         \
      *(vector *)(sums + j * s->pitch + v * width) += sum[0][j][v];                              \
    }                                                                                            \
  }                                                                                              \
                                                                                                 \
  D3K_INLINE void name(const streams *s, int64_t lane, int64_t singles, int32_t vectors) {       \
    int64_t j = 0;                                                                               \
    if (vectors == 1)                                                                            \
      for (; j + 8 <= singles; j += 8) name##_block(s, j, lane, 8, 1, 1);                        \
    for (; j + 6 <= singles; j += 6) name##_block(s, j, lane, 6, vectors, 1);                    \
    if (j + 4 <= singles) name##_block(s, j, lane, 4, vectors, 2 / vectors), j += 4;             \
    if (j + 3 <= singles) name##_block(s, j, lane, 3, vectors, 4 / vectors), j += 3;             \
    if (j + 2 <= singles) name##_block(s, j, lane, 2, vectors, 4 / vectors), j += 2;             \
    if (j < singles) name##_block(s, j, lane, 1, vectors, 4);                                    \
  }
#define EACH(i, count) _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < (count); i++)

DEFINE_KERNEL(d3k_f16, lanes_16)
DEFINE_KERNEL(d3k_f8, lanes_8)
DEFINE_KERNEL(float, lanes_1)

/* overreads: the last vector may read past the channels. */
D3K_CLONES(static, void, run_streams,
           (const streams *s, int64_t lanes, int64_t singles, int32_t overreads),
           (s, lanes, singles, overreads)) {
  int64_t lane = 0;
  if (d3k_has_many_registers()) {
    for (; lane + 32 <= lanes; lane += 32) lanes_16(s, lane, singles, 2);
    for (; lane + 16 <= lanes || (overreads && lane + 8 < lanes); lane += 16)
      lanes_16(s, lane, singles, 1);
  }
  for (; lane + 16 <= lanes || (overreads && lane + 8 < lanes); lane += 16)
    lanes_8(s, lane, singles, 2);
  for (; lane + 8 <= lanes || (overreads && lane < lanes); lane += 8) lanes_8(s, lane, singles, 1);
  for (; lane < lanes; lane++) lanes_1(s, lane, singles, 1);
}

/* Output pixels first..<first + pixels and the inputs from pixel `from` on, `step` apart. */
static void run_groups(const direct_call *call, int64_t from, int64_t step, int64_t first,
                       int64_t pixels, int64_t tap, float *sums) {
  const d3k_window *w = call->window;
  int64_t in_pixels = (int64_t)w->batch * w->in_height * w->in_width;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  streams s = {.pixels = pixels, .pitch = call->pitch};
  s.wide_step = call->x_is_wide ? step * w->x_stride : w->y_stride;
  s.single_step = call->x_is_wide ? w->y_stride : step * w->x_stride;
  for (int64_t g = 0; g < w->groups; g++) {
    const float *x = call->x + from * w->x_stride + g * in;
    const float *dy = call->dy + first * w->y_stride + g * out;
    /* Reading past the channels of one group reads those of the next. */
    int64_t after = (w->groups - 1 - g) * call->lanes;
    int32_t overreads =
        call->x_is_wide
            ? d3k_can_overread(from + (pixels - 1) * step, in_pixels, w->x_stride, in, after)
            : d3k_can_overread(first + pixels - 1, call->bands.pixels, w->y_stride, out, after);
    s.wide = call->x_is_wide ? x : dy;
    s.single = call->x_is_wide ? dy : x;
    s.sums = sums + (g * taps + tap) * call->singles * call->pitch;
    run_streams(&s, call->lanes, call->singles, overreads);
  }
}

static void run_line(const direct_call *call, int64_t line, float *sums) {
  const d3k_window *w = call->window;
  int64_t n = line / w->out_height, top = line % w->out_height * w->stride_y - w->pad_top;
  for (int64_t ky = 0; ky < w->kernel_height; ky++) {
    int64_t iy = top + ky * w->dilation_y, begin, end;
    if (iy < 0 || iy >= w->in_height) continue;
    for (int64_t kx = 0; kx < w->kernel_width; kx++) {
      d3k_tap_columns(w, kx, &begin, &end);
      if (begin == end) continue;
      int64_t ix = begin * w->stride_x - w->pad_left + kx * w->dilation_x;
      run_groups(call, (n * w->in_height + iy) * w->in_width + ix, w->stride_x,
                 line * w->out_width + begin, end - begin, ky * w->kernel_width + kx, sums);
    }
  }
}

static int64_t band_floats(const direct_call *call) {
  const d3k_window *w = call->window;
  return w->groups * w->kernel_height * w->kernel_width * call->singles * call->pitch;
}

static void run_band(const void *context, int64_t band, char *scratch) {
  (void)scratch;
  const direct_call *call = context;
  const d3k_pixel_bands *bands = &call->bands;
  float *sums = call->sums + band * band_floats(call);
  memset(sums, 0, sizeof(float) * (size_t)band_floats(call));
  for (int64_t r = d3k_pixel_band_begin(bands, band); r < d3k_pixel_band_begin(bands, band + 1);
       r++) {
    int64_t first = r * bands->run_pixels;
    if (d3k_is_pointwise(call->window))
      run_groups(call, first, 1, first, d3k_min(bands->run_pixels, bands->pixels - first), 0, sums);
    else
      run_line(call, r, sums);
  }
}

/* Lanes in use of those in whole vectors, in 1/1024. */
static int64_t filling(int64_t channels) {
  return channels * 1024 / (d3k_ceil_div(channels, 8) * 8);
}

static direct_call call_of(const d3k_conv_gradient *gradient) {
  const d3k_window *w = &gradient->window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  direct_call call = {.window = w};
  call.x_is_wide = filling(in) > filling(out) || (filling(in) == filling(out) && in >= out);
  call.lanes = call.x_is_wide ? in : out;
  call.singles = call.x_is_wide ? out : in;
  call.pitch = d3k_ceil_div(call.lanes, 16) * 16;
  call.bands = d3k_pixel_bands_of(w, d3k_is_pointwise(w), band_floats(&call));
  return call;
}

static void run(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
                void *scratch) {
  const d3k_window *w = &gradient->window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  direct_call call = call_of(gradient);
  call.x = x;
  call.dy = dy;
  call.sums = scratch;
  d3k_tiles_run(gradient->options.threads, call.bands.count, run_band, &call, NULL, 0);
  int64_t of_in = taps, of_out = in * taps;
  d3k_conv_sums merge = {.sums = call.sums,
                         .bands = call.bands.count,
                         .blocks = w->groups,
                         .taps = taps,
                         .rows = call.singles,
                         .lanes = call.lanes,
                         .pitch = call.pitch,
                         .lane_group = call.lanes,
                         .strides = {out * in * taps, call.x_is_wide ? of_out : of_in, 0,
                                     call.x_is_wide ? of_in : of_out},
                         .dweights = dweights};
  d3k_conv_merge(gradient->options.threads, &merge);
}

/* Measured on AVX2 against oneDNN and OpenBLAS: this is as fast as the better of them up to 128 x
 * 128 channels, and up to twice as fast with few channels on one side. With AVX-512 oneDNN has
 * better kernels. */
static int32_t create(d3k_conv_gradient *gradient) {
  if (gradient->options.backend == D3K_BACKEND_REFERENCE) return 0;
  direct_call call = call_of(gradient);
  if (d3k_min(call.lanes, call.singles) > few_channels &&
      call.lanes * call.singles > (d3k_has_many_registers() ? 32 * 64 : 128 * 128))
    return 0;
  gradient->scratch_bytes =
      d3k_round64(sizeof(float) * (size_t)(call.bands.count * band_floats(&call)));
  return 1;
}

const d3k_conv_gradient_implementation d3k_conv_gradient_direct = {create, NULL, run, "direct"};
