/* Two matrices -> their product, by OpenBLAS on one thread. */
#include "backend/openblas.h"

#include <cblas.h>
#include <pthread.h>

static void keep_to_one_thread(void) { openblas_set_num_threads(1); }

void d3k_openblas_prepare(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, keep_to_one_thread);
}

void d3k_sgemm(const d3k_product *p) {
  cblas_sgemm(CblasRowMajor, p->a.transposed ? CblasTrans : CblasNoTrans,
              p->b.transposed ? CblasTrans : CblasNoTrans, (int)p->rows, (int)p->columns,
              (int)p->inner, p->alpha, p->a.data, (int)p->a.leading, p->b.data, (int)p->b.leading,
              p->beta, p->c, (int)p->c_leading);
}
