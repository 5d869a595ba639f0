/* A pooling window along one axis -> its cells that are inside the image. */
#ifndef D3K_POOL_SPAN_H
#define D3K_POOL_SPAN_H

#include "base/internal.h"

/** A position along one axis: cells first..<last of the kernel are inside; `counted` of them for
 *  the mean. */
typedef struct d3k_span {
  int32_t start, first, last, counted;
} d3k_span;

/** `counts_pads`: cells in the pads count for the mean too. */
D3K_INLINE d3k_span d3k_span_of(int32_t out, int32_t stride, int32_t pad, int32_t kernel,
                                int32_t dilation, int32_t size, int32_t pad_before,
                                int32_t pad_after, int32_t counts_pads) {
  d3k_span s = {.start = out * stride - pad};
  s.first = s.start < 0 ? (-s.start + dilation - 1) / dilation : 0;
  s.first = s.first < kernel ? s.first : kernel;
  s.last = s.start >= size ? 0 : (size - s.start + dilation - 1) / dilation;
  s.last = s.last < kernel ? s.last : kernel;
  s.last = s.last > s.first ? s.last : s.first;
  s.counted = s.last - s.first;
  if (counts_pads) {
    s.counted = 0;
    for (int32_t k = 0; k < kernel; k++) {
      const int32_t at = s.start + k * dilation;
      s.counted += at >= -pad_before && at < size + pad_after;
    }
  }
  return s;
}

#endif /* D3K_POOL_SPAN_H */
