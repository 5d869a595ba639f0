/* Groups of one channel: images -> gradient of the weights, vectorised over channels.
 *
 *     dw[c,ky,kx] += Σ x[n, oy*s - pad + ky*d, ox*s - pad + kx*d, c] · dy[n,oy,ox,c]
 *
 * Up to nine taps are summed in registers while a line of dy passes once. Where a group has several
 * inputs or outputs, the image with fewer is spread: each of its channels in turn, `planes` of
 * them, is repeated beside all the other's channels of the group. */
#include "conv/conv_gradient_internal.h"
#include "conv/conv_taps.h"

enum { most_taps = 64, most_planes = 4 };

typedef struct depthwise_call {
  const d3k_window *window;
  d3k_pixel_bands bands;
  const float *x, *dy;
  float *sums; /* [band][tap][plane][lane] */
  int64_t lanes, pitch, planes;
  int32_t spreads_x, spreads_dy;
} depthwise_call;

/* Columns of one line which meet the same taps. */
typedef struct segment {
  const float *dy;
  int64_t dy_step, x_step, columns;
  int32_t taps, overreads;
  const float *x[most_taps];
  float *sums[most_taps];
} segment;

/* NAME_block: sums[t] += Σ columns x[t] · dy, one vector of lanes, `count` taps from `first` on.
 * NAME: the same for all taps. */
#define DEFINE_KERNEL(vector, name)                                                            \
  D3K_INLINE void name##_block(const segment *s, int64_t lane, int32_t first, int32_t count) { \
    vector sum[9];                                                                             \
    const float *dy = s->dy + lane, *x[9];                                                     \
    EACH(t, count) sum[t] = (vector){0}, x[t] = s->x[first + t] + lane;                        \
    for (int64_t p = s->columns, at = 0; p > 0; p--, at += s->x_step, dy += s->dy_step) {      \
      vector value = *(const vector *)dy;                                                      \
      EACH(t, count) sum[t] += *(const vector *)(x[t] + at) * value;                           \
    }                                                                                          \
    EACH(t, count) * (vector *)(s->sums[first + t] + lane) += sum[t];                          \
  }                                                                                            \
                                                                                               \
  D3K_INLINE void name(const segment *s, int64_t lane) {                                       \
    int32_t t = 0;                                                                             \
    for (; t + 9 <= s->taps; t += 9) name##_block(s, lane, t, 9);                              \
    if (t + 6 <= s->taps) name##_block(s, lane, t, 6), t += 6;                                 \
    if (t + 4 <= s->taps) name##_block(s, lane, t, 4), t += 4;                                 \
    if (t + 3 <= s->taps) name##_block(s, lane, t, 3), t += 3;                                 \
    for (; t < s->taps; t++) name##_block(s, lane, t, 1);                                      \
  }
#define EACH(i, count) _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < (count); i++)

DEFINE_KERNEL(d3k_f16, lanes_16)
DEFINE_KERNEL(d3k_f8, lanes_8)
DEFINE_KERNEL(float, lanes_1)

D3K_CLONES(static, void, run_segment, (const segment *s, int64_t lanes), (s, lanes)) {
  int64_t lane = 0;
  if (d3k_has_many_registers())
    for (; lane + 16 <= lanes || (s->overreads && lane + 8 < lanes); lane += 16) lanes_16(s, lane);
  for (; lane + 8 <= lanes || (s->overreads && lane < lanes); lane += 8) lanes_8(s, lane);
  for (; lane < lanes; lane++) lanes_1(s, lane);
}

/* to[plane][pixel][lane] = from[pixel][channel `plane` of the lane's group]; channels: of plane 0.
 */
static void spread(const depthwise_call *call, const int32_t *channels, const float *from,
                   int64_t stride, int64_t width, float *to) {
  for (int64_t plane = 0; plane < call->planes; plane++)
    for (int64_t p = 0; p < width; p++, to += call->pitch) {
      const float *pixel = from + p * stride + plane;
      for (int64_t lane = 0; lane < call->lanes; lane++) to[lane] = pixel[channels[lane]];
    }
}

