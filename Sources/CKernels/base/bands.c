/* Rows with or without gaps -> lines, and sums of lines -> sums per channel. */
#include "base/bands.h"

#include "base/lanes.h"

void d3k_clear_rows(float *y, int64_t y_stride, int64_t rows, int64_t channels) {
  if (y_stride == channels) {
    channels *= rows;
    rows = 1;
  }
  for (int64_t r = 0; r < rows; r++) memset(y + r * y_stride, 0, (size_t)channels * sizeof(float));
}

D3K_CLONES(extern, void, d3k_copy_rows,
           (const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
            int64_t channels),
           (x, x_stride, y, y_stride, rows, channels)) {
  if (x == y) return;
  if (x_stride == channels && y_stride == channels) {
    memcpy(y, x, (size_t)(rows * channels) * sizeof(float));
    return;
  }
  for (int64_t r = 0; r < rows; r++) d3k_copy_line(y + r * y_stride, x + r * x_stride, channels);
}

D3K_CLONES(extern, void, d3k_add_rows,
           (const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
            int64_t channels),
           (x, x_stride, y, y_stride, rows, channels)) {
  if (x_stride == channels && y_stride == channels) {
    channels *= rows;
    rows = 1;
  }
  for (int64_t r = 0; r < rows; r++) {
    d3k_add_line(y + r * y_stride, x + r * x_stride, channels);
  }
}

void d3k_put_rows(const float *x, float *y, int64_t y_stride, int64_t rows, int64_t channels,
                  int32_t accumulates) {
  if (accumulates) {
    d3k_add_rows(x, channels, y, y_stride, rows, channels);
  } else {
    d3k_copy_rows(x, channels, y, y_stride, rows, channels);
  }
}

void d3k_repeat(const float *values, int64_t channels, float *out, int64_t count) {
  memcpy(out, values, (size_t)channels * sizeof(float));
  for (int64_t done = channels; done < count;) {
    const int64_t piece = d3k_min(done, count - done);
    memcpy(out + done, out, (size_t)piece * sizeof(float));
    done += piece;
  }
}

void d3k_line_repeat(const float *values, int32_t is_scalar, const d3k_band_line *line,
                     float *out) {
  d3k_repeat(is_scalar ? values : values + line->channel, is_scalar ? 1 : line->channels, out,
             line->rows * line->channels);
}

const float *d3k_line_load(const float *x, int64_t stride, const d3k_band_line *line,
                           float *buffer) {
  x += line->row * stride + line->channel;
  if (line->rows == 1 || stride == line->channels) return x;
  d3k_copy_rows(x, stride, buffer, line->channels, line->rows, line->channels);
  return buffer;
}

D3K_CLONES(extern, void, d3k_line_flush,
           (float *line, int64_t rows, int64_t channels, int32_t is_scalar, double *sums),
           (line, rows, channels, is_scalar, sums)) {
  if (is_scalar) {
    double sum = 0;
    for (int64_t i = 0; i < rows * channels; i++) sum += (double)line[i];
    *sums += sum;
  } else {
    for (int64_t r = 0; r < rows; r++) {
      const float *row = line + r * channels;
      D3K_VECTOR
      for (int64_t c = 0; c < channels; c++) sums[c] += (double)row[c];
    }
  }
  memset(line, 0, (size_t)(rows * channels) * sizeof(float));
}
