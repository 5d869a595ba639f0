/* Convolutions with few channels, plain and transposed, straight from the image: several pixels
 * times several vectors of outputs stay in registers while taps and inputs pass.
 *
 * Output pixels are taken by phase (transposed: position modulo stride; else all are one phase).
 * Within a phase, tap t of output (j, i) reads input (j * in_step + dy[t], i * in_step + dx[t]). */
#include "chain/epilogue.h"
#include "conv/conv_internal.h"

enum {
  most_taps = 64,
  most_pixels = 8,              /* of a block, the largest below                               */
  most_weights = 96 * 1024,     /* floats: they are read for every block and must stay in L2   */
  most_transposed = 512 * 1024, /* the alternatives are slower still                           */
};

typedef struct shape {
  int32_t groups;  /* after merging; a merged group is block-diagonal             */
  int64_t in, out; /* channels of a group                                         */
  int32_t vectors; /* of 16 outputs, in a block                                   */
  int64_t blocks;  /* of a group                                                  */
  int64_t taps;
} shape;

typedef struct direct_call {
  const d3k_conv_call *of;
  shape shape;
  const float *zeros; /* an input pixel outside the image                         */
  d3k_epilogue epilogue;
  d3k_chain rest; /* of the chain, after the epilogue                          */
} direct_call;

/* The taps of one phase on one line that are inside the image. */
typedef struct line {
  const float *image;
  int64_t columns, begin, end; /* of the phase; begin..<end have all their taps inside the image  */
  int64_t in_step;             /* input columns from one output column to the next                */
  int32_t taps;
  int32_t joined;                  /* taps side by side that are one run of floats                */
  int64_t offset[most_taps];       /* floats from the image to the tap's input at column 0        */
  int64_t column[most_taps];       /* input column at output column 0                             */
  const float *weights[most_taps]; /* of group 0, block 0                                      */
} line;

/* Where the pixels of a phase on one line go, and what is added to them. */
typedef struct output {
  float *y;
  const float *added;         /* or NULL                                                     */
  int64_t y_step, added_step; /* floats from pixel to pixel                                  */
} output;

/* Where the inputs of a block are: rows has one pointer per tap and pixel, or is NULL. Then pixel p
 * is p * step after x, and `joined` taps in a row follow each other in memory, inputs and weights,
 * as one tap would. */
typedef struct inputs {
  const float *const *rows;
  const float *x;
  int64_t step;
} inputs;

/* y[p][v] = epilogue(bias + added[p][v] + Σ taps, inputs: x[p] · weights), all vectors whole. */
D3K_INLINE void block(const direct_call *call, const line *l, inputs from_image, int64_t at,
                      int32_t pixels, int32_t vectors, output o) {
#define EACH_PIXEL _Pragma("clang loop unroll(full)") for (int32_t p = 0; p < pixels; p++)
#define EACH_VECTOR _Pragma("clang loop unroll(full)") for (int32_t v = 0; v < vectors; v++)
  const shape *s = &call->shape;
  const d3k_epilogue *e = &call->epilogue;
  const float *const *rows = from_image.rows;
  const float *x = from_image.x;
  int64_t channel = at * vectors * 16, joined = rows ? 1 : l->joined, in = s->in * joined;
  d3k_f16 sum[most_pixels][4];
  EACH_PIXEL EACH_VECTOR sum[p][v] = *(const d3k_f16 *)(e->biases + channel + v * 16);
  if (o.added)
    EACH_PIXEL EACH_VECTOR sum[p][v] += *(const d3k_f16 *)(o.added + p * o.added_step + v * 16);
  for (int32_t t = 0; t < l->taps; t += joined) {
    const float *w = l->weights[t] + channel * s->taps * s->in;
    const float *from[most_pixels];
    EACH_PIXEL from[p] = rows ? rows[t * pixels + p] : x + l->offset[t] + p * from_image.step;
    for (int64_t k = 0; k < in; k++, w += vectors * 16) {
      d3k_f16 weight[4];
      EACH_VECTOR weight[v] = *(const d3k_f16 *)(w + v * 16);
      EACH_PIXEL {
        float value = from[p][k];
        EACH_VECTOR sum[p][v] += value * weight[v];
      }
    }
  }
  if (e->scale) EACH_VECTOR {
      d3k_f16 scale = *(const d3k_f16 *)(e->scale + channel + v * 16);
      d3k_f16 shift = *(const d3k_f16 *)(e->shift + channel + v * 16);
      EACH_PIXEL sum[p][v] = sum[p][v] * scale + shift;
    }
  if (e->slope) EACH_VECTOR {
      d3k_f16 slope = *(const d3k_f16 *)(e->slope + channel + v * 16);
      EACH_PIXEL sum[p][v] = d3k_activate_16(sum[p][v], slope, e->is_relu);
    }
  EACH_PIXEL EACH_VECTOR *(d3k_f16 *)(o.y + p * o.y_step + v * 16) = sum[p][v];
}

