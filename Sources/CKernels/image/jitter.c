/* A normalised image -> the same under another light: brightness, contrast, saturation, hue.
 *
 * As torchvision's ColorJitter does it to floats in 0...1, to which every step clamps. Sixteen
 * pixels at a time, a vector a colour. Cost: one pass; where contrast is on, one before it for the
 * mean, which repeats the steps that come first. */
#include "base/lanes.h"
#include "d3k_augment.h"

typedef float d3k_f32 __attribute__((ext_vector_type(32)));
typedef float d3k_f48 __attribute__((ext_vector_type(48)));

typedef struct colours {
  d3k_f16 r, g, b;
} colours;

typedef struct job {
  const d3k_jitter *jitter;
  float *image;
  int64_t pixels, band;
  float factor[3], offset[3], inverse[3], shift[3]; /* of red, green, blue; of gray thrice */
  float mean;                                       /* gray, before contrast */
  int32_t contrast_at;                              /* its place in the order */
  double *sums;                                     /* of gray, one a band */
} job;

D3K_INLINE d3k_f16 least(d3k_f16 a, d3k_f16 b) { return b < a ? b : a; }
D3K_INLINE d3k_f16 largest(d3k_f16 a, d3k_f16 b) { return b > a ? b : a; }

/* a * ratio + b * (1 - ratio), clamped to 0...1; NaN stays NaN. */
D3K_INLINE d3k_f16 mix(d3k_f16 a, d3k_f16 b, float ratio) {
  return largest(least(a * ratio + b * (1.f - ratio), (d3k_f16)(1.f)), (d3k_f16)(0.f));
}

D3K_INLINE d3k_f16 gray_of(colours v) { return 0.2989f * v.r + 0.587f * v.g + 0.114f * v.b; }

D3K_INLINE colours blend(colours v, d3k_f16 other, float ratio) {
  return (colours){mix(v.r, other, ratio), mix(v.g, other, ratio), mix(v.b, other, ratio)};
}

/* Sector 0...6 of a hue -> how far its colour is from the largest one, in parts of the chroma. */
D3K_INLINE d3k_f16 fall(d3k_f16 sector) {
  sector = sector >= 6.f ? sector - 6.f : sector;
  return largest(least(least(sector, 4.f - sector), (d3k_f16)(1.f)), (d3k_f16)(0.f));
}

/* RGB -> HSV, hue moved by `turns` in -1/2...1/2, and back: largest colour and chroma stay. */
D3K_INLINE colours turn(colours v, float turns) {
  const d3k_f16 top = largest(largest(v.r, v.g), v.b), zero = (d3k_f16)(0.f);
  const d3k_f16 chroma = top - least(least(v.r, v.g), v.b);
  const d3k_f16 inverse = 1.f / (chroma == 0.f ? (d3k_f16)(1.f) : chroma);
  d3k_f16 sector = 4.f + (v.r - v.g) * inverse;
  sector = top == v.g ? 2.f + (v.b - v.r) * inverse : sector;
  sector = top == v.r ? (v.g - v.b) * inverse : sector;
  sector += 6.f * turns; /* -4...8 */
  sector = sector < 0.f ? sector + 6.f : sector;
  sector = sector >= 6.f ? sector - 6.f : sector;
  const colours y = {top - chroma * fall(sector + 5.f), top - chroma * fall(sector + 3.f),
                     top - chroma * fall(sector + 1.f)};
  return blend(y, zero, 1.f);
}

/* Steps first..<last of the order. */
D3K_INLINE colours apply(const job *j, colours v, int32_t first, int32_t last) {
  const d3k_jitter *jitter = j->jitter;
  const int32_t is_colour = jitter->channels == 3;
  for (int32_t k = first; k < last; k++) {
    switch (jitter->order[k]) {
      case D3K_BRIGHTNESS:
        v = blend(v, (d3k_f16)(0.f), jitter->brightness);
        break;
      case D3K_CONTRAST:
        v = blend(v, (d3k_f16)(j->mean), jitter->contrast);
        break;
      case D3K_SATURATION:
        if (is_colour) v = blend(v, gray_of(v), jitter->saturation);
        break;
      default:
        if (is_colour) v = turn(v, jitter->hue);
    }
  }
  return v;
}

/* Floats of sixteen pixels <-> a vector a channel. */
D3K_INLINE void split3(const float *x, d3k_f16 v[3]) {
  d3k_f48 all;
  memcpy(&all, x, 48 * sizeof(float));
#define EACH(c)                                                                                   \
  c, c + 3, c + 6, c + 9, c + 12, c + 15, c + 18, c + 21, c + 24, c + 27, c + 30, c + 33, c + 36, \
      c + 39, c + 42, c + 45
  v[0] = __builtin_shufflevector(all, all, EACH(0));
  v[1] = __builtin_shufflevector(all, all, EACH(1));
  v[2] = __builtin_shufflevector(all, all, EACH(2));
#undef EACH
}

