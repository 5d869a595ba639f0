/* One line of floats -> the same line through one function. Chains and broadcasts end here. */
#include "base/vector_math.h"
#include "chain/line.h"

#define EACH(expression)                \
  D3K_VECTOR                            \
  for (int64_t i = 0; i < count; i++) { \
    const float v = x[i];               \
    y[i] = (expression);                \
  }                                     \
  break

/* The upper bound last: where low > high the result is high. */
D3K_INLINE float clamp(float v, float low, float high) {
  const float w = v < low ? low : v;
  return w > high ? high : w;
}

D3K_CLONES(static, void, line_unary,
           (int32_t kind, float a, float b, const float *x, float *y, int64_t count),
           (kind, a, b, x, y, count)) {
  switch (kind) {
    case D3K_RELU:
      EACH(v < 0.f ? 0.f : v);
    case D3K_LEAKY_RELU:
      EACH(v < 0.f ? v * a : v);
    case D3K_ELU:
      EACH(v < 0.f ? a * d3k_expm1_negative(v) : v);
    case D3K_SELU:
      EACH(b * (v < 0.f ? a * d3k_expm1_negative(v) : v));
    case D3K_CLIP:
      EACH(clamp(v, a, b));
    case D3K_HARD_SIGMOID:
      EACH(clamp(a * v + b, 0.f, 1.f));
    case D3K_HARD_SWISH:
      EACH(v * clamp(v * (1.f / 6.f) + 0.5f, 0.f, 1.f));
    case D3K_SIGMOID:
      EACH(d3k_sigmoid(v));
    case D3K_TANH:
      EACH(d3k_tanh(v));
    case D3K_SOFTPLUS:
      EACH(d3k_softplus(v));
    case D3K_MISH:
      EACH(d3k_mish(v));
    case D3K_ERF:
      EACH(d3k_erf(v));
    case D3K_GELU:
      EACH(d3k_gelu(v));
    case D3K_GELU_TANH:
      EACH(d3k_gelu_tanh(v));
    case D3K_EXP:
      EACH(d3k_exp(v));
    case D3K_LOG:
      EACH(d3k_log(v));
    case D3K_SQRT:
      EACH(__builtin_elementwise_sqrt(v));
    case D3K_ABS:
      EACH(d3k_abs(v));
    case D3K_NEG:
      EACH(-v);
    case D3K_RECIPROCAL:
      EACH(1.f / v);
    case D3K_FLOOR:
      EACH(__builtin_elementwise_floor(v));
    case D3K_CEIL:
      EACH(__builtin_elementwise_ceil(v));
    case D3K_NOT:
      EACH(v == 0.f ? 1.f : 0.f);
    case D3K_TRUNC:
      EACH(__builtin_elementwise_trunc(v));
    case D3K_TO_BOOL:
      EACH(v != 0.f ? 1.f : 0.f);
    case D3K_SOFTSIGN:
      EACH(v / (1.f + d3k_abs(v)));
    case D3K_SIN: /* the C library's: exact to a unit in the last place however large v is */
      for (int64_t i = 0; i < count; i++) y[i] = sinf(x[i]);
      break;
    case D3K_COS:
      for (int64_t i = 0; i < count; i++) y[i] = cosf(x[i]);
      break;
    case D3K_ROUND:
    case D3K_QUANTIZE:
      EACH(__builtin_elementwise_roundeven(v));
    case D3K_SIGN:
      EACH(v > 0.f ? 1.f : v < 0.f ? -1.f : v); /* 0 and not-a-number stay */
    default:
      break;
  }
}

#undef EACH

/* A scalar operand is loaded once; otherwise the operand runs along. */
#define EACH(expression)                  \
  if (is_scalar) {                        \
    const float o = *operand;             \
    D3K_VECTOR                            \
    for (int64_t i = 0; i < count; i++) { \
      const float v = x[i];               \
      y[i] = (expression);                \
    }                                     \
  } else {                                \
    D3K_VECTOR                            \
    for (int64_t i = 0; i < count; i++) { \
      const float v = x[i];               \
      const float o = operand[i];         \
      y[i] = (expression);                \
    }                                     \
  }                                       \
  break

/* For functions of the C library, which do not vectorise. */
#define EACH_CALL(expression)                             \
  for (int64_t i = 0; i < count; i++) {                   \
    const float v = x[i], o = operand[is_scalar ? 0 : i]; \
    y[i] = (expression);                                  \
  }                                                       \
  break

/* Sign of the divisor; fmodf is exact, v - floor(v / o) * o is not. */
static float floor_mod(float v, float o) {
  const float r = fmodf(v, o);
  return r != 0.f && (r < 0.f) != (o < 0.f) ? r + o : r;
}

/* Integers of 24 bits divide exactly in double. */
D3K_INLINE float int_div(float v, float o) {
  return (float)__builtin_elementwise_trunc((double)v / (double)o);
}