/* All pixels of one phase on one line, for block `at` of outputs, counted through all groups. */
D3K_INLINE void run_block(const direct_call *call, const line *l, int64_t at, int32_t pixels,
                          int32_t vectors, output o) {
  const d3k_window *w = &call->of->conv->options.window;
  const shape *s = &call->shape;
  int64_t g = at / s->blocks, lanes = vectors * 16, first = at % s->blocks * lanes;
  int64_t left = d3k_min(s->out - first, lanes), step = l->in_step * w->x_stride;
  const float *x = l->image + g * s->in;
  o.y += g * s->out + first;
  if (o.added) o.added += g * s->out + first;
  for (int64_t i = 0; i < l->columns;) {
    int32_t is_inside = i >= l->begin && i + pixels <= l->end;
    int64_t count = d3k_min(pixels, l->columns - i);
    if (i < l->begin) count = d3k_min(count, l->begin - i);
    output here = {o.y + i * o.y_step, o.added ? o.added + i * o.added_step : NULL, o.y_step,
                   o.added_step};
    float whole[most_pixels * 64], added[most_pixels * 64];
    int32_t is_whole = left == lanes && count == pixels;
    if (!is_whole) { /* partly filled vectors and blocks are computed in arrays of whole ones */
      if (o.added) {
        memset(added, 0, sizeof(float) * (size_t)(pixels * lanes));
        for (int64_t p = 0; p < count; p++)
          d3k_copy_line(added + p * lanes, here.added + p * o.added_step, left);
        here.added = added;
      }
      here.y = whole;
      here.y_step = here.added_step = lanes;
    }
    if (is_inside) {
      block(call, l, (inputs){NULL, x + i * step, step}, at, pixels, vectors, here);
    } else {
      const float *rows[most_taps * most_pixels];
      for (int32_t t = 0; t < l->taps; t++)
        for (int32_t p = 0; p < pixels; p++) {
          int64_t ix = (i + p) * l->in_step + l->column[t];
          rows[t * pixels + p] = p < count && ix >= 0 && ix < w->in_width
                                     ? x + l->offset[t] + (i + p) * step
                                     : call->zeros;
        }
      block(call, l, (inputs){rows, NULL, 0}, at, pixels, vectors, here);
    }
    for (int64_t p = 0; p < count && !is_whole; p++)
      d3k_copy_line(o.y + (i + p) * o.y_step, whole + p * lanes, left);
    i += count;
  }
}

