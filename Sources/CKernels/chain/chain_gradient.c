/* The gradient after a chain -> the gradient before it, and those of its operands. This file finds
 * what is needed, divides the work, and adds the sums of bands. */
#include "chain/chain_gradient.h"

#include "base/tiles.h"
#include "chain/line.h"
#include "chain/line_gradient.h"

static int32_t sums_operand(const d3k_stage *stage) {
  return d3k_has_operand(stage) && stage->extent != D3K_FULL;
}

static int32_t wants(const d3k_stage *stage, const d3k_stage_gradient *gradient) {
  return d3k_has_operand(stage) &&
         (gradient->operand || (stage->kind == D3K_AFFINE && gradient->operand2));
}

static int32_t needs_input(const d3k_stage *stage, const d3k_stage_gradient *gradient) {
  switch (stage->kind) {
    case D3K_NEG:
    case D3K_FLOOR:
    case D3K_CEIL:
    case D3K_NOT:
    case D3K_TRUNC:
    case D3K_TO_BOOL:
    case D3K_ROUND:
    case D3K_SIGN:
    case D3K_QUANTIZE:
    case D3K_ADD:
    case D3K_SUB:
    case D3K_RSUB:
    case D3K_INT_DIV:
    case D3K_RINT_DIV:
    case D3K_EQUAL:
    case D3K_LESS:
    case D3K_GREATER:
    case D3K_LESS_EQUAL:
    case D3K_GREATER_EQUAL:
    case D3K_AND:
    case D3K_OR:
    case D3K_XOR:
      return 0;
    case D3K_MUL:
    case D3K_DIV:
    case D3K_MOD:
    case D3K_FMOD:
    case D3K_AFFINE:
      return gradient->operand != NULL;
    default:
      return 1;
  }
}

static const d3k_stage_gradient *gradients_or_none(const d3k_chain_gradient *gradients) {
  static const d3k_chain_gradient none;
  return (gradients ? gradients : &none)->stages;
}

int32_t d3k_chain_needs_x(const d3k_chain *chain, const d3k_chain_gradient *gradients) {
  const d3k_stage_gradient *g = gradients_or_none(gradients);
  for (int32_t s = 0; s < chain->count; s++) {
    const d3k_stage *stage = &chain->stages[s];
    const int32_t has_result = s == chain->count - 1 && d3k_follows_from_result(stage);
    if (!has_result && needs_input(stage, &g[s])) return 1;
  }
  return 0;
}

/* Doubles that one operand's sums take. */
static int64_t sum_count(const d3k_bands *bands, int32_t extent) {
  return bands->count * (extent == D3K_SCALAR ? bands->blocks : bands->channels);
}

size_t d3k_chain_backward_scratch_bytes(int32_t threads, const d3k_chain *chain, int64_t rows,
                                        int64_t channels) {
  if (rows <= 0 || channels <= 0) return 64;
  /* Scalars may be summed over rows of one value (see d3k_chain_is_flat). */
  const int64_t flat_bands = d3k_bands_most(rows * channels, 1);
  const int64_t bands = d3k_bands_most(rows, channels);
  const int64_t blocks = d3k_ceil_div(channels, D3K_LINE) + 1;
  int64_t sums = 0;
  for (int32_t s = 0; s < chain->count; s++) {
    const d3k_stage *stage = &chain->stages[s];
    if (!sums_operand(stage)) continue;
    const int64_t count = stage->extent == D3K_CHANNEL ? bands * channels : bands * blocks;
    sums += d3k_arity(stage) * d3k_max(count, flat_bands);
  }
  return d3k_round64((size_t)sums * sizeof(double)) +
         (size_t)d3k_parts(threads) * d3k_chain_part_bytes(chain);
}

