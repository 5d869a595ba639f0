/* Frames and labels -> other frames and labels to learn from. */
#ifndef D3K_AUGMENT_H
#define D3K_AUGMENT_H

#include "d3k.h"

#ifdef __cplusplus
extern "C" {
#endif

/* mix.c: pixels of any size; frames, labels, marks of classes ----------------------------------- */

/** y = mask != 0 ? a : b, pixel_bytes a pixel; y may be a or b. */
void d3k_mix(int32_t threads, const uint8_t *mask, const void *a, const void *b, void *y,
             int64_t pixels, int64_t pixel_bytes);

/** mask = chosen[label] of each pixel; mask may be labels. */
void d3k_class_mask(int32_t threads, const uint8_t *labels, int64_t pixels,
                    const uint8_t chosen[256], uint8_t *mask);

/** Mirrors an image along its width, in place. */
void d3k_flip(int32_t threads, void *x, int64_t height, int64_t width, int64_t pixel_bytes);

#ifdef __cplusplus
}
#endif

#endif /* D3K_AUGMENT_H */