/* The taps for output line oy, columns px, px + stride..., of which there are l->columns. */
D3K_INLINE void find_taps(const direct_call *call, int64_t oy, int64_t px, line *l) {
  const d3k_window *w = &call->of->conv->options.window;
  const shape *s = &call->shape;
  int32_t transposed = call->of->conv->options.transposed;
  int64_t in_step = transposed ? 1 : w->stride_x;
  l->in_step = in_step;
  l->taps = 0;
  l->joined = !transposed && w->dilation_x == 1 && w->x_stride == s->in ? w->kernel_width : 1;
  l->begin = 0;
  l->end = l->columns;
  for (int64_t ky = 0; ky < w->kernel_height; ky++) {
    int64_t iy = transposed ? oy + w->pad_top - ky * w->dilation_y
                            : oy * w->stride_y - w->pad_top + ky * w->dilation_y;
    if (iy < 0) continue;
    if (transposed && iy % w->stride_y) continue;
    if (transposed) iy /= w->stride_y;
    if (iy >= w->in_height) continue;
    for (int64_t kx = 0; kx < w->kernel_width; kx++) {
      int64_t dx = kx * w->dilation_x - w->pad_left;
      if (transposed) {
        dx = px + w->pad_left - kx * w->dilation_x;
        if (dx % w->stride_x) continue;
        dx /= w->stride_x;
      }
      int32_t t = l->taps++;
      l->column[t] = dx;
      l->offset[t] = (iy * w->in_width + dx) * w->x_stride;
      l->weights[t] = call->of->weights + (ky * w->kernel_width + kx) * s->in * s->vectors * 16;
      int64_t last = w->in_width - 1 - dx; /* i * in_step <= last */
      if (dx < 0) l->begin = d3k_max(l->begin, (-dx + in_step - 1) / in_step);
      l->end = d3k_min(l->end, last < 0 ? 0 : last / in_step + 1);
    }
  }
}

D3K_CLONES(static, void, run_row, (const void *context, int64_t row, char *scratch),
           (context, row, scratch)) {
  (void)scratch;
  const direct_call *call = context;
  const d3k_window *w = &call->of->conv->options.window;
  const shape *s = &call->shape;
  int64_t n = row / w->out_height, oy = row % w->out_height;
  int64_t phases = call->of->conv->options.transposed ? w->stride_x : 1;
  float *y = call->of->y + row * w->out_width * w->y_stride;
  const d3k_epilogue *e = &call->epilogue;
  for (int64_t px = 0; px < phases && px < w->out_width; px++) {
    line l;
    l.image = call->of->x + n * w->in_height * w->in_width * w->x_stride;
    l.columns = (w->out_width - px + phases - 1) / phases;
    find_taps(call, oy, px, &l);
    output o = {y + px * w->y_stride, NULL, phases * w->y_stride, phases * e->residual_stride};
    if (e->residual) o.added = e->residual + (row * w->out_width + px) * e->residual_stride;
    for (int64_t at = 0; at < s->groups * s->blocks; at++) switch (s->vectors) {
        case 1:
          if (d3k_has_many_registers())
            run_block(call, &l, at, 8, 1, o);
          else
            run_block(call, &l, at, 6, 1, o);
          break;
        case 2:
          run_block(call, &l, at, 8, 2, o);
          break;
        case 3:
          run_block(call, &l, at, 8, 3, o);
          break;
        default:
          run_block(call, &l, at, 6, 4, o);
          break;
      }
  }
  if (call->rest.count)
    d3k_chain_apply(&call->rest, y, w->y_stride, row * w->out_width, w->out_width, w->out_channels);
}

static shape shape_of(const d3k_window *w) {
  shape s = {.groups = w->groups,
             .in = w->in_channels / w->groups,
             .out = w->out_channels / w->groups,
             .taps = (int64_t)w->kernel_height * w->kernel_width};
  /* Neighbouring groups share a vector, whose other lanes would be unused. */
  while (s.groups % 2 == 0 && s.out * 2 <= 16) s.groups /= 2, s.in *= 2, s.out *= 2;
  int64_t needed = d3k_ceil_div(s.out, 16), best = 0;
  const int32_t most_vectors = d3k_has_many_registers() ? 4 : 1;
  for (int32_t v = 1; v <= most_vectors; v++) { /* the most that pads least */
    int64_t padded = d3k_ceil_div(needed, v) * v;
    if (!best || padded <= best) best = padded, s.vectors = v;
  }
  s.blocks = d3k_ceil_div(needed, s.vectors);
  return s;
}

