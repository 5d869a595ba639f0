/* Winograd's minimal filtering F(m x m, 3 x 3), of m = 2 or 4, one direction at a time (Lavin and
 * Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, equations 5 to 12).
 *
 * A tile of m x m outputs reads n x n inputs, n = m + 2. The points at which its polynomials are
 * evaluated are 0, 1, -1 and infinity for m = 2, and 0, ±√½, ±√2 and infinity for m = 4: those
 * round a third as much as the usual 0, ±1, ±2. `m` is a constant wherever these are called. */
#ifndef D3K_WINOGRAD_H
#define D3K_WINOGRAD_H

#include "base/lanes.h"
#include "conv/conv_internal.h"

enum {
  winograd_most_side = 6,     /* n                */
  winograd_enough_tiles = 32, /* of 4x4           */
  winograd_lanes = 16,        /* of a vector      */
};

#define D3K_ROOT_HALF 0.70710678f
#define D3K_ROOT_TWO 1.41421356f

/** Inputs at the points: Bᵀ d. */
D3K_INLINE void winograd_of_inputs(int32_t m, const d3k_f16 d[], d3k_f16 at[]) {
  if (m == 2) {
    at[0] = d[0] - d[2];
    at[1] = d[1] + d[2];
    at[2] = d[2] - d[1];
    at[3] = d[1] - d[3];
    return;
  }
  const d3k_f16 even_half = d[4] - d[2] * 2, odd_half = (d[3] - d[1] * 2) * D3K_ROOT_HALF;
  const d3k_f16 even_two = d[4] - d[2] * 0.5f, odd_two = (d[3] - d[1] * 0.5f) * D3K_ROOT_TWO;
  at[0] = d[0] - d[2] * 2.5f + d[4];
  at[1] = even_half + odd_half;
  at[2] = even_half - odd_half;
  at[3] = even_two + odd_two;
  at[4] = even_two - odd_two;
  at[5] = d[1] - d[3] * 2.5f + d[5];
}

/** A kernel of three taps at the points: G g. */
D3K_INLINE void winograd_of_weights(int32_t m, const d3k_f16 g[], d3k_f16 at[]) {
  at[0] = g[0];
  if (m == 2) {
    const d3k_f16 even = (g[0] + g[2]) * 0.5f, odd = g[1] * 0.5f;
    at[1] = even + odd;
    at[2] = even - odd;
    at[3] = g[2];
    return;
  }
  const d3k_f16 even_half = (g[0] + g[2] * 0.5f) * (-2.f / 3);
  const d3k_f16 odd_half = g[1] * (-2.f / 3 * D3K_ROOT_HALF);
  const d3k_f16 even_two = (g[0] + g[2] * 2) * (1.f / 6), odd_two = g[1] * (D3K_ROOT_TWO / 6);
  at[1] = even_half + odd_half;
  at[2] = even_half - odd_half;
  at[3] = even_two + odd_two;
  at[4] = even_two - odd_two;
  at[5] = g[2];
}

/** Products at the points -> outputs: Aᵀ s. */
D3K_INLINE void winograd_to_outputs(int32_t m, const d3k_f16 s[], d3k_f16 y[]) {
  if (m == 2) {
    y[0] = s[0] + s[1] + s[2];
    y[1] = s[1] - s[2] - s[3];
    return;
  }
  const d3k_f16 even_half = s[1] + s[2], odd_half = (s[1] - s[2]) * D3K_ROOT_HALF;
  const d3k_f16 even_two = s[3] + s[4], odd_two = (s[3] - s[4]) * D3K_ROOT_TWO;
  y[0] = s[0] + even_half + even_two;
  y[1] = odd_half + odd_two;
  y[2] = even_half * 0.5f + even_two * 2;
  y[3] = odd_half * 0.5f + odd_two * 2 + s[5];
}

