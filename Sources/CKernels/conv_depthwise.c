/* One filter per channel: image -> image, vectorised over channels, several columns at a time.
 *
 *     y[n,oy,ox,c] = bias[c] + Σ_ky Σ_kx x[n, oy*s - pad + ky*d, ox*s - pad + kx*d, c] · w[ky,kx,c]
 *
 * Where pixels follow each other densely and the stride is 1, a line is one run of floats and a tap
 * a shift of it; weights repeated up to a multiple of 16 floats (the period) then fill whole
 * vectors whatever the channel count. */
#include <string.h>

#include "conv_internal.h"

/* Any alignment; the compiler splits what the machine's registers do not hold. */
typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef float v8 __attribute__((vector_size(32), aligned(4)));
typedef float v4 __attribute__((vector_size(16), aligned(4)));

enum { columns_at_once = 8, flat_floats = 4096 };

typedef struct depthwise_call {
  const d3k_conv *conv;
  const float *x, *weights, *bias; /* weights, bias: period floats per tap                     */
  const d3k_chain *chain;
  float *y;
  int64_t period;
} depthwise_call;

/* The taps that one block of outputs meets. */
typedef struct taps {
  const float *x, *weights;       /* at the first tap                                          */
  int64_t height, width;          /* counts                                                    */
  int64_t x_down, x_right;        /* floats from one tap's input to the next                   */
  int64_t weights_down, weights_right;
} taps;

/* y[p * y_step] = bias + Σ taps x[p * x_step] * weights, for `count` columns p, one vector each. */
#define DEFINE_BLOCK(vector, name)                                                              \
  D3K_INLINE void name(taps t, int64_t height, int64_t width, const float *bias, int64_t count, \
                       int64_t x_step, float *y, int64_t y_step) {                              \
    vector sums[columns_at_once];                                                               \
    _Pragma("clang loop unroll(full)") for (int64_t p = 0; p < count; p++)                      \
        sums[p] = *(const vector *)bias;                                                        \
    for (int64_t ky = 0; ky < height; ky++) {                                                   \
      const float *x = t.x + ky * t.x_down, *w = t.weights + ky * t.weights_down;               \
      for (int64_t kx = 0; kx < width; kx++, x += t.x_right, w += t.weights_right) {            \
        vector weight = *(const vector *)w;                                                     \
        _Pragma("clang loop unroll(full)") for (int64_t p = 0; p < count; p++)                  \
            sums[p] += *(const vector *)(x + p * x_step) * weight;                              \
      }                                                                                         \
    }                                                                                           \
    _Pragma("clang loop unroll(full)") for (int64_t p = 0; p < count; p++)                      \
        *(vector *)(y + p * y_step) = sums[p];                                                  \
  }

DEFINE_BLOCK(v16, block_16)
DEFINE_BLOCK(v8, block_8)
DEFINE_BLOCK(v4, block_4)
DEFINE_BLOCK(float, block_1)

/* Constant trip counts for 3x3, the common case. */
#define BLOCK(name, count)                                                       \
  do {                                                                           \
    if (t.height == 3 && t.width == 3)                                           \
      name(t, 3, 3, bias, count, x_step, y, y_step);                             \
    else                                                                         \
      name(t, t.height, t.width, bias, count, x_step, y, y_step);                \
  } while (0)

/* `count` (1 or columns_at_once) columns of `channels` channels. */
D3K_INLINE void channels_of(taps t, const float *bias, int64_t channels, int64_t count,
                            int64_t x_step, float *y, int64_t y_step) {
  int64_t c = 0;
#define ADVANCE(lanes) c += lanes, t.x += lanes, t.weights += lanes, bias += lanes, y += lanes
  for (; c + 16 <= channels; ADVANCE(16)) BLOCK(block_16, count);
  if (c + 8 <= channels) {
    BLOCK(block_8, count);
    ADVANCE(8);
  }
  if (c + 4 <= channels) {
    BLOCK(block_4, count);
    ADVANCE(4);
  }
  for (; c < channels; ADVANCE(1)) BLOCK(block_1, count);
#undef ADVANCE
}

/* Output columns [begin, end), each with its own taps cut at the image's sides. */
D3K_INLINE void edge(const depthwise_call *call, taps t, const float *line, int64_t begin,
                     int64_t end, float *y) {
  const d3k_window *w = &call->conv->options.window;
  const float *weights = t.weights;
  for (int64_t ox = begin; ox < end; ox++) {
    int64_t left = ox * w->stride_x - w->pad_left, first = 0, last = w->kernel_width;
    if (left < 0) first = (-left + w->dilation_x - 1) / w->dilation_x;
    if (left + (last - 1) * w->dilation_x >= w->in_width)
      last = left >= w->in_width ? 0 : (w->in_width - 1 - left) / w->dilation_x + 1;
    t.width = d3k_max(last - first, 0);
    t.x = t.width ? line + (left + first * w->dilation_x) * w->x_stride : line;
    t.weights = t.width ? weights + first * t.weights_right : weights;
    channels_of(t, call->bias, w->out_channels, 1, 0, y + ox * w->y_stride, 0);
  }
}

