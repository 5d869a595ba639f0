/* Class scores -> labels and predictions.
 *
 * Predictions of one image: a label (255 = none), its probability as float32, and marks of the
 * classes that a pixel is certainly not: (classes + 7) / 8 bytes a pixel, class c is bit c % 8 of
 * byte c / 8.
 *
 * Scores that are NaN: labels for display need a class for every pixel, but training must not learn
 * from an uncertain one. d3k_label gives a pixel with a NaN score the best of the other classes, or
 * class 0 where there is none, with confidence 0 (where scores are probabilities: that of the class).
 * d3k_predict gives it no label (255), no marks, no mass, confidence 0 and h = 1. Its probabilities
 * are NaN.
 *
 * At most 256 classes: with more nothing is written.
 */
#ifndef D3K_LABELS_H
#define D3K_LABELS_H

#include "d3k.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Class scores of an image, channels last. */
typedef struct d3k_scores {
  const float *data;
  int64_t stride;         /* floats from one pixel to the next, >= classes                        */
  int64_t height, width, classes;
  int32_t is_probability; /* they sum to about 1 already and are not put through softmax          */
} d3k_scores;

/* label.c ------------------------------------------------------------------------------------ */

/** Where d3k_label writes, each NULL where it is not wanted. */
typedef struct d3k_labelling {
  const d3k_axis *rows, *columns; /* resize the scores on the way; both NULL = same size          */
  uint8_t *labels;        /* the first class with the largest score                               */
  uint8_t *confidence;    /* its probability times 255                                            */
  float *entropy;         /* normalised by log C                                                  */
  float *probabilities;   /* one plane after the other                                            */
  float *scratch;         /* threads * 3 * columns->size * classes floats; unused without rows    */
} d3k_labelling;

/** Per-pixel results for display. */
void d3k_label(int32_t threads, const d3k_scores *scores, const d3k_labelling *out);

/* predict.c ---------------------------------------------------------------------------------- */

/** Bytes of scratch for d3k_predict. */
size_t d3k_predict_scratch_bytes(int64_t pixels, int64_t classes);

/** What d3k_predict reads beside the scores, and where it writes, each NULL where not wanted. */
typedef struct d3k_prediction {
  const float *mirrored;  /* probabilities of the mirror image, dense: predicted is then the mean
                             of both images, seen as the first; or NULL                           */
  const float *zoomed;    /* other probabilities of the image, dense, or NULL: predicted is then what
                             the above says and, with this share, what these say                  */
  float zoomed_share;     /* 0...1                                                                */
  const uint8_t *ignored; /* a byte a pixel, not 0 = as if its scores were NaN, and its h counts in no
                             mean; or NULL                                                        */
  float negative_threshold; /* probability below which a class is marked                          */
  uint8_t *labels;        /* the first class with the largest score                               */
  float *confidence;      /* its probability                                                      */
  uint8_t *negatives;     /* marks                                                                */
  float *probabilities;   /* pixels x classes, dense; may be the scores                           */
  double *masses;         /* the sum of each class's probabilities                                */
  void *scratch;          /* d3k_predict_scratch_bytes                                            */
} d3k_prediction;

/** Predictions to learn from. Returns the mean of h over the pixels that count; h is the entropy
 *  normalised by log C (C = 1: 0). */
double d3k_predict(int32_t threads, const d3k_scores *scores, const d3k_prediction *out);

/* part.c ------------------------------------------------------------------------------------- */

/** Where an enlarged part of an image lies in it. */
typedef struct d3k_part {
  const d3k_axis *rows, *columns; /* from the part's pixels in the image to those of the enlarged  */
  const float *row_shares, *column_shares; /* what the pixels count, the product of both          */
  int64_t in_width, classes;
  int64_t width;                           /* of the image                                        */
  int64_t first_row, first_column;         /* of the part in it                                   */
} d3k_part;

/** Adds the part's values x, reduced linearly, to the image's; both channels last, dense. */
void d3k_add_part(int32_t threads, const d3k_part *part, const float *x, float *sum);

/* views.c ------------------------------------------------------------------------------------ */

/** Sums over the pixels of an image that count and whose scores are numbers. */
typedef struct d3k_view_sums {
  double entropy;    /* of p, in nats                                                           */
  double divergence; /* Jensen-Shannon divergence of p and of the mirrored image's p, in nats   */
  double same;       /* pixels with the same most likely class in both views                    */
  double count;      /* pixels                                                                  */
} d3k_view_sums;

/** Bytes of scratch for d3k_compare_views. */
size_t d3k_compare_views_scratch_bytes(int64_t pixels, int64_t classes);

/** Compares the scores of an image, which are no probabilities, with the probabilities of its mirror
 *  image, dense. ignored: a byte a pixel, not 0 = it does not count; or NULL. masses: the sum of
 *  each class's p over the image. At most 256 classes (with more all sums are 0). scratch:
 *  d3k_compare_views_scratch_bytes. */
void d3k_compare_views(int32_t threads, const d3k_scores *scores, const float *mirrored,
                       const uint8_t *ignored, d3k_view_sums *result, double *masses, void *scratch);

#ifdef __cplusplus
}
#endif

#endif /* D3K_LABELS_H */
