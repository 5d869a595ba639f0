/* Two matrices -> their product, by OpenBLAS on one thread. */
#include "backend/openblas.h"

#include <cblas.h>
#include <pthread.h>

static void keep_to_one_thread(void) { openblas_set_num_threads(1); }

void d3k_openblas_prepare(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, keep_to_one_thread);
}

void d3k_sgemm(int32_t transpose_a, int32_t transpose_b, int64_t rows, int64_t columns,
               int64_t inner, float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
               float beta, float *c, int64_t ldc) {
  cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
              transpose_b ? CblasTrans : CblasNoTrans, (int)rows, (int)columns, (int)inner, alpha,
              a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}
