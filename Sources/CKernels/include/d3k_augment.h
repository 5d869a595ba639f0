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

/* jitter.c ----------------------------------------------------------------------------------- */

typedef enum d3k_jitter_step {
  D3K_BRIGHTNESS, D3K_CONTRAST, D3K_SATURATION, D3K_HUE
} d3k_jitter_step;

typedef struct d3k_jitter {
  int32_t channels;            /* 1 (gray: saturation and hue do nothing) or 3                 */
  int32_t swaps_colours;       /* the network wants BGR                                        */
  float factor[3], offset[3];  /* value * factor + offset of each network channel is 0...1     */
  float brightness;            /* x * b; 1 changes nothing                                     */
  float contrast;              /* blended with the mean of gray: c x + (1 - c) mean            */
  float saturation;            /* blended with gray, 0.2989 R + 0.587 G + 0.114 B              */
  float hue;                   /* turns, -1/2...1/2                                            */
  int32_t order[4];            /* d3k_jitter_step, each once                                   */
} d3k_jitter;

/** Changes the colours of normalised pixels in place. Every step clamps to 0...1. */
void d3k_jitter_colours(int32_t threads, const d3k_jitter *jitter, float *image, int64_t pixels);

/* blur.c ------------------------------------------------------------------------------------- */

size_t d3k_blur_scratch_bytes(int64_t height, int64_t width, int64_t channels);

/** Blurs an image in place. sigma in pixels, up to 21, 0 = not at all; the Gaussian ends at
 *  ceil(3 sigma); borders reflect without repeating the outermost pixel. */
void d3k_blur(int32_t threads, double sigma, float *image, int64_t height, int64_t width,
              int64_t channels, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* D3K_AUGMENT_H */
