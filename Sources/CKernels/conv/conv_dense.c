/* Convolutions with many channels, for 16 registers of 8 floats or 32 of 4: a few pixels times 8,
 * 16 or 24 outputs stay in registers while taps and inputs pass.
 *
 * Output pixels are cut into blocks, and inputs of all taps into parts. For each part the weights
 * of 16 outputs stay in L1 while the tiles of the block pass, whose inputs stay in L2. Between two
 * parts the sums wait in scratch.
 *
 * A run is what one pixel reads without a gap: the inputs of one tap, or with few inputs those of
 * all taps of one line of the kernel. A table says where the runs of each pixel begin, so strides,
 * dilations and pads cost nothing, and tiles need not end where lines do. */
#include "chain/epilogue.h"
#include "conv/conv_internal.h"

enum {
  most_block_pixels = 96, /* the inputs of a block and a part are 100 KB of L2 */
  tile_multiple = 12,     /* pixels: whole tiles of every kind                 */
  part_floats = 256,      /* of a pixel: weights of 16 outputs are 16 KB of L1 */
  joined_inputs = 64,     /* with no more, a run is a line of the kernel       */
  enough_items = 16,      /* of work, for as many threads                      */
  least_inputs = 64,      /* of an output, all taps                            */
  least_pixels = 48,      /* of y                                              */
  most_runs = 128,        /* the table of a block is 100 KB                    */
  most_pixels = 12,       /* of a tile                                         */
  most_width = 24,        /* outputs of a block                                */
  line_floats = 16,       /* of the cache                                      */
};

typedef struct shape {
  int64_t in, out;          /* channels of a group                                           */
  int64_t blocks, lanes;    /* of a group: blocks of outputs; their outputs with padding     */
  int64_t joined;           /* taps of a run: 1, or a line of the kernel                     */
  int64_t runs, length;     /* of a pixel and group; floats of a run                         */
  int64_t parts, part_runs; /* parts of part_runs runs, or of part_length floats of one      */
  int64_t part_length;
  int64_t pixels, pixel_blocks; /* of a block; blocks                                        */
  int64_t chunks; /* of blocks of outputs: a work item is a block of pixels and a chunk      */
} shape;

typedef struct dense_call {
  const d3k_conv_call *of;
  shape shape;
  const float *zeros; /* as many as a pixel or a run has floats                              */
  d3k_epilogue epilogue;
  d3k_chain rest; /* of the chain, after the epilogue                                        */
} dense_call;

/* The block of pixels of a work item. */
typedef struct pixel_block {
  const float **rows; /* [run][pixel]                                                        */
  float *sums;        /* [block of outputs][pixel][output], between parts                    */
  float *edges;       /* [run][pixel]: runs that are partly outside the image, with zeros    */
  int64_t first, count;
} pixel_block;

/* One part of the inputs: runs first..<end, from float `offset` on, `length` floats of each. */
typedef struct part {
  int64_t first, end, offset, length;
  int32_t is_first, is_last;
} part;

/* The weights of one part and one block of outputs. */
typedef struct panel {
  const float *weights;
  int64_t count;
} panel;

/* One block of outputs, for the pixels of one block. */
typedef struct output_block {
  panel panel, next; /* its weights, and those that are needed after them                    */
  int64_t lane;      /* its place in the padded arrays of the epilogue                       */
  int64_t input;     /* the group's first input channel                                      */
  float *y;          /* of the first pixel                                                   */
  const float *residual;
  float *sums;
  int64_t count; /* of outputs that exist                                                    */
} output_block;

static shape shape_of(const d3k_window *w) {
  shape s = {.in = w->in_channels / w->groups, .out = w->out_channels / w->groups, .joined = 1};
  /* The last block has 8, 16 or 24 outputs. */
  s.lanes = d3k_ceil_div(s.out, 8) * 8;
  s.blocks = d3k_max(1, s.lanes / 16);
  if (w->groups == 1 && w->dilation_x == 1 && w->x_stride == s.in && s.in <= joined_inputs)
    s.joined = w->kernel_width;
  s.runs = (int64_t)w->kernel_height * w->kernel_width / s.joined;
  s.length = s.in * s.joined;
  s.part_runs = d3k_max(1, part_floats / s.length);
  s.part_runs = d3k_ceil_div(s.runs, d3k_ceil_div(s.runs, s.part_runs));
  const int64_t cuts = d3k_ceil_div(s.length, part_floats); /* of a run */
  s.part_length = d3k_ceil_div(s.length, cuts);
  s.parts = cuts > 1 ? cuts * s.runs : d3k_ceil_div(s.runs, s.part_runs);
  const int64_t pixels = d3k_conv_pixels(w);
  s.pixel_blocks = d3k_ceil_div(pixels, most_block_pixels);
  s.pixels = d3k_ceil_div(d3k_ceil_div(pixels, s.pixel_blocks), tile_multiple) * tile_multiple;
  s.pixel_blocks = d3k_ceil_div(pixels, s.pixels);
  s.chunks = 1;
  while (s.pixel_blocks * s.chunks < enough_items && s.chunks * 2 <= s.blocks * w->groups)
    s.chunks *= 2;
  return s;
}

