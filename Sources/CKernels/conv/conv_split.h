/* A convolution -> pieces of it, which oneDNN computes one by one, each on one thread.
 *
 * How it is cut depends on the sizes alone, so that results do not depend on the threads. */
#ifndef D3K_CONV_SPLIT_H
#define D3K_CONV_SPLIT_H

#include "conv/conv_internal.h"

/** Rows of an image's output, all of their pixels, and a block of its channels. */
typedef struct d3k_conv_piece {
  d3k_window window; /* of the piece alone                                                      */
  int64_t x, y;      /* its first pixels in the images                                          */
  int64_t block;     /* of channels                                                             */
} d3k_conv_piece;

typedef struct d3k_conv_split {
  int64_t images; /* groups of images: one for each, or one for all where nothing is cut        */
  int64_t rows, bands; /* of an image's output in a band; bands of an image, of which the last may
                          have fewer                                                            */
  int64_t channels, blocks; /* the same of its channels                                         */
  int64_t count;            /* pieces: [image][band][block]                                     */
  int64_t pixels;           /* of the largest piece's output                                    */
} d3k_conv_split;

/** How a window is cut. pixels_each: of a band at least, so that what each band costs besides (its
 *  reading of all weights, its sums that are merged) takes little of the time. */
d3k_conv_split d3k_conv_split_of(const d3k_window *window, int32_t transposed, int64_t pixels_each);

/** Piece number `index`; 0 where a band has no input rows or pads that no kernel has. */
int32_t d3k_conv_piece_at(const d3k_conv_split *split, const d3k_window *window, int32_t transposed,
                          int64_t index, d3k_conv_piece *piece);

/** One piece. */
d3k_conv_split d3k_conv_whole(const d3k_window *window);

#endif /* D3K_CONV_SPLIT_H */
