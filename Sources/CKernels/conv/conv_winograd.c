/* Convolutions of 3x3 kernels and stride 1 by Winograd's minimal filtering: 36 products for 16
 * outputs instead of 144, or 16 for 4 instead of 36.
 *
 * A work item is a block of tiles. Their inputs are transformed once, into one matrix of tiles x
 * inputs for each point, which stay in L2. Then for each block of outputs these matrices are
 * multiplied with the transformed weights, and the sums become outputs while they are in L2. */
#include "chain/epilogue.h"
#include "conv/conv_internal.h"
#include "conv/winograd.h"

enum {
  most_width = 32,         /* outputs of a block                                               */
  most_rows = 12,          /* tiles whose sums stay in registers                               */
  values_floats = 1 << 17, /* of a block of tiles at all points: half of a small L2            */
  most_tiles = 96,         /* of a block                                                       */
  least_tiles = 2 * most_rows,
  least_inputs = 12,
  enough_items = 8, /* of work, for as many threads                                     */
};

typedef struct shape {
  winograd_tiles tiles;
  int64_t points;                   /* of the transform                                       */
  int64_t in, out, lanes;           /* channels; outputs with padding                         */
  int64_t width, blocks;            /* outputs of a block but the last; blocks                */
  int64_t tile_blocks, block_tiles; /* blocks of tiles; tiles of the largest                  */
  int64_t chunks; /* of blocks of outputs: a work item is a block of tiles and a chunk        */
  /* Floats from one point to the next, not a multiple of a page: caches hold few of those.   */
  int64_t values_apart, sums_apart;
} shape;

typedef struct winograd_call {
  const d3k_conv_call *of;
  shape shape;
  winograd_images x;
  const float *last; /* the last pixel of x, with as many floats as a vector */
  d3k_epilogue epilogue;
  d3k_chain rest; /* of the chain, after the epilogue */
} winograd_call;

static shape shape_of(const d3k_window *w, int32_t m) {
  shape s = {.tiles = winograd_tiles_of(w, m), .in = w->in_channels, .out = w->out_channels};
  s.points = (int64_t)(m + 2) * (m + 2);
  s.lanes = d3k_ceil_div(s.out, winograd_lanes) * winograd_lanes;
  s.width = d3k_has_many_registers() ? most_width : winograd_lanes;
  s.blocks = d3k_ceil_div(s.lanes, s.width);
  int64_t each = values_floats / (s.points * s.in) / most_rows * most_rows;
  each = d3k_max(least_tiles, d3k_min(each, d3k_min(most_tiles, 3 * s.in / 2)));
  s.tile_blocks = d3k_ceil_div(s.tiles.count, each);
  s.block_tiles = d3k_ceil_div(s.tiles.count, s.tile_blocks);
  s.chunks = 1;
  while (s.tile_blocks * s.chunks < enough_items && s.chunks * 2 <= s.blocks) s.chunks *= 2;
  s.values_apart = s.block_tiles * s.in + winograd_lanes;
  s.sums_apart = s.block_tiles * s.width + winograd_lanes;
  return s;
}

D3K_INLINE int64_t block_width(const shape *s, int64_t block) {
  return d3k_min(s->width, s->lanes - block * s->width);
}

/* Packed: [block of outputs][point][input][output of the block]. */
D3K_INLINE int64_t panel_at(const shape *s, int64_t block, int64_t point) {
  return s->in * (block * s->width * s->points + point * block_width(s, block));
}

/* Where it begins in x. */
D3K_INLINE int64_t last_pixel(const d3k_window *w) {
  return ((int64_t)w->batch * w->in_height * w->in_width - 1) * w->x_stride;
}

/* The inputs of one tile -> their values at all points, one row of each point's matrix. */
D3K_INLINE void transform_tile(const winograd_call *call, const winograd_tile *t, int32_t m,
                               float *values) {
  const d3k_window *w = &call->of->conv->options.window;
  const int32_t side = m + 2;
  const int64_t in = call->shape.in;
  const float *from[winograd_most_side][winograd_most_side];
  winograd_square(&call->x, w, t->image, t->y - w->pad_top, t->x - w->pad_left, side, from);
  if (in < winograd_lanes) {
    const float *end = call->of->x + last_pixel(w);
    for (int32_t i = 0; i < side; i++)
      for (int32_t j = 0; j < side; j++)
        if (from[i][j] == end) from[i][j] = call->last;
  }
  /* With fewer inputs than lanes, what is too much is overwritten by the next tile. */
  winograd_inputs_at(m, from, side, in, values, call->shape.values_apart);
}

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int32_t r = 0; r < rows; r++)
#define EACH_VECTOR _Pragma("clang loop unroll(full)") for (int32_t v = 0; v < vectors; v++)

