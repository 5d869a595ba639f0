/* Lines along one axis -> sixteen turned lines, or up to WIDE lines that lie side by side, at a
 * time. */
#ifndef D3K_LINES_H
#define D3K_LINES_H

#include "base/lanes.h"

/* Longest line that is turned so that lanes are lines: sixteen take 16 KiB of stack. */
#define D3K_SHORT 256
/* Lines side by side where they already are. */
#define D3K_WIDE 64

/** Runs `rows` on lines without gaps (one each, or sixteen where they are short), or `wide` on
 * tiles of D3K_WIDE neighbouring lines. `cost`: operations a value. */
D3K_INLINE void d3k_lines_run(int32_t threads, const d3k_lines *lines, int64_t cost, d3k_body rows,
                              d3k_body wide, void *job) {
  const int64_t outer = lines->outer, count = lines->count, inner = lines->inner;
  if (outer <= 0 || count <= 0 || inner <= 0) return;
  threads = d3k_threads_for(threads, outer * count * inner * cost);
  if (inner == 1) {
    d3k_parallel(threads, count > D3K_SHORT ? outer : d3k_ceil_div(outer, 16), rows, job);
  } else {
    d3k_parallel(threads, outer * d3k_ceil_div(inner, D3K_WIDE), wide, job);
  }
}

/** A tile of neighbouring lines: where its first value and its first result are, and its lines. */
typedef struct d3k_lines_tile {
  int64_t first, result, lanes;
} d3k_lines_tile;

D3K_INLINE d3k_lines_tile d3k_lines_tile_at(const d3k_lines *lines, int64_t tile) {
  const int64_t tiles = d3k_ceil_div(lines->inner, D3K_WIDE);
  const int64_t outer = tile / tiles, column = tile % tiles * D3K_WIDE;
  return (d3k_lines_tile){outer * lines->count * lines->inner + column,
                          outer * lines->inner + column, d3k_min(D3K_WIDE, lines->inner - column)};
}

#endif /* D3K_LINES_H */
