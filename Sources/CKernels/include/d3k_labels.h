/* Class scores -> predictions.
 *
 * Predictions of one image: a label (255 = none), its probability as float32, and marks of the
 * classes that a pixel is certainly not: (classes + 7) / 8 bytes a pixel, class c is bit c % 8 of
 * byte c / 8.
 */
#ifndef D3K_LABELS_H
#define D3K_LABELS_H

#include "d3k.h"

#ifdef __cplusplus
extern "C" {
#endif

/* predict.c ---------------------------------------------------------------------------------- */

/** Bytes of scratch for d3k_predict. */
size_t d3k_predict_scratch_bytes(int64_t pixels, int64_t classes);

/** Predictions of pixels x classes scores, z_stride floats a pixel. is_probability: z sums to about
 *  1 already and is taken as it is. mirrored: probabilities of the mirror image, dense, in rows of
 *  `width` pixels; predicted is then the mean of both images, seen as the first; NULL = none.
 *  labels: the first class with the largest score; confidence: its
 *  probability; negatives: marks of the classes below negative_threshold; probabilities: pixels x
 *  classes, dense, may be z; masses: the sum of each class's probabilities. Each output may be NULL.
 *  A pixel with a score that is not a number has no label, no marks, no mass, confidence 0 and
 *  h = 1; its probabilities are not numbers. At most 256 classes (with more nothing is written).
 *  scratch: d3k_predict_scratch_bytes.
 *  Returns the mean over pixels of h, the entropy normalised by log C (C = 1: 0). */
double d3k_predict(int32_t threads, const float *z, int64_t z_stride, int64_t pixels,
                   int64_t classes, int32_t is_probability, const float *mirrored, int64_t width,
                   float negative_threshold, uint8_t *labels, float *confidence, uint8_t *negatives,
                   float *probabilities, double *masses, void *scratch);

/* views.c ------------------------------------------------------------------------------------ */

/** Sums over the pixels of an image whose scores are numbers. */
typedef struct d3k_view_sums {
  double entropy;    /* of p, in nats                                                           */
  double divergence; /* Jensen-Shannon divergence of p and of the mirrored image's p, in nats   */
  double same;       /* pixels with the same most likely class in both views                    */
  double count;      /* pixels                                                                  */
} d3k_view_sums;

/** Bytes of scratch for d3k_compare_views. */
size_t d3k_compare_views_scratch_bytes(int64_t pixels, int64_t classes);

/** Compares the scores of an image, z_stride floats a pixel, with the probabilities of its mirror
 *  image, dense, both in rows of `width` pixels. masses: the sum of each class's p over the image.
 *  At most 256 classes (with more all sums are 0). scratch: d3k_compare_views_scratch_bytes. */
void d3k_compare_views(int32_t threads, const float *z, int64_t z_stride, int64_t pixels,
                       int64_t width, int64_t classes, const float *mirrored,
                       d3k_view_sums *result, double *masses, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* D3K_LABELS_H */