/* sums[tile][output] = Σ values[tile][input] · weights[input][output], for a few tiles. */
#define DEFINE_MULTIPLY(vector, floats, name)                                              \
  D3K_INLINE void name(const float *values, int64_t in, const float *weights, float *sums, \
                       int32_t rows, int32_t vectors) {                                    \
    vector sum[most_rows][2];                                                              \
    const float *from[most_rows];                                                          \
    EACH_ROW from[r] = values + r * in;                                                    \
    EACH_ROW EACH_VECTOR sum[r][v] = (vector){0};                                          \
    _Pragma("clang loop unroll(disable)") for (int64_t k = 0; k < in;                      \
                                               k++, weights += vectors * (floats)) {       \
      vector weight[2];                                                                    \
      EACH_VECTOR weight[v] = *(const vector *)(weights + v * (floats));                   \
      EACH_ROW {                                                                           \
        const float value = from[r][k];                                                    \
        EACH_VECTOR sum[r][v] += value * weight[v];                                        \
      }                                                                                    \
    }                                                                                      \
    EACH_ROW EACH_VECTOR *(vector *)(sums + (r * vectors + v) * (floats)) = sum[r][v];     \
  }

DEFINE_MULTIPLY(d3k_f16, 16, multiply_16)
DEFINE_MULTIPLY(d3k_f8, 8, multiply_8)

/* The matrix of one point and one block of outputs. There are at least as many tiles as `rows`; the
 * last ones may be computed twice. */
D3K_INLINE void multiply_point(const float *values, int64_t in, const float *weights, float *sums,
                               int64_t tiles, int64_t width) {
  const int32_t has_many = d3k_has_many_registers(), rows = has_many ? 12 : 6;
  for (int64_t t = 0; t < tiles; t += rows) {
    const int64_t at = d3k_min(t, tiles - rows);
    const float *from = values + at * in;
    float *to = sums + at * width;
    if (!has_many)
      multiply_8(from, in, weights, to, 6, 2);
    else if (width == most_width)
      multiply_16(from, in, weights, to, 12, 2);
    else
      multiply_16(from, in, weights, to, 12, 1);
  }
}

/* The sums of one tile at all points -> its outputs first..<first + count. */
D3K_INLINE void finish_tile(const winograd_call *call, const winograd_tile *t, int32_t m,
                            const float *sums, int64_t first, int64_t count) {
  const d3k_window *w = &call->of->conv->options.window;
  const d3k_epilogue *e = &call->epilogue;
  const int32_t side = m + 2;
  d3k_f16 s[winograd_most_side][winograd_most_side], y[winograd_most_side][winograd_most_side];
  _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < side; i++)
      _Pragma("clang loop unroll(full)") for (int32_t j = 0; j < side; j++) s[i][j] =
          d3k_load16(sums + (i * side + j) * call->shape.sums_apart);
  D3K_WINOGRAD_SQUARE(winograd_to_outputs, m, side, m, s, y);
  const d3k_f16 bias = d3k_load16(e->biases + first);
  d3k_f16 scale = {0}, shift = {0}, slope = {0};
  if (e->scale) scale = d3k_load16(e->scale + first), shift = d3k_load16(e->shift + first);
  if (e->slope) slope = d3k_load16(e->slope + first);
  const int64_t rows = d3k_min(m, d3k_ceil_div(w->out_height - t->y, w->dilation_y));
  const int64_t columns = d3k_min(m, d3k_ceil_div(w->out_width - t->x, w->dilation_x));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      const int64_t pixel = (t->image * w->out_height + t->y + i * w->dilation_y) * w->out_width +
                            t->x + j * w->dilation_x;
      float *to = call->of->y + pixel * w->y_stride + first;
      d3k_f16 value = y[i][j] + bias;
      if (e->residual) {
        const float *residual = e->residual + pixel * e->residual_stride + first;
        float whole[winograd_lanes] = {0};
        if (count < winograd_lanes) {
          d3k_copy_line(whole, residual, count);
          residual = whole;
        }
        value += d3k_load16(residual);
      }
      if (e->scale) value = value * scale + shift;
      if (e->slope) value = d3k_activate_16(value, slope, e->is_relu);
      if (count < winograd_lanes) {
        float whole[winograd_lanes];
        d3k_store16(whole, value);
        d3k_copy_line(to, whole, count);
      } else {
        d3k_store16(to, value);
      }
    }
}

