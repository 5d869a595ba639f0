/* One line of floats and of gradients -> the gradients before one stage. */
#include "base/vector_math.h"
#include "chain/line_gradient.h"

/* x tanh(softplus(x)): with e = e^x and n = e (e + 2), tanh is n / (n + 2), and 1 - tanh^2 times
 * the sigmoid is 4 e (1 + e) / (n + 2)^2. */
D3K_INLINE float mish_slope(float x) {
  const float low = x < -105.f ? -105.f : x; /* there e = 0, and 0 * infinity must not be */
  const float v = low > 20.f ? 20.f : low;
  const float e = d3k_exp(v), n = e * (e + 2.f), inverse = 1.f / (n + 2.f);
  const float slope = n * inverse + v * (4.f * e * (1.f + e)) * inverse * inverse;
  return x > 20.f ? 1.f : slope;
}

/* Beyond +-20 the density is 0 in float32. */
D3K_INLINE float gelu_slope(float x) {
  const float low = x < -20.f ? -20.f : x;
  const float v = low > 20.f ? 20.f : low;
  const float density = 0.398942280f * d3k_exp(-0.5f * v * v);
  return 0.5f * (1.f + d3k_erf(v * 0.707106781f)) + v * density;
}

/* Beyond +-10 the tanh is +-1 in float32. */
D3K_INLINE float gelu_tanh_slope(float x) {
  const float low = x < -10.f ? -10.f : x;
  const float v = low > 10.f ? 10.f : low;
  const float t = d3k_tanh(0.797884561f * (v + 0.044715f * v * v * v));
  const float inner = 0.797884561f * (1.f + 0.134145f * v * v);
  return 0.5f * (1.f + t) + 0.5f * v * (1.f - t * t) * inner;
}

D3K_INLINE int32_t is_between(float v, float low, float high) { return (v > low) & (v < high); }

D3K_INLINE float hard_swish_gradient(float x, float g) {
  const float inside = g * (x * (1.f / 3.f) + 0.5f);
  return x >= 3.f ? g : x <= -3.f ? 0.f : inside;
}

/* From the result. */
D3K_INLINE float sigmoid_slope(float s) { return s * (1.f - s); }
D3K_INLINE float tanh_slope(float t) { return 1.f - t * t; }

/* Where x or the operand or the result is called `name`. */
#define EACH_WITH(name, value, expression)    \
  D3K_VECTOR                                  \
  for (int64_t i = 0; i < count; i++) {       \
    const float name = (value)[i], g = dy[i]; \
    dx[i] = (expression);                     \
  }                                           \
  break
#define EACH(expression) EACH_WITH(v, x, expression)

D3K_CLONES(extern, void, d3k_line_unary_gradient,
           (int32_t kind, float a, float b, const float *x, const float *dy, float *dx,
            int64_t count),
           (kind, a, b, x, dy, dx, count)) {
  switch (kind) {
    case D3K_RELU:
      EACH(v > 0.f ? g : 0.f);
    case D3K_LEAKY_RELU:
      EACH(v > 0.f ? g : g * a);
    case D3K_ELU:
      EACH(v > 0.f ? g : g * (a * d3k_exp(v < 0.f ? v : 0.f)));
    case D3K_SELU:
      EACH((v > 0.f ? g : g * (a * d3k_exp(v < 0.f ? v : 0.f))) * b);
    case D3K_CLIP:
      EACH(is_between(v, a, b) ? g : 0.f);
    case D3K_HARD_SIGMOID:
      EACH(is_between(a * v + b, 0.f, 1.f) ? g * a : 0.f);
    case D3K_HARD_SWISH:
      EACH(hard_swish_gradient(v, g));
    case D3K_SIGMOID:
      EACH(g * sigmoid_slope(d3k_sigmoid(v)));
    case D3K_TANH:
      EACH(g * tanh_slope(d3k_tanh(v)));
    case D3K_SOFTPLUS:
      EACH(g * d3k_sigmoid(v));
    case D3K_MISH:
      EACH(g * mish_slope(v));
    case D3K_ERF:
      EACH(g * (1.12837917f * d3k_exp(-v * v)));
    case D3K_GELU:
      EACH(g * gelu_slope(v));
    case D3K_GELU_TANH:
      EACH(g * gelu_tanh_slope(v));
    case D3K_EXP:
      EACH(g * d3k_exp(v));
    case D3K_LOG:
      EACH(g / v);
    case D3K_SQRT:
      EACH(0.5f * g / __builtin_elementwise_sqrt(v));
    case D3K_ABS:
      EACH(v > 0.f ? g : v < 0.f ? -g : 0.f);
    case D3K_NEG: {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) dx[i] = -dy[i]; /* x is not there */
      break;
    }
    case D3K_RECIPROCAL:
      EACH(-g / (v * v));
    case D3K_SIN:
      for (int64_t i = 0; i < count; i++) dx[i] = dy[i] * cosf(x[i]);
      break;
    case D3K_COS:
      for (int64_t i = 0; i < count; i++) dx[i] = dy[i] * -sinf(x[i]);
      break;
    case D3K_QUANTIZE: /* x is not there */
      if (dx != dy) memcpy(dx, dy, (size_t)count * sizeof(float));
      break;
    case D3K_SOFTSIGN:
      EACH(g / ((1.f + d3k_abs(v)) * (1.f + d3k_abs(v))));
    default: /* steps */
      memset(dx, 0, (size_t)count * sizeof(float));
      break;
  }
}

