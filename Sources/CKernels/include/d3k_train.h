/* Losses over the pixels of an image of class scores; the step of an optimiser, and a teacher's
 * average, over a flat vector of parameters.
 */
#ifndef D3K_TRAIN_H
#define D3K_TRAIN_H

#include "d3k_labels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* loss.c ------------------------------------------------------------------------------------- */

/** Weights of the losses of one image; 0 = off. Formulas beside the code. */
typedef struct d3k_loss_options {
  float cross_entropy;      /* with `labels`: -log p of the label, mean over labelled pixels; with
                               `confidences`: KL(P || p) = sum of P log(P / p)                     */
  float focal_entropy;      /* (1 - h)^gamma * h, mean over pixels                                 */
  float diversity;          /* sum of q log q / log C, q = mean of exp(-lambda h) p, w held        */
  float negative;           /* with `negatives`: -log(1 - p), summed over marked classes, mean     */
  float entropy;            /* h, mean over pixels                                                 */
  float max_square;         /* -1/2 sum of p^2, mean over pixels                                   */
  float ranked_negative;    /* -log(1 - p) of the class ranked `rank`, which is held, mean over
                               pixels; 0 for one class                                             */
  float small_negative;     /* -log(1 - sum of the p < small_probability), these classes held, mean
                               over pixels; 0 at a pixel where all are                             */
  float consistency;        /* with `probabilities`: sum of (p - P)^2, P held, mean over pixels    */
  float divergence;         /* with `probabilities`: KL(P || p) = sum of P log(P / p), P held, mean
                               over pixels                                                         */
  float gamma, lambda;
  float small_probability;
  int32_t rank;             /* from 1 = the most likely class; of equals the first comes before    */
  const float *class_weights; /* of cross_entropy, one a class; the mean is by them; NULL = 1 each */
} d3k_loss_options;

typedef struct d3k_loss_values {
  double cross_entropy, focal_entropy, diversity, negative, entropy, max_square; /* unweighted     */
  double ranked_negative, small_negative, consistency, divergence;               /* these, too     */
  double total;             /* the weighted sum                                                    */
  double mean_entropy;      /* mean of h, whatever is on                                           */
  int64_t labelled;         /* pixels whose label is a class                                       */
} d3k_loss_values;

size_t d3k_loss_scratch_bytes(int64_t pixels, int64_t classes);

/** An image of scores, what is known of it, and where the gradient goes. */
typedef struct d3k_loss_image {
  d3k_scores scores;        /* is_probability is 0                                                 */
  const uint8_t *labels;    /* one byte a pixel, 255 or >= classes = none; NULL = none at all      */
  const uint8_t *confidences; /* a byte a pixel, 255 = 1: P of its label, of which the other classes
                               share the rest evenly; NULL = 1 each                                */
  const uint8_t *pixel_weights; /* a byte a pixel, 255 = 1: a factor of its cross-entropy. The mean is
                               not by them: less weight is less gradient. NULL = 1 each            */
  const uint8_t *negatives; /* marks, see d3k_labels.h; or NULL                                    */
  const float *probabilities; /* P of consistency and divergence: pixels x classes, dense; or NULL */
  const uint8_t *ignored;   /* a byte a pixel, not 0 = it counts in no mean, whatever its scores are,
                               and its gradient is 0; NULL = all count                             */
  float *gradient;          /* of each score, overwritten; may be the scores; or NULL              */
  int64_t gradient_stride;  /* floats from one pixel to the next                                   */
  float scale;              /* a further factor of the gradient, for batches                       */
} d3k_loss_image;

/** Value and gradient of all losses that are on. h is normalised by log C (C = 1: h = 0). Natural
 *  logarithms. Finite for scores of +-1e4 and for p of exactly 0 or 1. The same bits for any number
 *  of threads. scratch: d3k_loss_scratch_bytes. */
void d3k_loss(int32_t threads, const d3k_loss_options *options, const d3k_loss_image *image,
              d3k_loss_values *values, void *scratch);

/* loss_weights.c ----------------------------------------------------------------------------- */

/** Pixel weights exp(-KL(P || p)), a byte each, 255 = 1: how far the scores' p agrees with P of
 *  another network, pixels x classes, dense; KL is in nats. 0 where KL is not a number, and where
 *  `ignored`, a byte a pixel or NULL, is not 0. At most 256 classes: with more nothing is done. */
void d3k_divergence_weights(int32_t threads, const d3k_scores *scores, const float *probabilities,
                            const uint8_t *ignored, uint8_t *weights);

/* sgd.c -------------------------------------------------------------------------------------- */

/** Sum of squares in double, in bands that do not depend on threads; NaN or infinite where a value
 *  is. */
double d3k_sum_of_squares(int32_t threads, const float *x, int64_t count);

/** A step of SGD. */
typedef struct d3k_sgd {
  float rate, momentum, weight_decay, gradient_scale;
} d3k_sgd;

/** One pass: g = gradient * gradient_scale + weight_decay * w; v = momentum * v + g;
 *  w -= rate * v (PyTorch's SGD). */
void d3k_sgd_step(int32_t threads, const d3k_sgd *step, float *weights, const float *gradient,
                  float *velocity, int64_t count);

/* adamw.c ------------------------------------------------------------------------------------ */

/** A step of AdamW. */
typedef struct d3k_adamw {
  double rate, beta1, beta2, epsilon, weight_decay, gradient_scale;
  double bias1, bias2;      /* 1 - beta^t at step t, counted from 1                                */
} d3k_adamw;

/** One pass: g = gradient * gradient_scale; mean = beta1 * mean + (1 - beta1) g;
 *  square = beta2 * square + (1 - beta2) g^2;
 *  w = (1 - rate * weight_decay) w - rate * (mean / bias1) / (sqrt(square / bias2) + epsilon)
 *  (PyTorch's AdamW). */
void d3k_adamw_step(int32_t threads, const d3k_adamw *step, float *weights, const float *gradient,
                    float *mean, float *square, int64_t count);

/* average.c ---------------------------------------------------------------------------------- */

/** teacher = momentum * teacher + (1 - momentum) * weights; exact for a momentum of 0 or 1, and
 *  where both are equal. */
void d3k_average(int32_t threads, float *teacher, const float *weights, int64_t count,
                 double momentum);

#ifdef __cplusplus
}
#endif

#endif /* D3K_TRAIN_H */
