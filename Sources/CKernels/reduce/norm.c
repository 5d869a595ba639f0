/* Values -> the same with mean 0 and variance 1, per row or per image and group of channels.
 *
 * The mean is computed first, then the squared distances to it, so that no digits are lost where
 * the mean is large. x is read three times. Sums are float32 within a block and double beyond. */
#include "base/internal.h"

#define BLOCK 256
/* Channels side by side in group normalisation. */
#define WIDE 64
/* Parts of an image's pixels that threads may share. */
#define PARTS 32

typedef struct layer_job {
  const d3k_norm *norm;
  int64_t count;
} layer_job;

/* Sum of (x - mean)^power over a line. */
D3K_INLINE double line_sum(const float *x, int64_t count, float mean, int32_t power) {
  double sum = 0;
  for (int64_t block = 0; block < count; block += 1024) {
    const int64_t end = d3k_min(count, block + 1024);
    float part = 0.f;
    {
#pragma clang fp reassociate(on)
      for (int64_t i = block; i < end; i++) {
        const float d = x[i] - mean;
        part += power == 2 ? d * d : x[i];
      }
    }
    sum += part;
  }
  return sum;
}

D3K_CLONED_BODY(normalise_rows) {
  const layer_job *j = context;
  const d3k_norm *n = j->norm;
  const float *scale = n->scale, *shift = n->shift;
  const int64_t count = j->count;
  for (int64_t r = begin; r < end; r++) {
    const float *x = n->x + r * count;
    float *y = n->y + r * count;
    const float mean = (float)(line_sum(x, count, 0.f, 1) / (double)count);
    const double variance = line_sum(x, count, mean, 2) / (double)count;
    const float inverse = (float)(1. / sqrt(variance + (double)n->epsilon));
    if (scale && shift) {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) y[i] = (x[i] - mean) * inverse * scale[i] + shift[i];
    } else if (scale) {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) y[i] = (x[i] - mean) * inverse * scale[i];
    } else if (shift) {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) y[i] = (x[i] - mean) * inverse + shift[i];
    } else {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) y[i] = (x[i] - mean) * inverse;
    }
  }
}

void d3k_layer_norm(int32_t threads, const d3k_norm *norm, int64_t rows, int64_t count) {
  if (rows <= 0 || count <= 0) return;
  layer_job j = {norm, count};
  d3k_parallel(d3k_threads_for(threads, rows * count * 3), rows, normalise_rows, &j);
}

/* One image, `width` neighbouring channels. */
typedef struct group_job {
  const float *x; /* of the first pixel and channel */
  float *y;
  int64_t pixels, channels, width;
  int64_t parts, part_pixels;
  int32_t power; /* 1: sums; 2: sums of squared distances to `mean` */
  float mean[WIDE], scale[WIDE], shift[WIDE];
  double partial[PARTS][WIDE];
} group_job;

D3K_CLONES(static, void, sum_part, (const group_job *j, int64_t part, double *out),
           (j, part, out)) {
  const int64_t first = part * j->part_pixels;
  const int64_t last = d3k_min(j->pixels, first + j->part_pixels), width = j->width;
  for (int64_t i = 0; i < width; i++) out[i] = 0;
  for (int64_t block = first; block < last; block += BLOCK) {
    const int64_t end = d3k_min(last, block + BLOCK);
    float sums[WIDE] = {0};
    for (int64_t p = block; p < end; p++) {
      const float *x = j->x + p * j->channels;
      if (j->power == 1) {
        D3K_VECTOR
        for (int64_t i = 0; i < width; i++) sums[i] += x[i];
      } else {
        D3K_VECTOR
        for (int64_t i = 0; i < width; i++) sums[i] += (x[i] - j->mean[i]) * (x[i] - j->mean[i]);
      }
    }
    for (int64_t i = 0; i < width; i++) out[i] += sums[i];
  }
}

static void sum_parts(void *context, int64_t begin, int64_t end) {
  group_job *j = context;
  for (int64_t p = begin; p < end; p++) sum_part(j, p, j->partial[p]);
}

