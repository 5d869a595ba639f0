/* Weights addressed by strides -> oneDNN's blocked layout, scaled and rounded on the way. */
#include "backend/dnnl_common.h"

#ifdef D3K_ONEDNN
#include "base/tiles.h"

/* Position along one axis -> offset in the blocked array. The offset of an element is the sum over
 * its axes: every layout oneDNN blocks by dividing axes is separable. */
static int64_t axis_offset(const dnnl_memory_desc_t *desc, int32_t axis, int64_t position) {
  const dnnl_blocking_desc_t *blocking = &desc->format_desc.blocking;
  int64_t offset = 0, inside = 1;
  for (int32_t b = blocking->inner_nblks - 1; b >= 0; b--) {
    int64_t size = blocking->inner_blks[b];
    if (blocking->inner_idxs[b] == axis) {
      offset += position % size * inside;
      position /= size;
    }
    inside *= size;
  }
  return offset + position * blocking->strides[axis];
}

int32_t d3k_dnnl_can_pack(const dnnl_memory_desc_t *desc) {
  return desc->format_kind == dnnl_blocked && desc->extra.flags == dnnl_memory_extra_flag_none &&
         desc->ndims <= 5 && (desc->data_type == dnnl_f32 || desc->data_type == dnnl_bf16);
}

D3K_INLINE uint16_t bf16_of(float value) {
  union {
    float value;
    uint32_t bits;
  } v = {value};
  if (value != value) return (uint16_t)(v.bits >> 16 | 0x40); /* stays a NaN */
  return (uint16_t)((v.bits + 0x7fff + (v.bits >> 16 & 1)) >> 16);
}

/* One block of 16 along the scaled axis: writes run along a block, as most layouts end in one. */
static void pack_block(const void *context, int64_t tile, char *scratch) {
  (void)scratch;
  const d3k_dnnl_packing *p = context;
  const dnnl_memory_desc_t *desc = p->desc;
  int32_t axis = p->scale_axis, outer = p->outer_axis;
  int64_t size = desc->dims[axis], blocks = (size + 15) / 16;
  int64_t g = tile / blocks, begin = tile % blocks * 16, end = d3k_min(begin + 16, size);
  int64_t base = outer < 0 ? 0 : axis_offset(desc, outer, g);
  const float *from = p->from + (outer < 0 ? 0 : g * p->strides[outer]);
  int64_t offsets[16];
  float scales[16];
  for (int64_t o = begin; o < end; o++) {
    offsets[o - begin] = base + axis_offset(desc, axis, o);
    scales[o - begin] = p->alpha * (p->scale ? p->scale[g * size + o] : 1);
  }
  int32_t rest[3], rest_count = 0;
  for (int32_t i = 0; i < desc->ndims; i++)
    if (i != axis && i != outer) rest[rest_count++] = i;
  int64_t dims[3] = {1, 1, 1}, strides[3] = {0, 0, 0};
  for (int32_t i = 0; i < rest_count; i++) {
    dims[3 - rest_count + i] = desc->dims[rest[i]];
    strides[3 - rest_count + i] = p->strides[rest[i]];
  }
  for (int64_t a = 0; a < dims[0]; a++) {
    int64_t offset_a = rest_count == 3 ? axis_offset(desc, rest[0], a) : 0;
    for (int64_t b = 0; b < dims[1]; b++) {
      int64_t offset_b =
          offset_a + (rest_count >= 2 ? axis_offset(desc, rest[rest_count - 2], b) : 0);
      for (int64_t c = 0; c < dims[2]; c++) {
        int64_t offset = offset_b + axis_offset(desc, rest[rest_count - 1], c);
        const float *x = from + a * strides[0] + b * strides[1] + c * strides[2];
        for (int64_t o = begin; o < end; o++) {
          float value = x[o * p->strides[axis]] * scales[o - begin];
          if (desc->data_type == dnnl_bf16)
            ((uint16_t *)p->to)[offset + offsets[o - begin]] = bf16_of(value);
          else
            ((float *)p->to)[offset + offsets[o - begin]] = value;
        }
      }
    }
  }
}