D3K_INLINE part part_of(const shape *s, int64_t index) {
  part p = {.is_first = index == 0, .is_last = index + 1 == s->parts};
  if (s->part_length < s->length) {
    const int64_t cuts = s->parts / s->runs;
    p.first = index / cuts;
    p.end = p.first + 1;
    p.offset = index % cuts * s->part_length;
    p.length = d3k_min(s->part_length, s->length - p.offset);
  } else {
    p.first = index * s->part_runs;
    p.end = d3k_min(s->runs, p.first + s->part_runs);
    p.length = s->length;
  }
  return p;
}

D3K_INLINE int64_t block_width(const shape *s, int64_t block) {
  return block + 1 < s->blocks ? 16 : s->lanes - block * 16;
}

/* Packed: [group][part][block of outputs][input of the part][output of the block]. */
D3K_INLINE panel panel_of(const shape *s, const float *packed, const part *p, int64_t at) {
  const int64_t g = at / s->blocks, block = at % s->blocks;
  const int64_t inputs = (p->end - p->first) * p->length, before = p->first * s->length;
  const int64_t lines = (g * s->runs * s->length + before) * s->lanes;
  return (panel){packed + lines + p->offset * s->lanes + block * 16 * inputs,
                 inputs * block_width(s, block)};
}

#define EACH_PIXEL _Pragma("clang loop unroll(full)") for (int32_t p = 0; p < pixels; p++)
#define EACH_VECTOR _Pragma("clang loop unroll(full)") for (int32_t v = 0; v < vectors; v++)

/* y = epilogue(sum) for the tile that begins at pixel `tile` of the block. */
D3K_INLINE void finish_tile(const dense_call *call, const pixel_block *b, const output_block *o,
                            int64_t tile, int32_t pixels, int32_t vectors,
                            d3k_f8 sum[most_pixels][most_width / 8]) {
  const d3k_epilogue *e = &call->epilogue;
  const int64_t width = vectors * 8, y_stride = call->of->conv->options.window.y_stride;
  const int64_t count = d3k_min(pixels, b->count - tile);
  const int32_t is_whole = count == pixels && o->count == width;
  /* Tiles that are partly outside are read and written through whole ones. */
  float residuals[most_pixels * most_width], whole[most_pixels * most_width];
  if (o->residual) {
    const float *residual = o->residual + tile * e->residual_stride;
    int64_t step = e->residual_stride;
    if (!is_whole) {
      memset(residuals, 0, sizeof residuals);
      for (int64_t p = 0; p < count; p++)
        d3k_copy_line(residuals + p * width, residual + p * step, o->count);
      residual = residuals;
      step = width;
    }
    EACH_PIXEL EACH_VECTOR sum[p][v] += d3k_load8(residual + p * step + v * 8);
  }
  if (e->scale) EACH_VECTOR {
      const d3k_f8 scale = d3k_load8(e->scale + o->lane + v * 8);
      const d3k_f8 shift = d3k_load8(e->shift + o->lane + v * 8);
      EACH_PIXEL sum[p][v] = sum[p][v] * scale + shift;
    }
  if (e->slope) EACH_VECTOR {
      const d3k_f8 slope = d3k_load8(e->slope + o->lane + v * 8);
      EACH_PIXEL sum[p][v] = d3k_activate_8(sum[p][v], slope, e->is_relu);
    }
  float *y = o->y + tile * y_stride;
  if (is_whole) {
    EACH_PIXEL EACH_VECTOR d3k_store8(y + p * y_stride + v * 8, sum[p][v]);
  } else {
    EACH_PIXEL EACH_VECTOR d3k_store8(whole + p * width + v * 8, sum[p][v]);
    for (int64_t p = 0; p < count; p++)
      d3k_copy_line(y + p * y_stride, whole + p * width, o->count);
  }
}