/* Tiles begin..<end and blocks of outputs first..<last. */
D3K_INLINE void run_tiles(const winograd_call *call, int32_t m, int64_t begin, int64_t end,
                          int64_t first, int64_t last, float *values, float *sums) {
  const shape *s = &call->shape;
  const d3k_window *w = &call->of->conv->options.window;
  for (int64_t at = begin; at < end; at++) {
    const winograd_tile t = winograd_tile_at(w, &s->tiles, at);
    transform_tile(call, &t, m, values + (at - begin) * s->in);
  }
  for (int64_t block = first; block < last; block++) {
    const int64_t width = block_width(s, block);
    for (int64_t p = 0; p < (m + 2) * (m + 2); p++)
      multiply_point(values + p * s->values_apart, s->in, call->of->weights + panel_at(s, block, p),
                     sums + p * s->sums_apart, end - begin, width);
    for (int64_t at = begin; at < end; at++) {
      const winograd_tile t = winograd_tile_at(w, &s->tiles, at);
      for (int64_t lane = 0; lane < width; lane += winograd_lanes) {
        const int64_t channel = block * s->width + lane;
        finish_tile(call, &t, m, sums + (at - begin) * width + lane, channel,
                    d3k_min(winograd_lanes, s->out - channel));
      }
    }
  }
}

D3K_CLONES(static, void, run_block,
           (const winograd_call *call, int64_t begin, int64_t end, int64_t first, int64_t last,
            float *values, float *sums),
           (call, begin, end, first, last, values, sums)) {
  if (call->shape.tiles.m == 2)
    run_tiles(call, 2, begin, end, first, last, values, sums);
  else
    run_tiles(call, 4, begin, end, first, last, values, sums);
}

static size_t values_bytes(const shape *s) {
  return d3k_round64(sizeof(float) * (size_t)(s->points * s->values_apart));
}

static size_t item_bytes(const shape *s) {
  return values_bytes(s) + d3k_round64(sizeof(float) * (size_t)(s->points * s->sums_apart));
}

/* Biases, scales, shifts and slopes, zeros, and the last pixel. */
static size_t shared_bytes(const shape *s) {
  return d3k_round64(sizeof(float) * (size_t)(4 * s->lanes + s->in + 2 * winograd_lanes));
}

/* The rest of the chain, for all channels of the tiles of an item. */
static void run_rest(const winograd_call *call, int64_t begin, int64_t end) {
  const d3k_window *w = &call->of->conv->options.window;
  const int64_t m = call->shape.tiles.m, step = w->dilation_x;
  for (int64_t at = begin; at < end; at++) {
    const winograd_tile t = winograd_tile_at(w, &call->shape.tiles, at);
    for (int64_t y = t.y; y < d3k_min(w->out_height, t.y + m * w->dilation_y); y += w->dilation_y) {
      const int64_t line = (t.image * w->out_height + y) * w->out_width;
      const int64_t last = d3k_min(w->out_width, t.x + m * step), run = step == 1 ? m : 1;
      for (int64_t x = t.x; x < last; x += run * step)
        d3k_chain_apply(&call->rest, call->of->y + (line + x) * w->y_stride, w->y_stride, line + x,
                        d3k_min(run, last - x), w->out_channels);
    }
  }
}

static void run_item(const void *context, int64_t item, char *scratch) {
  const winograd_call *call = context;
  const shape *s = &call->shape;
  const int64_t block = item / s->chunks, chunk = item % s->chunks;
  const int64_t begin = block * s->tiles.count / s->tile_blocks;
  const int64_t end = (block + 1) * s->tiles.count / s->tile_blocks;
  run_block(call, begin, end, chunk * s->blocks / s->chunks, (chunk + 1) * s->blocks / s->chunks,
            (float *)scratch, (float *)(scratch + values_bytes(s)));
  if (call->rest.count) run_rest(call, begin, end);
}

static void run(const d3k_conv_call *given, int32_t m) {
  const d3k_conv *conv = given->conv;
  const d3k_window *w = &conv->options.window;
  winograd_call call = {.of = given, .shape = shape_of(w, m)};
  shape *s = &call.shape;
  float *values = given->scratch;
  const size_t shared = shared_bytes(s);
  memset(values, 0, shared);
  d3k_epilogue_find(given->chain, &call.epilogue);
  call.rest = d3k_chain_after(given->chain, call.epilogue.stages);
  if (call.rest.count) s->chunks = 1; /* the rest of a chain needs all channels */
  for (int64_t c = 0; c < s->out; c++)
    d3k_epilogue_write(&call.epilogue, given->bias, c, values + c, s->lanes);
  d3k_epilogue_point(&call.epilogue, values, s->lanes);
  const float *zeros = values + 4 * s->lanes;
  call.x = (winograd_images){given->x, zeros, w->in_height, w->in_width, w->x_stride};
  float *last = values + 4 * s->lanes + s->in + winograd_lanes;
  d3k_copy_line(last, given->x + last_pixel(w), d3k_min(s->in, winograd_lanes));
  call.last = last;
  d3k_tiles_run(conv->options.threads, s->tile_blocks * s->chunks, run_item, &call,
                (char *)given->scratch + shared, item_bytes(s));
}

