/* Gradients of outer x inner reduced values -> of outer x count x inner.
 *
 * Each result has one or two coefficients, found from its y and dy, and for maxima, minima and
 * products also from its line. The gradient of an element is a short expression of them. */
#include "base/vector_math.h"
#include "d3k_gradient.h"

/* Results side by side. */
#define WIDE 64
/* Elements of an item of work. */
#define PIECE 4096

typedef enum form {
  CONSTANT,    /* c                  */
  SIGN,        /* c * sign(x)        */
  SCALED,      /* c * x              */
  EXPONENTIAL, /* c * exp(x - y)     */
  EQUAL,       /* x == y ? c : 0     */
  QUOTIENT     /* x == 0 ? zero : c / x */
} form;

typedef struct job {
  const float *x, *y, *dy;
  float *dx;
  const d3k_lines *of;
  int64_t tiles, pieces, piece; /* of inner, WIDE each; of count, `piece` each */
  int32_t reduction, accumulates;
  form form;
} job;

/* Results of one tile. */
typedef struct results {
  float y[WIDE], c[WIDE], zero[WIDE];
} results;

/* `count` elements, one result for each of them or (is_scalar) for all. */
D3K_INLINE void elements(form form, const float *x, const results *of, float *dx, int64_t count,
                         int32_t is_scalar, int32_t accumulates) {
#define EACH(expression)                 \
  D3K_VECTOR                             \
  for (int64_t i = 0; i < count; i++) {  \
    const int64_t k = is_scalar ? 0 : i; \
    const float c = of->c[k];            \
    const float d = (expression);        \
    dx[i] = accumulates ? dx[i] + d : d; \
  }                                      \
  break
  switch (form) {
    case CONSTANT:
      EACH(c);
    case SIGN:
      EACH(x[i] > 0.f ? c : x[i] < 0.f ? -c : 0.f);
    case SCALED:
      EACH(c * x[i]);
    case EXPONENTIAL: /* the difference of equal infinities is 0 */
      EACH(c * d3k_exp(x[i] == of->y[k] ? 0.f : x[i] - of->y[k]));
    case EQUAL:
      EACH(x[i] == of->y[k] ? c : 0.f);
    case QUOTIENT:
      EACH(x[i] == 0.f ? of->zero[k] : c / x[i]);
  }
#undef EACH
}

/* Elements of a line that are its result. */
static double ties(const float *x, int64_t stride, int64_t count, float y) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; i++) found += x[i * stride] == y;
  return (double)d3k_max(1, found);
}

/* The derivative by a factor is the product of all others: with exactly one zero among the factors
 * only that one has a derivative that is not 0. */
static void product(const float *x, int64_t stride, int64_t count, float dy, results *of,
                    int64_t k) {
  double others = (double)dy;
  int64_t zeros = 0;
  for (int64_t i = 0; i < count; i++) {
    const float v = x[i * stride];
    zeros += v == 0.f;
    others *= v == 0.f ? 1. : (double)v;
  }
  of->c[k] = zeros == 0 ? (float)others : 0.f;
  of->zero[k] = zeros == 1 ? (float)others : 0.f;
}

/* Coefficients of `width` results whose lines start at x. */
static void find(const job *j, const float *x, const float *y, const float *dy, int64_t width,
                 results *of) {
  for (int64_t i = 0; i < width; i++) {
    const float g = dy[i];
    of->y[i] = y ? y[i] : 0.f;
    switch (j->reduction) {
      case D3K_REDUCE_MEAN:
        of->c[i] = g / (float)j->of->count;
        break;
      case D3K_REDUCE_MAX:
      case D3K_REDUCE_MIN:
        of->c[i] = (float)((double)g / ties(x + i, j->of->inner, j->of->count, y[i]));
        break;
      case D3K_REDUCE_L2:
        of->c[i] = y[i] == 0.f ? 0.f : g / y[i];
        break;
      case D3K_REDUCE_SUM_SQUARE:
        of->c[i] = 2.f * g;
        break;
      case D3K_REDUCE_LOG_SUM:
        of->c[i] = g / expf(y[i]);
        break;
      case D3K_REDUCE_PROD:
        product(x + i, j->of->inner, j->of->count, g, of, i);
        break;
      default:
        of->c[i] = g;
        break;
    }
  }
}