/* The tiles of a block of pixels, for one part and one block of outputs. */
D3K_INLINE void run_tiles(const dense_call *call, const pixel_block *b, const part *part,
                          const output_block *o, int32_t pixels, int32_t vectors) {
  const int64_t width = vectors * 8, table = call->shape.pixels;
  const int64_t offset = part->offset + o->input;
  /* The next weights come from far away when there are many: each tile asks for some of them. */
  const int64_t tiles = d3k_ceil_div(b->count, pixels);
  const int64_t share = d3k_ceil_div(o->next.count, tiles * line_floats) * line_floats;
  for (int64_t tile = 0, next = 0; tile < b->count; tile += pixels) {
    const float *weights = o->panel.weights, *const *rows = b->rows + part->first * table + tile;
    float *sums = o->sums + tile * width;
    d3k_f8 sum[most_pixels][most_width / 8];
    if (part->is_first)
      EACH_PIXEL EACH_VECTOR sum[p][v] = d3k_load8(call->epilogue.biases + o->lane + v * 8);
    else
      EACH_PIXEL EACH_VECTOR sum[p][v] = (d3k_f8){0};
    for (const int64_t end = d3k_min(next + share, o->next.count); next < end; next += line_floats)
      __builtin_prefetch(o->next.weights + next);
    /* With one tap no pixel has been read before: the first outputs ask for the next tile's. */
    if (call->shape.runs == 1 && o->lane == 0 && tile + 2 * pixels <= b->count)
      EACH_PIXEL for (int64_t k = 0; k < part->length; k += line_floats)
          __builtin_prefetch(rows[pixels + p] + offset + k);
    for (int64_t run = part->first; run < part->end; run++, rows += table) {
      const float *from[most_pixels];
      EACH_PIXEL from[p] = rows[p] + offset;
      for (int64_t k = 0; k < part->length; k++, weights += width) {
        d3k_f8 weight[most_width / 8];
        EACH_VECTOR weight[v] = d3k_load8(weights + v * 8);
        EACH_PIXEL {
          const float value = from[p][k];
          EACH_VECTOR sum[p][v] += value * weight[v];
        }
      }
    }
    /* Parts are summed on their own: their roundings are smaller than those of the whole sum. */
    if (!part->is_first) EACH_PIXEL EACH_VECTOR sum[p][v] += d3k_load8(sums + p * width + v * 8);
    if (part->is_last)
      finish_tile(call, b, o, tile, pixels, vectors, sum);
    else
      EACH_PIXEL EACH_VECTOR d3k_store8(sums + p * width + v * 8, sum[p][v]);
  }
}

/* Blocks of outputs begin..<end, counted through all groups. */
D3K_CLONES(static, void, run_blocks,
           (const dense_call *call, const pixel_block *b, int64_t begin, int64_t end),
           (call, b, begin, end)) {
  const shape *s = &call->shape;
  const d3k_epilogue *e = &call->epilogue;
  const d3k_window *w = &call->of->conv->options.window;
  for (int64_t index = 0; index < s->parts; index++) {
    const part here = part_of(s, index), after = part_of(s, (index + 1) % s->parts);
    for (int64_t at = begin; at < end; at++) {
      const int64_t g = at / s->blocks, block = at % s->blocks, first = block * 16;
      const int64_t width = block_width(s, block), channel = g * s->out + first;
      const output_block o = {
          .panel = panel_of(s, call->of->weights, &here, at),
          .next = at + 1 < end ? panel_of(s, call->of->weights, &here, at + 1)
                               : panel_of(s, call->of->weights, &after, begin),
          .lane = g * s->lanes + first,
          .input = g * s->in,
          .y = call->of->y + b->first * w->y_stride + channel,
          .residual = e->residual ? e->residual + b->first * e->residual_stride + channel : NULL,
          .sums = b->sums + (g * s->lanes + first) * s->pixels,
          .count = d3k_min(width, s->out - first)};
      if (width == 8)
        run_tiles(call, b, &here, &o, 12, 1);
      else if (width == 16)
        run_tiles(call, b, &here, &o, 6, 2);
      else
        run_tiles(call, b, &here, &o, 4, 3);
    }
  }
}

/* A run that is partly outside the image: a copy with zeros there. */
static const float *copy_run(const dense_call *call, const float *line, int64_t ix, float *copy) {
  const d3k_window *w = &call->of->conv->options.window;
  const int64_t joined = call->shape.joined, in = call->shape.in;
  const int64_t begin = d3k_min(joined, d3k_max(0, -ix));
  const int64_t end = d3k_max(begin, d3k_min(joined, w->in_width - ix));
  memset(copy, 0, sizeof(float) * (size_t)(begin * in));
  memcpy(copy + begin * in, line + (ix + begin) * in, sizeof(float) * (size_t)((end - begin) * in));
  memset(copy + end * in, 0, sizeof(float) * (size_t)((joined - end) * in));
  return copy;
}

