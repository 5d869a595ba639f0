/* Kernel calls of this thread -> a tape, which replay.cpp runs again on another processor.
 *
 * A section of a tape is one case. It says how large the blocks of memory were, what Swift wrote
 * into them, which kernels it called with which arguments, and what the reference expects of the
 * results. What kernels wrote is not on it.
 */
#ifndef D3T_TAPE_H
#define D3T_TAPE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Begins a tape; 0 where the file cannot be written. */
int32_t d3t_open(const char *path);
/** 1 where all of it was written. */
int32_t d3t_close(void);

/** Records what this thread calls until d3t_end. Memory that is mapped before is unknown. */
void d3t_begin(const char *name);
/** Ends the section, which is thrown away unless it is kept. */
void d3t_end(int32_t is_kept);

/** Array number `result` of those that a kernel has written outside of mapped memory. */
void d3t_expect(int32_t result, const double *values, int64_t count, double absolute,
                double relative);

/** The sum of gradient[i] * direction[i] is `slope`, give or take tolerance * max(|slope|, largest
 *  |gradient[i]| * |direction|) + slack. */
void d3t_expect_slope(const float *gradient, const double *direction, int64_t count, double slope,
                      double tolerance, double slack);

#ifdef __cplusplus
}
#endif

#endif /* D3T_TAPE_H */
