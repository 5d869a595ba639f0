/* One block of lanes of a depthwise convolution: several columns of taps -> sums -> epilogue, all
 * in registers; lanes_16, lanes_8, lanes_4 and lanes_1 differ in width. */
#ifndef D3K_CONV_DEPTHWISE_LANES_H
#define D3K_CONV_DEPTHWISE_LANES_H

#include "chain/epilogue.h"

enum { columns_at_once = 8, few_columns = 4, widest_shared = 7, vectors_at_once = 4 };

/* The taps that one block of outputs meets, and where the outputs go. */
typedef struct taps {
  const float *x, *weights; /* at the first tap                                          */
  int64_t height, width;    /* counts                                                    */
  int64_t x_down, x_right;  /* floats from one tap's input to the next                   */
  int64_t weights_down, weights_right;
  int64_t x_step, y_step, added_step; /* floats from one column to the next                    */
  const float *added; /* to the outputs, or NULL                                   */
  float *y;
  int64_t apart; /* columns this far apart read the same inputs              */
} taps;

D3K_INLINE void skip_columns(taps *t, int64_t count) {
  t->x += count * t->x_step;
  t->y += count * t->y_step;
  if (t->added) t->added += count * t->added_step;
}

D3K_INLINE void advance(taps *t, int64_t *channel, int64_t lanes) {
  *channel += lanes;
  t->x += lanes;
  t->weights += lanes;
  t->y += lanes;
  if (t->added) t->added += lanes;
}

/* NAME_end: what comes after the sum, for channels from `at` on.
 * NAME_block: y[p] = epilogue(bias + added[p] + Σ taps x[p] · weights) for `count` columns p, one
 * vector each. is_shared: x_step == x_right, so that a column's tap is its neighbour's next one:
 * loads, not products, are the limit.
 * NAME: the same for any number of columns. A function of its own, for the registers' sake. */