/* One run of output pixels ox..<ox + count of a line, whose inputs are in `line` (or outside). */
D3K_INLINE void find_run(const dense_call *call, const float *line, int64_t ix, int64_t count,
                         const float **rows, float *copies) {
  const d3k_window *w = &call->of->conv->options.window;
  const shape *s = &call->shape;
  const int64_t step = w->stride_x, last = w->in_width - s->joined; /* inside: 0 <= ix <= last */
  int64_t begin = ix < 0 ? d3k_min(count, d3k_ceil_div(-ix, step)) : 0;
  int64_t end = ix > last ? 0 : d3k_min(count, (last - ix) / step + 1);
  end = d3k_max(begin, end);
  if (!line) begin = end = count;
  for (int64_t p = begin; p < end; p++) rows[p] = line + (ix + p * step) * w->x_stride;
  for (int64_t p = 0; p < count; p++) {
    if (p == begin) p = end;
    if (p == count) break;
    rows[p] = line && s->joined > 1 ? copy_run(call, line, ix + p * step, copies + p * s->length)
                                    : call->zeros;
  }
}

/* The table of a block: its pixels are parts of one or more lines. */
static void find_rows(const dense_call *call, const pixel_block *b) {
  const d3k_window *w = &call->of->conv->options.window;
  const shape *s = &call->shape;
  const int64_t line_runs = w->kernel_width / s->joined;
  for (int64_t p = 0, count; p < b->count; p += count) {
    const int64_t pixel = b->first + p, line = pixel / w->out_width, ox = pixel % w->out_width;
    const int64_t top = line % w->out_height * w->stride_y - w->pad_top;
    const float *image =
        call->of->x + line / w->out_height * w->in_height * w->in_width * w->x_stride;
    count = d3k_min(b->count - p, w->out_width - ox);
    for (int64_t r = 0; r < s->runs; r++) {
      const int64_t iy = top + r / line_runs * w->dilation_y;
      const int64_t ix = ox * w->stride_x - w->pad_left + r % line_runs * w->dilation_x;
      const int32_t is_inside = iy >= 0 && iy < w->in_height;
      find_run(call, is_inside ? image + iy * w->in_width * w->x_stride : NULL, ix, count,
               b->rows + r * s->pixels + p, b->edges + (r * s->pixels + p) * s->length);
    }
  }
  for (int64_t r = 0; r < s->runs; r++)
    for (int64_t p = b->count; p < s->pixels; p++) b->rows[r * s->pixels + p] = call->zeros;
}

static size_t rows_bytes(const shape *s) {
  return d3k_round64(sizeof(float *) * (size_t)(s->runs * s->pixels));
}

static size_t sums_bytes(const shape *s, int64_t groups) {
  return s->parts > 1 ? d3k_round64(sizeof(float) * (size_t)(groups * s->lanes * s->pixels)) : 0;
}

static size_t item_bytes(const shape *s, int64_t groups) {
  const size_t edges = s->joined > 1 ? (size_t)(s->runs * s->length * s->pixels) : 0;
  return rows_bytes(s) + sums_bytes(s, groups) + d3k_round64(sizeof(float) * edges);
}

/* Biases, scales, shifts and slopes, and zeros. */
static size_t shared_bytes(const shape *s, const d3k_window *w) {
  return d3k_round64(sizeof(float) *
                     (size_t)(4 * w->groups * s->lanes + d3k_max(s->length, w->in_channels)));
}

static void run_item(const void *context, int64_t item, char *scratch) {
  const dense_call *call = context;
  const d3k_window *w = &call->of->conv->options.window;
  const shape *s = &call->shape;
  const int64_t chunk = item % s->chunks, blocks = s->blocks * w->groups;
  pixel_block b = {.rows = (const float **)scratch,
                   .sums = (float *)(scratch + rows_bytes(s)),
                   .edges = (float *)(scratch + rows_bytes(s) + sums_bytes(s, w->groups)),
                   .first = item / s->chunks * s->pixels};
  b.count = d3k_min(s->pixels, d3k_conv_pixels(w) - b.first);
  find_rows(call, &b);
  run_blocks(call, &b, chunk * blocks / s->chunks, (chunk + 1) * blocks / s->chunks);
  if (call->rest.count)
    d3k_chain_apply(&call->rest, call->of->y + b.first * w->y_stride, w->y_stride, b.first, b.count,
                    w->out_channels);
}

