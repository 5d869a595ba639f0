/* Frames, labels or marks, with pixels of any size -> a mixture of two of them, or a mirror image.
 *
 * Cost: every byte read and written once. The usual sizes of a pixel are constants in
 * loops of their own. */
#include "base/internal.h"
#include "d3k_augment.h"

/* Pixels that one thread takes at least. */
#define CHUNK 1024

typedef struct mix {
  const uint8_t *mask, *a, *b;
  uint8_t *y;
  int64_t pixels, pixel_bytes;
} mix;

D3K_INLINE void mix_pixels(const mix *j, int64_t first, int64_t last, int64_t size) {
  const uint8_t *mask = j->mask, *a = j->a, *b = j->b;
  uint8_t *y = j->y;
  if (size == 1) {
    D3K_VECTOR
    for (int64_t i = first; i < last; i++) y[i] = mask[i] ? a[i] : b[i];
    return;
  }
  for (int64_t i = first; i < last; i++) {
    memmove(y + i * size, (mask[i] ? a : b) + i * size, (size_t)size);
  }
}

D3K_CLONED_BODY(mix_chunks) {
  const mix *j = context;
  const int64_t first = begin * CHUNK, last = d3k_min(j->pixels, end * CHUNK);
  switch (j->pixel_bytes) {
    case 1:
      mix_pixels(j, first, last, 1);
      break;
    case 4:
      mix_pixels(j, first, last, 4);
      break;
    case 12:
      mix_pixels(j, first, last, 12);
      break;
    default:
      mix_pixels(j, first, last, j->pixel_bytes);
  }
}

void d3k_mix(int32_t threads, const uint8_t *mask, const void *a, const void *b, void *y,
             int64_t pixels, int64_t pixel_bytes) {
  mix j = {mask, a, b, y, pixels, pixel_bytes};
  const int64_t work = pixels * (pixel_bytes + 1) / 2;
  d3k_parallel(d3k_threads_for(threads, work), d3k_ceil_div(pixels, CHUNK), mix_chunks, &j);
}

typedef struct class_mask {
  const uint8_t *labels, *chosen;
  uint8_t *mask;
  int64_t pixels;
} class_mask;

static void mask_chunks(void *context, int64_t begin, int64_t end) {
  const class_mask *j = context;
  const int64_t last = d3k_min(j->pixels, end * CHUNK);
  for (int64_t i = begin * CHUNK; i < last; i++) j->mask[i] = j->chosen[j->labels[i]];
}

void d3k_class_mask(int32_t threads, const uint8_t *labels, int64_t pixels,
                    const uint8_t chosen[256], uint8_t *mask) {
  class_mask j = {labels, chosen, mask, pixels};
  d3k_parallel(d3k_threads_for(threads, pixels), d3k_ceil_div(pixels, CHUNK), mask_chunks, &j);
}

typedef struct flip {
  uint8_t *x;
  int64_t width, pixel_bytes;
} flip;

D3K_INLINE void swap_bytes(uint8_t *a, uint8_t *b, int64_t size) {
  uint8_t piece[64];
  for (int64_t at = 0; at < size; at += 64) {
    const size_t count = (size_t)d3k_min(64, size - at);
    memcpy(piece, a + at, count);
    memcpy(a + at, b + at, count);
    memcpy(b + at, piece, count);
  }
}

D3K_INLINE void flip_row(uint8_t *row, int64_t width, int64_t size) {
  for (int64_t x = 0; x < width / 2; x++) {
    swap_bytes(row + x * size, row + (width - 1 - x) * size, size);
  }
}

D3K_CLONED_BODY(flip_rows) {
  const flip *j = context;
  for (int64_t r = begin; r < end; r++) {
    uint8_t *row = j->x + r * j->width * j->pixel_bytes;
    switch (j->pixel_bytes) {
      case 1:
        flip_row(row, j->width, 1);
        break;
      case 3: /* marks of 17 to 24 classes */
        flip_row(row, j->width, 3);
        break;
      case 4:
        flip_row(row, j->width, 4);
        break;
      case 12:
        flip_row(row, j->width, 12);
        break;
      default:
        flip_row(row, j->width, j->pixel_bytes);
    }
  }
}

void d3k_flip(int32_t threads, void *x, int64_t height, int64_t width, int64_t pixel_bytes) {
  flip j = {x, width, pixel_bytes};
  const int64_t work = height * width * (pixel_bytes + 3) / 4;
  d3k_parallel(d3k_threads_for(threads, work), height, flip_rows, &j);
}
