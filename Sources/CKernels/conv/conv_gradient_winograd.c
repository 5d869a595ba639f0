/* Gradient of the weights of 3x3 kernels and stride 1 by Winograd's minimal filtering: the adjoint
 * of conv_winograd.c, with as few products.
 *
 * Tiles pass in chunks. Inputs and derivatives of a chunk are transformed, into one matrix of tiles
 * x channels for each point. Then the product of both is added to the derivative of the weights at
 * that point, and in the end these become derivatives of taps. */
#include "conv/conv_gradient_internal.h"
#include "conv/winograd.h"

enum {
  least_channels = 32,    /* on each side */
  most_rows = 12,         /* inputs whose sums stay in registers                                  */
  most_width = 32,        /* outputs of a block                                                   */
  chunk_floats = 1 << 20, /* of a chunk at all points                                           */
  least_chunk = 48,       /* tiles                                                                */
  most_chunk = 384,
  tiles_at_once = 4, /* that one work item transforms                                        */
};

typedef struct shape {
  winograd_tiles tiles;
  int64_t points;
  int64_t in, out, rows, lanes; /* channels; inputs with padding; outputs with padding          */
  int64_t chunk;                /* tiles                                                        */
  int64_t width, blocks;        /* outputs of a block but the last; blocks                      */
  /* Floats from tile to tile, not a multiple of a page: caches hold few of those.              */
  int64_t x_apart, dy_apart;
} shape;

/* A chunk of tiles. */
typedef struct chunk {
  const d3k_window *window;
  shape shape;
  winograd_images x, dy;
  int64_t begin, count;
  float *x_values, *dy_values; /* [point][tile][channel]         */
  float *sums;                 /* [point][input][output]         */
  float *dweights;
} chunk;

static shape shape_of(const d3k_window *w, int32_t m) {
  shape s = {.tiles = winograd_tiles_of(w, m), .in = w->in_channels, .out = w->out_channels};
  s.points = (int64_t)(m + 2) * (m + 2);
  s.rows = d3k_ceil_div(s.in, most_rows) * most_rows;
  s.lanes = d3k_ceil_div(s.out, winograd_lanes) * winograd_lanes;
  s.width = d3k_has_many_registers() ? most_width : winograd_lanes;
  s.blocks = d3k_ceil_div(s.lanes, s.width);
  s.x_apart = d3k_ceil_div(s.in, winograd_lanes) * winograd_lanes + winograd_lanes;
  s.dy_apart = s.lanes + winograd_lanes;
  const int64_t most = chunk_floats / (s.points * (s.x_apart + s.dy_apart));
  const int64_t chunks =
      d3k_ceil_div(s.tiles.count, d3k_min(most_chunk, d3k_max(least_chunk, most)));
  s.chunk = d3k_ceil_div(s.tiles.count, chunks);
  return s;
}

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int32_t r = 0; r < rows; r++)
#define EACH_VECTOR _Pragma("clang loop unroll(full)") for (int32_t v = 0; v < vectors; v++)

D3K_INLINE void transform(const chunk *c, int32_t m, int64_t begin, int64_t end) {
  const d3k_window *w = c->window;
  const shape *s = &c->shape;
  for (int64_t at = begin; at < end; at++) {
    const winograd_tile t = winograd_tile_at(w, &s->tiles, c->begin + at);
    const float *from[winograd_most_side][winograd_most_side];
    winograd_square(&c->x, w, t.image, t.y - w->pad_top, t.x - w->pad_left, m + 2, from);
    winograd_inputs_at(m, from, m + 2, s->in, c->x_values + at * s->x_apart, s->chunk * s->x_apart);
    winograd_square(&c->dy, w, t.image, t.y, t.x, m, from);
    winograd_outputs_at(m, from, m, s->out, c->dy_values + at * s->dy_apart,
                        s->chunk * s->dy_apart);
  }
}