int32_t d3k_follows_from_result(const d3k_stage *stage) {
  switch (stage->kind) {
    case D3K_RELU:
    case D3K_CLIP:
    case D3K_SIGMOID:
    case D3K_TANH:
    case D3K_EXP:
    case D3K_SQRT:
      return 1;
    case D3K_LEAKY_RELU:
    case D3K_ELU:
      return stage->a > 0.f;
    default:
      return 0;
  }
}

#undef EACH
#define EACH(expression) EACH_WITH(v, y, expression)

D3K_CLONES(extern, void, d3k_line_result_gradient,
           (int32_t kind, float a, float b, const float *y, const float *dy, float *dx,
            int64_t count),
           (kind, a, b, y, dy, dx, count)) {
  switch (kind) {
    case D3K_ELU:
      EACH(v > 0.f ? g : g * (v + a));
    case D3K_SIGMOID:
      EACH(g * sigmoid_slope(v));
    case D3K_TANH:
      EACH(g * tanh_slope(v));
    case D3K_EXP:
      EACH(g * v);
    case D3K_SQRT:
      EACH(0.5f * g / v);
    default: /* relu, leaky relu and clip have the same derivative from the result as from the input
              */
      d3k_line_unary_gradient(kind, a, b, y, dy, dx, count);
      break;
  }
}

#undef EACH

/* Exponents that networks use, without powf. Returns 0 for any other. */
D3K_INLINE int32_t power_special(const float *x, float exponent, const float *dy, float *dx,
                                 int64_t count) {
#define WHERE(value, expression)                              \
  if (exponent == (value)) {                                  \
    D3K_VECTOR                                                \
    for (int64_t i = 0; i < count; i++) dx[i] = (expression); \
    return 1;                                                 \
  }
  WHERE(2.f, dy[i] * (2.f * x[i]))
  WHERE(3.f, dy[i] * (3.f * x[i] * x[i]))
  WHERE(0.5f, 0.5f * dy[i] / __builtin_elementwise_sqrt(x[i]))
  WHERE(-1.f, -dy[i] / (x[i] * x[i]))
#undef WHERE
  return 0;
}

/* x^exponent by x; a constant has no slope, even where x = 0. */
static float power_slope(float x, float exponent) {
  return exponent == 0.f ? 0.f : exponent * powf(x, exponent - 1.f);
}

/* base^x by x; 0^x is flat for x >= 0 (PyTorch). */
static float exponent_slope(float base, float x) {
  return base == 0.f && x >= 0.f ? 0.f : powf(base, x) * logf(base);
}

#define EACH(expression)                             \
  D3K_VECTOR                                         \
  for (int64_t i = 0; i < count; i++) {              \
    const float v = x[i], o = operand[i], g = dy[i]; \
    dx[i] = (expression);                            \
  }                                                  \
  break
/* For functions of the C library, which do not vectorise. */
#define EACH_CALL(expression)                        \
  for (int64_t i = 0; i < count; i++) {              \
    const float v = x[i], o = operand[i], g = dy[i]; \
    dx[i] = (expression);                            \
  }                                                  \
  break

D3K_CLONES(extern, void, d3k_line_binary_gradient,
           (int32_t kind, const float *x, const float *operand, int32_t is_constant,
            const float *dy, float *dx, int64_t count),
           (kind, x, operand, is_constant, dy, dx, count)) {
  switch (kind) {
    case D3K_ADD:
    case D3K_SUB:
    case D3K_MOD: /* x less a whole number of operands, which stays */
    case D3K_FMOD:
      if (dx != dy) memcpy(dx, dy, (size_t)count * sizeof(float));
      break;
    case D3K_RSUB: {
      D3K_VECTOR
      for (int64_t i = 0; i < count; i++) dx[i] = -dy[i];
      break;
    }
    case D3K_MUL:
      EACH_WITH(o, operand, g * o);
    case D3K_DIV:
      EACH_WITH(o, operand, g / o);
    case D3K_RDIV:
      EACH(-g * o / (v * v));
    case D3K_MIN:
      EACH(v < o ? g : v == o ? 0.5f * g : 0.f);
    case D3K_MAX:
      EACH(v > o ? g : v == o ? 0.5f * g : 0.f);
    case D3K_POW:
      if (is_constant && power_special(x, *operand, dy, dx, count)) break;
      EACH_CALL(g * power_slope(v, o));
    case D3K_RPOW:
      EACH_CALL(g * exponent_slope(o, v));
    case D3K_PRELU:
      EACH(v > 0.f ? g : g * o);
    case D3K_RPRELU:
      EACH_WITH(o, operand, o > 0.f ? 0.f : g * o);
    case D3K_RMOD:
      EACH(g * -__builtin_elementwise_floor(o / v));
    case D3K_RFMOD:
      EACH(g * -__builtin_elementwise_trunc(o / v));
    default: /* whole quotients, comparisons and logic are steps */
      memset(dx, 0, (size_t)count * sizeof(float));
      break;
  }
}

#undef EACH
#undef EACH_CALL
#undef EACH_WITH
