/* A count and a body -> the body run on contiguous parts by the one libgomp pool. */
#define _GNU_SOURCE
#include <sched.h>

#include "internal.h"

/* libgomp's entry points, as gcc would call them: oneDNN and OpenBLAS use the same pool, so
 * threads never outnumber processors. */
extern void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_in_parallel(void);

typedef struct region {
  d3k_body body;
  void *context;
  int64_t count;
} region;

static void run_part(void *data) {
  const region *r = data;
  /* The pool may give fewer threads than asked for: split by what is there. */
  const int64_t parts = omp_get_num_threads(), part = omp_get_thread_num();
  const int64_t size = r->count / parts, rest = r->count % parts;
  const int64_t begin = part * size + d3k_min(part, rest);
  const int64_t end = begin + size + (part < rest);
  if (begin < end) r->body(r->context, begin, end);
}

void d3k_parallel(int32_t threads, int64_t count, d3k_body body, void *context) {
  if (count <= 0) return;
  const int64_t parts = d3k_min(threads, count);
  if (parts <= 1 || omp_in_parallel()) {
    body(context, 0, count);
    return;
  }
  region r = {body, context, count};
  GOMP_parallel(run_part, &r, (unsigned)parts, 0);
}

int32_t d3k_processor_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  const int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}
