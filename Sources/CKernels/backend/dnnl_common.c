/* Descriptors and arrays of ours -> oneDNN's; empty where oneDNN is not built in. */
#include "backend/dnnl_common.h"

#ifdef D3K_ONEDNN
#include <pthread.h>

/* Of libgomp; omp.h is gcc's own and not always there for clang. */
extern void omp_set_num_threads(int threads);
extern int omp_get_max_threads(void);

static dnnl_engine_t engine;

static void make_engine(void) {
  if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
}

dnnl_engine_t d3k_dnnl_engine(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_engine);
  return engine;
}

int32_t d3k_dnnl_threads(int32_t threads) {
  int32_t before = omp_get_max_threads();
  if (before != threads) omp_set_num_threads(threads < 1 ? 1 : threads);
  return before;
}

/* Post-ops ------------------------------------------------------------------------------- */

typedef struct eltwise {
  dnnl_alg_kind_t algorithm;
  float alpha, beta;
} eltwise;

/* One of ours as one or two of oneDNN's; 0 where it has none or ours differs. */
static int32_t eltwise_of(const d3k_stage *stage, eltwise out[2]) {
#define ONE(kind, algorithm, alpha, beta)       \
  case kind:                                    \
    out[0] = (eltwise){algorithm, alpha, beta}; \
    return 1
  switch (stage->kind) {
    ONE(D3K_RELU, dnnl_eltwise_relu, 0, 0);
    ONE(D3K_LEAKY_RELU, dnnl_eltwise_relu, stage->a, 0);
    ONE(D3K_ELU, dnnl_eltwise_elu, stage->a, 0);
    ONE(D3K_CLIP, dnnl_eltwise_clip, stage->a, stage->b);
    ONE(D3K_HARD_SWISH, dnnl_eltwise_hardswish, 1, 0);
    ONE(D3K_SIGMOID, dnnl_eltwise_logistic, 0, 0);
    ONE(D3K_TANH, dnnl_eltwise_tanh, 0, 0);
    ONE(D3K_GELU, dnnl_eltwise_gelu_erf, 0, 0);
    ONE(D3K_GELU_TANH, dnnl_eltwise_gelu_tanh, 0, 0);
    ONE(D3K_ABS, dnnl_eltwise_abs, 0, 0);
    ONE(D3K_NEG, dnnl_eltwise_linear, -1, 0);
    case D3K_HARD_SIGMOID:
      out[0] = (eltwise){dnnl_eltwise_linear, stage->a, stage->b};
      out[1] = (eltwise){dnnl_eltwise_clip, 0, 1};
      return 2;
    default:
      return 0;
  }
#undef ONE
}

/* oneDNN 2.6 computes two eltwise post-ops of one algorithm with the parameters of one of them. */
static int32_t contains(const dnnl_alg_kind_t *used, int32_t used_count, const eltwise *ops,
                        int32_t count) {
  for (int32_t i = 0; i < used_count; i++)
    for (int32_t j = 0; j < count; j++)
      if (used[i] == ops[j].algorithm) return 1;
  return 0;
}

static int32_t binary_of(int32_t kind, dnnl_alg_kind_t algorithms[2]) {
#define ONE(kind, algorithm)   \
  case kind:                   \
    algorithms[0] = algorithm; \
    return 1
  switch (kind) {
    ONE(D3K_ADD, dnnl_binary_add);
    ONE(D3K_SUB, dnnl_binary_sub);
    ONE(D3K_MUL, dnnl_binary_mul);
    ONE(D3K_DIV, dnnl_binary_div);
    ONE(D3K_MIN, dnnl_binary_min);
    ONE(D3K_MAX, dnnl_binary_max);
    case D3K_AFFINE:
      algorithms[0] = dnnl_binary_mul;
      algorithms[1] = dnnl_binary_add;
      return 2;
    default:
      return 0;
  }
#undef ONE
}

/* The operand as oneDNN should see it; 0 where it cannot. */
static int32_t operand_desc(const d3k_stage *stage, const dnnl_memory_desc_t *dst,
                            int32_t channel_axis, int64_t row_stride, dnnl_memory_desc_t *desc) {
  dnnl_dims_t dims, strides;
  if (stage->extent == D3K_FULL) {
    /* oneDNN finds the operand where it finds dst: their strides must be equal. */
    if (stage->operand_stride != row_stride) return 0;
    *desc = *dst;
    return 1;
  }
  int64_t channels = stage->extent == D3K_CHANNEL ? dst->dims[channel_axis] : 1;
  for (int32_t i = 0; i < dst->ndims; i++) {
    dims[i] = i == channel_axis ? channels : 1;
    strides[i] = i == channel_axis ? 1 : channels;
  }
  return dnnl_memory_desc_init_by_strides(desc, dst->ndims, dims, dnnl_f32, strides) ==
         dnnl_success;
}

