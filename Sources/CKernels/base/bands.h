/* Rows of channels -> lines of a few hundred floats, and bands of lines with sums of their own.
 *
 * A line is a run of whole narrow rows, or a part of one wide row. Values per channel are repeated
 * along it, so that every loop is long. How rows are cut into bands depends on the sizes alone, and
 * the sums of bands are added in a fixed order: results do not depend on the number of threads. */
#ifndef D3K_BANDS_H
#define D3K_BANDS_H

#include "base/internal.h"

/* Floats in a line: a dozen lines fit in L1. */
#define D3K_LINE 512
/* Lines added in float32 before the sums go into doubles. */
#define D3K_FLUSH 128

typedef struct d3k_bands {
  int64_t rows, channels;
  int64_t line_rows, line_channels; /* of one line; the last ones have less */
  int64_t blocks;                   /* of line_channels, next to each other */
  int64_t band_rows, count;         /* rows of a band, a multiple of line_rows; bands */
} d3k_bands;

/** The lines of one band and one block of channels, one after the other. */
typedef struct d3k_band_line {
  int64_t row, rows, channel, channels;
} d3k_band_line;

/** The largest number of bands for an array of this size: enough for many threads, but so few that
 *  the memory for their sums is small compared with the array. */
D3K_INLINE int64_t d3k_bands_most(int64_t rows, int64_t channels) {
  return d3k_max(1, d3k_min(64, d3k_min(rows * channels / 16384, rows / 64)));
}

/** Cuts rows of channels into bands. is_dense: no array has gaps between rows. */
static inline d3k_bands d3k_bands_cut(int64_t rows, int64_t channels, int32_t is_dense) {
  d3k_bands b = {.rows = rows, .channels = channels, .line_rows = 1};
  const int64_t even = d3k_ceil_div(channels, d3k_ceil_div(channels, D3K_LINE));
  b.line_channels = d3k_min(channels, d3k_ceil_div(even, 16) * 16);
  b.blocks = d3k_ceil_div(channels, b.line_channels);
  if (channels <= D3K_LINE / 2 && (is_dense || channels < 128)) {
    b.line_rows = D3K_LINE / channels;
    int64_t whole = 16; /* rows that make whole vectors */
    while (whole > 1 && whole / 2 * channels % 16 == 0) whole /= 2;
    if (b.line_rows > whole) b.line_rows -= b.line_rows % whole;
  }
  const int64_t lines = d3k_ceil_div(rows, b.line_rows);
  b.band_rows = d3k_ceil_div(lines, d3k_bands_most(rows, channels)) * b.line_rows;
  b.count = d3k_ceil_div(rows, b.band_rows);
  return b;
}

/** Number of work items: one for each band and block of channels. */
D3K_INLINE int64_t d3k_bands_items(const d3k_bands *b) { return b->count * b->blocks; }

/** First line of an item; *end: the row after its last one. */
D3K_INLINE d3k_band_line d3k_bands_first(const d3k_bands *b, int64_t item, int64_t *end) {
  d3k_band_line line = {.row = item / b->blocks * b->band_rows,
                        .channel = item % b->blocks * b->line_channels};
  *end = d3k_min(b->rows, line.row + b->band_rows);
  line.rows = d3k_min(b->line_rows, *end - line.row);
  line.channels = d3k_min(b->line_channels, b->channels - line.channel);
  return line;
}

/** The line after `line`; 0 at the end. */
D3K_INLINE int32_t d3k_bands_next(const d3k_bands *b, d3k_band_line *line, int64_t end) {
  line->row += line->rows;
  line->rows = d3k_min(b->line_rows, end - line->row);
  return line->rows > 0;
}

/* bands.c ------------------------------------------------------------------------------------ */

/** y = 0, y = x, y += x over rows of channels, from one stride to another. */
void d3k_clear_rows(float *y, int64_t y_stride, int64_t rows, int64_t channels);
void d3k_copy_rows(const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                   int64_t channels);
void d3k_add_rows(const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                  int64_t channels);

/** y = x, or with `accumulates` y += x; x has no gaps. */
void d3k_put_rows(const float *x, float *y, int64_t y_stride, int64_t rows, int64_t channels,
                  int32_t accumulates);

/** Repeats `channels` values until `count` are written, a multiple of `channels`. */
void d3k_repeat(const float *values, int64_t channels, float *out, int64_t count);

/** out = `values` of the line's channels, repeated for each of its rows (or one value). */
void d3k_line_repeat(const float *values, int32_t is_scalar, const d3k_band_line *line, float *out);

/** Returns a pointer to the line: in the array where it has no gaps, else copied to `buffer`. */
const float *d3k_line_load(const float *x, int64_t stride, const d3k_band_line *line,
                           float *buffer);

/** The place of a line in `out` where it can be written directly; NULL where it has gaps, is added
 *  to, or is not wanted. */
D3K_INLINE float *d3k_line_direct(float *out, int64_t stride, int32_t accumulates,
                                  const d3k_band_line *line) {
  const int32_t is_direct = out && !accumulates && (line->rows == 1 || stride == line->channels);
  return is_direct ? out + line->row * stride + line->channel : NULL;
}

/** Adds a line of sums to one double per channel (or one double), and clears it. */
void d3k_line_flush(float *line, int64_t rows, int64_t channels, int32_t is_scalar, double *sums);

#endif /* D3K_BANDS_H */