#define DEFINE_KERNEL(vector, name, activate)                                                      \
  D3K_INLINE vector name##_end(const d3k_epilogue *e, int64_t at, vector sum) {                    \
    if (e->scale) sum = sum * *(const vector *)(e->scale + at) + *(const vector *)(e->shift + at); \
    if (e->slope) sum = activate(sum, *(const vector *)(e->slope + at), e->is_relu);               \
    return sum;                                                                                    \
  }                                                                                                \
                                                                                                   \
  D3K_INLINE void name##_block(const d3k_epilogue *e, const float *biases, const taps *t,          \
                               int64_t width, int32_t is_shared, int64_t count) {                  \
    vector sum[columns_at_once], bias = *(const vector *)biases;                                   \
    EACH(p, count) sum[p] = bias;                                                                  \
    if (t->added) EACH(p, count) sum[p] += *(const vector *)(t->added + p * t->added_step);        \
    const float *line = t->x, *weights = t->weights;                                               \
    int64_t x_step = t->x_step, weights_right = t->weights_right;                                  \
    for (int64_t ky = t->height; ky > 0; ky--, line += t->x_down, weights += t->weights_down) {    \
      if (is_shared) {                                                                             \
        vector loaded[columns_at_once + widest_shared];                                            \
        EACH(q, count + width - 1) loaded[q] = *(const vector *)(line + q * x_step);               \
        EACH(kx, width) {                                                                          \
          vector weight = *(const vector *)(weights + kx * weights_right);                         \
          EACH(p, count) sum[p] += loaded[p + kx] * weight;                                        \
        }                                                                                          \
      } else {                                                                                     \
        const float *x = line, *w = weights;                                                       \
        for (int64_t kx = width; kx > 0; kx--, x += t->x_right, w += weights_right) {              \
          vector weight = *(const vector *)w;                                                      \
          EACH(p, count) sum[p] += *(const vector *)(x + p * x_step) * weight;                     \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
    EACH(p, count) sum[p] = name##_end(e, biases - e->biases, sum[p]);                             \
    EACH(p, count) * (vector *)(t->y + p * t->y_step) = sum[p];                                    \
  }                                                                                                \
                                                                                                   \
  D3K_INLINE void name##_columns(const d3k_epilogue *e, const float *biases, taps t,               \
                                 int64_t width, int32_t is_shared, int64_t columns) {              \
    for (; columns >= columns_at_once; columns -= columns_at_once) {                               \
      name##_block(e, biases, &t, width, is_shared, columns_at_once);                              \
      skip_columns(&t, columns_at_once);                                                           \
    }                                                                                              \
    if (columns >= few_columns) {                                                                  \
      name##_block(e, biases, &t, width, is_shared, few_columns);                                  \
      skip_columns(&t, few_columns);                                                               \
      columns -= few_columns;                                                                      \
    }                                                                                              \
    for (; columns > 0; columns--) {                                                               \
      name##_block(e, biases, &t, width, is_shared, 1);                                            \
      skip_columns(&t, 1);                                                                         \
    }                                                                                              \
  }                                                                                                \
                                                                                                   \
  D3K_CLONES(static, void, name,                                                                   \
             (const d3k_epilogue *e, const float *biases, const taps *t, int64_t columns),         \
             (e, biases, t, columns)) {                                                            \
    if (t->width == 3 && t->x_step == t->x_right)                                                  \
      name##_columns(e, biases, *t, 3, 1, columns);                                                \
    else if (t->width == 5 && t->x_step == t->x_right)                                             \
      name##_columns(e, biases, *t, 5, 1, columns);                                                \
    else if (t->width == 7 && t->x_step == t->x_right)                                             \
      name##_columns(e, biases, *t, 7, 1, columns);                                                \
    else                                                                                           \
      name##_columns(e, biases, *t, t->width, 0, columns);                                         \
  }
#define EACH(i, count) _Pragma("clang loop unroll(full)") for (int64_t i = 0; i < (count); i++)

/* NAME_vectors: one column of `count` vectors of channels. The products of a sum wait for each
 * other; those of several sums do not. NAME: the same, for at most vectors_at_once of them. */
#define DEFINE_COLUMN(vector, name, lanes)                                                      \
  D3K_INLINE void name##_vectors(const d3k_epilogue *e, const float *biases, const taps *t,     \
                                 int64_t count) {                                               \
    vector sum[vectors_at_once];                                                                \
    EACH(p, count) sum[p] = ((const vector *)biases)[p];                                        \
    if (t->added) EACH(p, count) sum[p] += ((const vector *)t->added)[p];                       \
    const float *line = t->x, *weights = t->weights;                                            \
    for (int64_t ky = t->height; ky > 0; ky--, line += t->x_down, weights += t->weights_down) { \
      const float *x = line, *w = weights;                                                      \
      for (int64_t kx = t->width; kx > 0; kx--, x += t->x_right, w += t->weights_right)         \
        EACH(p, count) sum[p] += ((const vector *)x)[p] * ((const vector *)w)[p];               \
    }                                                                                           \
    const int64_t at = biases - e->biases, floats = sizeof(vector) / sizeof(float);             \
    EACH(p, count)((vector *)t->y)[p] = lanes##_end(e, at + p * floats, sum[p]);                \
  }                                                                                             \
                                                                                                \
  D3K_CLONES(static, void, name,                                                                \
             (const d3k_epilogue *e, const float *biases, const taps *t, int64_t vectors),      \
             (e, biases, t, vectors)) {                                                         \
    if (vectors == 4)                                                                           \
      name##_vectors(e, biases, t, 4);                                                          \
    else if (vectors == 3)                                                                      \
      name##_vectors(e, biases, t, 3);                                                          \
    else if (vectors == 2)                                                                      \
      name##_vectors(e, biases, t, 2);                                                          \
    else                                                                                        \
      name##_vectors(e, biases, t, 1);                                                          \
  }

DEFINE_KERNEL(d3k_f16, lanes_16, d3k_activate_16)
DEFINE_KERNEL(d3k_f8, lanes_8, d3k_activate_8)
DEFINE_KERNEL(d3k_f4, lanes_4, d3k_activate_4)
DEFINE_KERNEL(float, lanes_1, d3k_activate_1)
DEFINE_COLUMN(d3k_f16, column_16, lanes_16)
DEFINE_COLUMN(d3k_f8, column_8, lanes_8)

#undef EACH

#endif /* D3K_CONV_DEPTHWISE_LANES_H */
