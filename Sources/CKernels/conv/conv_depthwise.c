/* One filter per input channel: image -> image, vectorised over channels, several columns at a
 * time.
 *
 *     y[n,oy,ox,c] = Σ_ky Σ_kx x[n, oy*s - pad + ky*d, ox*s - pad + kx*d, c] · w[ky,kx,c]
 *
 * In a group of a few inputs and outputs, such a line is made for each output and added up by
 * groups.
 *
 * Where pixels follow each other densely and the stride is 1, a line is one run of floats and a tap
 * a shift of it; weights repeated up to a multiple of 16 floats (the period) then fill whole
 * vectors whatever the channel count.
 *
 * Transposed, the output pixels of one position modulo the stride are such a convolution, too. */
#include "conv/conv_depthwise_lanes.h"
#include "conv/conv_internal.h"
#include "conv/conv_taps.h"

enum { segment_columns = 32, flat_floats = 4096, most_inputs = 8, most_outputs = 4 };

typedef struct depthwise_call {
  const d3k_conv_call *of;
  const float *weights; /* period floats per tap                                             */
  int64_t period;
  int64_t y_stride;      /* of what is computed: y, or a line of sums                         */
  const d3k_taps *right; /* of the first column of each phase                               */
  d3k_epilogue epilogue;
  d3k_chain rest; /* of the chain, after the epilogue                          */
} depthwise_call;

/* `columns` columns of all channels: several of them for each vector of channels, and where few are
 * left, each of them for a few vectors, whose inputs are in L1 by then. */
