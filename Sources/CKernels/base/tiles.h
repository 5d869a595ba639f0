/* A count of tiles and scratch for each thread -> one call per tile, on as many threads as asked.
 *
 * A tile's size never depends on `threads`, so neither do the bits it produces. */
#ifndef D3K_TILES_H
#define D3K_TILES_H

#include "base/threads.h"

typedef void (*d3k_tile_body)(const void *context, int64_t tile, char *scratch);

typedef struct d3k_tiles {
  d3k_tile_body body;
  const void *context;
  char *scratch;
  size_t part_bytes;
} d3k_tiles;

D3K_INLINE size_t d3k_round64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/** How many pieces of scratch d3k_tiles_run needs. */
D3K_INLINE int64_t d3k_parts(int32_t threads) {
  return d3k_max(1, d3k_min(threads, D3K_MOST_THREADS));
}

static inline void d3k_tiles_part(void *context, int64_t tile, int32_t slot) {
  const d3k_tiles *tiles = context;
  char *scratch = tiles->scratch ? tiles->scratch + (size_t)slot * tiles->part_bytes : NULL;
  tiles->body(tiles->context, tile, scratch);
}

/** Runs `body` on tiles 0..<count; each thread has part_bytes of scratch. */
D3K_INLINE void d3k_tiles_run(int32_t threads, int64_t count, d3k_tile_body body,
                              const void *context, void *scratch, size_t part_bytes) {
  d3k_tiles tiles = {body, context, scratch, part_bytes};
  d3k_threads_run(threads, count, d3k_tiles_part, &tiles);
}

#endif /* D3K_TILES_H */