/* Columns whose taps are all inside, as a run of floats; returns the first column not done. */
D3K_INLINE int64_t flat(const depthwise_call *call, taps t, int64_t begin, int64_t end, float *y) {
  const d3k_window *w = &call->conv->options.window;
  int64_t period = call->period, pixels = period / w->in_channels;
  int64_t periods = d3k_min(flat_floats / period, columns_at_once);
  const float *line = t.x, *weights = t.weights;
  float run[flat_floats];
  for (; begin + periods * pixels <= end; begin += periods * pixels) {
    int32_t dense = w->y_stride == w->out_channels;
    float *out = dense ? y + begin * w->y_stride : run;
    for (int64_t f = 0; f < period; f += 16) {
      const float *bias = call->bias + f;
      int64_t x_step = period, y_step = period;
      float *y = out + f;
      t.x = line + begin * w->x_stride + f;
      t.weights = weights + f;
      if (periods == columns_at_once)
        BLOCK(block_16, columns_at_once);
      else
        for (int64_t p = 0; p < periods; p++, t.x += period, y += period) BLOCK(block_16, 1);
    }
    for (int64_t p = 0; p < periods * pixels && !dense; p++)
      memcpy(y + (begin + p) * w->y_stride, run + p * w->out_channels,
             sizeof(float) * (size_t)w->out_channels);
  }
  return begin;
}

D3K_CLONES
static void run_row(const void *context, int64_t row, char *scratch) {
  (void)scratch;
  const depthwise_call *call = context;
  const d3k_window *w = &call->conv->options.window;
  int64_t n = row / w->out_height, top = row % w->out_height * w->stride_y - w->pad_top;
  int64_t first = top < 0 ? (-top + w->dilation_y - 1) / w->dilation_y : 0;
  int64_t last = w->kernel_height;
  if (top + (last - 1) * w->dilation_y >= w->in_height)
    last = top >= w->in_height ? 0 : (w->in_height - 1 - top) / w->dilation_y + 1;
  int64_t height = d3k_max(last - first, 0);
  int64_t line_floats = w->in_width * w->x_stride;
  const float *line = call->x + n * w->in_height * line_floats;
  if (height) line += (top + first * w->dilation_y) * line_floats;
  taps t = {line, call->weights, height, w->kernel_width, w->dilation_y * line_floats,
            w->dilation_x * w->x_stride, w->kernel_width * call->period, call->period};
  if (height) t.weights += first * t.weights_down;
  float *y = call->y + row * w->out_width * w->y_stride;

  /* Columns [begin, end) have all their taps inside the image. */
  int64_t reach = (int64_t)(w->kernel_width - 1) * w->dilation_x;
  int64_t begin = d3k_max(0, (w->pad_left + w->stride_x - 1) / w->stride_x);
  int64_t end = w->in_width - 1 - reach + w->pad_left;
  end = end < 0 ? 0 : d3k_min(end / w->stride_x + 1, w->out_width);
  begin = d3k_min(begin, w->out_width);
  end = d3k_max(begin, end);

  edge(call, t, line, 0, begin, y);
  int64_t ox = begin;
  line -= (int64_t)w->pad_left * w->x_stride;
  t.x = line;
  if (w->stride_x == 1 && w->x_stride == w->in_channels && w->in_channels % 16 &&
      call->period <= flat_floats)
    ox = flat(call, t, ox, end, y);
  for (; ox + columns_at_once <= end; ox += columns_at_once) {
    t.x = line + ox * w->stride_x * w->x_stride;
    channels_of(t, call->bias, w->out_channels, columns_at_once, w->stride_x * w->x_stride,
                y + ox * w->y_stride, w->y_stride);
  }
  edge(call, t, line + (int64_t)w->pad_left * w->x_stride, ox, w->out_width, y);
  d3k_chain_apply(call->chain, y, w->y_stride, row * w->out_width, w->out_width, w->out_channels);
}

/* The smallest multiple of both the channel count and 16. */
static int64_t period_of(const d3k_window *w) {
  int64_t period = w->in_channels;
  while (period % 16) period += w->in_channels;
  return period;
}

static void run(const d3k_conv *conv, const float *x, const void *packed, const float *bias,
                const d3k_chain *chain, float *y, void *scratch) {
  const d3k_window *w = &conv->options.window;
  depthwise_call call = {conv, x, packed, scratch, chain, y, period_of(w)};
  float *repeated = scratch;
  for (int64_t f = 0; f < call.period; f++) repeated[f] = bias ? bias[f % w->in_channels] : 0;
  d3k_tiles_run(conv->options.threads, (int64_t)w->batch * w->out_height, run_row, &call, NULL, 0);
}

static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width, period = period_of(w);
  float *p = packed;
  for (int64_t k = 0; k < taps; k++)
    for (int64_t f = 0; f < period; f++) {
      int64_t c = f % w->in_channels;
      p[k * period + f] = weights[c * taps + k] * (scale ? scale[c] : 1);
    }
}

static int32_t fits(const d3k_conv_options *options) {
  const d3k_window *w = &options->window;
  return !options->transposed && options->backend != D3K_BACKEND_REFERENCE &&
         w->groups == w->in_channels && w->groups == w->out_channels;
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  size_t period_bytes = sizeof(float) * (size_t)period_of(w);
  conv->packed_bytes = period_bytes * (size_t)w->kernel_height * (size_t)w->kernel_width;
  conv->scratch_bytes = period_bytes;
  return 1;
}

const d3k_conv_implementation d3k_conv_depthwise = {
    "depthwise", fits, d3k_always, create, NULL, pack, run,
};
