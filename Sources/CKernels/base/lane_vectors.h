/* Short vectors of floats at any alignment; the compiler splits what the machine does not hold. */
#ifndef D3K_LANE_VECTORS_H
#define D3K_LANE_VECTORS_H

#include <stdint.h>

/* All functions of these are inlined: there is no call whose convention could differ. */
#pragma clang diagnostic ignored "-Wpsabi"

typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef int32_t i16 __attribute__((vector_size(64), aligned(4)));
typedef float v8 __attribute__((vector_size(32), aligned(4)));
typedef int32_t i8 __attribute__((vector_size(32), aligned(4)));
typedef float v4 __attribute__((vector_size(16), aligned(4)));
typedef int32_t i4 __attribute__((vector_size(16), aligned(4)));

#endif /* D3K_LANE_VECTORS_H */