/* Exponents that networks use, without powf. Returns 0 for any other. */
D3K_INLINE int32_t power_special(const float *x, float exponent, float *y, int64_t count) {
#define WHERE(value, expression)                             \
  if (exponent == (value)) {                                 \
    D3K_VECTOR                                               \
    for (int64_t i = 0; i < count; i++) y[i] = (expression); \
    return 1;                                                \
  }
  WHERE(2.f, x[i] * x[i])
  WHERE(3.f, x[i] * x[i] * x[i])
  WHERE(0.5f, __builtin_elementwise_sqrt(x[i]))
  WHERE(-1.f, 1.f / x[i])
#undef WHERE
  return 0;
}

D3K_CLONES(extern, void, d3k_line_binary,
           (int32_t kind, const float *x, const float *operand, int32_t is_scalar, float *y,
            int64_t count),
           (kind, x, operand, is_scalar, y, count)) {
  switch (kind) {
    case D3K_ADD:
      EACH(v + o);
    case D3K_SUB:
      EACH(v - o);
    case D3K_RSUB:
      EACH(o - v);
    case D3K_MUL:
      EACH(v * o);
    case D3K_DIV:
      EACH(v / o);
    case D3K_RDIV:
      EACH(o / v);
    /* not-a-number wins from either side */
    case D3K_MIN:
      EACH(((v < o) | (v != v)) ? v : o);
    case D3K_MAX:
      EACH(((v > o) | (v != v)) ? v : o);
    case D3K_POW:
      if (is_scalar && power_special(x, *operand, y, count)) break;
      EACH_CALL(powf(v, o));
    case D3K_RPOW:
      EACH_CALL(powf(o, v));
    case D3K_PRELU:
      EACH(v < 0.f ? v * o : v);
    case D3K_RPRELU:
      EACH(o < 0.f ? o * v : o);
    case D3K_MOD:
      EACH_CALL(floor_mod(v, o));
    case D3K_FMOD:
      EACH_CALL(fmodf(v, o));
    case D3K_RMOD:
      EACH_CALL(floor_mod(o, v));
    case D3K_RFMOD:
      EACH_CALL(fmodf(o, v));
    case D3K_INT_DIV:
      EACH(int_div(v, o));
    case D3K_RINT_DIV:
      EACH(int_div(o, v));
    case D3K_EQUAL:
      EACH(v == o ? 1.f : 0.f);
    case D3K_LESS:
      EACH(v < o ? 1.f : 0.f);
    case D3K_GREATER:
      EACH(v > o ? 1.f : 0.f);
    case D3K_LESS_EQUAL:
      EACH(v <= o ? 1.f : 0.f);
    case D3K_GREATER_EQUAL:
      EACH(v >= o ? 1.f : 0.f);
    case D3K_AND:
      EACH(((v != 0.f) & (o != 0.f)) ? 1.f : 0.f);
    case D3K_OR:
      EACH(((v != 0.f) | (o != 0.f)) ? 1.f : 0.f);
    case D3K_XOR:
      EACH((v != 0.f) != (o != 0.f) ? 1.f : 0.f);
    default:
      break;
  }
}

#undef EACH
#undef EACH_CALL

D3K_CLONES(static, void, line_affine,
           (const float *x, const float *scale, const float *shift, int32_t is_scalar, float *y,
            int64_t count),
           (x, scale, shift, is_scalar, y, count)) {
  if (is_scalar) {
    const float s = *scale, t = *shift;
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) y[i] = x[i] * s + t;
  } else {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) y[i] = x[i] * scale[i] + shift[i];
  }
}

void d3k_line_stage(const d3k_stage *stage, const float *x, const float *operand,
                    const float *operand2, float *y, int64_t count) {
  const int32_t is_scalar = stage->extent == D3K_SCALAR;
  if (stage->kind < D3K_ADD) {
    line_unary(stage->kind, stage->a, stage->b, x, y, count);
  } else if (stage->kind < D3K_AFFINE) {
    d3k_line_binary(stage->kind, x, operand, is_scalar, y, count);
  } else {
    line_affine(x, operand, operand2, is_scalar, y, count);
  }
}

int32_t d3k_reversed_kind(int32_t kind) {
  static const int32_t pairs[][2] = {
      {D3K_SUB, D3K_RSUB},         {D3K_DIV, D3K_RDIV},     {D3K_POW, D3K_RPOW},
      {D3K_PRELU, D3K_RPRELU},     {D3K_MOD, D3K_RMOD},     {D3K_FMOD, D3K_RFMOD},
      {D3K_INT_DIV, D3K_RINT_DIV}, {D3K_LESS, D3K_GREATER}, {D3K_LESS_EQUAL, D3K_GREATER_EQUAL}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    if (kind == pairs[i][0]) return pairs[i][1];
    if (kind == pairs[i][1]) return pairs[i][0];
  }
  return kind;
}
