/* Class scores of sixteen pixels, turned so that lanes are pixels: what all that reads them shares.
 */
#ifndef D3K_SCORES_H
#define D3K_SCORES_H

#include "base/lanes.h"

/* Class numbers fit labels of 8 bits; a block of 16 pixels is 16 KiB of stack. */
#define MOST_CLASSES 256

/** Scores s[c][i] -> the largest one that is more than `start`, which no comparison with
 * not-a-number is, and its first class; `start` and class 0 where there is none.
 *
 *  Who starts with minus infinity passes over scores that are not numbers; who starts with class 0
 *  may find what is not one, but says so by an entropy that is not a number either. */
D3K_INLINE void find_top(const float *s, int64_t classes, d3k_f16 start, float *largest,
                         int32_t *top) {
  d3k_f16 best = start;
  d3k_i16 index = (d3k_i16)(0);
  for (int64_t c = 0; c < classes; c++) {
    const d3k_f16 v = d3k_load16(s + c * 16);
    const d3k_i16 wins = v > best;
    best = wins ? v : best;
    index = wins ? (d3k_i16)((int32_t)c) : index;
  }
  d3k_store16(largest, best);
  memcpy(top, &index, sizeof index);
}

/** Pixels that count; `ignored` has a byte a pixel, not 0 = it does not; NULL = all count. */
D3K_INLINE int64_t count_counted(const uint8_t *ignored, int64_t pixels) {
  int64_t count = pixels;
  for (int64_t n = 0; ignored && n < pixels; n++) count -= ignored[n] != 0;
  return count;
}

/** Values of 16 pixels become 0 where these are ignored, whatever they were. */
D3K_INLINE void clear_ignored(const int32_t *is_ignored, int64_t classes, float *x) {
  for (int64_t c = 0; c < classes; c++) {
    D3K_VECTOR
    for (int64_t i = 0; i < 16; i++) x[c * 16 + i] = is_ignored[i] ? 0.f : x[c * 16 + i];
  }
}

#endif /* D3K_SCORES_H */