static void all_channels(const depthwise_call *call, taps t, int64_t channels, int64_t columns) {
  const d3k_epilogue *e = &call->epilogue;
  const int32_t is_wide = d3k_has_many_registers();
  const int64_t lanes = is_wide ? 16 : 8, together = columns / few_columns * few_columns;
  int64_t channel = 0;
  while (channel + lanes <= channels) {
    const int64_t vectors = d3k_min(vectors_at_once, (channels - channel) / lanes);
    taps f = t;
    int64_t at = channel;
    for (int64_t i = 0; i < vectors && together; i++, advance(&f, &at, lanes))
      (is_wide ? lanes_16 : lanes_8)(e, e->biases + at, &f, together);
    f = t;
    skip_columns(&f, together);
    for (int64_t i = together; i < columns; i++, skip_columns(&f, 1))
      (is_wide ? column_16 : column_8)(e, e->biases + channel, &f, vectors);
    advance(&t, &channel, vectors * lanes);
  }
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

/* `columns` columns with the same taps inside the image. They are computed in segments whose inputs
 * stay in the L1 cache for all channels: in each segment first every t.apart-th column, then the
 * columns next to those, and so on. */
static void run_columns(const depthwise_call *call, taps t, int64_t columns) {
  while (columns > 0) {
    int64_t apart = columns >= 4 * t.apart ? t.apart : 1;
    int64_t count = d3k_min(columns / apart, segment_columns / apart / 8 * 8 + 8);
    taps f = t;
    f.x_step *= apart;
    f.y_step *= apart;
    f.added_step *= apart;
    for (int64_t i = 0; i < apart; i++) {
      all_channels(call, f, call->of->conv->options.window.in_channels, count);
      f.x += t.x_step;
      f.y += t.y_step;
      if (f.added) f.added += t.added_step;
    }
    skip_columns(&t, count * apart);
    columns -= count * apart;
  }
}

/* The same for contiguous pixels, as one run of floats. Returns the number of columns computed. */
static int64_t run_flat(const depthwise_call *call, taps t, int64_t columns) {
  int64_t channels = call->of->conv->options.window.in_channels;
  int64_t period = call->period, pixels = period / channels;
  int64_t done = 0, periods;
  float run[flat_floats];
  int64_t most = flat_floats / period;
  if (most > columns_at_once) most = most / columns_at_once * columns_at_once;
  while ((periods = d3k_min(most, (columns - done) / pixels)) > 0) {
    taps f = t;
    if (t.added && t.added_step != channels) {
      for (int64_t p = 0; p < periods * pixels; p++)
        memcpy(run + p * channels, t.added + p * t.added_step, sizeof(float) * (size_t)channels);
      f.added = run;
    }
    int32_t is_dense = t.y_step == channels && f.added != run;
    if (!is_dense) f.y = run;
    f.x_step = f.y_step = f.added_step = period;
    all_channels(call, f, period, periods);
    for (int64_t p = 0; p < periods * pixels && !is_dense; p++)
      memcpy(t.y + p * t.y_step, run + p * channels, sizeof(float) * (size_t)channels);
    skip_columns(&t, periods * pixels);
    done += periods * pixels;
  }
  return done;
}

static d3k_taps taps_at(int32_t transposed, int64_t o, int64_t kernel, int64_t stride,
                        int64_t dilation, int64_t pad) {
  return transposed ? d3k_transposed_taps_at(o, kernel, stride, dilation, pad)
                    : d3k_taps_at(o, kernel, stride, dilation, pad);
}

static int64_t phases_of(const d3k_conv_options *o) {
  return o->transposed ? o->window.stride_x : 1;
}

/* The columns of one line y that are `apart` from each other, from px on: one phase of a transposed
 * convolution, or all. Of the taps `down`, first_y..<last_y are inside the image. */
static void run_phase(const depthwise_call *call, int64_t row, float *y, const d3k_taps *down,
                      int64_t first_y, int64_t last_y, int64_t px, int64_t apart) {
  const d3k_conv_options *o = &call->of->conv->options;
  const d3k_window *w = &o->window;
  const d3k_epilogue *e = &call->epilogue;
  int64_t line_floats = w->in_width * w->x_stride, n = row / w->out_height;
  int64_t columns = (w->out_width - px + apart - 1) / apart,
          in_step = o->transposed ? 1 : w->stride_x;
  const d3k_taps right = call->right[px];
  const float *line = call->of->x + n * w->in_height * line_floats;
  if (last_y > first_y) line += (down->input + first_y * down->input_step) * line_floats;
  int64_t pixel = row * w->out_width + px;
  int32_t can_be_flat = apart == 1 && w->stride_x == 1 && w->x_stride == w->in_channels &&
                        w->in_channels % 16 && call->period <= flat_floats;
  for (int64_t i = 0; i < columns;) {
    /* Columns i..<end meet the same taps. */
    int64_t first, last, other_first, other_last, end = i + 1;
    d3k_taps_inside(&right, i * in_step, w->in_width, &first, &last);
    if (right.count == 0 || last_y == first_y) {
      end = columns;
    } else if (first == 0 && last == right.count) {
      int64_t reach = right.input + (right.count - 1) * right.input_step;
      end = d3k_min(columns, (w->in_width - 1 - reach) / in_step + 1);
    }
    for (; end < columns; end++) {
      d3k_taps_inside(&right, end * in_step, w->in_width, &other_first, &other_last);
      if (other_first != first || other_last != last) break;
    }
    int32_t is_empty = last == first || last_y == first_y;
    int64_t left = right.input + i * in_step + first * right.input_step;
    taps t = {.x = is_empty ? call->of->x : line + left * w->x_stride,
              .weights = call->weights,
              .height = last_y - first_y,
              .width = last - first,
              .x_down = down->input_step * line_floats,
              .x_right = right.input_step * w->x_stride,
              .weights_down = down->tap_step * w->kernel_width * call->period,
              .weights_right = right.tap_step * call->period,
              .x_step = in_step * w->x_stride,
              .y_step = apart * call->y_stride,
              .added_step = apart * e->residual_stride,
              .y = y + (px + i * apart) * call->y_stride,
              .apart = right.input_step % in_step ? 1 : right.input_step / in_step};
    if (is_empty)
      t.height = t.width = t.x_step = 0;
    else
      t.weights += ((down->tap + first_y * down->tap_step) * w->kernel_width + right.tap +
                    first * right.tap_step) *
                   call->period;
    if (e->residual) t.added = e->residual + (pixel + i * apart) * e->residual_stride;
    int64_t done = 0;
    if (can_be_flat && !is_empty) {
      done = run_flat(call, t, end - i);
      skip_columns(&t, done);
    }
    run_columns(call, t, end - i - done);
    i = end;
  }
}

/* Of a group. */
static int64_t inputs_of(const d3k_window *w) { return w->in_channels / w->groups; }
static int64_t outputs_of(const d3k_window *w) { return w->out_channels / w->groups; }
static int32_t is_summed(const d3k_window *w) { return inputs_of(w) > 1 || outputs_of(w) > 1; }

D3K_INLINE void add_inputs(const d3k_window *w, const float *sums, const float *bias, float *y,
                           int64_t inputs, int64_t outputs) {
  for (int64_t g = 0; g < w->groups; g++) {
    float sum = bias ? bias[g * outputs] : 0;
    for (int64_t i = 0; i < inputs; i++) sum += sums[g * inputs + i];
    y[g * outputs] = sum;
  }
}

D3K_INLINE void add_pixel(const d3k_window *w, const float *sums, const float *bias, float *y) {
  const int64_t inputs = w->in_channels / w->groups, outputs = w->out_channels / w->groups;
  if (outputs > 1)
    add_inputs(w, sums, bias, y, inputs, outputs);
  else if (inputs == 5) /* known numbers become shuffles */
    add_inputs(w, sums, bias, y, 5, 1);
  else if (inputs == 4)
    add_inputs(w, sums, bias, y, 4, 1);
  else if (inputs == 2)
    add_inputs(w, sums, bias, y, 2, 1);
  else
    add_inputs(w, sums, bias, y, inputs, 1);
}

/* One output of each group: bias + the sums of the group's inputs, for all pixels of a line. Where
 * the compiler does not know that there is no bias, it makes no vectors of that case. */
D3K_CLONES(static, void, add_line,
           (const d3k_window *w, const float *sums, const float *bias, float *y),
           (w, sums, bias, y)) {
  for (int64_t p = 0; p < w->out_width; p++, sums += w->in_channels, y += w->y_stride) {
    if (bias)
      add_pixel(w, sums, bias, y);
    else
      add_pixel(w, sums, NULL, y);
  }
}

static void run_row(const void *context, int64_t row, char *scratch) {
  const depthwise_call *call = context;
  const d3k_conv_options *o = &call->of->conv->options;
  const d3k_window *w = &o->window;
  int64_t oy = row % w->out_height, first_y, last_y;
  const d3k_taps down =
      taps_at(o->transposed, oy, w->kernel_height, w->stride_y, w->dilation_y, w->pad_top);
  d3k_taps_inside(&down, 0, w->in_height, &first_y, &last_y);
  float *y = call->of->y + row * w->out_width * w->y_stride;
  float *line = is_summed(w) ? (float *)scratch : y;
  const float *bias = call->of->bias;
  int64_t phases = phases_of(o), outputs = outputs_of(w);
  depthwise_call of_output = *call;
  for (int64_t output = 0; output < outputs; output++) {
    for (int64_t px = 0; px < phases && px < w->out_width; px++)
      run_phase(&of_output, row, line, &down, first_y, last_y, px, phases);
    if (line != y) add_line(w, line, bias ? bias + output : NULL, y + output);
    of_output.weights += w->kernel_height * w->kernel_width * call->period;
  }
  if (call->rest.count)
    d3k_chain_apply(&call->rest, y, w->y_stride, row * w->out_width, w->out_width, w->out_channels);
}

/* Of a line of sums, for each thread. */
static size_t line_bytes(const d3k_window *w) {
  return is_summed(w) ? d3k_round64(sizeof(float) * (size_t)(w->out_width * w->in_channels)) : 0;
}

/* The smallest multiple of both the channel count and 16. */
static int64_t period_of(const d3k_window *w) {
  int64_t period = w->in_channels;
  while (period % 16) period += w->in_channels;
  return period;
}

static void run(const d3k_conv_call *given) {
  const d3k_conv *conv = given->conv;
  const d3k_window *w = &conv->options.window;
  const int32_t sums = is_summed(w);
  depthwise_call call = {.of = given,
                         .weights = given->weights,
                         .period = period_of(w),
                         .y_stride = sums ? w->in_channels : w->y_stride};
  const d3k_chain none = {0};
  d3k_epilogue_find(sums ? &none : given->chain, &call.epilogue);
  call.rest = d3k_chain_after(given->chain, call.epilogue.stages);
  char *lines = given->scratch;
  float *repeated = (float *)(lines + line_bytes(w) * (size_t)d3k_parts(conv->options.threads));
  for (int64_t f = 0; f < call.period; f++)
    d3k_epilogue_write(&call.epilogue, sums ? NULL : given->bias, f % w->in_channels, repeated + f,
                       call.period);
  d3k_epilogue_point(&call.epilogue, repeated, call.period);
  d3k_taps *right = (d3k_taps *)(repeated + 4 * call.period);
  for (int64_t px = 0; px < phases_of(&conv->options); px++)
    right[px] = taps_at(conv->options.transposed, px, w->kernel_width, w->stride_x, w->dilation_x,
                        w->pad_left);
  call.right = right;
  d3k_tiles_run(conv->options.threads, (int64_t)w->batch * w->out_height, run_row, &call, lines,
                line_bytes(w));
}

/* Packed: [output of a group][tap][input channel, repeated]. */
static void pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed) {
  const d3k_window *w = &conv->options.window;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width, period = period_of(w);
  int64_t inputs = inputs_of(w), outputs = outputs_of(w);
  float *p = packed;
  for (int64_t o = 0; o < outputs; o++)
    for (int64_t k = 0; k < taps; k++)
      for (int64_t f = 0; f < period; f++) {
        int64_t c = f % w->in_channels, g = c / inputs;
        *p++ = weights[d3k_weight_at(conv, g, o, c % inputs, k)] *
               (scale ? scale[g * outputs + o] : 1);
      }
}

/* Groups of a few inputs and outputs need enough channels to fill vectors, and more than one tap
 * for the sums to pay. */
static int32_t fits(const d3k_conv_options *options) {
  const d3k_window *w = &options->window;
  if (options->backend == D3K_BACKEND_REFERENCE) return 0;
  if (!is_summed(w)) return 1;
  return !options->transposed && inputs_of(w) <= most_inputs && outputs_of(w) <= most_outputs &&
         w->in_channels >= 16 && w->kernel_height * w->kernel_width > 1;
}

static int32_t create(d3k_conv *conv) {
  const d3k_window *w = &conv->options.window;
  size_t period_bytes = sizeof(float) * (size_t)period_of(w);
  conv->packed_bytes =
      period_bytes * (size_t)w->kernel_height * (size_t)w->kernel_width * (size_t)outputs_of(w);
  conv->scratch_bytes = 4 * period_bytes + sizeof(d3k_taps) * (size_t)phases_of(&conv->options) +
                        line_bytes(w) * (size_t)d3k_parts(conv->options.threads);
  return 1;
}

const d3k_conv_implementation d3k_conv_depthwise = {
    fits, d3k_always, create, NULL, pack, run, "depthwise",
};
