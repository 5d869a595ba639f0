/* A count of tiles and scratch for each thread -> one call per tile, on as many threads as asked.
 *
 * A tile's size never depends on `threads`, so neither do the bits it produces. */
#ifndef D3K_TILES_H
#define D3K_TILES_H

#include "base/internal.h"

typedef void (*d3k_tile_body)(const void *context, int64_t tile, char *scratch);

typedef struct d3k_tiles {
  d3k_tile_body body;
  const void *context;
  int64_t count, parts;
  char *scratch;
  size_t part_bytes;
} d3k_tiles;

D3K_INLINE size_t d3k_round64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

D3K_INLINE int64_t d3k_parts(int32_t threads) { return threads < 1 ? 1 : threads; }

static inline void d3k_tiles_part(void *context, int64_t begin, int64_t end) {
  const d3k_tiles *tiles = context;
  for (int64_t part = begin; part < end; part++) {
    char *scratch = tiles->scratch ? tiles->scratch + (size_t)part * tiles->part_bytes : NULL;
    int64_t last = (part + 1) * tiles->count / tiles->parts;
    for (int64_t tile = part * tiles->count / tiles->parts; tile < last; tile++)
      tiles->body(tiles->context, tile, scratch);
  }
}

/** Runs `body` on tiles 0..<count; each part of the work owns part_bytes of scratch. */
D3K_INLINE void d3k_tiles_run(int32_t threads, int64_t count, d3k_tile_body body,
                              const void *context, void *scratch, size_t part_bytes) {
  int64_t parts = d3k_min(d3k_parts(threads), count);
  d3k_tiles tiles = {body, context, count, parts, scratch, part_bytes};
  d3k_parallel(threads, parts, d3k_tiles_part, &tiles);
}

#endif /* D3K_TILES_H */