/* A line of an image, spread or not. */
typedef struct source {
  const float *at;
  int64_t step, plane_step;
} source;

/* What one band works with besides its sums. */
typedef struct workspace {
  source dy;
  source *x;               /* one per row of the kernel                                         */
  int64_t first_y, last_y; /* the rows of the kernel that are inside the image                  */
  int32_t overreads;
  int32_t *channels; /* of the lanes, to spread                                                 */
  float *spread;
} workspace;

static source source_of(const depthwise_call *call, const workspace *own, const float *line,
                        int64_t stride, int64_t width, int32_t spreads, float *to) {
  if (!spreads) return (source){line, stride, 0};
  spread(call, own->channels, line, stride, width, to);
  return (source){to, call->pitch, width * call->pitch};
}

/* Columns ox..<ox + columns, which meet the same taps. */
static void run_columns(const depthwise_call *call, const workspace *own, int64_t ox,
                        int64_t columns, float *sums) {
  const d3k_window *w = call->window;
  const source *dy = &own->dy, *x = own->x;
  for (int64_t plane = 0; plane < call->planes; plane++) {
    segment s = {.dy = dy->at + plane * dy->plane_step + ox * dy->step,
                 .dy_step = dy->step,
                 .x_step = w->stride_x * x[own->first_y].step,
                 .columns = columns,
                 .overreads = own->overreads};
    for (int64_t ky = own->first_y; ky < own->last_y; ky++)
      for (int64_t kx = 0; kx < w->kernel_width; kx++) {
        int64_t begin, end, ix = ox * w->stride_x - w->pad_left + kx * w->dilation_x;
        d3k_tap_columns(w, kx, &begin, &end);
        if (ox < begin || ox >= end) continue;
        s.x[s.taps] = x[ky].at + plane * x[ky].plane_step + ix * x[ky].step;
        s.sums[s.taps++] =
            sums + ((ky * w->kernel_width + kx) * call->planes + plane) * call->pitch;
        if (s.taps < most_taps) continue;
        run_segment(&s, call->lanes);
        s.taps = 0;
      }
    run_segment(&s, call->lanes);
  }
}

/* The first column after ox with other taps inside the image. */
static int64_t next_change(const d3k_window *w, int64_t ox) {
  int64_t next = w->out_width;
  for (int64_t kx = 0; kx < w->kernel_width; kx++) {
    int64_t begin, end;
    d3k_tap_columns(w, kx, &begin, &end);
    if (begin > ox) next = d3k_min(next, begin);
    if (end > ox) next = d3k_min(next, end);
  }
  return next;
}

static void run_line(const depthwise_call *call, int64_t line, float *sums, workspace *own) {
  const d3k_window *w = call->window;
  int64_t n = line / w->out_height, top = line % w->out_height * w->stride_y - w->pad_top;
  const d3k_taps down = {0, 1, w->kernel_height, top, w->dilation_y};
  int64_t first_y, last_y;
  d3k_taps_inside(&down, 0, w->in_height, &first_y, &last_y);
  if (last_y == first_y) return;
  int64_t lines = (int64_t)w->batch * w->in_height;
  int64_t last_line = n * w->in_height + top + (last_y - 1) * w->dilation_y;
  own->overreads =
      (call->spreads_x || d3k_can_overread((last_line + 1) * w->in_width - 1, lines * w->in_width,
                                           w->x_stride, call->lanes, 0)) &&
      (call->spreads_dy || d3k_can_overread((line + 1) * w->out_width - 1, call->bands.pixels,
                                            w->y_stride, call->lanes, 0));
  own->first_y = first_y;
  own->last_y = last_y;
  own->dy = source_of(call, own, call->dy + line * w->out_width * w->y_stride, w->y_stride,
                      w->out_width, call->spreads_dy, own->spread);
  for (int64_t ky = first_y; ky < last_y; ky++)
    own->x[ky] = source_of(
        call, own,
        call->x + (n * w->in_height + top + ky * w->dilation_y) * w->in_width * w->x_stride,
        w->x_stride, w->in_width, call->spreads_x,
        own->spread + (ky - first_y) * call->planes * w->in_width * call->pitch);
  for (int64_t ox = 0, end; ox < w->out_width; ox = end) {
    end = next_change(w, ox);
    run_columns(call, own, ox, end - ox, sums);
  }
}