int32_t d3k_dnnl_add_chain(dnnl_primitive_attr_t attr, const d3k_chain *chain,
                           const dnnl_memory_desc_t *dst, int32_t channel_axis, int64_t row_stride,
                           d3k_dnnl_post_ops *post_ops) {
  dnnl_post_ops_t list;
  if (dnnl_post_ops_create(&list) != dnnl_success) return 0;
  post_ops->stages = post_ops->operand_count = 0;
  int32_t index = 0, fine = 1;
  dnnl_alg_kind_t used[2 * D3K_MAX_STAGES];
  for (int32_t s = 0; s < chain->count && fine; s++, post_ops->stages = s) {
    const d3k_stage *stage = &chain->stages[s];
    eltwise ops[2];
    dnnl_alg_kind_t algorithms[2];
    dnnl_memory_desc_t desc;
    int32_t count = eltwise_of(stage, ops);
    if (count && contains(used, index, ops, count)) break;
    for (int32_t i = 0; i < count; i++) {
      used[index++] = ops[i].algorithm;
      fine &= dnnl_post_ops_append_eltwise(list, 1, ops[i].algorithm, ops[i].alpha, ops[i].beta) ==
              dnnl_success;
    }
    if (count) continue;
    count = binary_of(stage->kind, algorithms);
    if (!count || !operand_desc(stage, dst, channel_axis, row_stride, &desc)) break;
    for (int32_t i = 0; i < count; i++) {
      fine &= dnnl_post_ops_append_binary(list, algorithms[i], &desc) == dnnl_success;
      int32_t at = post_ops->operand_count++;
      post_ops->operands[at].stage = s;
      post_ops->operands[at].is_second = i;
      post_ops->operands[at].index = index;
      used[index++] = algorithms[i];
      post_ops->operands[at].desc = desc;
    }
  }
  fine = fine && dnnl_primitive_attr_set_post_ops(attr, list) == dnnl_success;
  dnnl_post_ops_destroy(list);
  return fine;
}

/* What oneDNN could not do is told where its caller looks for it. */
static void note(dnnl_status_t status) {
  if (status == dnnl_success) return;
  d3k_fail(status == dnnl_out_of_memory ? D3K_FAILED_MEMORY : D3K_FAILED_BACKEND);
}

int32_t d3k_dnnl_is_best(const char *name) { return strstr(name, "brg") != NULL; }

int32_t d3k_dnnl_is_compiled(const char *name) {
  return d3k_dnnl_is_best(name) || strstr(name, "jit") == name;
}

dnnl_primitive_desc_t d3k_dnnl_desc_create(const void *op, dnnl_primitive_attr_t attr,
                                           dnnl_primitive_desc_t hint,
                                           int32_t (*is_wanted)(const char *name)) {
  dnnl_primitive_desc_t desc;
  const char *name = NULL;
  if (dnnl_primitive_desc_create(&desc, op, attr, d3k_dnnl_engine(), hint) != dnnl_success)
    return NULL;
  dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
  if (name && is_wanted(name)) return desc;
  dnnl_primitive_desc_destroy(desc);
  return NULL;
}

/* Calls ---------------------------------------------------------------------------------- */

int32_t d3k_dnnl_call_create(d3k_dnnl_call *call, dnnl_primitive_desc_t desc) {
  *call = (d3k_dnnl_call){0};
  if (dnnl_primitive_create(&call->primitive, desc) != dnnl_success) return 0;
  return dnnl_stream_create(&call->stream, d3k_dnnl_engine(), dnnl_stream_default_flags) ==
         dnnl_success;
}

int32_t d3k_dnnl_call_add(d3k_dnnl_call *call, int32_t argument, const dnnl_memory_desc_t *desc) {
  dnnl_exec_arg_t *arg = &call->args[call->arg_count];
  if (dnnl_memory_create(&arg->memory, desc, d3k_dnnl_engine(), DNNL_MEMORY_NONE) != dnnl_success)
    return 0;
  arg->arg = argument;
  call->arg_count++;
  return 1;
}

int32_t d3k_dnnl_call_add_operands(d3k_dnnl_call *call, const d3k_dnnl_post_ops *post_ops) {
  int32_t fine = 1;
  for (int32_t i = 0; i < post_ops->operand_count && fine; i++)
    fine = d3k_dnnl_call_add(
        call, DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_ops->operands[i].index) | DNNL_ARG_SRC_1,
        &post_ops->operands[i].desc);
  return fine;
}

void d3k_dnnl_call_set(const d3k_dnnl_call *call, int32_t index, const void *data) {
  /* Setting a handle makes oneDNN 2 write zeros into padding (that of packed weights, which we did
   * once already), even when the handle stays the same. */
  void *before = NULL;
  dnnl_memory_get_data_handle(call->args[index].memory, &before);
  if (before == data) return;
  /* Not const in oneDNN; inputs are only read. */
  note(dnnl_memory_set_data_handle(call->args[index].memory, (void *)(uintptr_t)data));
}

void d3k_dnnl_call_set_operands(const d3k_dnnl_call *call, int32_t first,
                                const d3k_dnnl_post_ops *post_ops, const d3k_chain *chain) {
  for (int32_t i = 0; i < post_ops->operand_count; i++) {
    const d3k_stage *stage = &chain->stages[post_ops->operands[i].stage];
    d3k_dnnl_call_set(call, first + i,
                      post_ops->operands[i].is_second ? stage->operand2 : stage->operand);
  }
}

void d3k_dnnl_call_run(const d3k_dnnl_call *call, int32_t threads) {
  /* Arguments may be missing; the caller finds out that nothing is right from here on. */
  if (d3k_has_failed()) return;
  int32_t before = d3k_dnnl_threads(threads);
  note(dnnl_primitive_execute(call->primitive, call->stream, call->arg_count, call->args));
  d3k_dnnl_threads(before);
}

void d3k_dnnl_call_destroy(d3k_dnnl_call *call) {
  for (int32_t i = 0; i < call->arg_count; i++) dnnl_memory_destroy(call->args[i].memory);
  if (call->stream) dnnl_stream_destroy(call->stream);
  if (call->primitive) dnnl_primitive_destroy(call->primitive);
}
#endif
