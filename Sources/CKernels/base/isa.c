/* The processor and the variable DAS3_ISA -> which compilation of every kernel runs. */
#include <stdlib.h>

#include "base/internal.h"

_Atomic(int32_t) d3k_known_isa;

/* By d3k_isa_level; those of other architectures are missing. */
static const char *const names[] = {
    [D3K_ISA_BASE] = "base",
#if defined(__x86_64__)
    [D3K_ISA_AVX2] = "avx2",
    [D3K_ISA_AVX512] = "avx512",
#elif defined(__aarch64__)
    [D3K_ISA_NEON] = "neon",
#endif
};

int32_t d3k_isa_named(const char *name) {
  for (size_t level = 0; level < sizeof names / sizeof *names; level++)
    if (names[level] && strcmp(name, names[level]) == 0) return (int32_t)level;
  return 0;
}

const char *d3k_isa_name(void) { return names[d3k_isa()]; }

const char *d3k_isa_names(void) {
#if defined(__x86_64__)
  return "avx512, avx2 or base";
#elif defined(__aarch64__)
  return "neon or base";
#else
  return "base";
#endif
}

static int32_t isa_of_processor(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return D3K_ISA_AVX512;
  if (__builtin_cpu_supports("x86-64-v3")) return D3K_ISA_AVX2;
#elif defined(__aarch64__)
  return D3K_ISA_NEON; /* which every such processor has */
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
