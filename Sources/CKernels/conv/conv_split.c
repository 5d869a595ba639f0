/* Cuts a convolution into pieces large enough that starting them does not show. */
#include "conv/conv_split.h"

enum { block_channels = 64 /* oneDNN's widest block */ };

/* The same convolution of one column of pixels where lines do not matter, so that bands can have
 * any number of them. */
static d3k_window flat(const d3k_window *w) {
  d3k_window column = *w;
  if (!d3k_is_pointwise(w)) return column;
  column.batch = column.in_width = column.out_width = 1;
  column.in_height = column.out_height = (int32_t)d3k_conv_pixels(w);
  return column;
}

/* Rows of a band, a multiple of `unit`; if there is such a number, one that leaves no smaller band:
 * those take a primitive of their own, which may want its weights in another layout. */
static int64_t band_rows(int64_t height, int64_t bands, int64_t unit) {
  int64_t least = d3k_ceil_div(d3k_ceil_div(height, bands), unit) * unit;
  for (int64_t rows = least; rows < 2 * least; rows += unit)
    if (height % rows == 0) return rows;
  return least;
}

d3k_conv_split d3k_conv_split_of(const d3k_window *given, int32_t transposed, int64_t pixels_each) {
  const d3k_window own = flat(given), *w = &own;
  int64_t pixels = (int64_t)w->out_height * w->out_width;
  int64_t applied = transposed ? (int64_t)w->in_height * w->in_width : pixels;
  int64_t products =
      applied * w->kernel_height * w->kernel_width * w->in_channels * (w->out_channels / w->groups);
  int64_t wanted = d3k_pieces_for(products);
  int64_t unit = transposed ? w->stride_y : 1; /* rows that meet the same taps */
  int64_t bands = d3k_max(1, d3k_min(wanted, pixels / pixels_each));
  d3k_conv_split split;
  split.rows = band_rows(w->out_height, bands, unit);
  split.bands = d3k_ceil_div(w->out_height, split.rows);
  int64_t blocks = d3k_max(1, wanted / split.bands);
  if (w->groups > 1 || w->out_channels < 2 * block_channels) blocks = 1;
  split.channels = d3k_ceil_div(w->out_channels, blocks);
  if (blocks > 1) split.channels = d3k_ceil_div(split.channels, block_channels) * block_channels;
  split.blocks = d3k_ceil_div(w->out_channels, split.channels);
  split.images = w->batch;
  split.pixels = split.rows * w->out_width;
  split.count = split.images * split.bands * split.blocks;
  return split;
}

d3k_conv_split d3k_conv_whole(const d3k_window *given) {
  const d3k_window own = flat(given), *w = &own;
  return (d3k_conv_split){
      1, w->out_height, 1, w->out_channels, 1, 1, w->batch * (int64_t)w->out_height * w->out_width};
}

/* Input rows *first..<*last that reach output rows begin..<end, and the pad above the first. */
static int64_t rows_of(const d3k_window *w, int32_t transposed, int64_t begin, int64_t end,
                       int64_t *first, int64_t *last) {
  int64_t reach = (int64_t)(w->kernel_height - 1) * w->dilation_y, s = w->stride_y;
  if (transposed) {
    int64_t least = begin + w->pad_top - reach;
    *first = least > 0 ? d3k_ceil_div(least, s) : 0;
    *last = d3k_min((end - 1 + w->pad_top) / s + 1, w->in_height);
    return w->pad_top + begin - *first * s;
  }
  int64_t least = begin * s - w->pad_top;
  *first = d3k_max(0, least);
  *last = d3k_min((end - 1) * s - w->pad_top + reach + 1, w->in_height);
  return *first - least;
}

int32_t d3k_conv_piece_at(const d3k_conv_split *split, const d3k_window *given, int32_t transposed,
                          int64_t index, d3k_conv_piece *piece) {
  const d3k_window whole = flat(given), *w = &whole;
  int64_t band = index / split->blocks % split->bands, images = w->batch / split->images;
  int64_t n = index / split->blocks / split->bands * images;
  int64_t begin = band * split->rows, end = d3k_min(begin + split->rows, w->out_height), first,
          last;
  int64_t pad = rows_of(w, transposed, begin, end, &first, &last);
  d3k_window *own = &piece->window;
  piece->block = index % split->blocks;
  piece->x = (n * w->in_height + first) * w->in_width;
  piece->y = (n * w->out_height + begin) * w->out_width;
  *own = *w;
  own->batch = (int32_t)images;
  own->in_height = (int32_t)(last - first);
  own->out_height = (int32_t)(end - begin);
  own->out_channels =
      (int32_t)d3k_min(split->channels, w->out_channels - piece->block * split->channels);
  own->pad_top = (int32_t)pad;
  return last > first && pad >= 0;
}