static void run_band(const void *context, int64_t band, char *scratch) {
  const depthwise_call *call = context;
  const d3k_window *w = call->window;
  int64_t floats = call->planes * call->pitch * w->kernel_height * w->kernel_width;
  float *sums = call->sums + band * floats;
  workspace own = {.x = (source *)scratch};
  scratch += d3k_round64(sizeof(source) * (size_t)w->kernel_height);
  own.channels = (int32_t *)scratch;
  own.spread = (float *)(own.channels + call->pitch);
  for (int64_t lane = 0; lane < call->lanes; lane++)
    own.channels[lane] = (int32_t)(lane / (call->lanes / w->groups) * call->planes);
  memset(sums, 0, sizeof(float) * (size_t)floats);
  int64_t end = d3k_pixel_band_begin(&call->bands, band + 1);
  for (int64_t line = d3k_pixel_band_begin(&call->bands, band); line < end; line++)
    run_line(call, line, sums, &own);
}

static depthwise_call call_of(const d3k_conv_gradient *gradient) {
  const d3k_window *w = &gradient->window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  depthwise_call call = {.window = w};
  call.spreads_x = out > 1 && in <= out;
  call.spreads_dy = in > out;
  call.lanes = d3k_max(w->in_channels, w->out_channels);
  call.pitch = d3k_ceil_div(call.lanes, 16) * 16;
  call.planes = d3k_min(in, out);
  call.bands =
      d3k_pixel_bands_of(w, 0, call.planes * call.pitch * w->kernel_height * w->kernel_width);
  return call;
}

static size_t sum_bytes(const depthwise_call *call) {
  const d3k_window *w = call->window;
  return d3k_round64(sizeof(float) * (size_t)(call->bands.count * call->planes * call->pitch *
                                              w->kernel_height * w->kernel_width));
}

static void run(const d3k_conv_gradient *gradient, const float *x, const float *dy, float *dweights,
                void *scratch) {
  const d3k_window *w = &gradient->window;
  int32_t threads = gradient->options.threads;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  depthwise_call call = call_of(gradient);
  call.x = x;
  call.dy = dy;
  call.sums = scratch;
  d3k_tiles_run(threads, call.bands.count, run_band, &call, (char *)scratch + sum_bytes(&call),
                (gradient->scratch_bytes - sum_bytes(&call)) / (size_t)d3k_parts(threads));
  d3k_conv_sums merge = {
      call.sums, call.bands.count,        1,       taps, call.planes, call.lanes, call.pitch,
      1,         {0, taps, in * taps, 0}, dweights};
  if (call.spreads_dy) {
    merge.lane_group = in;
    merge.strides[1] = in * taps;
    merge.strides[2] = out * in * taps;
    merge.strides[3] = taps;
  }
  d3k_conv_merge(threads, &merge);
}

static int32_t create(d3k_conv_gradient *gradient) {
  const d3k_window *w = &gradient->window;
  int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  if (gradient->options.backend == D3K_BACKEND_REFERENCE) return 0;
  /* Spreading pays where several taps use what was spread. */
  if (in * out > 1 && (w->groups == 1 || taps == 1 || d3k_min(in, out) > most_planes)) return 0;
  depthwise_call call = call_of(gradient);
  int64_t spread_pixels = 0;
  if (call.spreads_dy) spread_pixels = w->out_width;
  if (call.spreads_x) spread_pixels = (int64_t)w->in_width * w->kernel_height;
  size_t part = d3k_round64(sizeof(source) * (size_t)w->kernel_height) +
                sizeof(int32_t) * (size_t)call.pitch +
                d3k_round64(sizeof(float) * (size_t)(spread_pixels * call.planes * call.pitch));
  gradient->scratch_bytes = sum_bytes(&call) + part * (size_t)d3k_parts(gradient->options.threads);
  return 1;
}

const d3k_conv_gradient_implementation d3k_conv_gradient_depthwise = {create, NULL, run,
                                                                      "depthwise"};