typedef struct pack_call {
  const d3k_conv *conv;
  shape shape;
  const float *weights, *scale;
  float *packed;
} pack_call;

/* The weights of one block of outputs at all points. */
D3K_INLINE void pack_lanes(const pack_call *call, int32_t m, int64_t block) {
  const shape *s = &call->shape;
  const int32_t side = m + 2;
  const int64_t width = block_width(s, block), out_step = call->conv->weights.out;
  for (int64_t in = 0; in < s->in; in++)
    for (int64_t lane = 0; lane < width; lane += winograd_lanes) {
      const int64_t first = block * s->width + lane,
                    count = d3k_min(winograd_lanes, s->out - first);
      d3k_f16 g[winograd_most_side][winograd_most_side], u[winograd_most_side][winograd_most_side];
      for (int32_t tap = 0; tap < 9; tap++) {
        const float *from = call->weights + d3k_weight_at(call->conv, 0, first, in, tap);
        float taps[winograd_lanes] = {0};
        for (int64_t o = 0; o < count; o++)
          taps[o] = from[o * out_step] * (call->scale ? call->scale[first + o] : 1);
        g[tap / 3][tap % 3] = d3k_load16(taps);
      }
      D3K_WINOGRAD_SQUARE(winograd_of_weights, m, 3, side, g, u);
      for (int64_t p = 0; p < s->points; p++)
        d3k_store16(call->packed + panel_at(s, block, p) + in * width + lane,
                    u[p / side][p % side]);
    }
}

D3K_CLONES(static, void, pack_block, (const pack_call *call, int64_t block), (call, block)) {
  if (call->shape.tiles.m == 2)
    pack_lanes(call, 2, block);
  else
    pack_lanes(call, 4, block);
}

static void pack_item(const void *context, int64_t block, char *scratch) {
  (void)scratch;
  pack_block(context, block);
}

static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed,
                 int32_t m) {
  const pack_call call = {conv, shape_of(&conv->options.window, m), weights, scale, packed};
  d3k_tiles_run(conv->options.threads, call.shape.blocks, pack_item, &call, NULL, 0);
}

static int32_t can_compute(const d3k_conv_options *options, int32_t m) {
  const d3k_window *w = &options->window;
  return !options->transposed && winograd_can(options, w) && w->in_channels >= winograd_lanes / 2 &&
         winograd_tiles_of(w, m).count >= most_rows;
}

static int32_t create(d3k_conv *conv, int32_t m) {
  if (!can_compute(&conv->options, m)) return 0;
  const shape s = shape_of(&conv->options.window, m);
  conv->packed_bytes = sizeof(float) * (size_t)(s.points * s.in * s.lanes);
  conv->scratch_bytes =
      shared_bytes(&s) + item_bytes(&s) * (size_t)d3k_parts(conv->options.threads);
  return 1;
}

/* Measured on AVX-512 and AVX2 (Zen 5) by benchmarks/convolutions.c: with no less to sum this is up
 * to 2.9 times as fast as the next best, and not slower. */
static int32_t fits(const d3k_conv_options *options, int32_t m) {
  const d3k_window *w = &options->window;
  return w->in_channels >= least_inputs && can_compute(options, m) && winograd_is_worth(w, m);
}

#define DEFINE_IMPLEMENTATION(m)                                                        \
  static int32_t fits_##m(const d3k_conv_options *options) { return fits(options, m); } \
  static int32_t create_##m(d3k_conv *conv) { return create(conv, m); }                 \
  static void pack_##m(const d3k_conv *conv, const float *weights, const float *scale,  \
                       void *packed) {                                                  \
    pack(conv, weights, scale, packed, m);                                              \
  }                                                                                     \
  static void run_##m(const d3k_conv_call *call) { run(call, m); }                      \
  const d3k_conv_implementation d3k_conv_winograd_##m = {                               \
      fits_##m, d3k_always, create_##m, NULL, pack_##m, run_##m, "winograd " #m "x" #m, \
  };

DEFINE_IMPLEMENTATION(2)
DEFINE_IMPLEMENTATION(4)