void d3k_dnnl_pack(int32_t threads, const d3k_dnnl_packing *packing) {
  const dnnl_memory_desc_t *desc = packing->desc;
  int64_t real = 1, padded = 1;
  for (int32_t i = 0; i < desc->ndims; i++) real *= desc->dims[i], padded *= desc->padded_dims[i];
  if (padded != real) memset(packing->to, 0, dnnl_memory_desc_get_size(desc));
  int64_t outer = packing->outer_axis < 0 ? 1 : desc->dims[packing->outer_axis];
  int64_t blocks = (desc->dims[packing->scale_axis] + 15) / 16;
  d3k_tiles_run(threads, outer * blocks, pack_block, packing, NULL, 0);
}

typedef struct unpack_call {
  const dnnl_memory_desc_t *desc;
  const float *from;
  float *to;
} unpack_call;

/* A block of 16 outputs of one group: reads run along a block, writes along 16 rows at once. */
D3K_CLONES(static, void, unpack_block, (const void *context, int64_t tile, char *scratch),
           (context, tile, scratch)) {
  (void)scratch;
  const unpack_call *call = context;
  const dnnl_memory_desc_t *desc = call->desc;
  const int64_t *strides = desc->format_desc.blocking.strides;
  int32_t out = desc->ndims - 4, in = out + 1; /* axes; the taps' are never cut into blocks */
  int64_t size = desc->dims[out], blocks = d3k_ceil_div(size, 16), g = tile / blocks;
  int64_t begin = tile % blocks * 16, count = d3k_min(16, size - begin), offsets[16];
  int64_t height = desc->dims[in + 1], width = desc->dims[in + 2];
  int64_t row = desc->dims[in] * height * width;
  for (int64_t o = 0; o < count; o++)
    offsets[o] = axis_offset(desc, out, begin + o) + (out ? axis_offset(desc, 0, g) : 0);
  int32_t is_run = offsets[count - 1] - offsets[0] == count - 1;
  float *to = call->to + (g * size + begin) * row;
  for (int64_t i = 0; i < desc->dims[in]; i++) {
    const float *input = call->from + axis_offset(desc, in, i);
    for (int64_t ky = 0; ky < height; ky++)
      for (int64_t kx = 0; kx < width; kx++, to++) {
        const float *from = input + ky * strides[in + 1] + kx * strides[in + 2];
        if (is_run)
          for (int64_t o = 0; o < count; o++) to[o * row] += from[offsets[0] + o];
        else
          for (int64_t o = 0; o < count; o++) to[o * row] += from[offsets[o]];
      }
  }
}

void d3k_dnnl_unpack_add(int32_t threads, const dnnl_memory_desc_t *desc, const float *from,
                         float *to) {
  unpack_call call = {desc, from, to};
  int64_t groups = desc->ndims == 5 ? desc->dims[0] : 1;
  int64_t blocks = d3k_ceil_div(desc->dims[desc->ndims - 4], 16);
  d3k_tiles_run(threads, groups * blocks, unpack_block, &call, NULL, 0);
}

typedef struct convert_call {
  const float *x;
  int64_t x_stride, rows, channels;
  uint16_t *y;
} convert_call;

enum { convert_rows = 64 };

D3K_CLONES(static, void, convert, (const void *context, int64_t tile, char *scratch),
           (context, tile, scratch)) {
  (void)scratch;
  const convert_call *call = context;
  int64_t rows = d3k_min(convert_rows, call->rows - tile * convert_rows), n = call->channels;
  const float *x = call->x + tile * convert_rows * call->x_stride;
  uint16_t *y = call->y + tile * convert_rows * n;
  if (call->x_stride == n) n *= rows, rows = 1;
  for (int64_t r = 0; r < rows; r++, x += call->x_stride, y += n)
    for (int64_t c = 0; c < n; c++) y[c] = bf16_of(x[c]);
}

void d3k_to_bf16(int32_t threads, const float *x, int64_t x_stride, int64_t rows, int64_t channels,
                 uint16_t *y) {
  convert_call call = {x, x_stride, rows, channels, y};
  d3k_tiles_run(d3k_threads_for(threads, rows * channels), d3k_ceil_div(rows, convert_rows),
                convert, &call, NULL, 0);
}
#endif