/* Adds all bands' sums of one operand, in order, to its gradient. */
static void finish(const d3k_chain_job *j, int32_t s, int32_t second) {
  const d3k_stage_gradient *gradient = &j->gradients[s];
  const double *sums = j->sums[s][second];
  const int32_t is_scalar = j->pass.chain->stages[s].extent == D3K_SCALAR;
  const int64_t channels = is_scalar ? 1 : j->bands.channels;
  const int64_t bands = sum_count(&j->bands, j->pass.chain->stages[s].extent) / channels;
  const float *factor =
      j->pass.chain->stages[s].kind == D3K_AFFINE && !second ? gradient->factor : NULL;
  float *out = second ? gradient->operand2 : gradient->operand;
  for (int64_t c = 0; c < channels; c++) {
    double sum = 0;
    for (int64_t b = 0; b < bands; b++) sum += sums[b * channels + c];
    out[c] = (float)((double)out[c] + (factor ? (double)factor[c] * sum : sum));
  }
}

void d3k_chain_backward(int32_t threads, const d3k_chain_pass *pass) {
  const d3k_chain *chain = pass->chain;
  const int64_t rows = pass->rows, channels = pass->channels;
  if (rows <= 0 || channels <= 0) return;
  d3k_chain_job j = {.pass = *pass, .gradients = gradients_or_none(pass->gradients)};
  const int32_t count = chain->count;
  j.uses_result = count > 0 && d3k_follows_from_result(&chain->stages[count - 1]) &&
                  !d3k_chain_needs_x(chain, pass->gradients);
  int32_t is_dense = pass->dy_stride == channels;
  is_dense &= pass->dx == NULL || pass->dx_stride == channels;
  if (pass->dx == NULL) {
    while (j.first < count && !wants(&chain->stages[j.first], &j.gradients[j.first])) j.first++;
    if (j.first == count) return;
  }
  for (int32_t s = j.first; s < count - j.uses_result; s++) {
    if (needs_input(&chain->stages[s], &j.gradients[s])) j.inputs = s + 1;
  }
  is_dense &= j.inputs == 0 || pass->x_stride == channels;
  is_dense &= !j.uses_result || pass->y_stride == channels;
  for (int32_t s = 0; s < count; s++) {
    const d3k_stage *stage = &chain->stages[s];
    if (!d3k_has_operand(stage) || stage->extent != D3K_FULL) continue;
    is_dense &= stage->operand_stride == channels;
    is_dense &= !wants(stage, &j.gradients[s]) || j.gradients[s].stride == channels;
  }
  int64_t line_rows = rows, line_channels = channels;
  j.is_flat = is_dense && d3k_chain_is_flat(chain, channels);
  if (j.is_flat) {
    j.pass.x_stride = j.pass.y_stride = j.pass.dy_stride = j.pass.dx_stride = 1;
    line_rows = rows * channels;
    line_channels = 1;
  }
  j.bands = d3k_bands_cut(line_rows, line_channels, is_dense);
  char *at = pass->scratch;
  for (int32_t s = 0; s < count; s++) {
    for (int32_t k = 0; k < 2 && sums_operand(&chain->stages[s]); k++) {
      if (!(k == 0 ? j.gradients[s].operand : j.gradients[s].operand2)) continue;
      if (k >= d3k_arity(&chain->stages[s])) continue;
      j.sums[s][k] = (double *)at;
      at += (size_t)sum_count(&j.bands, chain->stages[s].extent) * sizeof(double);
    }
  }
  at = (char *)pass->scratch + d3k_round64((size_t)(at - (char *)pass->scratch));
  const int64_t work = rows * channels * (2 + 2 * count);
  d3k_tiles_run(d3k_threads_for(threads, work), d3k_bands_items(&j.bands), d3k_chain_backward_item,
                &j, at, d3k_chain_part_bytes(chain));
  for (int32_t s = 0; s < count; s++) {
    for (int32_t k = 0; k < 2; k++) {
      if (j.sums[s][k]) finish(&j, s, k);
    }
  }
}
