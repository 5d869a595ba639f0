/* What the users of oneDNN share: engine, threads, primitives, packing weights.
 *
 * oneDNN computes convolutions and products alone. Our own chain computes what follows them: the
 * post-ops of oneDNN 2.6 would save some 2 % of the time, but they turn NaN into numbers. */
#ifndef D3K_DNNL_COMMON_H
#define D3K_DNNL_COMMON_H

#include "base/internal.h"

#ifdef D3K_ONEDNN
#include <oneapi/dnnl/dnnl.h>

/** oneDNN's engine for the processor, which is never freed; NULL where oneDNN cannot make it. */
dnnl_engine_t d3k_dnnl_engine(void);

/** Keeps oneDNN on the calling thread: the threads are ours, and no sum may depend on them. Returns
 *  what d3k_dnnl_restore gives back to the host program. */
int32_t d3k_dnnl_keep(void);
void d3k_dnnl_restore(int32_t before);

/** Whether a kernel of this name is worth using. Those named "ref" and "gemm" are slower than ours.
 *  The "brg" kernels are best; the older "jit" kernels come second, and are too slow in bfloat16.
 */
int32_t d3k_dnnl_is_best(const char *name);
int32_t d3k_dnnl_is_compiled(const char *name);

/** The descriptor of an operation times alpha, with scratch memory that is ours; NULL where oneDNN
 *  has none whose kernel's name is wanted. hint: that of the forward pass, or NULL. */
dnnl_primitive_desc_t d3k_dnnl_desc_create(const void *op, float alpha, dnnl_primitive_desc_t hint,
                                           int32_t (*is_wanted)(const char *name));

/** How a primitive wants its first array of a kind (dnnl_query_src_md, …). */
D3K_INLINE const dnnl_memory_desc_t *d3k_dnnl_layout(const_dnnl_primitive_desc_t desc,
                                                     dnnl_query_t kind) {
  return dnnl_primitive_desc_query_md(desc, kind, 0);
}

/** A primitive with its memories, for one thread at a time; data handles are set before each run.
 */
typedef struct d3k_dnnl_call {
  dnnl_stream_t stream;
  dnnl_primitive_t primitive;
  int32_t is_owner; /* of the primitive                                                         */
  int32_t arg_count;
  dnnl_exec_arg_t args[5];
} d3k_dnnl_call;

/** Makes the primitive of a descriptor and its stream; 0 when that fails. like: a call that has the
 *  primitive already and lives longer, or NULL. */
int32_t d3k_dnnl_call_create(d3k_dnnl_call *call, dnnl_primitive_desc_t desc,
                             const d3k_dnnl_call *like);
/** Adds an argument; 0 when that fails. */
int32_t d3k_dnnl_call_add(d3k_dnnl_call *call, int32_t argument, const dnnl_memory_desc_t *desc);
/** Sets the array of argument number `index` (in the order of adding). */
void d3k_dnnl_call_set(const d3k_dnnl_call *call, int32_t index, const void *data);
void d3k_dnnl_call_run(const d3k_dnnl_call *call);
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