D3K_CLONES(static, void, run_row,
           (const job *j, const float *x, const results *of, float *dx, int64_t count),
           (j, x, of, dx, count)) {
  const int32_t accumulates = j->accumulates, is_scalar = j->of->inner == 1;
#define CASE(form)                            \
  case form:                                  \
    if (is_scalar && accumulates) {           \
      elements(form, x, of, dx, count, 1, 1); \
    } else if (is_scalar) {                   \
      elements(form, x, of, dx, count, 1, 0); \
    } else if (accumulates) {                 \
      elements(form, x, of, dx, count, 0, 1); \
    } else {                                  \
      elements(form, x, of, dx, count, 0, 0); \
    }                                         \
    break
  switch (j->form) {
    CASE(CONSTANT);
    CASE(SIGN);
    CASE(SCALED);
    CASE(EXPONENTIAL);
    CASE(EQUAL);
    CASE(QUOTIENT);
  }
#undef CASE
}

static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  for (int64_t item = begin; item < end; item++) {
    const int64_t first = item % j->pieces * j->piece;
    const int64_t last = d3k_min(j->of->count, first + j->piece);
    const int64_t column = item / j->pieces % j->tiles * WIDE;
    const int64_t outer = item / j->pieces / j->tiles;
    const int64_t width = d3k_min(WIDE, j->of->inner - column);
    const int64_t result = outer * j->of->inner + column;
    const int64_t line = outer * j->of->count * j->of->inner + column;
    const float *x = j->x ? j->x + line : NULL;
    float *dx = j->dx + line;
    results of;
    find(j, x, j->y ? j->y + result : NULL, j->dy + result, width, &of);
    if (j->of->inner == 1) {
      run_row(j, x ? x + first : NULL, &of, dx + first, last - first);
      continue;
    }
    for (int64_t r = first; r < last; r++) {
      run_row(j, x ? x + r * j->of->inner : NULL, &of, dx + r * j->of->inner, width);
    }
  }
}

static const form forms[] = {
    [D3K_REDUCE_SUM] = CONSTANT,     [D3K_REDUCE_MEAN] = CONSTANT,
    [D3K_REDUCE_MAX] = EQUAL,        [D3K_REDUCE_MIN] = EQUAL,
    [D3K_REDUCE_L1] = SIGN,          [D3K_REDUCE_L2] = SCALED,
    [D3K_REDUCE_PROD] = QUOTIENT,    [D3K_REDUCE_SUM_SQUARE] = SCALED,
    [D3K_REDUCE_LOG_SUM] = CONSTANT, [D3K_REDUCE_LOG_SUM_EXP] = EXPONENTIAL,
};

void d3k_reduce_backward(int32_t threads, int32_t reduction, const d3k_lines *lines, const float *x,
                         const float *y, const float *dy, float *dx, int32_t accumulates) {
  const int64_t outer = lines->outer, count = lines->count, inner = lines->inner;
  const int64_t size = outer * count * inner;
  if (size <= 0) return;
  job j = {.x = x,
           .y = y,
           .dy = dy,
           .dx = dx,
           .of = lines,
           .reduction = reduction,
           .accumulates = accumulates,
           .form = forms[reduction]};
  /* Coefficients that need the whole line are found once per line. */
  const int32_t is_whole = j.form == EQUAL || j.form == QUOTIENT;
  j.tiles = d3k_ceil_div(inner, WIDE);
  j.piece = is_whole ? count : d3k_min(count, d3k_ceil_div(PIECE, d3k_min(inner, WIDE)));
  j.pieces = d3k_ceil_div(count, j.piece);
  d3k_parallel(d3k_threads_for(threads, size * 2), outer * j.tiles * j.pieces, run, &j);
}