D3K_CLONES(static, void, transform_tiles, (const chunk *c, int64_t begin, int64_t end),
           (c, begin, end)) {
  if (c->shape.tiles.m == 2)
    transform(c, 2, begin, end);
  else
    transform(c, 4, begin, end);
}

static void transform_item(const void *context, int64_t item, char *scratch) {
  (void)scratch;
  const chunk *c = context;
  const int64_t begin = item * tiles_at_once;
  transform_tiles(c, begin, d3k_min(c->count, begin + tiles_at_once));
}

/* sums[input][output] += Σ x[tile][input] · dy[tile][output], or = with the first tiles. */
#define DEFINE_MULTIPLY(vector, floats, name)                                                      \
  D3K_INLINE void name(const chunk *c, const float *x, const float *dy, float *sums, int32_t rows, \
                       int32_t vectors) {                                                          \
    const int64_t x_apart = c->shape.x_apart, dy_apart = c->shape.dy_apart;                        \
    const int64_t lanes = c->shape.lanes;                                                          \
    vector sum[most_rows][2];                                                                      \
    EACH_ROW EACH_VECTOR sum[r][v] =                                                               \
        c->begin ? *(const vector *)(sums + r * lanes + v * (floats)) : (vector){0};               \
    _Pragma("clang loop unroll(disable)") for (int64_t t = c->count; t > 0;                        \
                                               t--, x += x_apart, dy += dy_apart) {                \
      vector derivative[2];                                                                        \
      EACH_VECTOR derivative[v] = *(const vector *)(dy + v * (floats));                            \
      EACH_ROW {                                                                                   \
        const float value = x[r];                                                                  \
        EACH_VECTOR sum[r][v] += value * derivative[v];                                            \
      }                                                                                            \
    }                                                                                              \
    EACH_ROW EACH_VECTOR *(vector *)(sums + r * lanes + v * (floats)) = sum[r][v];                 \
  }

DEFINE_MULTIPLY(d3k_f16, 16, multiply_16)
DEFINE_MULTIPLY(d3k_f8, 8, multiply_8)

/* The sums of one point and one block of outputs. */
D3K_CLONES(static, void, multiply_block, (const chunk *c, int64_t point, int64_t block),
           (c, point, block)) {
  const shape *s = &c->shape;
  const int64_t first = block * s->width, width = d3k_min(s->width, s->lanes - first);
  const float *x = c->x_values + point * s->chunk * s->x_apart;
  const float *dy = c->dy_values + point * s->chunk * s->dy_apart + first;
  float *sums = c->sums + point * s->rows * s->lanes + first;
  const int32_t rows = d3k_has_many_registers() ? 12 : 6;
  for (int64_t i = 0; i < s->in; i += rows) {
    float *to = sums + i * s->lanes;
    if (!d3k_has_many_registers())
      multiply_8(c, x + i, dy, to, 6, 2);
    else if (width == most_width)
      multiply_16(c, x + i, dy, to, 12, 2);
    else
      multiply_16(c, x + i, dy, to, 12, 1);
  }
}

static void multiply_item(const void *context, int64_t item, char *scratch) {
  (void)scratch;
  const chunk *c = context;
  multiply_block(c, item / c->shape.blocks, item % c->shape.blocks);
}

/* The sums at all points -> derivatives of the taps of 16 outputs. */
D3K_INLINE void finish(const chunk *c, int32_t m, int64_t first) {
  const shape *s = &c->shape;
  const int64_t count = d3k_min(winograd_lanes, s->out - first);
  for (int64_t in = 0; in < s->in; in++) {
    const float *sums = c->sums + in * s->lanes + first;
    d3k_f16 u[winograd_most_side][winograd_most_side], g[winograd_most_side][winograd_most_side];
    D3K_EACH_PLACE(m + 2) u[i][j] = d3k_load16(sums + (i * (m + 2) + j) * s->rows * s->lanes);
    D3K_WINOGRAD_SQUARE(winograd_to_weights, m, m + 2, 3, u, g);
    float taps[9][winograd_lanes];
    D3K_EACH_PLACE(3) d3k_store16(taps[i * 3 + j], g[i][j]);
    for (int64_t o = 0; o < count; o++) {
      float *to = c->dweights + ((first + o) * s->in + in) * 9;
      for (int32_t tap = 0; tap < 9; tap++) to[tap] += taps[tap][o];
    }
  }
}

