/* One line of floats through a chain backwards.
 *
 * The inputs of the stages are computed again, then the gradient passes the stages from last to
 * first. Each position of the line has its own sum over pixels. */
#include "base/tiles.h"
#include "chain/chain_gradient.h"
#include "chain/line.h"
#include "chain/line_gradient.h"

/* What one line needs; each pointer is to D3K_LINE floats of scratch or into an array. */
typedef struct lines {
  const float *input[D3K_MAX_STAGES], *operand[D3K_MAX_STAGES][2], *center[D3K_MAX_STAGES];
  float *input_buffer[D3K_MAX_STAGES], *operand_buffer[D3K_MAX_STAGES][2];
  float *sums[D3K_MAX_STAGES][2];
  float *gradient, *part, *result;
  d3k_block_line block; /* operands and sums, where is_block */
  int32_t is_block;
} lines;

size_t d3k_chain_part_bytes(const d3k_chain *chain) {
  return (size_t)(6 + 6 * chain->count) * D3K_LINE * sizeof(float);
}

/* Whether operand k of stage s is read. The memory of operands that are only added may have been
 * reused since the forward pass. */
static int32_t reads_operand(const d3k_chain_job *j, int32_t s, int32_t k) {
  const int32_t kind = j->pass.chain->stages[s].kind;
  if (k >= d3k_arity(&j->pass.chain->stages[s])) return 0;
  if (s + 1 < j->inputs) return 1;
  return s >= j->first && k == 0 && kind != D3K_ADD && kind != D3K_SUB && kind != D3K_RSUB;
}

/* Scale and shift, perhaps an addition, then a kind of relu: what follows most convolutions. */
static int32_t is_block(const d3k_chain_job *j) {
  const d3k_stage *first = j->pass.chain->stages;
  const int32_t count = j->pass.chain->count;
  if (count < 2 || count > 3 || j->first > 0 || j->inputs < count) return 0;
  const d3k_stage *last = &first[count - 1];
  if (first->kind != D3K_AFFINE || !(j->sums[0][0] || j->sums[0][1])) return 0;
  if (count == 3 && (first[1].kind != D3K_ADD || first[1].extent != D3K_FULL)) return 0;
  return last->kind == D3K_RELU || last->kind == D3K_LEAKY_RELU ||
         (last->kind == D3K_PRELU && last->extent != D3K_FULL);
}

/* spare: three lines. */
static void prepare_block(const d3k_chain_job *j, float *spare, lines *l) {
  const int32_t last = j->pass.chain->count - 1;
  const d3k_stage *stage = &j->pass.chain->stages[last];
  float *zero = spare, *unread = spare + D3K_LINE, *slope = spare + 2 * D3K_LINE;
  memset(zero, 0, 2 * D3K_LINE * sizeof(float));
  for (int64_t i = 0; i < D3K_LINE; i++) slope[i] = stage->a;
  l->block = (d3k_block_line){.scale = l->operand[0][0],
                              .shift = l->operand[0][1],
                              .center = l->center[0] ? l->center[0] : zero,
                              .scale_sum = l->sums[0][0] ? l->sums[0][0] : unread,
                              .shift_sum = l->sums[0][1] ? l->sums[0][1] : unread};
  if (stage->kind == D3K_RELU) return;
  l->block.slope = stage->kind == D3K_PRELU ? l->operand[last][0] : slope;
  l->block.slope_sum = l->sums[last][0] ? l->sums[last][0] : unread;
}

/* Lines and what stays the same from one line to the next. */
static void prepare(const d3k_chain_job *j, const d3k_band_line *at, float *scratch, lines *l) {
  const int64_t count = at->rows * at->channels;
#define TAKE() (scratch += D3K_LINE, scratch - D3K_LINE)
  l->gradient = TAKE();
  l->part = TAKE();
  l->result = TAKE();
  for (int32_t s = 0; s < j->pass.chain->count; s++) {
    const d3k_stage *stage = &j->pass.chain->stages[s];
    const d3k_stage_gradient *gradient = &j->gradients[s];
    const int32_t is_scalar = stage->extent == D3K_SCALAR;
    l->input_buffer[s] = TAKE();
    l->input[s] = l->center[s] = NULL;
    for (int32_t k = 0; k < 2; k++) {
      l->operand[s][k] = l->sums[s][k] = NULL;
      if (k >= d3k_arity(stage)) continue;
      const float *operand = k == 0 ? stage->operand : stage->operand2;
      l->operand_buffer[s][k] = TAKE();
      if (stage->extent == D3K_FULL) continue;
      if (reads_operand(j, s, k)) {
        d3k_line_repeat(operand, is_scalar, at, l->operand_buffer[s][k]);
        l->operand[s][k] = l->operand_buffer[s][k];
      }
      if (j->sums[s][k] == NULL) continue;
      l->sums[s][k] = TAKE();
      memset(l->sums[s][k], 0, (size_t)count * sizeof(float));
    }
    if (stage->kind == D3K_AFFINE && gradient->center && j->sums[s][0]) {
      float *center = TAKE();
      d3k_line_repeat(gradient->center, is_scalar, at, center);
      l->center[s] = center;
    }
  }
  l->is_block = is_block(j);
  if (l->is_block) prepare_block(j, scratch, l);
#undef TAKE
}

