/* What kernels could not do -> one number for each thread that calls them. */
#include "base/internal.h"

static _Thread_local int32_t noted;

void d3k_fail(int32_t failure) {
  if (noted == 0) noted = failure;
}

int32_t d3k_has_failed(void) { return noted != 0; }

int32_t d3k_take_failure(void) {
  const int32_t failure = noted;
  noted = 0;
  return failure;
}
