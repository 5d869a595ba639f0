/* One filter per channel: image -> image, vectorised over channels, several columns at a time.
 *
 *     y[n,oy,ox,c] = Σ_ky Σ_kx x[n, oy*s - pad + ky*d, ox*s - pad + kx*d, c] · w[ky,kx,c]
 *
 * Where pixels follow each other densely and the stride is 1, a line is one run of floats and a tap
 * a shift of it; weights repeated up to a multiple of 16 floats (the period) then fill whole
 * vectors whatever the channel count. */
#include "conv_internal.h"
#include "epilogue.h"

enum { columns_at_once = 8, widest_shared = 7, segment_columns = 32, flat_floats = 1024 };

typedef struct depthwise_call {
  const d3k_conv *conv;
  const float *x, *weights; /* weights: period floats per tap                            */
  float *y;
  int64_t period;
  d3k_epilogue epilogue;
  d3k_chain rest; /* of the chain, after the epilogue                          */
} depthwise_call;

/* The taps that one block of outputs meets, and where the outputs go. */
typedef struct taps {
  const float *x, *weights; /* at the first tap                                          */
  int64_t height, width;    /* counts                                                    */
  int64_t x_down, x_right;  /* floats from one tap's input to the next                   */
  int64_t weights_down, weights_right;
  int64_t x_step, y_step, added_step; /* floats from one column to the next                    */
  const float *added; /* to the outputs, or NULL                                   */
  float *y;
  int64_t apart; /* columns this far apart read the same inputs              */
} taps;

D3K_INLINE void skip_columns(taps *t, int64_t count) {
  t->x += count * t->x_step;
  t->y += count * t->y_step;
  if (t->added) t->added += count * t->added_step;
}

/* NAME_block: y[p] = epilogue(bias + added[p] + Σ taps x[p] · weights) for `count` columns p, one
 * vector each. is_shared: x_step == x_right, so that a column's tap is its neighbour's next one:
 * loads, not products, are the limit.
 * NAME: the same for any number of columns. A function of its own, for the registers' sake. */
#define DEFINE_KERNEL(vector, name, activate)                                                    \
  D3K_INLINE void name##_block(const d3k_epilogue *e, const float *biases, const taps *t,        \
                               int64_t width, int32_t is_shared, int64_t count) {                \
    vector sum[columns_at_once], bias = *(const vector *)biases;                                 \
    EACH(p, count) sum[p] = bias;                                                                \
    if (t->added) EACH(p, count) sum[p] += *(const vector *)(t->added + p * t->added_step);      \
    const float *line = t->x, *weights = t->weights;                                             \
    int64_t x_step = t->x_step, weights_right = t->weights_right;                                \
    for (int64_t ky = t->height; ky > 0; ky--, line += t->x_down, weights += t->weights_down) {  \
      if (is_shared) {                                                                           \
        vector loaded[columns_at_once + widest_shared];                                          \
        EACH(q, count + width - 1) loaded[q] = *(const vector *)(line + q * x_step);             \
        EACH(kx, width) {                                                                        \
          vector weight = *(const vector *)(weights + kx * weights_right);                       \
          EACH(p, count) sum[p] += loaded[p + kx] * weight;                                      \
        }                                                                                        \
      } else {                                                                                   \
        const float *x = line, *w = weights;                                                     \
        for (int64_t kx = width; kx > 0; kx--, x += t->x_right, w += weights_right) {            \
          vector weight = *(const vector *)w;                                                    \
          EACH(p, count) sum[p] += *(const vector *)(x + p * x_step) * weight;                   \
        }                                                                                        \
      }                                                                                          \
    }                                                                                            \
    if (e->scale) {                                                                              \
      vector scale = *(const vector *)(e->scale + (biases - e->biases));                         \
      vector shift = *(const vector *)(e->shift + (biases - e->biases));                         \
      EACH(p, count) sum[p] = sum[p] * scale + shift;                                            \
    }                                                                                            \
    if (e->slope) {                                                                              \
      vector slope = *(const vector *)(e->slope + (biases - e->biases));                         \
      EACH(p, count) sum[p] = activate(sum[p], slope, e->is_relu);                               \
    }                                                                                            \
    EACH(p, count) * (vector *)(t->y + p * t->y_step) = sum[p];                                  \
  }                                                                                              \
                                                                                                 \
  D3K_INLINE void name##_columns(const d3k_epilogue *e, const float *biases, taps t,             \
                                 int64_t width, int32_t is_shared, int64_t columns) {            \
    for (; columns >= columns_at_once; columns -= columns_at_once) {                             \
      name##_block(e, biases, &t, width, is_shared, columns_at_once);                            \
      skip_columns(&t, columns_at_once);                                                         \
    }                                                                                            \
    if (columns >= 4) {                                                                          \
      name##_block(e, biases, &t, width, is_shared, 4);                                          \
      skip_columns(&t, 4);                                                                       \
      columns -= 4;                                                                              \
    }                                                                                            \
    for (; columns > 0; columns--) {                                                             \
      name##_block(e, biases, &t, width, is_shared, 1);                                          \
      skip_columns(&t, 1);                                                                       \
    }                                                                                            \
  }                                                                                              \
                                                                                                 \
  D3K_CLONES                                                                                     \
  static void name(const d3k_epilogue *e, const float *biases, const taps *t, int64_t columns) { \
    if (t->width == 3 && t->x_step == t->x_right)                                                \
      name##_columns(e, biases, *t, 3, 1, columns);                                              \
    else if (t->width == 5 && t->x_step == t->x_right)                                           \
      name##_columns(e, biases, *t, 5, 1, columns);                                              \
    else if (t->width == 7 && t->x_step == t->x_right)                                           \
      name##_columns(e, biases, *t, 7, 1, columns);                                              \
    else                                                                                         \
      name##_columns(e, biases, *t, t->width, 0, columns);                                       \
  }
