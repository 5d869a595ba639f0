/* A count of items and a body -> the body run on each by the caller and the threads of the process.
 *
 * One pool serves all objects. Its threads are made when they are first wanted and never end. Who
 * has work posts a job, works on it himself, and at the end waits only for the threads that are in
 * it: he never waits for one that has yet to wake up.
 *
 * Each thread begins with a range of its own, the same in every job, because its cache still holds
 * what it has written there; a thread that has finished takes from the ends of the others' ranges.
 * Which thread takes which item is thus left to chance, and no result may depend on it. */
#define _GNU_SOURCE
#include "base/threads.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

/* Nanoseconds that a thread looks for work, or waits for the last items of others, before it
 * sleeps. Between the steps of a light network pass some ten microseconds; to wake a thread takes
 * as long. */
enum { spin_time = 50000, pauses = 32 };

/* Until a thread that could not be made is tried again. */
enum { retry_time = 1000000000 };

/* Items that nobody has taken: the first in the low half, the one after the last in the high one.
 */
typedef struct range {
  _Alignas(64) _Atomic(uint64_t) items;
} range;

typedef struct job {
  d3k_item_body body;
  void *context;
  int64_t run;   /* items that are taken at a time                                        */
  int32_t slots; /* threads that may be in it, each with a range                          */
  int32_t priority;
  fenv_t environment;           /* the caller's: its rounding decides bits                      */
  _Atomic(int64_t) left;        /* items that nobody has taken                                  */
  _Atomic(uint64_t) free_slots; /* a bit each                                                   */
  _Atomic(int32_t) busy;        /* threads in it besides the caller                             */
  _Atomic(int32_t) failure;     /* of one of them                                               */
  struct job *after;
  range ranges[D3K_MOST_THREADS];
} job;

/* Threads that have the same niceness, which they inherit from those that made them. */
typedef struct team {
  pthread_mutex_t lock;
  pthread_cond_t posting, leaving;
  job *jobs;                 /* those of high priority first, then by age                     */
  int32_t made, begun;       /* threads; of these are running                                 */
  int32_t asleep;            /* and wait for `posting`                                        */
  int64_t retry;             /* when another thread may be made, after one could not          */
  _Atomic(int32_t) posted;   /* jobs so far                                                   */
  _Atomic(int32_t) urgent;   /* the priority of the first job                                 */
  _Atomic(int32_t) awaiting; /* callers that wait for `leaving`                               */
} team;

/* Holders work for nanoseconds, so who finds it locked looks again before it sleeps. */
#define TEAM                                                                            \
  {                                                                                     \
    .lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP, .posting = PTHREAD_COND_INITIALIZER, \
    .leaving = PTHREAD_COND_INITIALIZER                                                 \
  }

/* A background's threads must not hold the lock of the others while a processor is kept from them.
 */
static team teams[2] = {TEAM, TEAM};

static _Thread_local int32_t is_inside; /* an item is running on this thread */
static _Thread_local int32_t is_background;
static _Thread_local int32_t thread_priority;

void d3k_work_in_background(void) { is_background = 1; }

int32_t d3k_set_priority(int32_t priority) {
  const int32_t before = thread_priority;
  thread_priority = priority;
  return before;
}

/* Waiting ------------------------------------------------------------------------------------- */

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void pause_often(void) {
  for (int32_t i = 0; i < pauses; i++) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }
}

/* Whether *value became `wanted`, or with `is_other` anything else, before the time to sleep. */
static int32_t spin(_Atomic(int32_t) *value, int32_t wanted, int32_t is_other) {
  if ((atomic_load(value) == wanted) != is_other) return 1;
  const int64_t end = now() + spin_time;
  do {
    pause_often();
    if ((atomic_load(value) == wanted) != is_other) return 1;
  } while (now() < end);
  return 0;
}

/* Threads ------------------------------------------------------------------------------------- */