static int64_t padded_outputs(const shape *s) { return s->groups * s->blocks * s->vectors * 16; }

static void run(const d3k_conv_call *given) {
  const d3k_conv *conv = given->conv;
  const d3k_window *w = &conv->options.window;
  direct_call call = {.of = given, .shape = shape_of(w)};
  const shape *s = &call.shape;
  int64_t padded = padded_outputs(s);
  float *values = given->scratch; /* bias, scale, shift, slope, then the pixel of zeros */
  memset(values, 0, conv->scratch_bytes);
  d3k_epilogue_find(given->chain, &call.epilogue);
  call.rest = d3k_chain_after(given->chain, call.epilogue.stages);
  for (int64_t c = 0; c < w->out_channels; c++)
    d3k_epilogue_write(&call.epilogue, given->bias, c,
                       values + c / s->out * s->blocks * s->vectors * 16 + c % s->out, padded);
  d3k_epilogue_point(&call.epilogue, values, padded);
  call.zeros = values + 4 * padded;
  d3k_tiles_run(conv->options.threads, (int64_t)w->batch * w->out_height, run_row, &call, NULL, 0);
}

/* Packed: [group][block][tap][input][output of the block], groups as merged. */
static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  shape s = shape_of(w);
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t lanes = s.vectors * 16;
  float *p = packed;
  memset(p, 0, conv->packed_bytes);
  for (int64_t o = 0; o < w->out_channels; o++) {
    int64_t g = o / out, merged = o / s.out, lane = o % s.out;
    int64_t block = merged * s.blocks + lane / lanes, input = g * in % s.in;
    float factor = scale ? scale[o] : 1;
    for (int64_t i = 0; i < in; i++)
      for (int64_t t = 0; t < s.taps; t++) {
        p[((block * s.taps + t) * s.in + input + i) * lanes + lane % lanes] =
            weights[d3k_weight_at(conv, g, o % out, i, t)] * factor;
      }
  }
}

static int64_t packed_floats(const d3k_window *w) {
  shape s = shape_of(w);
  return padded_outputs(&s) * s.taps * s.in;
}

/* Whether oneDNN would need another pass over the image, for its strides or for a stage. */
static int32_t needs_a_pass(const d3k_conv_options *options) {
  const d3k_window *w = &options->window;
  if (w->x_stride != w->in_channels || w->y_stride != w->out_channels) return 1;
  for (int32_t s = 0; s < options->chain.count; s++)
    if (options->chain.stages[s].kind == D3K_PRELU || options->chain.stages[s].extent == D3K_FULL)
      return 1;
  return 0;
}

/* Measured against oneDNN 2.6 on AVX-512: this is as fast on whole vectors, 10-25 % slower with
 * fewer than 16 outputs or 8 inputs, and five times as fast on transposed convolutions with few
 * channels. It also saves the 0.3-1 ms that oneDNN takes to make a primitive. */
static int32_t fits(const d3k_conv_options *options) {
  const d3k_window *w = &options->window;
  int64_t floats = packed_floats(w);
  if (options->backend != d3k_best_backend() ||
      (int64_t)w->kernel_height * w->kernel_width > most_taps)
    return 0;
  if (options->transposed) return floats <= most_transposed;
  if (floats > most_weights) return 0;
  if (w->groups > 1 && (w->out_channels / w->groups < 16 || w->in_channels / w->groups < 8))
    return 1;
  return options->precision != D3K_BF16 && w->in_channels >= 8 && needs_a_pass(options);
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  shape s = shape_of(w);
  conv->packed_bytes = sizeof(float) * (size_t)packed_floats(w);
  conv->scratch_bytes = sizeof(float) * (size_t)(padded_outputs(&s) * 4 + s.in);
  return 1;
}

const d3k_conv_implementation d3k_conv_direct = {
    fits, d3k_always, create, NULL, pack, run, "direct",
};