#define EACH(i, count) _Pragma("clang loop unroll(full)") for (int64_t i = 0; i < (count); i++)

DEFINE_KERNEL(v16, lanes_16, d3k_activate_16)
DEFINE_KERNEL(v8, lanes_8, d3k_activate_8)
DEFINE_KERNEL(v4, lanes_4, d3k_activate_4)
DEFINE_KERNEL(float, lanes_1, d3k_activate_1)

static void advance(taps *t, int64_t *channel, int64_t lanes) {
  *channel += lanes;
  t->x += lanes;
  t->weights += lanes;
  t->y += lanes;
  if (t->added) t->added += lanes;
}

/* `columns` columns of all channels. */
static void all_channels(const depthwise_call *call, taps t, int64_t columns) {
  const d3k_epilogue *e = &call->epilogue;
  int64_t channel = 0, channels = call->conv->options.window.out_channels;
  for (; channel + 16 <= channels; advance(&t, &channel, 16))
    lanes_16(e, e->biases + channel, &t, columns);
  if (channel + 8 <= channels) {
    lanes_8(e, e->biases + channel, &t, columns);
    advance(&t, &channel, 8);
  }
  if (channel + 4 <= channels) {
    lanes_4(e, e->biases + channel, &t, columns);
    advance(&t, &channel, 4);
  }
  for (; channel < channels; advance(&t, &channel, 1)) lanes_1(e, e->biases + channel, &t, columns);
}

/* `columns` columns which meet the same taps: in segments whose inputs stay in the L1 cache while
 * the channels pass; in each segment every t.apart-th column, then those next to them, … */
static void run_columns(const depthwise_call *call, taps t, int64_t columns) {
  while (columns > 0) {
    int64_t apart = columns >= 4 * t.apart ? t.apart : 1;
    int64_t count = d3k_min(columns / apart, segment_columns / apart / 8 * 8 + 8);
    taps f = t;
    f.x_step *= apart;
    f.y_step *= apart;
    f.added_step *= apart;
    for (int64_t i = 0; i < apart; i++) {
      all_channels(call, f, count);
      f.x += t.x_step;
      f.y += t.y_step;
      if (f.added) f.added += t.added_step;
    }
    skip_columns(&t, count * apart);
    columns -= count * apart;
  }
}

/* The same where pixels follow each other, as a run of floats; returns how many columns it did. */
static int64_t run_flat(const depthwise_call *call, taps t, int64_t columns) {
  const d3k_epilogue *e = &call->epilogue;
  int64_t channels = call->conv->options.window.out_channels;
  int64_t period = call->period, pixels = period / channels;
  int64_t done = 0, periods;
  float run[flat_floats];
  while ((periods = d3k_min(flat_floats / period, (columns - done) / pixels)) > 0) {
    taps f = t;
    if (t.added && t.added_step != channels) {
      for (int64_t p = 0; p < periods * pixels; p++)
        memcpy(run + p * channels, t.added + p * t.added_step, sizeof(float) * (size_t)channels);
      f.added = run;
    }
    int32_t is_dense = t.y_step == channels && f.added != run;
    if (!is_dense) f.y = run;
    f.x_step = f.y_step = f.added_step = period;
    for (int64_t channel = 0; channel < period; advance(&f, &channel, 16))
      lanes_16(e, e->biases + channel, &f, periods);
    for (int64_t p = 0; p < periods * pixels && !is_dense; p++)
      memcpy(t.y + p * t.y_step, run + p * channels, sizeof(float) * (size_t)channels);
    skip_columns(&t, periods * pixels);
    done += periods * pixels;
  }
  return done;
}

