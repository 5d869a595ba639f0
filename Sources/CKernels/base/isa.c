/* The processor and the variable DAS3_ISA -> which compilation of every kernel runs. */
#include <stdlib.h>

#include "base/internal.h"

_Atomic(int32_t) d3k_known_isa;

/* By d3k_isa_level. */
static const char *const names[] = {"", "base", "avx2", "avx512"};

int32_t d3k_isa_named(const char *name) {
  for (int32_t level = D3K_ISA_BASE; level <= D3K_ISA_AVX512; level++)
    if (strcmp(name, names[level]) == 0) return level;
  return 0;
}

const char *d3k_isa_name(void) { return names[d3k_isa()]; }

static int32_t isa_of_processor(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return D3K_ISA_AVX512;
  if (__builtin_cpu_supports("x86-64-v3")) return D3K_ISA_AVX2;
#endif
  return D3K_ISA_BASE;
}

int32_t d3k_find_isa(void) {
  /* An unknown name sets no limit here: the library refuses it before any kernel runs. */
  const char *name = getenv("DAS3_ISA");
  const int32_t cap = name ? d3k_isa_named(name) : 0, most = isa_of_processor();
  int32_t found = cap && cap < most ? cap : most, before = 0;
  /* When several threads arrive here first, all use the result of the fastest. */
  if (!atomic_compare_exchange_strong(&d3k_known_isa, &before, found)) found = before;
  return found;
}
