/* Gradients of element-wise functions with broadcasting -> the gradient of one operand, before it
 * is summed over the dimensions in which the operand repeats. */
#include "chain/broadcast.h"
#include "chain/line.h"
#include "chain/line_gradient.h"
#include "d3k_gradient.h"

/* Elements gathered at a time. */
#define TILE 512

/* Arrays: 0 and 1 = the operands, or 0 = the condition; 2 = dy. */
typedef struct job {
  d3k_operands in;
  int32_t kind;    /* with `operand` as its first argument; 0 = d3k_where */
  int32_t operand; /* whose gradient is wanted; of d3k_where 0 = the one chosen where the condition
                      holds */
  float *dx;
} job;

D3K_CLONES(static, void, select_line,
           (const float *condition, const float *dy, int32_t is_first, float *dx, int64_t count),
           (condition, dy, is_first, dx, count)) {
  if (is_first) {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) dx[i] = condition[i] != 0.f ? dy[i] : 0.f;
  } else {
    D3K_VECTOR
    for (int64_t i = 0; i < count; i++) dx[i] = condition[i] != 0.f ? 0.f : dy[i];
  }
}

static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  float buffers[3][TILE];
  const int64_t length = j->in.walk.dims[j->in.walk.rank - 1];
  const int64_t stop = d3k_min(end * TILE, j->in.size);
  for (int64_t position = begin * TILE; position < stop;) {
    int64_t count = d3k_min(TILE, stop - position);
    /* Pieces of long rows are contiguous: nothing is gathered. */
    if (length >= TILE / 4) count = d3k_min(count, length - position % length);
    const float *in[3];
    int32_t is_scalar[3];
    for (int32_t a = 0; a < 3; a++) {
      in[a] = d3k_operands_fetch(&j->in, a, position, count, buffers[a], &is_scalar[a]);
      if (!is_scalar[a]) continue;
      for (int64_t i = 0; i < count; i++) buffers[a][i] = *in[a];
      in[a] = buffers[a];
    }
    float *dx = j->dx + position;
    if (j->kind == 0) {
      select_line(in[0], in[2], j->operand == 0, dx, count);
    } else {
      const int32_t own = j->operand, other = 1 - own;
      d3k_line_binary_gradient(j->kind, in[own], in[other], is_scalar[other], in[2], dx, count);
    }
    position += count;
  }
}

static void start(job *j, int32_t threads, const d3k_walk *walk, const float *const data[3]) {
  if (!d3k_operands_of(&j->in, walk, data)) return;
  d3k_parallel(d3k_threads_for(threads, j->in.size * 2), d3k_ceil_div(j->in.size, TILE), run, j);
}

void d3k_broadcast_backward(int32_t threads, int32_t kind, int32_t operand, const d3k_walk *walk,
                            const float *a, const float *b, const float *dy, float *dx) {
  job j = {.kind = operand == 0 ? kind : d3k_reversed_kind(kind), .operand = operand, .dx = dx};
  start(&j, threads, walk, (const float *const[3]){a, b, dy});
}

void d3k_where_backward(int32_t threads, int32_t is_first, const d3k_walk *walk,
                        const float *condition, const float *dy, float *dx) {
  job j = {.operand = !is_first, .dx = dx};
  start(&j, threads, walk, (const float *const[3]){condition, NULL, dy});
}
