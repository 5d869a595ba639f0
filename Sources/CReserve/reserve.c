/* See reserve.h. Without the linker option --wrap only d3m_reserve_is_low is called. */
#include "reserve.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* With --wrap the linker sets these to the functions of libc. */
#define WEAK __attribute__((weak))
WEAK void *__real_malloc(size_t size);
WEAK void *__real_calloc(size_t count, size_t size);
WEAK void *__real_realloc(void *block, size_t size);
WEAK int __real_posix_memalign(void **block, size_t alignment, size_t size);
WEAK size_t __real_malloc_usable_size(void *block);
WEAK void __real_free(void *block);

/* A page of the reserve takes no physical memory before it is used. */
enum { SIZE = 16 << 20, UNIT = 16 };
static _Alignas(4096) unsigned char reserve[SIZE];

/* The reserve is divided into pieces of 2^power bytes. Each holds one block, with this header in
 * front of it. `start` is the offset of the piece. */
typedef struct header {
  uint32_t start, power;
  uint64_t size;
} header;

/* Free pieces of one power form a linked list. waiting[power] is the offset of the first piece plus
 * 1, and the first bytes of each piece hold that of the next; 0 ends the list. New pieces are cut
 * off at the offset `cut`. When the last block is freed, the whole reserve is one piece again. */
enum { POWERS = 25 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t waiting[POWERS], cut, live;
static _Atomic size_t taken;

static bool is_ours(const void *block) { return (uintptr_t)block - (uintptr_t)reserve < SIZE; }

static header header_of(const void *block) {
  header found;
  memcpy(&found, (const unsigned char *)block - sizeof found, sizeof found);
  return found;
}

/* Finds a free piece of 2^power bytes, or else the next larger one. */
static bool find(uint32_t power, header *piece) {
  if (waiting[power] == 0 && SIZE - cut >= 1u << power) {
    *piece = (header){.start = cut, .power = power};
    cut += 1u << power;
    return true;
  }
  while (power < POWERS && waiting[power] == 0) power++;
  if (power == POWERS) return false;
  *piece = (header){.start = waiting[power] - 1, .power = power};
  memcpy(&waiting[power], reserve + piece->start, sizeof waiting[power]);
  return true;
}

static void *take(size_t alignment, size_t size) {
  if (size > SIZE || alignment > SIZE) return NULL;
  const size_t need = size + sizeof(header) + (alignment > UNIT ? alignment : 0);
  const uint32_t power = 64 - (uint32_t)__builtin_clzll(need | UNIT);
  if (power >= POWERS) return NULL;
  unsigned char *block = NULL;
  header piece;
  pthread_mutex_lock(&lock);
  if (find(power, &piece)) {
    piece.size = size;
    block = reserve + piece.start + sizeof piece;
    if (alignment > UNIT) block += -(uintptr_t)block & (alignment - 1);
    memcpy(block - sizeof piece, &piece, sizeof piece);
    taken += (size_t)1 << piece.power;
    live++;
  }
  pthread_mutex_unlock(&lock);
  return block;
}

static void give_back(void *block) {
  const header piece = header_of(block);
  pthread_mutex_lock(&lock);
  memcpy(reserve + piece.start, &waiting[piece.power], sizeof waiting[piece.power]);
  waiting[piece.power] = piece.start + 1;
  taken -= (size_t)1 << piece.power;
  if (--live == 0) {
    memset(waiting, 0, sizeof waiting);
    cut = 0;
  }
  pthread_mutex_unlock(&lock);
}

bool d3m_reserve_is_low(void) { return taken > SIZE / 2; }

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
size_t __wrap_malloc_usable_size(void *block);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size) {
  void *block = __real_malloc(size);
  return block != NULL ? block : take(UNIT, size);
}

void *__wrap_calloc(size_t count, size_t size) {
  void *block = __real_calloc(count, size);
  size_t bytes;
  if (block != NULL || __builtin_mul_overflow(count, size, &bytes)) return block;
  block = take(UNIT, bytes);
  return block != NULL ? memset(block, 0, bytes) : NULL;
}

void *__wrap_realloc(void *block, size_t size) {
  if (block == NULL) return __wrap_malloc(size);
  if (!is_ours(block)) {
    void *moved = __real_realloc(block, size);
    if (moved != NULL || size == 0 || (moved = take(UNIT, size)) == NULL) return moved;
    const size_t old = __real_malloc_usable_size(block);
    memcpy(moved, block, old < size ? old : size);
    __real_free(block);
    return moved;
  }
  const size_t old = header_of(block).size;
  if (size <= old) return block;
  void *moved = __wrap_malloc(size);
  if (moved == NULL) return NULL;
  memcpy(moved, block, old);
  give_back(block);
  return moved;
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size) {
  const int error = __real_posix_memalign(block, alignment, size);
  if (error != ENOMEM) return error;
  void *ours = take(alignment, size);
  if (ours == NULL) return error;
  *block = ours;
  return 0;
}

size_t __wrap_malloc_usable_size(void *block) {
  return is_ours(block) ? header_of(block).size : __real_malloc_usable_size(block);
}

void __wrap_free(void *block) {
  if (is_ours(block)) {
    give_back(block);
  } else {
    __real_free(block);
  }
}