/* A job that thread `number` may help with, and its slot there; NULL = none. Locked. */
static job *take(team *t, int32_t number, int32_t *slot) {
  for (job *j = t->jobs; j; j = j->after) {
    const uint64_t slots = atomic_load(&j->free_slots);
    if (!slots || atomic_load(&j->left) == 0) continue;
    *slot = slots >> number & 1 ? number : __builtin_ctzll(slots);
    atomic_fetch_and(&j->free_slots, ~(1ULL << *slot));
    atomic_fetch_add(&j->busy, 1);
    return j;
  }
  return NULL;
}

static uint64_t range_of(int64_t begin, int64_t end) {
  return (uint64_t)begin | (uint64_t)end << 32;
}

/* Takes items from the begin of a range, or from its end; 0 where there are none. */
static int32_t take_items(range *from, int64_t run, int32_t at_end, int64_t *first, int64_t *last) {
  uint64_t seen = atomic_load(&from->items), rest;
  do {
    const int64_t begin = (int64_t)(seen & UINT32_MAX), end = (int64_t)(seen >> 32);
    if (begin == end) return 0;
    *first = at_end ? d3k_max(begin, end - run) : begin;
    *last = at_end ? end : d3k_min(end, begin + run);
    rest = at_end ? range_of(begin, *first) : range_of(*last, end);
  } while (!atomic_compare_exchange_weak(&from->items, &seen, rest));
  return 1;
}

/* Takes items and runs them; 0 where there are none. */
static int32_t run_some(job *j, int32_t slot) {
  int64_t first, last;
  for (int32_t i = 0; i < j->slots; i++) {
    const int32_t owner = (slot + i) % j->slots;
    if (!take_items(&j->ranges[owner], j->run, owner != slot, &first, &last)) continue;
    atomic_fetch_sub(&j->left, last - first);
    for (int64_t item = first; item < last; item++) j->body(j->context, item, slot);
    return 1;
  }
  return 0;
}

/* Runs items until there are none, or until more urgent work waits. */
static void help(team *t, job *j, int32_t slot) {
  fesetenv(&j->environment);
  while (run_some(j, slot) && atomic_load(&t->urgent) <= j->priority) continue;
  const int32_t failure = d3k_take_failure();
  if (failure) atomic_store(&j->failure, failure);
  atomic_fetch_or(&j->free_slots, 1ULL << slot);
  /* From here on the caller may leave, and the job with him. */
  if (atomic_fetch_sub(&j->busy, 1) == 1 && atomic_load(&t->awaiting)) {
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->leaving);
    pthread_mutex_unlock(&t->lock);
  }
}

static void *work(void *data) {
  team *t = data;
  is_inside = 1;
  pthread_mutex_lock(&t->lock);
  const int32_t number = ++t->begun;
  for (;;) {
    const int32_t seen = atomic_load(&t->posted);
    int32_t slot;
    job *j = take(t, number, &slot);
    pthread_mutex_unlock(&t->lock);
    if (j) {
      help(t, j, slot);
      pthread_mutex_lock(&t->lock);
      continue;
    }
    spin(&t->posted, seen, 1);
    pthread_mutex_lock(&t->lock);
    t->asleep++;
    while (atomic_load(&t->posted) == seen) pthread_cond_wait(&t->posting, &t->lock);
    t->asleep--;
  }
  return NULL;
}