/** The other way round, for gradients: derivatives of outputs -> of products: A y. */
D3K_INLINE void winograd_of_outputs(int32_t m, const d3k_f16 y[], d3k_f16 at[]) {
  at[0] = y[0];
  if (m == 2) {
    at[1] = y[0] + y[1];
    at[2] = y[0] - y[1];
    at[3] = -y[1];
    return;
  }
  const d3k_f16 even_half = y[0] + y[2] * 0.5f, odd_half = (y[1] + y[3] * 0.5f) * D3K_ROOT_HALF;
  const d3k_f16 even_two = y[0] + y[2] * 2, odd_two = (y[1] + y[3] * 2) * D3K_ROOT_TWO;
  at[1] = even_half + odd_half;
  at[2] = even_half - odd_half;
  at[3] = even_two + odd_two;
  at[4] = even_two - odd_two;
  at[5] = y[3];
}

/** Derivatives of a kernel at the points -> of its taps: Gᵀ u. */
D3K_INLINE void winograd_to_weights(int32_t m, const d3k_f16 u[], d3k_f16 g[]) {
  if (m == 2) {
    const d3k_f16 even = (u[1] + u[2]) * 0.5f;
    g[0] = u[0] + even;
    g[1] = (u[1] - u[2]) * 0.5f;
    g[2] = even + u[3];
    return;
  }
  const d3k_f16 even_half = (u[1] + u[2]) * (-2.f / 3), even_two = (u[3] + u[4]) * (1.f / 6);
  g[0] = u[0] + even_half + even_two;
  g[1] = (u[1] - u[2]) * (-2.f / 3 * D3K_ROOT_HALF) + (u[3] - u[4]) * (D3K_ROOT_TWO / 6);
  g[2] = even_half * 0.5f + even_two * 2 + u[5];
}

/** A square of `from` x `from` vectors, both directions one after the other, by one of the
 *  functions above that makes `to` of `from`. */
#define D3K_WINOGRAD_SQUARE(function, m, from, to, x, y)                                          \
  do {                                                                                            \
    d3k_f16 lines[winograd_most_side][winograd_most_side];                                        \
    _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < (from); i++)                       \
        function(m, (x)[i], lines[i]);                                                            \
    _Pragma("clang loop unroll(full)") for (int32_t j = 0; j < (to); j++) {                       \
      d3k_f16 column[winograd_most_side], result[winograd_most_side];                             \
      _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < (from); i++) column[i] =         \
          lines[i][j];                                                                            \
      function(m, column, result);                                                                \
      _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < (to); i++)(y)[i][j] = result[i]; \
    }                                                                                             \
  } while (0)

#define D3K_EACH_PLACE(side)                                              \
  _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < (side); i++) \
      _Pragma("clang loop unroll(full)") for (int32_t j = 0; j < (side); j++)

/* `count` x `count` pixels -> their values at all points, `apart` floats from point to point. The
 * last vectors of channels may overlap; with fewer channels than a vector has lanes, as many values
 * as lanes are written, of which those past the channels mean nothing. */
#define D3K_WINOGRAD_AT(name, function)                                                            \
  D3K_INLINE void name(int32_t m, const float *const from[winograd_most_side][winograd_most_side], \
                       int32_t count, int64_t channels, float *values, int64_t apart) {            \
    for (int64_t c = 0; c < channels; c += winograd_lanes) {                                       \
      const int64_t at = d3k_max(0, d3k_min(c, channels - winograd_lanes));                        \
      d3k_f16 d[winograd_most_side][winograd_most_side],                                           \
          v[winograd_most_side][winograd_most_side];                                               \
      D3K_EACH_PLACE(count) d[i][j] = d3k_load16(from[i][j] + at);                                 \
      D3K_WINOGRAD_SQUARE(function, m, count, m + 2, d, v);                                        \
      D3K_EACH_PLACE(m + 2) d3k_store16(values + (i * (m + 2) + j) * apart + at, v[i][j]);         \
    }                                                                                              \
  }

