/* How fast the library's convolutions are on one thread, implementation by implementation, as a
 * share of what the processor can multiply and add: see README.md.
 *
 *     convolutions [LAYER...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/lanes.h"
#include "conv/conv_gradient_internal.h"
#include "conv/conv_internal.h"

enum { rounds = 9, least_milliseconds = 15 };

/* Of square kernels, padded such that stride 1 keeps the size. */
typedef struct layer {
  const char *name;
  int32_t in, out, kernel, height, width, stride, dilation, groups;
} layer;

static const layer layers[] = {
    {"128-32-3x3", 128, 32, 3, 176, 240, 1, 1, 1},
    {"128-128-3x3", 128, 128, 3, 44, 60, 1, 1, 1},
    {"16-16-3x3", 16, 16, 3, 352, 480, 1, 1, 1},
    {"256-256-3x3", 256, 256, 3, 22, 30, 1, 1, 1},
    {"512-512-3x3", 512, 512, 3, 11, 15, 1, 1, 1},
    {"64-64-3x3", 64, 64, 3, 88, 120, 1, 1, 1},
    {"64-256-1x1", 64, 256, 1, 88, 120, 1, 1, 1},
    {"256-64-1x1", 256, 64, 1, 88, 120, 1, 1, 1},
    {"3-64-7x7-s2", 3, 64, 7, 352, 480, 2, 1, 1},
    {"512-19-1x1", 512, 19, 1, 45, 60, 1, 1, 1},
    {"2048-256-1x1", 2048, 256, 1, 45, 60, 1, 1, 1},
    {"256-256-3x3-d2", 256, 256, 3, 45, 60, 1, 2, 1},
    {"32-16-3x3", 32, 16, 3, 352, 480, 1, 1, 1},
    {"3-32-3x3-s2", 3, 32, 3, 352, 480, 2, 1, 1},
    {"64-128-3x3-s2", 64, 128, 3, 88, 120, 2, 1, 1},
    {"64-128-1x1-s2", 64, 128, 1, 88, 120, 2, 1, 1},
    {"256-512-3x3-s2", 256, 512, 3, 22, 30, 2, 1, 1},
    {"16-19-1x1", 16, 19, 1, 352, 480, 1, 1, 1},
    {"24-40-1x1", 24, 40, 1, 88, 120, 1, 1, 1},
    {"16-96-1x1", 16, 96, 1, 88, 120, 1, 1, 1},
    {"96-24-1x1", 96, 24, 1, 88, 120, 1, 1, 1},
    {"320-1280-1x1", 320, 1280, 1, 11, 15, 1, 1, 1},
    {"8-8-3x3", 8, 8, 3, 176, 240, 1, 1, 1},
    {"12-20-3x3", 12, 20, 3, 88, 120, 1, 1, 1},
    {"128-128-3x3-g4", 128, 128, 3, 44, 60, 1, 1, 4},
    {"512-512-3x3-g32", 512, 512, 3, 22, 30, 1, 1, 32},
    {"50-10-3x3-g10", 50, 10, 3, 176, 240, 1, 1, 10},
    {"32-3x3-dw", 32, 32, 3, 176, 240, 1, 1, 32},
    {"72-3x3-dw", 72, 72, 3, 88, 120, 1, 1, 72},
    {"96-3x3-dw-s2", 96, 96, 3, 176, 240, 2, 1, 96},
    {"120-5x5-dw", 120, 120, 5, 44, 60, 1, 1, 120},
    {"184-3x3-dw", 184, 184, 3, 22, 30, 1, 1, 184},
    {"304-3x3-dw", 304, 304, 3, 88, 120, 1, 1, 304},
    {"576-3x3-dw", 576, 576, 3, 22, 30, 1, 1, 576},
    {"960-5x5-dw-d2", 960, 960, 5, 22, 30, 1, 2, 960},
    {"1280-3x3-dw-d12", 1280, 1280, 3, 22, 30, 1, 12, 1280},
    {"2048-256-1x1-on-1", 2048, 256, 1, 1, 1, 1, 1, 1},
    {"256-256-3x3-on-6", 256, 256, 3, 6, 6, 1, 1, 1},
};

static const struct {
  const char *name;
  const d3k_conv_implementation *forward;
  const d3k_conv_gradient_implementation *by_weights;
} implementations[] = {
#ifdef D3K_ONEDNN
    {"oneDNN", &d3k_conv_onednn, &d3k_conv_gradient_onednn},
#endif
    {"OpenBLAS", &d3k_conv_openblas, NULL},
    {"direct", &d3k_conv_direct, &d3k_conv_gradient_direct},
    {"depthwise", &d3k_conv_depthwise, &d3k_conv_gradient_depthwise},
    {"dense", &d3k_conv_dense, &d3k_conv_gradient_product},
    {"winograd 2x2", &d3k_conv_winograd_2, &d3k_conv_gradient_winograd_2},
    {"winograd 4x4", &d3k_conv_winograd_4, &d3k_conv_gradient_winograd_4},
};

