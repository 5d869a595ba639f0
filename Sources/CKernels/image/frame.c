/* A camera's pixels of any format -> the network's floats, resized and normalised in one pass.
 *
 * Source rows are turned to floats in pieces that stay in L1, then read four floats (a pixel) at
 * a time. Every low and high must be inside the frame and high - low at most 1; weights are 0...1.
 * Cost: 2 conversions and 9 multiply-adds an output pixel at most; without resizing 1 and 3. */
#include "base/lanes.h"

/* Source pixels held at a time: 2 rows of 16 bytes a pixel are 16 KiB. */
#define SPAN 512

enum { RGB8 = 1, BGR8, RGBA8, BGRA8, GRAY8, NV12, YUYV, FLOAT32 }; /* das3_format */

typedef struct job {
  const d3k_frame *frame;
  const d3k_axis *rows, *columns;
  float *y;
  int32_t floats;      /* a source pixel, once converted: 1, 3 or 4 */
  int32_t is_reversed; /* source and network disagree about the order of colours */
  int32_t is_same_width;
} job;

static int32_t is_colour(int32_t format) { return format != GRAY8 && format != FLOAT32; }

/* BT.601, video range: Y 16...235, U and V 16...240 around 128. */
D3K_INLINE d3k_f4 chroma_of(uint8_t u, uint8_t v) {
  const d3k_f4 from_u = {0.f, -0.391762f, 2.017232f, 0.f};
  const d3k_f4 from_v = {1.596027f, -0.812968f, 0.f, 0.f};
  return from_u * ((float)u - 128.f) + from_v * ((float)v - 128.f);
}

D3K_INLINE d3k_f4 colour_of(uint8_t y, d3k_f4 chroma) {
  d3k_f4 v = chroma + 1.164384f * ((float)y - 16.f);
  v = v < 0.f ? (d3k_f4)(0.f) : v;
  return v > 255.f ? (d3k_f4)(255.f) : v;
}

/* Luma y_step bytes apart; u and v 2 pixels a value, uv_step bytes apart. */
D3K_INLINE void convert_yuv(const uint8_t *y, int64_t y_step, const uint8_t *u, const uint8_t *v,
                            int64_t uv_step, int64_t first, int64_t count, float *out) {
  const int64_t end = first + count;
  for (int64_t i = first; i < end;) {
    const d3k_f4 chroma = chroma_of(u[i / 2 * uv_step], v[i / 2 * uv_step]);
    /* A piece may start with the right half of a pair, and end with the left one. */
    for (int64_t pair = i / 2; i < end && i / 2 == pair; i++, out += 4) {
      d3k_store4(out, colour_of(y[i * y_step], chroma));
    }
  }
}

D3K_INLINE void convert_bytes(const uint8_t *x, float *out, int64_t count) {
#pragma clang loop vectorize(enable)
  for (int64_t i = 0; i < count; i++) out[i] = (float)x[i];
}

/* Pixels to their BT.601 brightness; in place, one float a pixel. */
D3K_INLINE void to_luma(float *x, int64_t floats, int64_t count, int32_t is_bgr) {
  const float first = is_bgr ? 0.114f : 0.299f, last = is_bgr ? 0.299f : 0.114f;
  for (int64_t i = 0; i < count; i++) {
    x[i] = first * x[i * floats] + 0.587f * x[i * floats + 1] + last * x[i * floats + 2];
  }
}

