/* A count and a body -> the body run on contiguous parts by the one libgomp pool. */
#define _GNU_SOURCE
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/internal.h"

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
  /* The host program may have set its threads to trap on 0 / 0. */
  fenv_t before;
  feholdexcept(&before);
  /* The pool may give fewer threads than asked for, so the work is split by the real number. */
  const int64_t parts = omp_get_num_threads(), part = omp_get_thread_num();
  const int64_t size = r->count / parts, rest = r->count % parts;
  const int64_t begin = part * size + d3k_min(part, rest);
  const int64_t end = begin + size + (part < rest);
  if (begin < end) r->body(r->context, begin, end);
  fesetenv(&before);
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

/* Ends when `data`, a mutex, is free. */
static void *wait_for(void *data) {
  pthread_mutex_lock(data);
  pthread_mutex_unlock(data);
  return NULL;
}

/* Whether the process can start this many threads more. */
static int32_t try_threads(int32_t count) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_t threads[1024];
  int32_t made = 0;
  pthread_mutex_lock(&mutex);
  while (made < count && pthread_create(&threads[made], NULL, wait_for, &mutex) == 0) made++;
  pthread_mutex_unlock(&mutex);
  for (int32_t i = 0; i < made; i++) pthread_join(threads[i], NULL);
  return made == count;
}

int32_t d3k_can_make_threads(int32_t threads) {
  static _Thread_local int32_t known = 1;
  threads = (int32_t)d3k_min(threads, 1024);
  if (threads <= known) return 1;
  if (!try_threads(threads - known)) return 0;
  known = threads;
  return 1;
}

static void do_nothing(void *data) { (void)data; }

/* Holds a team of two that never works. */
static void *hold_idle_team(void *data) {
  (void)data;
  GOMP_parallel(do_nothing, NULL, 2, 0);
  for (;;) pause();
  return NULL;
}

/* Waiting threads of libgomp spin for milliseconds. They then hold a processor that the thread they
 * wait for may need: beside another busy program a frame takes a hundred times as long. libgomp
 * spins for microseconds only where it manages more threads than there are processors, so a team
 * that never works is started. */
static void start_idle_team(void) {
  sigset_t all, before;
  pthread_t thread;
  pthread_attr_t attributes;
  if (!try_threads(2)) return;
  if (pthread_attr_init(&attributes) != 0) return;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  /* This thread must not receive the host program's signals. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_create(&thread, &attributes, hold_idle_team, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
}

void d3k_share_processors(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_idle_team);
}

int32_t d3k_processor_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  const int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}