/* Full operands of one line, and the inputs of the stages. */
static void recompute(const d3k_chain_job *j, const d3k_band_line *at, lines *l) {
  const int64_t count = at->rows * at->channels;
  for (int32_t s = 0; s < j->pass.chain->count; s++) {
    const d3k_stage *stage = &j->pass.chain->stages[s];
    if (d3k_has_operand(stage) && stage->extent == D3K_FULL) {
      for (int32_t k = 0; k < 2; k++) {
        if (!reads_operand(j, s, k)) continue;
        l->operand[s][k] =
            d3k_line_load(k == 0 ? stage->operand : stage->operand2,
                          j->is_flat ? 1 : stage->operand_stride, at, l->operand_buffer[s][k]);
      }
    }
    if (s >= j->inputs) continue;
    if (s == 0) {
      l->input[0] = d3k_line_load(j->pass.x, j->pass.x_stride, at, l->input_buffer[0]);
      continue;
    }
    d3k_line_stage(stage - 1, l->input[s - 1], l->operand[s - 1][0], l->operand[s - 1][1],
                   l->input_buffer[s], count);
    l->input[s] = l->input_buffer[s];
  }
}

/* Gradients of an operand with one value per element. */
static void put_full(const d3k_chain_job *j, int32_t s, int32_t second, const d3k_band_line *at,
                     const float *values) {
  const d3k_stage_gradient *gradient = &j->gradients[s];
  const int64_t stride = j->is_flat ? 1 : gradient->stride;
  float *out = second ? gradient->operand2 : gradient->operand;
  if (out == NULL) return;
  out += at->row * stride + at->channel;
  d3k_put_rows(values, out, stride, at->rows, at->channels, gradient->accumulates);
}

/* Stage s with an operand, backwards: from g into `out` (NULL = not wanted). Returns where the
 * gradients are now: `out`, or g where they did not change. */
static const float *binary_backward(const d3k_chain_job *j, const lines *l, int32_t s,
                                    const d3k_band_line *at, const float *g, float *out) {
  const d3k_stage *stage = &j->pass.chain->stages[s];
  const d3k_stage_gradient *gradient = &j->gradients[s];
  const float *x = l->input[s], *operand = l->operand[s][0];
  const int32_t kind = stage->kind, is_full = stage->extent == D3K_FULL;
  const int64_t count = at->rows * at->channels;
  if (kind == D3K_AFFINE && !is_full) {
    const d3k_affine_line line = {x, operand, l->center[s], g, l->sums[s][0], l->sums[s][1], out};
    d3k_line_affine_gradient(&line, count);
    return out;
  }
  if (kind == D3K_PRELU && l->sums[s][0] && out) {
    d3k_line_prelu_gradient(x, operand, g, l->sums[s][0], out, count);
    return out;
  }
  if (gradient->operand) {
    const float *part = g;
    if (kind == D3K_AFFINE) {
      d3k_line_binary_gradient(D3K_MUL, NULL, x, 0, g, l->part, count);
      part = l->part;
    } else if (kind != D3K_ADD && kind != D3K_RSUB) {
      d3k_line_binary_gradient(d3k_reversed_kind(kind), operand, x, 0, g, l->part, count);
      part = l->part;
    }
    if (is_full) {
      put_full(j, s, 0, at, part);
    } else {
      d3k_line_add(part, l->sums[s][0], count);
    }
  }
  if (kind == D3K_AFFINE) put_full(j, s, 1, at, g);
  if (out == NULL || kind == D3K_ADD || kind == D3K_SUB || kind == D3K_MOD || kind == D3K_FMOD)
    return g;
  d3k_line_binary_gradient(kind == D3K_AFFINE ? D3K_MUL : kind, x, operand,
                           stage->extent == D3K_SCALAR, g, out, count);
  return out;
}