/* Pixels first..<first+count of one source row -> `floats` floats each, in the source's order. */
D3K_CLONES(static, void, convert,
           (const job *j, int64_t row, int64_t first, int64_t count, float *out),
           (j, row, first, count, out)) {
  const d3k_frame *f = j->frame;
  const uint8_t *line = (const uint8_t *)f->data + row * f->stride_bytes;
  int64_t floats = 4;
  switch (f->format) {
    case RGB8:
    case BGR8:
      convert_bytes(line + 3 * first, out, 3 * count);
      floats = 3;
      break;
    case RGBA8:
    case BGRA8:
      convert_bytes(line + 4 * first, out, 4 * count);
      break;
    case GRAY8:
      convert_bytes(line + first, out, count);
      return;
    case NV12: {
      const uint8_t *uv = (const uint8_t *)f->data + (f->height + row / 2) * f->stride_bytes;
      convert_yuv(line, 1, uv, uv + 1, 2, first, count, out);
      break;
    }
    case YUYV:
      convert_yuv(line, 2, line + 1, line + 3, 4, first, count, out);
      break;
    default: {
      line += first * (int64_t)sizeof(float);
      const int64_t plane = f->height * f->stride_bytes;
      if (f->channels == 1) {
        memcpy(out, line, (size_t)count * sizeof(float));
        return;
      }
      for (int64_t i = 0; i < count; i++) { /* copies: a stride may be any number of bytes */
        const uint8_t *x = line + i * (int64_t)sizeof(float);
        float p, q, r;
        memcpy(&p, x, sizeof p);
        memcpy(&q, x + plane, sizeof q);
        memcpy(&r, x + 2 * plane, sizeof r);
        out[3 * i] = p;
        out[3 * i + 1] = q;
        out[3 * i + 2] = r;
      }
      return;
    }
  }
  if (f->channels == 1) to_luma(out, floats, count, f->format == BGR8 || f->format == BGRA8);
}

typedef struct scale {
  d3k_f4 factor, offset;
} scale;

D3K_INLINE scale scale_of(const d3k_frame *f) {
  if (f->format == FLOAT32) return (scale){(d3k_f4)(1.f), (d3k_f4)(0.f)};
  return (scale){{f->factor[0], f->factor[1], f->factor[2], 0.f},
                 {f->offset[0], f->offset[1], f->offset[2], 0.f}};
}

/* Three floats, or four where the fourth is overwritten by the next pixel. */
D3K_INLINE void store_pixel(float *y, d3k_f4 v, int32_t is_last) {
  if (is_last) {
    memcpy(y, &v, 3 * sizeof(float));
  } else {
    d3k_store4(y, v);
  }
}

D3K_INLINE d3k_f4 load_pixel(const float *x, int64_t index, int32_t floats, int32_t is_reversed) {
  if (floats == 1) return (d3k_f4)(x[index]);
  const d3k_f4 v = d3k_load4(x + index * floats);
  return is_reversed ? __builtin_shufflevector(v, v, 2, 1, 0, 3) : v;
}

/* Columns begin..<end of one output row; a and b hold the two source rows from pixel `first`. */
typedef struct piece {
  const float *a, *b;
  float weight; /* of b */
  int64_t first, begin, end;
  float *y; /* of the whole row */
} piece;

/* A piece of 3 channels. */
D3K_INLINE void write_three(const job *j, const piece *from, int32_t floats, int32_t is_reversed) {
  const float *a = from->a, *b = from->b, weight = from->weight;
  const int64_t first = from->first;
  float *y = from->y;
  const scale s = scale_of(j->frame);
  const int64_t width = j->columns->size;
  const int32_t *low = j->columns->low, *high = j->columns->high;
  for (int64_t i = from->begin; i < from->end; i++) {
    d3k_f4 v;
    if (j->is_same_width && weight == 0.f) {
      v = load_pixel(a, i - first, floats, is_reversed);
    } else {
      const float w = j->columns->weight[i];
      const d3k_f4 p = load_pixel(a, low[i] - first, floats, is_reversed);
      const d3k_f4 q = load_pixel(a, high[i] - first, floats, is_reversed);
      const d3k_f4 r = load_pixel(b, low[i] - first, floats, is_reversed);
      const d3k_f4 t = load_pixel(b, high[i] - first, floats, is_reversed);
      const d3k_f4 above = p + (q - p) * w, below = r + (t - r) * w;
      v = above + (below - above) * weight;
    }
    store_pixel(y + 3 * i, v * s.factor + s.offset, i == width - 1);
  }
}

D3K_INLINE void write_one(const job *j, const piece *from) {
  const float *a = from->a, *b = from->b, weight = from->weight;
  const int64_t first = from->first, begin = from->begin, end = from->end;
  float *y = from->y;
  const scale s = scale_of(j->frame);
  const float factor = s.factor.x, offset = s.offset.x;
  const int32_t *low = j->columns->low, *high = j->columns->high;
  if (j->is_same_width && weight == 0.f) {
    for (int64_t i = begin; i < end; i++) y[i] = a[i - first] * factor + offset;
    return;
  }
  for (int64_t i = begin; i < end; i++) {
    const float w = j->columns->weight[i];
    const int64_t l = low[i] - first, h = high[i] - first;
    const float above = a[l] + (a[h] - a[l]) * w, below = b[l] + (b[h] - b[l]) * w;
    y[i] = (above + (below - above) * weight) * factor + offset;
  }
}

