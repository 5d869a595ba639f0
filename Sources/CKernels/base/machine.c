/* A number of threads -> the most arithmetic and memory traffic that the machine gives them. */
#include <stdlib.h>
#include <time.h>

#include "base/lanes.h"

/* Results that nobody may leave out. */
static volatile float sink;

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

enum { chains = 12, rounds = 1 << 20, tries = 5 };

/* Twelve independent chains: two instructions at a time, each of which takes up to five clocks, and
 * registers for all of them and two factors. */
#define CHAINS(lanes)                                                                 \
  lanes sums[chains], factor = 0.999f, term = 0.001f;                                 \
  for (int32_t i = 0; i < chains; i++) sums[i] = (float)i;                            \
  for (int64_t round = 0; round < rounds; round++) {                                  \
    _Pragma("clang loop unroll(full)") for (int32_t i = 0; i < chains; i++) sums[i] = \
        sums[i] * factor + term;                                                      \
  }                                                                                   \
  for (int32_t i = 1; i < chains; i++) sums[0] += sums[i];                            \
  sink = sums[0][0];

D3K_CLONES(static, void, multiply8, (void), ()){CHAINS(d3k_f8)}

D3K_CLONES(static, void, multiply16, (void), ()) {
  CHAINS(d3k_f16)
}

static void multiply(void *context, int64_t begin, int64_t end) {
  (void)context;
  for (int64_t i = begin; i < end; i++) {
    if (d3k_isa() == D3K_ISA_AVX512)
      multiply16();
    else
      multiply8();
  }
}

typedef struct blocks {
  const float *x;
  float *y;
} blocks;

D3K_CLONED_BODY(copy) {
  const blocks *b = context;
  D3K_VECTOR
  for (int64_t i = begin; i < end; i++) b->y[i] = b->x[i] + 1;
}

/* The least time of a few runs. */
static double time_of(int32_t threads, int64_t count, d3k_body body, void *context) {
  double least = INFINITY;
  for (int32_t i = 0; i < tries; i++) {
    const double begin = seconds_now();
    d3k_parallel(threads, count, body, context);
    least = fmin(least, seconds_now() - begin);
  }
  return least;
}

/* 64 MB each. */
#define BLOCK ((int64_t)1 << 24)

d3k_machine d3k_measure_machine(int32_t threads) {
  threads = (int32_t)d3k_max(1, threads);
  const int32_t lanes = d3k_isa() == D3K_ISA_AVX512 ? 16 : 8;
  const double operations = 2.0 * rounds * chains * lanes * threads;
  d3k_machine machine = {operations / time_of(threads, threads, multiply, NULL), 0};
  float *x = malloc(sizeof(float) * (size_t)BLOCK), *y = malloc(sizeof(float) * (size_t)BLOCK);
  blocks both = {x, y};
  if (x && y) {
    /* Pages that nobody has written are all one page, which stays in the cache. */
    for (int64_t i = 0; i < BLOCK; i++) x[i] = (float)i;
    machine.bandwidth = 2.0 * sizeof(float) * BLOCK / time_of(threads, BLOCK, copy, &both);
  }
  free(x);
  free(y);
  return machine;
}
