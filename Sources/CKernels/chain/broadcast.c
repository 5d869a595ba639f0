/* Two or three arrays whose shapes repeat -> one dense array, element by element. */
#include "chain/broadcast.h"

#include "base/lanes.h"
#include "chain/line.h"

/* Rows at least this long are worked on where they are; shorter ones are gathered first. */
#define LONG_ROW 256
#define TILE 1024

int32_t d3k_operands_of(d3k_operands *o, const d3k_walk *walk, const float *const data[3]) {
  o->walk = *walk;
  memcpy(o->data, data, sizeof o->data);
  o->size = d3k_walk_size(&o->walk);
  if (o->size <= 0) return 0;
  d3k_walk_merge(&o->walk, 3);
  for (int32_t a = 0; a < 3; a++) {
    int64_t dense = 1;
    o->is_dense[a] = 1;
    for (int32_t k = o->walk.rank - 1; k >= 0; k--) {
      if (o->walk.strides[a][k] != dense) o->is_dense[a] = 0;
      dense *= o->walk.dims[k];
    }
  }
  return 1;
}

D3K_CLONES(extern, const float *, d3k_operands_fetch,
           (const d3k_operands *o, int32_t a, int64_t position, int64_t count, float *buffer,
            int32_t *is_scalar),
           (o, a, position, count, buffer, is_scalar)) {
  *is_scalar = 0;
  if (o->data[a] == NULL) return NULL;
  if (o->is_dense[a]) return o->data[a] + position;
  const d3k_walk *walk = &o->walk;
  const int32_t last = walk->rank - 1;
  const int64_t length = walk->dims[last], stride = walk->strides[a][last];
  int64_t at[D3K_MAX_RANK], offsets[3], inner = position % length;
  d3k_walk_start(walk, last, 3, position / length, at, offsets);
  if (inner + count <= length && (stride == 0 || stride == 1)) {
    *is_scalar = stride == 0;
    return o->data[a] + offsets[a] + inner * stride;
  }
  for (int64_t done = 0; done < count;) {
    const int64_t piece = d3k_min(length - inner, count - done);
    const float *x = o->data[a] + offsets[a] + inner * stride;
    float *out = buffer + done;
    if (stride == 1) {
      d3k_copy_line(out, x, piece);
    } else if (stride == 0) {
      const float value = *x;
      for (int64_t i = 0; i < piece; i++) out[i] = value;
    } else {
      for (int64_t i = 0; i < piece; i++) out[i] = x[i * stride];
    }
    done += piece;
    inner = 0;
    if (done < count) d3k_walk_step(walk, last, 3, at, offsets);
  }
  return buffer;
}

typedef struct job {
  d3k_operands in;
  int32_t arrays, kind;
  float *y;
} job;

D3K_CLONES(static, void, select_line,
           (const float *condition, const float *a, const float *b, float *y, int64_t count),
           (condition, a, b, y, count)) {
  D3K_VECTOR
  for (int64_t i = 0; i < count; i++) {
    const float p = a[i], q = b[i];
    y[i] = condition[i] != 0.f ? p : q;
  }
}

static const float *fill(float *buffer, const float *value, int64_t count) {
  const float v = *value;
  for (int64_t i = 0; i < count; i++) buffer[i] = v;
  return buffer;
}

static void run_tile(const job *j, int64_t position, int64_t count) {
  float buffers[3][TILE];
  const float *in[3];
  int32_t is_scalar[3];
  for (int32_t a = 0; a < j->arrays; a++) {
    in[a] = d3k_operands_fetch(&j->in, a, position, count, buffers[a], &is_scalar[a]);
  }
  float *y = j->y + position;
  if (j->arrays == 3) {
    for (int32_t a = 0; a < 3; a++) {
      if (is_scalar[a]) in[a] = fill(buffers[a], in[a], count);
    }
    select_line(in[0], in[1], in[2], y, count);
  } else if (is_scalar[0] && is_scalar[1]) {
    float value;
    d3k_line_binary(j->kind, in[0], in[1], 1, &value, 1);
    fill(y, &value, count);
  } else if (is_scalar[0]) {
    d3k_line_binary(d3k_reversed_kind(j->kind), in[1], in[0], 1, y, count);
  } else {
    d3k_line_binary(j->kind, in[0], in[1], is_scalar[1], y, count);
  }
}

static void run(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int64_t length = j->in.walk.dims[j->in.walk.rank - 1];
  int64_t position = begin * TILE;
  const int64_t stop = d3k_min(end * TILE, j->in.size);
  while (position < stop) {
    int64_t count = d3k_min(TILE, stop - position);
    if (length >= LONG_ROW) count = d3k_min(count, length - position % length);
    run_tile(j, position, count);
    position += count;
  }
}

static void start(job *j, int32_t threads, const d3k_walk *given, const float *const data[3]) {
  if (!d3k_operands_of(&j->in, given, data)) return;
  /* One value per channel combined with a whole image is fastest as a chain. */
  const d3k_walk *walk = &j->in.walk;
  const int64_t *dims = walk->dims;
  for (int32_t a = 0; a < 2 && j->arrays == 2 && walk->rank == 2; a++) {
    if (!j->in.is_dense[1 - a] || walk->strides[a][0] != 0 || walk->strides[a][1] != 1) continue;
    const d3k_chain chain = {.count = 1,
                             .stages = {{.kind = a == 1 ? j->kind : d3k_reversed_kind(j->kind),
                                         .extent = D3K_CHANNEL,
                                         .operand = j->in.data[a]}}};
    d3k_chain_run(threads, &chain, j->in.data[1 - a], dims[1], j->y, dims[1], dims[0], dims[1]);
    return;
  }
  d3k_parallel(d3k_threads_for(threads, j->in.size * 2), d3k_ceil_div(j->in.size, TILE), run, j);
}

void d3k_broadcast(int32_t threads, int32_t kind, const d3k_walk *walk, const float *a,
                   const float *b, float *y) {
  job j = {.arrays = 2, .kind = kind, .y = y};
  start(&j, threads, walk, (const float *const[3]){a, b});
}

void d3k_where(int32_t threads, const d3k_walk *walk, const float *condition, const float *a,
               const float *b, float *y) {
  job j = {.arrays = 3, .y = y};
  start(&j, threads, walk, (const float *const[3]){condition, a, b});
}