D3K_CLONED_BODY(scale_pixels) {
  const group_job *j = context;
  for (int64_t p = begin; p < end; p++) {
    const float *x = j->x + p * j->channels;
    float *y = j->y + p * j->channels;
    D3K_VECTOR
    for (int64_t i = 0; i < j->width; i++) {
      y[i] = (x[i] - j->mean[i]) * j->scale[i] + j->shift[i];
    }
  }
}

/* What stays the same from one bundle of an image's channels to the next. */
typedef struct group_norm {
  d3k_norm of;   /* x and y are those of the image */
  int64_t group; /* channels in a group */
  int32_t threads;
} group_norm;

/* Sums of `width` channels from `channel`, added to sums[channel's group - first_group]. */
static void add_sums(const group_norm *n, group_job *j, int64_t channel, int64_t width,
                     int32_t power, int64_t first_group, const float *means, double *sums) {
  j->x = n->of.x + channel;
  j->y = n->of.y + channel;
  j->width = width;
  j->power = power;
  for (int64_t i = 0; i < width; i++) {
    j->mean[i] = power == 2 ? means[(channel + i) / n->group - first_group] : 0.f;
  }
  d3k_parallel(d3k_threads_for(n->threads, j->pixels * width), j->parts, sum_parts, j);
  for (int64_t i = 0; i < width; i++) {
    double sum = 0;
    for (int64_t p = 0; p < j->parts; p++) sum += j->partial[p][i];
    sums[(channel + i) / n->group - first_group] += sum;
  }
}

/* Channels `first`..<`last`: one wide group, or several that fit side by side. */
static void normalise_bundle(const group_norm *n, group_job *j, int64_t first, int64_t last) {
  const int64_t first_group = first / n->group;
  double sums[WIDE] = {0}, squares[WIDE] = {0};
  float means[WIDE], inverses[WIDE];
  for (int64_t c = first; c < last; c += WIDE) {
    add_sums(n, j, c, d3k_min(WIDE, last - c), 1, first_group, means, sums);
  }
  const double cells = (double)j->pixels * (double)n->group;
  const int64_t groups = (last - first) / n->group;
  for (int64_t g = 0; g < groups; g++) means[g] = (float)(sums[g] / cells);
  for (int64_t c = first; c < last; c += WIDE) {
    add_sums(n, j, c, d3k_min(WIDE, last - c), 2, first_group, means, squares);
  }
  for (int64_t g = 0; g < groups; g++) {
    inverses[g] = (float)(1. / sqrt(squares[g] / cells + (double)n->of.epsilon));
  }
  for (int64_t c = first; c < last; c += WIDE) {
    j->x = n->of.x + c;
    j->y = n->of.y + c;
    j->width = d3k_min(WIDE, last - c);
    for (int64_t i = 0; i < j->width; i++) {
      const int64_t g = (c + i) / n->group - first_group;
      j->mean[i] = means[g];
      j->scale[i] = inverses[g] * (n->of.scale ? n->of.scale[c + i] : 1.f);
      j->shift[i] = n->of.shift ? n->of.shift[c + i] : 0.f;
    }
    d3k_parallel(d3k_threads_for(n->threads, j->pixels * j->width), j->pixels, scale_pixels, j);
  }
}

void d3k_group_norm(int32_t threads, const d3k_norm *norm, int64_t batch, int64_t pixels,
                    int64_t channels, int64_t groups) {
  if (batch <= 0 || pixels <= 0 || channels <= 0 || groups <= 0) return;
  const int64_t group = channels / groups;
  const int64_t bundle = group >= WIDE ? group : WIDE / group * group;
  group_job j = {.pixels = pixels, .channels = channels};
  const int64_t wanted = d3k_max(1, d3k_min(PARTS, pixels * d3k_min(bundle, WIDE) / 8192));
  j.part_pixels = d3k_ceil_div(pixels, wanted);
  j.parts = d3k_ceil_div(pixels, j.part_pixels);
  group_norm n = {*norm, group, threads};
  for (int64_t b = 0; b < batch; b++, n.of.x += pixels * channels, n.of.y += pixels * channels) {
    for (int64_t c = 0; c < channels; c += bundle) {
      normalise_bundle(&n, &j, c, d3k_min(channels, c + bundle));
    }
  }
}