enum { implementation_count = sizeof(implementations) / sizeof(implementations[0]) };

/* Of this thread on a processor: what else runs on the machine disturbs it less than a clock. */
static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#define EACH_SUM _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < 12; i++)

/* Twelve registers of sums that do not wait for each other. The empty assembly hides from the
 * compiler what they hold, so that it computes all of them. */
#define DEFINE_MULTIPLY_ADD(attributes, vector, name, any_register) \
  attributes static float name(int64_t count, float a) {            \
    vector sum[12];                                                 \
    const vector factor = a;                                        \
    EACH_SUM sum[i] = (float)i;                                     \
    for (int64_t n = 0; n < count; n++) {                           \
      EACH_SUM {                                                    \
        sum[i] = sum[i] * factor + factor;                          \
        __asm__ volatile("" : any_register(sum[i]));                \
      }                                                             \
    }                                                               \
    float total = 0;                                                \
    EACH_SUM total += sum[i][0];                                    \
    return total;                                                   \
  }

#if defined(__x86_64__)
#define AVX512 __attribute__((target("arch=x86-64-v4")))
#define AVX2 __attribute__((target("arch=x86-64-v3")))
DEFINE_MULTIPLY_ADD(AVX512, d3k_f16, multiply_add_avx512, "+v")
DEFINE_MULTIPLY_ADD(AVX2, d3k_f8, multiply_add_avx2, "+x")
DEFINE_MULTIPLY_ADD(, d3k_f4, multiply_add_base, "+x")
#else
DEFINE_MULTIPLY_ADD(, d3k_f4, multiply_add_base, "+w")
#endif

/* GFLOP/s of multiply-adds alone. It is measured beside every trial: the clock of a processor
 * changes by a quarter and more with what else the machine does. */
