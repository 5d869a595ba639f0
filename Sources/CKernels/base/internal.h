/* Shared inside CKernels: how a function is compiled for several CPUs, and how work is cut. */
#ifndef D3K_INTERNAL_H
#define D3K_INTERNAL_H

#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "d3k.h"

/* Whether oneDNN is built in. */
#if defined(__x86_64__) && __has_include(<oneapi/dnnl/dnnl.h>)
#define D3K_ONEDNN 1
#endif

#define D3K_INLINE static inline __attribute__((always_inline))

/* D3K_CLONES(static, void, add, (float *y, float x), (y, x)) { *y += x; }
 *
 * defines the function `add` (`extern` where other files call it). Its body is compiled for
 * AVX-512, AVX2 and the baseline, and d3k_isa() selects one at every call. Functions that the body
 * calls must be D3K_INLINE, else they are compiled for the baseline only. */
#if defined(__x86_64__)
#define D3K_CLONES(linkage, result, name, parameters, arguments)                                   \
  D3K_INLINE result name##_body parameters;                                                        \
  __attribute__((target("arch=x86-64-v4,tune=znver4"))) static result name##_avx512 parameters {   \
    return name##_body arguments;                                                                  \
  }                                                                                                \
  __attribute__((target("arch=x86-64-v3"))) static result name##_avx2 parameters {                 \
    return name##_body arguments;                                                                  \
  }                                                                                                \
  __attribute__((noinline)) static result name##_base parameters { return name##_body arguments; } \
  linkage result name parameters {                                                                 \
    switch (d3k_isa()) {                                                                           \
      case D3K_ISA_AVX512:                                                                         \
        return name##_avx512 arguments;                                                            \
      case D3K_ISA_AVX2:                                                                           \
        return name##_avx2 arguments;                                                              \
      default:                                                                                     \
        return name##_base arguments;                                                              \
    }                                                                                              \
  }                                                                                                \
  D3K_INLINE result name##_body parameters
#else
#define D3K_CLONES(linkage, result, name, parameters, arguments) linkage result name parameters
#endif

/* The same for what d3k_parallel calls. */
#define D3K_CLONED_BODY(name) \
  D3K_CLONES(static, void, name, (void *context, int64_t begin, int64_t end), (context, begin, end))

/* Before a loop whose iterations are independent even when input and output are the same array. */
#define D3K_VECTOR _Pragma("clang loop vectorize(assume_safety) interleave_count(2)")

/* Entering and leaving a parallel region takes about 2 to 5 microseconds: with less work than this
 * (floats moved, or a few operations each) it costs more time than it saves. */
#define D3K_GRAIN 16384

D3K_INLINE int64_t d3k_min(int64_t a, int64_t b) { return a < b ? a : b; }
D3K_INLINE int64_t d3k_max(int64_t a, int64_t b) { return a > b ? a : b; }
D3K_INLINE int64_t d3k_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* failure.c ----------------------------------------------------------------------------------- */

/** Records that a kernel called by this thread has failed. d3k_take_failure reports it. */
void d3k_fail(int32_t failure);
/** Whether a failure is recorded that d3k_take_failure has not yet returned. */
int32_t d3k_has_failed(void);

/* isa.c: the instructions that functions of several compilations use. ----------------------- */

/** The result of d3k_find_isa; 0 = not called yet. Only d3k_isa reads it. */
extern _Atomic(int32_t) d3k_known_isa __attribute__((visibility("hidden")));

/** The d3k_isa_level in use. It does not change after the first call. */
D3K_INLINE int32_t d3k_isa(void) {
  const int32_t known = atomic_load_explicit(&d3k_known_isa, memory_order_relaxed);
  return known ? known : d3k_find_isa();
}

/** Threads worth using for `work` operations. */
D3K_INLINE int32_t d3k_threads_for(int32_t threads, int64_t work) {
  return (int32_t)d3k_max(1, d3k_min(threads, work / (D3K_GRAIN / 2)));
}

/** Pieces that work of so many multiply-adds is cut into, where its sizes allow: enough for many
 *  threads, and each takes some 0.01 ms, so that starting it does not show. */
D3K_INLINE int64_t d3k_pieces_for(int64_t products) {
  return d3k_max(1, d3k_min(24, products / (3 * 512 * 1024)));
}

/* The largest number of bands that a sum over pixels is cut into. */
#define D3K_MOST_BANDS 256

/** Pixels of a band, a multiple of 16. It depends on the number of pixels alone, so sums do not
 *  depend on the number of threads. */
D3K_INLINE int64_t d3k_pixel_band(int64_t pixels) {
  return d3k_max(1024, d3k_ceil_div(d3k_ceil_div(pixels, D3K_MOST_BANDS), 16) * 16);
}

#endif /* D3K_INTERNAL_H */