D3K_INLINE void join3(const d3k_f16 v[3], float *y) {
#define LINE 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define NEXT 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
#define PIXEL(i) i, i + 16, i + 32
#define FOUR(i) PIXEL(i), PIXEL(i + 1), PIXEL(i + 2), PIXEL(i + 3)
  const d3k_f32 two = __builtin_shufflevector(v[0], v[1], LINE, NEXT);
  const d3k_f32 one = __builtin_shufflevector(v[2], v[2], LINE, NEXT);
  const d3k_f48 all = __builtin_shufflevector(two, one, FOUR(0), FOUR(4), FOUR(8), FOUR(12));
#undef LINE
#undef NEXT
#undef PIXEL
#undef FOUR
  memcpy(y, &all, 48 * sizeof(float));
}

/* Sixteen normalised pixels -> colours in 0...1. */
D3K_INLINE colours load(const job *j, const float *x) {
  d3k_f16 v[3];
  if (j->jitter->channels == 1) {
    v[0] = d3k_load16(x) * j->factor[0] + j->offset[0];
    return (colours){v[0], v[0], v[0]};
  }
  split3(x, v);
  const int32_t red = j->jitter->swaps_colours ? 2 : 0;
  return (colours){v[red] * j->factor[0] + j->offset[0], v[1] * j->factor[1] + j->offset[1],
                   v[2 - red] * j->factor[2] + j->offset[2]};
}

D3K_INLINE void store(const job *j, colours v, float *y) {
  const d3k_f16 r = v.r * j->inverse[0] + j->shift[0], g = v.g * j->inverse[1] + j->shift[1];
  const d3k_f16 b = v.b * j->inverse[2] + j->shift[2];
  if (j->jitter->channels == 1) {
    d3k_store16(y, r);
  } else if (j->jitter->swaps_colours) {
    join3((d3k_f16[3]){b, g, r}, y);
  } else {
    join3((d3k_f16[3]){r, g, b}, y);
  }
}

/* Gray of sixteen pixels as contrast finds them. */
D3K_INLINE void gray_before_contrast(const job *j, const float *x, float *gray) {
  const colours v = apply(j, load(j, x), 0, j->contrast_at);
  d3k_store16(gray, j->jitter->channels == 1 ? v.r : gray_of(v));
}

D3K_INLINE void change(const job *j, const float *x, float *y) {
  store(j, apply(j, load(j, x), 0, 4), y);
}

D3K_CLONED_BODY(add_gray) {
  const job *j = context;
  const int64_t channels = j->jitter->channels;
  for (int64_t band = begin; band < end; band++) {
    const int64_t last = d3k_min(j->pixels, (band + 1) * j->band);
    double sums[16] = {0}, sum = 0;
    for (int64_t n = band * j->band; n < last; n += 16) {
      const int64_t count = d3k_min(16, last - n);
      float piece[48] = {0}, gray[16];
      const float *x = j->image + n * channels;
      if (count < 16) x = memcpy(piece, x, (size_t)(count * channels) * sizeof(float));
      gray_before_contrast(j, x, gray);
      for (int64_t i = 0; i < 16; i++) sums[i] += i < count ? (double)gray[i] : 0.;
    }
    for (int64_t i = 0; i < 16; i++) sum += sums[i];
    j->sums[band] = sum;
  }
}

D3K_CLONED_BODY(change_bands) {
  const job *j = context;
  const int64_t channels = j->jitter->channels;
  const int64_t last = d3k_min(j->pixels, end * j->band);
  for (int64_t n = begin * j->band; n < last; n += 16) {
    const size_t bytes = (size_t)(d3k_min(16, last - n) * channels) * sizeof(float);
    float piece[48] = {0}, *x = j->image + n * channels;
    if (last - n < 16) {
      memcpy(piece, x, bytes);
      change(j, piece, piece);
      memcpy(x, piece, bytes);
    } else {
      change(j, x, x);
    }
  }
}

void d3k_jitter_colours(int32_t threads, const d3k_jitter *jitter, float *image, int64_t pixels) {
  if (pixels <= 0) return;
  double sums[D3K_MOST_BANDS], sum = 0;
  job j = {.jitter = jitter,
           .image = image,
           .pixels = pixels,
           .band = d3k_pixel_band(pixels),
           .sums = sums};
  for (int32_t k = 0; k < 3; k++) {
    const int32_t c = jitter->channels == 1 ? 0 : jitter->swaps_colours ? 2 - k : k;
    j.factor[k] = jitter->factor[c];
    j.offset[k] = jitter->offset[c];
    j.inverse[k] = 1.f / jitter->factor[c];
    j.shift[k] = -jitter->offset[c] / jitter->factor[c];
  }
  while (j.contrast_at < 3 && jitter->order[j.contrast_at] != D3K_CONTRAST) j.contrast_at++;
  const int64_t bands = d3k_ceil_div(pixels, j.band);
  threads = d3k_threads_for(threads, pixels * 16);
  if (jitter->contrast != 1.f) {
    d3k_parallel(threads, bands, add_gray, &j);
    for (int64_t band = 0; band < bands; band++) sum += sums[band];
    j.mean = (float)(sum / (double)pixels);
  }
  d3k_parallel(threads, bands, change_bands, &j);
}