static double peak(void) {
  const int64_t count = 6000000;
  static volatile float sink;
  double lanes = 4;
  const double start = seconds();
#if defined(__x86_64__)
  if (d3k_isa() == D3K_ISA_AVX512)
    lanes = 16, sink = multiply_add_avx512(count, 0.5f);
  else if (d3k_isa() == D3K_ISA_AVX2)
    lanes = 8, sink = multiply_add_avx2(count, 0.5f);
  else
#endif
    sink = multiply_add_base(count, 0.5f);
  (void)sink;
  return 2 * 12 * lanes * (double)count * 1e-9 / (seconds() - start);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static d3k_window window_of(const layer *l, int32_t is_turned) {
  const int32_t pad = l->kernel / 2 * l->dilation;
  d3k_window w = {.batch = 1,
                  .in_height = l->height,
                  .in_width = l->width,
                  .in_channels = is_turned ? l->out : l->in,
                  .out_height = (l->height - 1) / l->stride + 1,
                  .out_width = (l->width - 1) / l->stride + 1,
                  .out_channels = is_turned ? l->in : l->out,
                  .groups = l->groups,
                  .kernel_height = l->kernel,
                  .kernel_width = l->kernel,
                  .stride_y = l->stride,
                  .stride_x = l->stride,
                  .dilation_y = l->dilation,
                  .dilation_x = l->dilation,
                  .pad_top = pad,
                  .pad_left = pad};
  w.x_stride = w.in_channels;
  w.y_stride = w.out_channels;
  return w;
}

static float *floats(size_t count) {
  float *values = aligned_alloc(64, (count * sizeof(float) + 127) / 64 * 64);
  for (size_t i = 0; i < count; i++) values[i] = (float)(i * 37 % 251) / 251 - 0.5f;
  return values;
}

/* One layer, prepared for one implementation. */
typedef struct trial {
  d3k_conv conv;
  d3k_conv_gradient gradient;
  int32_t is_ready;
  float *packed, *scratch;
  double rates[rounds], shares[rounds]; /* GFLOP/s, and divided by the peak beside it */
} trial;

static void set_up(trial *t, int32_t implementation, const d3k_window *w, int32_t by_weights,
                   const float *weights) {
  const int64_t taps = (int64_t)w->kernel_height * w->kernel_width;
  const int64_t in = w->in_channels / w->groups, out = w->out_channels / w->groups;
  const d3k_conv_options options = {.window = *w,
                                    .backend = D3K_BACKEND_ONEDNN,
                                    .threads = 1,
                                    .has_bias = 1,
                                    .chain = {.count = 1, .stages = {{.kind = D3K_RELU}}}};
  const d3k_conv_weights at = {0, in * out * taps, in * taps, taps, w->kernel_width, 1};
  *t = (trial){0};
  if (by_weights) {
    t->gradient = (d3k_conv_gradient){.options = options, .window = *w};
    t->gradient.implementation = implementations[implementation].by_weights;
    t->is_ready =
        t->gradient.implementation && t->gradient.implementation->create(&t->gradient) > 0;
    if (t->is_ready) t->scratch = floats(t->gradient.scratch_bytes / sizeof(float));
    return;
  }
  t->conv = (d3k_conv){.options = options, .weights = at};
  t->conv.implementation = implementations[implementation].forward;
  t->is_ready = t->conv.implementation->create(&t->conv) > 0;
  if (!t->is_ready) return;
  t->scratch = floats(t->conv.scratch_bytes / sizeof(float) + 16);
  t->packed = floats(t->conv.packed_bytes / sizeof(float) + 16);
  t->conv.implementation->pack(&t->conv, weights, NULL, t->packed);
}

static void tear_down(trial *t, int32_t by_weights) {
  if (!t->is_ready) return;
  if (!by_weights && t->conv.implementation->destroy) t->conv.implementation->destroy(&t->conv);
  if (by_weights && t->gradient.implementation->destroy)
    t->gradient.implementation->destroy(&t->gradient);
  free(t->scratch);
  free(t->packed);
}

typedef struct images {
  const float *x, *dy;
  float *y, *dweights;
} images;

static void run_once(const trial *t, int32_t by_weights, const images *images) {
  static const d3k_chain relu = {.count = 1, .stages = {{.kind = D3K_RELU}}};
  if (by_weights)
    t->gradient.implementation->run(&t->gradient, images->x, images->dy, images->dweights,
                                    t->scratch);
  else
    d3k_conv_run(&t->conv, images->x, t->packed, images->dy, &relu, images->y, t->scratch);
}

/* Prints a line for one layer and one pass: GFLOP/s of each implementation, and its share. */
static void measure(const layer *l, const char *pass, const d3k_window *w, int32_t by_weights) {
  static trial trials[implementation_count];
  const size_t in = (size_t)w->in_height * (size_t)w->in_width * (size_t)w->in_channels;
  const size_t out = (size_t)w->out_height * (size_t)w->out_width * (size_t)w->out_channels;
  const size_t taps = (size_t)w->kernel_height * (size_t)w->kernel_width;
  const size_t count = (size_t)w->in_channels / (size_t)w->groups * (size_t)w->out_channels * taps;
  float *x = floats(in), *y = floats(out + 64), *dy = floats(out + 64), *weights = floats(count);
  const images images = {x, dy, y, weights};
  const double flops = 2.0 * (double)count * w->out_height * w->out_width;
  for (int32_t i = 0; i < implementation_count; i++) set_up(&trials[i], i, w, by_weights, weights);
  for (int32_t round = -1; round < rounds; round++)
    for (int32_t i = 0; i < implementation_count; i++) {
      trial *t = &trials[i];
      if (!t->is_ready) continue;
      const double before = peak();
      int32_t runs = 0;
      const double start = seconds();
      double spent = 0;
      for (; spent * 1e3 < least_milliseconds; runs++) {
        run_once(t, by_weights, &images);
        spent = seconds() - start;
      }
      if (round < 0) continue;
      t->rates[round] = flops * runs / spent * 1e-9;
      t->shares[round] = t->rates[round] / ((before + peak()) / 2);
    }
  printf("%-18s %-10s", l->name, pass);
  for (int32_t i = 0; i < implementation_count; i++) {
    trial *t = &trials[i];
    if (t->is_ready) {
      qsort(t->rates, rounds, sizeof(double), compare);
      qsort(t->shares, rounds, sizeof(double), compare);
      printf(" %7.1f %4.0f %%", t->rates[rounds / 2], 100 * t->shares[rounds / 2]);
    } else {
      printf(" %7s %4s  ", "-", "");
    }
    tear_down(t, by_weights);
  }
  printf("\n");
  fflush(stdout);
  free(x);
  free(y);
  free(dy);
  free(weights);
}

static int is_wanted(const layer *l, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], l->name) == 0) return 1;
  return argc < 2;
}

int main(int argc, char **argv) {
  printf("%s: GFLOP/s and share of the peak, %.0f GFLOP/s just now\n", d3k_isa_name(), peak());
  printf("%-18s %-10s", "layer", "pass");
  for (int32_t i = 0; i < implementation_count; i++) printf(" %14s", implementations[i].name);
  printf("\n");
  for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
    const layer *l = &layers[i];
    if (!is_wanted(l, argc, argv)) continue;
    const d3k_window forward = window_of(l, 0), by_data = window_of(l, 1);
    measure(l, "forward", &forward, 0);
    if (l->stride == 1 && l->in != l->out) measure(l, "by data", &by_data, 0);
    measure(l, "by weights", &forward, 1);
  }
  return 0;
}