/* The taps along one axis that are inside the image, from input position `start`. */
static void inside(int64_t start, int64_t size, int64_t kernel, int64_t dilation, int64_t *first,
                   int64_t *last) {
  *first = start < 0 ? d3k_min((-start + dilation - 1) / dilation, kernel) : 0;
  *last = start >= size ? 0 : d3k_min(kernel, (size - 1 - start) / dilation + 1);
  *last = d3k_max(*first, *last);
}

static void run_row(const void *context, int64_t row, char *scratch) {
  (void)scratch;
  const depthwise_call *call = context;
  const d3k_window *w = &call->conv->options.window;
  const d3k_epilogue *e = &call->epilogue;
  int64_t n = row / w->out_height, top = row % w->out_height * w->stride_y - w->pad_top;
  int64_t line_floats = w->in_width * w->x_stride, first_y, last_y;
  inside(top, w->in_height, w->kernel_height, w->dilation_y, &first_y, &last_y);
  const float *line = call->x + n * w->in_height * line_floats;
  if (last_y > first_y) line += (top + first_y * w->dilation_y) * line_floats;
  float *y = call->y + row * w->out_width * w->y_stride;
  int32_t can_be_flat = w->stride_x == 1 && w->x_stride == w->in_channels && w->in_channels % 16 &&
                        call->period <= flat_floats;
  for (int64_t ox = 0; ox < w->out_width;) {
    /* Columns ox..<end meet the same taps. */
    int64_t left = ox * w->stride_x - w->pad_left, first, last, other_first, other_last;
    int64_t end = ox + 1;
    inside(left, w->in_width, w->kernel_width, w->dilation_x, &first, &last);
    if (first == 0 && last == w->kernel_width) {
      int64_t reach = (int64_t)(w->kernel_width - 1) * w->dilation_x;
      end = d3k_min(w->out_width, (w->in_width - 1 - reach + w->pad_left) / w->stride_x + 1);
    }
    for (; end < w->out_width; end++) {
      inside(end * w->stride_x - w->pad_left, w->in_width, w->kernel_width, w->dilation_x,
             &other_first, &other_last);
      if (other_first != first || other_last != last) break;
    }
    int32_t is_empty = last == first || last_y == first_y;
    taps t = {is_empty ? call->x : line + (left + first * w->dilation_x) * w->x_stride,
              call->weights,
              last_y - first_y,
              last - first,
              w->dilation_y * line_floats,
              w->dilation_x * w->x_stride,
              w->kernel_width * call->period,
              call->period,
              w->stride_x * w->x_stride,
              w->y_stride,
              e->residual_stride,
              NULL,
              y + ox * w->y_stride,
              1};
    if (w->dilation_x % w->stride_x == 0) t.apart = w->dilation_x / w->stride_x;
    if (is_empty)
      t.height = t.width = t.x_step = 0;
    else
      t.weights += first_y * t.weights_down + first * t.weights_right;
    if (e->residual) t.added = e->residual + (row * w->out_width + ox) * e->residual_stride;
    int64_t done = 0;
    if (can_be_flat && !is_empty) {
      done = run_flat(call, t, end - ox);
      skip_columns(&t, done);
    }
    run_columns(call, t, end - ox - done);
    ox = end;
  }
  if (call->rest.count)
    d3k_chain_apply(&call->rest, y, w->y_stride, row * w->out_width, w->out_width, w->out_channels);
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
  depthwise_call call = {.conv = conv, .x = x, .weights = packed, .y = y, .period = period_of(w)};
  d3k_epilogue_find(chain, &call.epilogue);
  call.rest = d3k_chain_after(chain, call.epilogue.stages);
  float *repeated = scratch;
  for (int64_t f = 0; f < call.period; f++)
    d3k_epilogue_write(&call.epilogue, bias, f % w->out_channels, repeated + f, call.period);
  d3k_epilogue_point(&call.epilogue, repeated, call.period);
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
  conv->scratch_bytes = 4 * period_bytes;
  return 1;
}

const d3k_conv_implementation d3k_conv_depthwise = {
    "depthwise", fits, d3k_always, create, NULL, pack, run,
};