D3K_CLONES(static, void, write_piece, (const job *j, const piece *from), (j, from)) {
  if (j->frame->channels == 1) {
    write_one(j, from);
  } else if (j->floats == 1) {
    write_three(j, from, 1, 0);
  } else if (j->floats == 3 && !j->is_reversed) {
    write_three(j, from, 3, 0);
  } else if (j->floats == 3) {
    write_three(j, from, 3, 1);
  } else if (!j->is_reversed) {
    write_three(j, from, 4, 0);
  } else {
    write_three(j, from, 4, 1);
  }
}

/* Output columns begin..<*end whose source pixels fit in SPAN; *first..<*last are those pixels. */
static void next_piece(const d3k_axis *columns, int64_t begin, int64_t *end, int64_t *first,
                       int64_t *last) {
  int64_t low = columns->low[begin], high = d3k_max(low, columns->high[begin]), i = begin + 1;
  for (; i < columns->size; i++) {
    const int64_t least = d3k_min(low, columns->low[i]);
    const int64_t most = d3k_max(high, columns->high[i]);
    if (most - least >= SPAN) break;
    low = least;
    high = most;
  }
  *end = i;
  *first = low;
  *last = high + 1;
}

/* Output rows begin..<end, one piece of columns after the other: neighbouring output rows share
 * converted source rows, and a pixel's fourth float is overwritten by the next piece. */
static void run_rows(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int64_t line = j->columns->size * j->frame->channels;
  float rows[2][SPAN * 4 + 4] = {{0}}; /* + 4: the last pixel of 3 floats is read as 4 */
  for (int64_t column = 0; column < j->columns->size;) {
    int64_t stop, first, last, numbers[2] = {-1, -1};
    next_piece(j->columns, column, &stop, &first, &last);
    for (int64_t row = begin; row < end; row++) {
      const float weight = j->rows->weight[row];
      const int64_t low = j->rows->low[row], high = weight == 0.f ? low : j->rows->high[row];
      const int32_t slot = numbers[1] == low || (low != high && numbers[0] == high);
      const int64_t wanted[2] = {low, high};
      for (int32_t k = 0; k < (low == high ? 1 : 2); k++) {
        const int32_t s = slot ^ k;
        if (numbers[s] == wanted[k]) continue;
        convert(j, wanted[k], first, last - first, rows[s]);
        numbers[s] = wanted[k];
      }
      const piece from = {.a = rows[slot],
                          .b = rows[low == high ? slot : 1 - slot],
                          .weight = low == high ? 0.f : weight,
                          .first = first,
                          .begin = column,
                          .end = stop,
                          .y = j->y + row * line};
      write_piece(j, &from);
    }
    column = stop;
  }
}

void d3k_frame_read(int32_t threads, const d3k_frame *frame, const d3k_axis *rows,
                    const d3k_axis *columns, float *y) {
  if (rows->size <= 0 || columns->size <= 0) return;
  job j = {.frame = frame, .rows = rows, .columns = columns, .y = y};
  const int32_t format = frame->format;
  if (frame->channels == 1 || format == GRAY8) {
    j.floats = 1;
  } else {
    j.floats = format == RGB8 || format == BGR8 || format == FLOAT32 ? 3 : 4;
  }
  const int32_t is_bgr = format == BGR8 || format == BGRA8;
  j.is_reversed = is_colour(format) && is_bgr != (frame->swaps_colours != 0);
  j.is_same_width = columns->size == frame->width;
  for (int64_t i = 0; i < columns->size && j.is_same_width; i++) {
    j.is_same_width = columns->low[i] == i && (columns->weight[i] == 0.f || columns->high[i] == i);
  }
  d3k_parallel(d3k_threads_for(threads, rows->size * columns->size * frame->channels), rows->size,
               run_rows, &j);
}

D3K_CLONES(extern, int32_t, d3k_all_finite, (const float *x, int64_t count), (x, count)) {
  int32_t found = 0;
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    found |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return !found;
}