/* Makes threads until there are `count`, as far as the machine lets it. Locked. */
static void make_threads(team *t, int32_t count) {
  if (t->made >= count || (t->retry && now() < t->retry)) return;
  t->retry = 0;
  sigset_t all, before;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  /* They must not receive the host program's signals. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (t->made < count && !t->retry) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, work, t) != 0) {
      t->retry = now() + retry_time;
    } else {
      pthread_setname_np(thread, "das3");
      t->made++;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
}

/* A fork copies only the thread that forks, so that the child begins with none. */
static void lock_teams(void) {
  for (int32_t i = 0; i < 2; i++) pthread_mutex_lock(&teams[i].lock);
}

static void unlock_teams(void) {
  for (int32_t i = 0; i < 2; i++) pthread_mutex_unlock(&teams[i].lock);
}

static void clear_teams(void) {
  for (int32_t i = 0; i < 2; i++) teams[i] = (team)TEAM;
}

static void watch_forks(void) { pthread_atfork(lock_teams, unlock_teams, clear_teams); }

/* Jobs ---------------------------------------------------------------------------------------- */

/* Adds a job and wakes threads for it; 0 where there is none to help. */
static int32_t post(team *t, job *added, int32_t helpers) {
  pthread_mutex_lock(&t->lock);
  make_threads(t, helpers);
  helpers = (int32_t)d3k_min(helpers, t->made);
  if (helpers > 0) {
    job **at = &t->jobs;
    while (*at && (*at)->priority >= added->priority) at = &(*at)->after;
    added->after = *at;
    *at = added;
    atomic_store(&t->urgent, t->jobs->priority);
    atomic_fetch_add(&t->posted, 1);
  }
  const int32_t woken = (int32_t)d3k_min(helpers, t->asleep);
  pthread_mutex_unlock(&t->lock);
  for (int32_t i = 0; i < woken; i++) pthread_cond_signal(&t->posting);
  return helpers > 0;
}

/* Takes a job back, and waits for those who are in it. */
static void withdraw(team *t, job *removed) {
  pthread_mutex_lock(&t->lock);
  job **at = &t->jobs;
  while (*at != removed) at = &(*at)->after;
  *at = removed->after;
  atomic_store(&t->urgent, t->jobs ? t->jobs->priority : 0);
  pthread_mutex_unlock(&t->lock);
  if (spin(&removed->busy, 0, 0)) return;
  pthread_mutex_lock(&t->lock);
  atomic_fetch_add(&t->awaiting, 1);
  while (atomic_load(&removed->busy)) pthread_cond_wait(&t->leaving, &t->lock);
  atomic_fetch_sub(&t->awaiting, 1);
  pthread_mutex_unlock(&t->lock);
}

void d3k_threads_run(int32_t threads, int64_t count, d3k_item_body body, void *context) {
  const int32_t helpers = (int32_t)d3k_min(d3k_min(threads, D3K_MOST_THREADS), count) - 1;
  if (helpers <= 0 || is_inside) {
    for (int64_t item = 0; item < count; item++) body(context, item, 0);
    return;
  }
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch_forks);
  team *t = &teams[is_background];
  job own;
  own.body = body;
  own.context = context;
  own.run = d3k_max(1, count / (8 * (helpers + 1)));
  own.slots = helpers + 1;
  own.priority = thread_priority;
  atomic_init(&own.left, count);
  atomic_init(&own.free_slots, ((1ULL << helpers) - 1) << 1); /* the caller has slot 0 */
  atomic_init(&own.busy, 0);
  atomic_init(&own.failure, 0);
  for (int64_t i = 0; i < own.slots; i++)
    atomic_init(&own.ranges[i].items, range_of(i * count / own.slots, (i + 1) * count / own.slots));
  fegetenv(&own.environment);
  const int32_t is_posted = post(t, &own, helpers);
  is_inside = 1;
  while (run_some(&own, 0)) continue;
  is_inside = 0;
  if (is_posted) withdraw(t, &own);
  const int32_t failure = atomic_load(&own.failure);
  if (failure) d3k_fail(failure);
}

/* Ranges -------------------------------------------------------------------------------------- */

typedef struct ranges {
  d3k_body body;
  void *context;
  int64_t count, parts;
} ranges;

static void run_range(void *context, int64_t item, int32_t slot) {
  (void)slot;
  const ranges *r = context;
  r->body(r->context, item * r->count / r->parts, (item + 1) * r->count / r->parts);
}

void d3k_parallel(int32_t threads, int64_t count, d3k_body body, void *context) {
  if (count <= 0) return;
  if (threads <= 1 || is_inside) {
    body(context, 0, count);
    return;
  }
  /* A few for each thread: one that a processor is taken from holds up the others less. */
  ranges r = {body, context, count, d3k_min(count, 4 * (int64_t)threads)};
  d3k_threads_run(threads, r.parts, run_range, &r);
}
