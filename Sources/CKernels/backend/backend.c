/* What this build and this processor offer. */
#include "backend/dnnl_common.h"

int32_t d3k_has_backend(int32_t backend) {
  switch (backend) {
#ifdef D3K_ONEDNN
    case D3K_BACKEND_ONEDNN:
      return d3k_dnnl_engine() != NULL;
#endif
    case D3K_BACKEND_OPENBLAS:
    case D3K_BACKEND_REFERENCE:
      return 1;
    default:
      return 0;
  }
}

int32_t d3k_best_backend(void) {
  return d3k_has_backend(D3K_BACKEND_ONEDNN) ? D3K_BACKEND_ONEDNN : D3K_BACKEND_OPENBLAS;
}

int32_t d3k_has_bf16(void) {
#ifdef D3K_ONEDNN
  return d3k_has_backend(D3K_BACKEND_ONEDNN) && d3k_isa() == D3K_ISA_AVX512 &&
         __builtin_cpu_supports("avx512bf16") != 0;
#else
  return 0;
#endif
}