static void run(const d3k_conv_call *given) {
  const d3k_conv *conv = given->conv;
  const d3k_window *w = &conv->options.window;
  dense_call call = {.of = given, .shape = shape_of(w)};
  shape *s = &call.shape;
  const int64_t padded = w->groups * s->lanes;
  float *values = given->scratch;
  const size_t shared = shared_bytes(s, w);
  memset(values, 0, shared);
  d3k_epilogue_find(given->chain, &call.epilogue);
  call.rest = d3k_chain_after(given->chain, call.epilogue.stages);
  if (call.rest.count) s->chunks = 1; /* the rest of a chain needs all channels */
  for (int64_t c = 0; c < w->out_channels; c++)
    d3k_epilogue_write(&call.epilogue, given->bias, c, values + c / s->out * s->lanes + c % s->out,
                       padded);
  d3k_epilogue_point(&call.epilogue, values, padded);
  call.zeros = values + 4 * padded;
  d3k_tiles_run(conv->options.threads, s->pixel_blocks * s->chunks, run_item, &call,
                (char *)given->scratch + shared, item_bytes(s, w->groups));
}

typedef struct pack_call {
  const d3k_conv *conv;
  shape shape;
  const float *weights, *scale;
  float *packed;
} pack_call;

static void pack_block(const void *context, int64_t at, char *scratch) {
  (void)scratch;
  const pack_call *call = context;
  const shape *s = &call->shape;
  const int64_t g = at / s->blocks, block = at % s->blocks, first = block * 16;
  const int64_t width = block_width(s, block), count = d3k_min(width, s->out - first);
  const int64_t step = call->conv->weights.out;
  float factors[most_width];
  for (int64_t o = 0; o < count; o++)
    factors[o] = call->scale ? call->scale[g * s->out + first + o] : 1;
  for (int64_t index = 0; index < s->parts; index++) {
    const part p = part_of(s, index);
    float *to = call->packed + (panel_of(s, call->packed, &p, at).weights - call->packed);
    for (int64_t run = p.first; run < p.end; run++)
      for (int64_t k = p.offset; k < p.offset + p.length; k++, to += width) {
        const int64_t tap = run * s->joined + k / s->in;
        const float *from = call->weights + d3k_weight_at(call->conv, g, first, k % s->in, tap);
        for (int64_t o = 0; o < count; o++) to[o] = from[o * step] * factors[o];
        for (int64_t o = count; o < width; o++) to[o] = 0;
      }
  }
}

static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  const pack_call call = {conv, shape_of(w), weights, scale, packed};
  d3k_tiles_run(conv->options.threads, w->groups * call.shape.blocks, pack_block, &call, NULL, 0);
}

/* Measured on AVX2 (Zen 5) by benchmarks/convolutions.c against oneDNN 2.6 and conv_direct.c. One
 * of them is faster with less to sum, with unused lanes, with few pixels, and by a tenth with
 * groups of many outputs, and where a 1x1 kernel reads much more than it writes. Elsewhere this is
 * between as fast as oneDNN (3 % less at the worst) and half as fast again (8 to 32 channels on one
 * side). On NEON no time was measured. */
static int32_t fits(const d3k_conv_options *options) {
  const d3k_window *w = &options->window;
  if (d3k_register_floats() != 128 || options->backend != d3k_best_backend() ||
      options->precision == D3K_BF16 || options->transposed || d3k_conv_pixels(w) < least_pixels)
    return 0;
  const shape s = shape_of(w);
  if (s.runs > most_runs || s.runs * s.length < least_inputs) return 0;
  if (s.out < 8 || s.out * 4 < s.lanes * 3) return 0;
  if (w->groups > 1 && (s.in < 8 || s.out < 16 || s.out >= 32)) return 0;
  return !(d3k_is_pointwise(w) && s.in >= 2 * s.out && s.in >= 128 && s.out <= 64);
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  const shape s = shape_of(w);
  conv->packed_bytes = sizeof(float) * (size_t)(w->groups * s.lanes * s.runs * s.length);
  conv->scratch_bytes =
      shared_bytes(&s, w) + item_bytes(&s, w->groups) * (size_t)d3k_parts(conv->options.threads);
  return 1;
}

const d3k_conv_implementation d3k_conv_dense = {
    fits, d3k_always, create, NULL, pack, run, "dense",
};
