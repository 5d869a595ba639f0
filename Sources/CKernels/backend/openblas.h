/* Row-major matrix product on the calling thread, by OpenBLAS. */
#ifndef D3K_OPENBLAS_H
#define D3K_OPENBLAS_H

#include <stdint.h>

/** Keeps OpenBLAS on its caller's thread: the threads are ours, its sums must not depend on them.
 *  Call it before the first product. */
void d3k_openblas_prepare(void);

/** A matrix as BLAS reads it, or its transpose. */
typedef struct d3k_matrix {
  const float *data;
  int64_t leading; /* floats from one stored row to the next */
  int32_t transposed;
} d3k_matrix;

/** c = alpha * a·b + beta * c; a is rows x inner, b is inner x columns. */
typedef struct d3k_product {
  int64_t rows, columns, inner;
  d3k_matrix a, b;
  float alpha, beta;
  float *c;
  int64_t c_leading;
} d3k_product;

void d3k_sgemm(const d3k_product *product);

#endif /* D3K_OPENBLAS_H */
