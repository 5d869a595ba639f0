/* Dimensions and strides of several arrays -> the same elements in fewer dimensions. */
#ifndef D3K_WALK_H
#define D3K_WALK_H

#include <stdlib.h>

#include "base/internal.h"

static inline int64_t d3k_walk_size(const d3k_walk *walk) {
  int64_t size = 1;
  for (int32_t k = 0; k < walk->rank; k++) size *= walk->dims[k];
  return size;
}

/** Drops dimensions of one element, and joins neighbouring dimensions that are contiguous in every
 *  array. Afterwards the rank is at least 1. */
static inline void d3k_walk_merge(d3k_walk *walk, int32_t arrays) {
  int32_t rank = 0;
  for (int32_t k = 0; k < walk->rank; k++) {
    if (walk->dims[k] == 1) continue;
    int32_t joins = rank > 0;
    for (int32_t a = 0; a < arrays && joins; a++) {
      joins = walk->strides[a][rank - 1] == walk->strides[a][k] * walk->dims[k];
    }
    const int32_t to = joins ? rank - 1 : rank++;
    walk->dims[to] = joins ? walk->dims[to] * walk->dims[k] : walk->dims[k];
    for (int32_t a = 0; a < arrays; a++) walk->strides[a][to] = walk->strides[a][k];
  }
  if (rank == 0) {
    walk->dims[0] = 1;
    for (int32_t a = 0; a < arrays; a++) walk->strides[a][0] = 1;
    rank = 1;
  }
  walk->rank = rank;
}

static inline void d3k_walk_swap(d3k_walk *walk, int32_t arrays, int32_t i, int32_t j) {
  const int64_t dim = walk->dims[i];
  walk->dims[i] = walk->dims[j];
  walk->dims[j] = dim;
  for (int32_t a = 0; a < arrays; a++) {
    const int64_t stride = walk->strides[a][i];
    walk->strides[a][i] = walk->strides[a][j];
    walk->strides[a][j] = stride;
  }
}

/** Coordinates of element `index` in the first `rank` dims, last fastest. */
static inline void d3k_walk_locate(const d3k_walk *walk, int32_t rank, int64_t index,
                                   int64_t *coordinates) {
  for (int32_t k = rank - 1; k >= 0; k--) {
    coordinates[k] = index % walk->dims[k];
    index /= walk->dims[k];
  }
}

/** Moves to the next element of the first `rank` dims and updates offsets[a]. */
static inline void d3k_walk_step(const d3k_walk *walk, int32_t rank, int32_t arrays,
                                 int64_t *coordinates, int64_t *offsets) {
  for (int32_t k = rank - 1; k >= 0; k--) {
    for (int32_t a = 0; a < arrays; a++) offsets[a] += walk->strides[a][k];
    if (++coordinates[k] < walk->dims[k]) return;
    coordinates[k] = 0;
    for (int32_t a = 0; a < arrays; a++) offsets[a] -= walk->strides[a][k] * walk->dims[k];
  }
}

static inline int64_t d3k_walk_offset(const d3k_walk *walk, int32_t rank, int32_t array,
                                      const int64_t *coordinates) {
  int64_t offset = 0;
  for (int32_t k = 0; k < rank; k++) offset += coordinates[k] * walk->strides[array][k];
  return offset;
}

/** Sorts dimensions by the stride of array 1, largest first, then by that of array 0. Dimensions in
 *  which array 1 repeats come last. */
static inline void d3k_walk_sort(d3k_walk *walk) {
  for (int32_t i = 1; i < walk->rank; i++) {
    for (int32_t k = i; k > 0; k--) {
      const int64_t y0 = llabs(walk->strides[1][k - 1]), y1 = llabs(walk->strides[1][k]);
      const int64_t x0 = llabs(walk->strides[0][k - 1]), x1 = llabs(walk->strides[0][k]);
      if (y0 > y1 || (y0 == y1 && x0 >= x1)) break;
      d3k_walk_swap(walk, 2, k - 1, k);
    }
  }
}

/** Sorts and merges a walk from array 0 to array 1. Returns its elements, 0 where there are none.
 */
static inline int64_t d3k_walk_sort_and_merge(d3k_walk *walk) {
  const int64_t size = d3k_walk_size(walk);
  if (size <= 0) return 0;
  d3k_walk_merge(walk, 2);
  d3k_walk_sort(walk);
  d3k_walk_merge(walk, 2);
  return size;
}

/** Where element `index` of the first `rank` dims is, in coordinates and in each array. */
static inline void d3k_walk_start(const d3k_walk *walk, int32_t rank, int32_t arrays, int64_t index,
                                  int64_t *coordinates, int64_t *offsets) {
  d3k_walk_locate(walk, rank, index, coordinates);
  for (int32_t a = 0; a < arrays; a++) offsets[a] = d3k_walk_offset(walk, rank, a, coordinates);
}

#endif /* D3K_WALK_H */