/* All stages at once. Returns where the line's dx is. */
static const float *backward_block(const d3k_chain_job *j, const d3k_band_line *at, const lines *l,
                                   float *out) {
  d3k_block_line block = l->block;
  float *add_out = NULL;
  block.x = d3k_line_load(j->pass.x, j->pass.x_stride, at, l->input_buffer[0]);
  block.dy = d3k_line_load(j->pass.dy, j->pass.dy_stride, at, l->gradient);
  if (j->pass.chain->count == 3) {
    const d3k_stage *stage = &j->pass.chain->stages[1];
    const d3k_stage_gradient *add = &j->gradients[1];
    add_out = d3k_line_direct(add->operand, j->is_flat ? 1 : add->stride, add->accumulates, at);
    block.add = d3k_line_load(stage->operand, j->is_flat ? 1 : stage->operand_stride, at,
                              l->operand_buffer[1][0]);
    block.add_gradient = add_out ? add_out : l->part;
  }
  block.dx = out ? out : l->gradient;
  d3k_line_block_gradient(&block, at->rows * at->channels);
  if (block.add && !add_out) put_full(j, 1, 0, at, l->part);
  return block.dx;
}

/* One stage after the other. Returns where the line's dx is, if it is wanted. */
static const float *backward_stages(const d3k_chain_job *j, const d3k_band_line *at, lines *l,
                                    float *direct_out) {
  const int32_t last = j->pass.chain->count - 1;
  const int64_t count = at->rows * at->channels;
  float *const first_out = direct_out ? direct_out : j->pass.dx ? l->gradient : NULL;
  recompute(j, at, l);
  const float *g = d3k_line_load(j->pass.dy, j->pass.dy_stride, at, l->gradient);
  for (int32_t s = last; s >= j->first; s--) {
    const d3k_stage *stage = &j->pass.chain->stages[s];
    float *out = s > j->first ? l->gradient : first_out;
    if (d3k_has_operand(stage)) {
      g = binary_backward(j, l, s, at, g, out);
    } else if (s == last && j->uses_result) {
      const float *y = d3k_line_load(j->pass.y, j->pass.y_stride, at, l->result);
      d3k_line_result_gradient(stage->kind, stage->a, stage->b, y, g, out, count);
      g = out;
    } else {
      d3k_line_unary_gradient(stage->kind, stage->a, stage->b, l->input[s], g, out, count);
      g = out;
    }
  }
  return g;
}

static void backward_line(const d3k_chain_job *j, const d3k_band_line *at, lines *l) {
  float *out = d3k_line_direct(j->pass.dx, j->pass.dx_stride, j->pass.accumulates, at);
  const float *g = l->is_block ? backward_block(j, at, l, out) : backward_stages(j, at, l, out);
  if (j->pass.dx == NULL || g == out) return;
  float *dx = j->pass.dx + at->row * j->pass.dx_stride + at->channel;
  d3k_put_rows(g, dx, j->pass.dx_stride, at->rows, at->channels, j->pass.accumulates);
}

/* Where the sums of an item for operand k of stage s are. */
static double *sums_of(const d3k_chain_job *j, const d3k_band_line *at, int64_t item, int32_t s,
                       int32_t k) {
  if (j->pass.chain->stages[s].extent == D3K_SCALAR) return j->sums[s][k] + item;
  return j->sums[s][k] + item / j->bands.blocks * j->bands.channels + at->channel;
}

static void flush(const d3k_chain_job *j, const d3k_band_line *at, int64_t item, int64_t rows,
                  const lines *l) {
  for (int32_t s = 0; s < j->pass.chain->count; s++) {
    const int32_t is_scalar = j->pass.chain->stages[s].extent == D3K_SCALAR;
    for (int32_t k = 0; k < 2; k++) {
      if (l->sums[s][k] == NULL) continue;
      d3k_line_flush(l->sums[s][k], rows, at->channels, is_scalar, sums_of(j, at, item, s, k));
    }
  }
}

void d3k_chain_backward_item(const void *context, int64_t item, char *scratch) {
  const d3k_chain_job *j = context;
  int64_t end, pending = 0;
  d3k_band_line at = d3k_bands_first(&j->bands, item, &end);
  const int64_t rows = at.rows; /* of the longest line */
  lines l;
  prepare(j, &at, (float *)scratch, &l);
  for (int32_t s = 0; s < j->pass.chain->count; s++) {
    const int64_t count = j->pass.chain->stages[s].extent == D3K_SCALAR ? 1 : at.channels;
    for (int32_t k = 0; k < 2; k++) {
      if (l.sums[s][k]) memset(sums_of(j, &at, item, s, k), 0, (size_t)count * sizeof(double));
    }
  }
  do {
    backward_line(j, &at, &l);
    if (++pending % D3K_FLUSH == 0) flush(j, &at, item, rows, &l);
  } while (d3k_bands_next(&j->bands, &at, end));
  flush(j, &at, item, rows, &l);
}
