/* What the two users of oneDNN share: engine, threads, the chain as post-ops, packing weights. */
#ifndef D3K_DNNL_COMMON_H
#define D3K_DNNL_COMMON_H

#include "base/internal.h"

#ifdef D3K_ONEDNN
#include <oneapi/dnnl/dnnl.h>

/** The processor, as oneDNN sees it; NULL when it cannot be had. Never freed. */
dnnl_engine_t d3k_dnnl_engine(void);

/** oneDNN splits work by a setting of the calling thread: sets it, returns what it was. */
int32_t d3k_dnnl_threads(int32_t threads);

/** The stages at the head of a chain that oneDNN does itself, and their operands. */
typedef struct d3k_dnnl_post_ops {
  int32_t stages; /* how many of the chain's stages are done               */
  int32_t operand_count;
  struct {
    int32_t stage, is_second, index; /* whose operand; number of the post-op                  */
    dnnl_memory_desc_t desc;
  } operands[2 * D3K_MAX_STAGES];
} d3k_dnnl_post_ops;

/** Adds what it can of the chain to `attr`. dst: what the chain works on; channel_axis: the axis
 *  of D3K_CHANNEL; row_stride: floats from row to row of dst. 0 when oneDNN refuses. */
int32_t d3k_dnnl_add_chain(dnnl_primitive_attr_t attr, const d3k_chain *chain,
                           const dnnl_memory_desc_t *dst, int32_t channel_axis, int64_t row_stride,
                           d3k_dnnl_post_ops *post_ops);

/** Kernels worth having: "ref" and "gemm" are slower than ours. The older "jit" ones come second,
 *  and not at all in bfloat16: they are slow, and jit_bf16_1x1 of 2.6 gets some post-ops wrong. */
int32_t d3k_dnnl_is_best(const char *name);
int32_t d3k_dnnl_is_compiled(const char *name);

/** The descriptor of an operation; NULL where oneDNN has none whose kernel's name is wanted. hint:
 *  that of the forward pass, or NULL. */
dnnl_primitive_desc_t d3k_dnnl_desc_create(const void *op, dnnl_primitive_attr_t attr,
                                           dnnl_primitive_desc_t hint,
                                           int32_t (*is_wanted)(const char *name));

/** How a primitive wants its first array of a kind (dnnl_query_src_md, …). */
D3K_INLINE const dnnl_memory_desc_t *d3k_dnnl_layout(const_dnnl_primitive_desc_t desc,
                                                     dnnl_query_t kind) {
  return dnnl_primitive_desc_query_md(desc, kind, 0);
}

/** A primitive with its memories; data handles are set before each run. */
typedef struct d3k_dnnl_call {
  dnnl_stream_t stream;
  dnnl_primitive_t primitive;
  int32_t arg_count;
  dnnl_exec_arg_t args[6 + 2 * D3K_MAX_STAGES];
} d3k_dnnl_call;

/** Makes the primitive of a descriptor and its stream; 0 when that fails. */
int32_t d3k_dnnl_call_create(d3k_dnnl_call *call, dnnl_primitive_desc_t desc);
/** Adds an argument; 0 when that fails. */
int32_t d3k_dnnl_call_add(d3k_dnnl_call *call, int32_t argument, const dnnl_memory_desc_t *desc);
/** Adds the operands of post-ops, in their order. */
int32_t d3k_dnnl_call_add_operands(d3k_dnnl_call *call, const d3k_dnnl_post_ops *post_ops);
/** Sets the array of argument number `index` (in the order of adding). */
void d3k_dnnl_call_set(const d3k_dnnl_call *call, int32_t index, const void *data);
/** Sets the operands, added from number `first` on, to those of the chain. */
void d3k_dnnl_call_set_operands(const d3k_dnnl_call *call, int32_t first,
                                const d3k_dnnl_post_ops *post_ops, const d3k_chain *chain);
void d3k_dnnl_call_run(const d3k_dnnl_call *call, int32_t threads);
void d3k_dnnl_call_destroy(d3k_dnnl_call *call);

/** Whether d3k_dnnl_pack can write this layout. */
int32_t d3k_dnnl_can_pack(const dnnl_memory_desc_t *desc);
/** An array addressed by strides (one per axis of desc; at most three axes besides these two),
 *  to be written in oneDNN's layout as float or bfloat16, times alpha and
 *  scale[position on outer_axis * size of scale_axis + position on scale_axis] (NULL = 1). */
typedef struct d3k_dnnl_packing {
  const dnnl_memory_desc_t *desc;
  const float *from, *scale;
  int64_t strides[5];
  int32_t scale_axis, outer_axis; /* outer_axis -1: none                                       */
  float alpha;
  void *to;
} d3k_dnnl_packing;

void d3k_dnnl_pack(int32_t threads, const d3k_dnnl_packing *packing);

/** Adds convolution weights in oneDNN's layout, float, to dense ones in the order of the axes. */
void d3k_dnnl_unpack_add(int32_t threads, const dnnl_memory_desc_t *desc, const float *from,
                         float *to);

/** x (rows of `channels`, x_stride apart) -> bfloat16, dense, rounded to nearest even. */
void d3k_to_bf16(int32_t threads, const float *x, int64_t x_stride, int64_t rows, int64_t channels,
                 uint16_t *y);

#endif
#endif /* D3K_DNNL_COMMON_H */
