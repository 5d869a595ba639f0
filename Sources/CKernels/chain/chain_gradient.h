/* What the two halves of a chain's backward pass share: the whole array (chain_gradient.c) and one
 * line of it (chain_gradient_line.c). */
#ifndef D3K_CHAIN_GRADIENT_H
#define D3K_CHAIN_GRADIENT_H

#include "base/bands.h"
#include "d3k_gradient.h"

typedef struct d3k_chain_job {
  d3k_chain_pass pass;                 /* where is_flat holds, its strides are 1 */
  const d3k_stage_gradient *gradients; /* of the chain's stages */
  int32_t is_flat;                     /* rows and channels are one long line: every stride is 1 */
  int32_t first;                       /* nothing is wanted from the stages before it */
  int32_t inputs;                      /* stages whose input is computed: 0..<inputs */
  int32_t uses_result;                 /* the last stage's derivative is taken from y */
  d3k_bands bands;
  double *sums[D3K_MAX_STAGES][2]; /* bands x channels (or x blocks); NULL = not wanted */
} d3k_chain_job;

D3K_INLINE int32_t d3k_has_operand(const d3k_stage *stage) { return stage->kind >= D3K_ADD; }

/** Operands of a stage. */
D3K_INLINE int32_t d3k_arity(const d3k_stage *stage) {
  return stage->kind >= D3K_AFFINE ? 2 : d3k_has_operand(stage);
}

/** Scratch for d3k_chain_backward_item. */
size_t d3k_chain_part_bytes(const d3k_chain *chain);

/** One band of one block of channels; a d3k_tile_body whose context is a job. */
void d3k_chain_backward_item(const void *context, int64_t item, char *scratch);

#endif /* D3K_CHAIN_GRADIENT_H */