D3K_WINOGRAD_AT(winograd_inputs_at, winograd_of_inputs)
D3K_WINOGRAD_AT(winograd_outputs_at, winograd_of_outputs)

/** The tiles of m x m outputs of a convolution. With dilations, the pixels that are a dilation
 * apart are an image of their own (a phase), whose tiles are those of a convolution without. */
typedef struct winograd_tiles {
  int32_t m;
  int64_t down, right, count; /* of a phase; of all phases of all images */
} winograd_tiles;

/** The first output of a tile; the others are a dilation apart. */
typedef struct winograd_tile {
  int64_t image, y, x;
} winograd_tile;

D3K_INLINE winograd_tiles winograd_tiles_of(const d3k_window *w, int32_t m) {
  winograd_tiles t = {.m = m};
  t.down = d3k_ceil_div(d3k_ceil_div(w->out_height, w->dilation_y), m);
  t.right = d3k_ceil_div(d3k_ceil_div(w->out_width, w->dilation_x), m);
  t.count = (int64_t)w->batch * w->dilation_y * w->dilation_x * t.down * t.right;
  return t;
}

D3K_INLINE winograd_tile winograd_tile_at(const d3k_window *w, const winograd_tiles *t,
                                          int64_t index) {
  const int64_t column = index % t->right, row = index / t->right % t->down;
  const int64_t phase = index / t->right / t->down;
  const int64_t right = phase % w->dilation_x, down = phase / w->dilation_x % w->dilation_y;
  return (winograd_tile){phase / w->dilation_x / w->dilation_y, down + row * t->m * w->dilation_y,
                         right + column * t->m * w->dilation_x};
}

/** Batches of images, and as many zeros as a pixel has channels. */
typedef struct winograd_images {
  const float *pixels, *zeros;
  int64_t height, width, stride;
} winograd_images;

/** The pixels of a square from row y and column x of an image on, a dilation apart; zeros outside.
 */
D3K_INLINE void winograd_square(const winograd_images *images, const d3k_window *w, int64_t image,
                                int64_t y, int64_t x, int32_t side,
                                const float *from[winograd_most_side][winograd_most_side]) {
  int64_t columns[winograd_most_side]; /* -1 = outside */
  for (int32_t j = 0; j < side; j++) {
    const int64_t column = x + j * w->dilation_x;
    columns[j] = column >= 0 && column < images->width ? column * images->stride : -1;
  }
  for (int32_t i = 0; i < side; i++) {
    const int64_t row = y + i * w->dilation_y;
    const int32_t is_inside = row >= 0 && row < images->height;
    const float *line =
        images->pixels + (image * images->height + row) * images->width * images->stride;
    for (int32_t j = 0; j < side; j++)
      from[i][j] = is_inside && columns[j] >= 0 ? line + columns[j] : images->zeros;
  }
}

/** Whether Winograd's filtering computes such a convolution, in these instructions. */
D3K_INLINE int32_t winograd_can(const d3k_conv_options *options, const d3k_window *w) {
  return d3k_isa() != D3K_ISA_BASE && options->backend == d3k_best_backend() &&
         options->precision == D3K_F32 && w->groups == 1 && w->kernel_height == 3 &&
         w->kernel_width == 3 && w->stride_y == 1 && w->stride_x == 1;
}

/** Whether tiles of m x m suit the sizes: not where a third of what they compute is outside. With
 * few tiles the time goes into the weights at the points, of which 2x2 has less than half as many.
 */
D3K_INLINE int32_t winograd_is_worth(const d3k_window *w, int32_t m) {
  const int64_t tiles = winograd_tiles_of(w, m).count;
  return 2 * tiles * m * m <= 3 * d3k_conv_pixels(w) && (m == 2 || tiles >= winograd_enough_tiles);
}

#endif /* D3K_WINOGRAD_H */
