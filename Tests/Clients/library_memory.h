/* The blocks of memory that the library asks for, which a test may refuse. Malloc and its like
 * stand below, and the linker takes them instead of those of libc, because a program's own come
 * first. */
#ifndef LIBRARY_MEMORY_H
#define LIBRARY_MEMORY_H

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** Whether the library, who asks now, gets no block. */
static int block_fails(void);

static uintptr_t code_begin, code_end;

static int find_code(struct dl_phdr_info *object, size_t size, void *data) {
  (void)size, (void)data;
  if (strstr(object->dlpi_name, "libdas3") == NULL) return 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    if (!(object->dlpi_phdr[i].p_flags & PF_X)) continue;
    code_begin = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
    code_end = code_begin + object->dlpi_phdr[i].p_memsz;
  }
  return 1;
}

static int is_refused(const void *caller) {
  return (uintptr_t)caller - code_begin < code_end - code_begin && block_fails();
}

/* dlsym asks for blocks itself, so these are glibc's own. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  return is_refused(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  return is_refused(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
  return is_refused(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = is_refused(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
  return *block == NULL ? ENOMEM : 0;
}

#endif /* LIBRARY_MEMORY_H */
