/* Row-major matrix product on the calling thread, by OpenBLAS. */
#ifndef D3K_OPENBLAS_H
#define D3K_OPENBLAS_H

#include <stdint.h>

/** Keeps OpenBLAS on its caller's thread: the threads are ours, its sums must not depend on them.
 *  Call it before the first product. */
void d3k_openblas_prepare(void);

/** c = alpha * a·b + beta * c; a is rows x inner, or with transpose_a stored inner x rows (b
 * alike); lda, ldb, ldc: floats from one stored row to the next. */
void d3k_sgemm(int32_t transpose_a, int32_t transpose_b, int64_t rows, int64_t columns,
               int64_t inner, float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
               float beta, float *c, int64_t ldc);

#endif /* D3K_OPENBLAS_H */