D3K_CLONES(static, void, finish_lanes, (const chunk *c, int64_t first), (c, first)) {
  if (c->shape.tiles.m == 2)
    finish(c, 2, first);
  else
    finish(c, 4, first);
}

static void finish_item(const void *context, int64_t item, char *scratch) {
  (void)scratch;
  finish_lanes(context, item * winograd_lanes);
}

static size_t values_bytes(const shape *s, int64_t apart) {
  return d3k_round64(sizeof(float) * (size_t)(s->points * s->chunk * apart));
}

static size_t sums_bytes(const shape *s) {
  return d3k_round64(sizeof(float) * (size_t)(s->points * s->rows * s->lanes));
}

static void run(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
                void *scratch, int32_t m) {
  const d3k_window *w = &gradient->window;
  const int32_t threads = gradient->options.threads;
  chunk c = {.window = w, .shape = shape_of(w, m), .dweights = dweights, .sums = scratch};
  const shape *s = &c.shape;
  char *at = (char *)scratch + sums_bytes(s);
  c.x_values = (float *)at;
  c.dy_values = (float *)(at += values_bytes(s, s->x_apart));
  float *zeros = (float *)(at + values_bytes(s, s->dy_apart));
  memset(zeros, 0, sizeof(float) * (size_t)d3k_max(s->in, s->out));
  c.x = (winograd_images){x, zeros, w->in_height, w->in_width, w->x_stride};
  c.dy = (winograd_images){dy, zeros, w->out_height, w->out_width, w->y_stride};
  for (; c.begin < s->tiles.count; c.begin += c.count) {
    c.count = d3k_min(s->chunk, s->tiles.count - c.begin);
    d3k_tiles_run(threads, d3k_ceil_div(c.count, tiles_at_once), transform_item, &c, NULL, 0);
    d3k_tiles_run(threads, s->points * s->blocks, multiply_item, &c, NULL, 0);
  }
  d3k_tiles_run(threads, s->lanes / winograd_lanes, finish_item, &c, NULL, 0);
}

/* Measured on AVX-512 and AVX2 (Zen 5) by benchmarks/convolutions.c: with fewer channels on one
 * side others are faster, with more this is up to three times as fast. */
static int32_t create(d3k_conv_gradient *gradient, int32_t m) {
  const d3k_window *w = &gradient->window;
  if (!winograd_can(&gradient->options, w) || !winograd_is_worth(w, m) ||
      d3k_min(w->in_channels, w->out_channels) < least_channels)
    return 0;
  const shape s = shape_of(w, m);
  gradient->scratch_bytes = sums_bytes(&s) + values_bytes(&s, s.x_apart) +
                            values_bytes(&s, s.dy_apart) +
                            d3k_round64(sizeof(float) * (size_t)d3k_max(s.in, s.out));
  return 1;
}

#define DEFINE_IMPLEMENTATION(m)                                                          \
  static int32_t create_##m(d3k_conv_gradient *gradient) { return create(gradient, m); }  \
  static void run_##m(const d3k_conv_gradient *gradient, const float *x, const float *dy, \
                      float *dweights, void *scratch) {                                   \
    run(gradient, x, dy, dweights, scratch, m);                                           \
  }                                                                                       \
  const d3k_conv_gradient_implementation d3k_conv_gradient_winograd_##m = {               \
      create_##m,                                                                         \
      NULL,                                                                               \
      run_##m,                                                                            \
      "winograd " #m "x" #m,                                                              \
  };

DEFINE_IMPLEMENTATION(2)
DEFINE_IMPLEMENTATION(4)
