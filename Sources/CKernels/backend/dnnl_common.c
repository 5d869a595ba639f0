/* Descriptors and arrays of ours -> oneDNN's; empty where oneDNN is not built in. */
#include "backend/dnnl_common.h"

#ifdef D3K_ONEDNN
#include <pthread.h>

/* Both belong to libgomp, and set what oneDNN asks for on this thread; no team is ever made. omp.h
 * comes with gcc, and clang does not always have it. */
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

int32_t d3k_dnnl_keep(void) {
  int32_t before = omp_get_max_threads();
  if (before != 1) omp_set_num_threads(1);
  return before;
}

void d3k_dnnl_restore(int32_t before) {
  if (before != 1) omp_set_num_threads(before);
}

/* Records a failure of oneDNN for d3k_take_failure. */
static void note(dnnl_status_t status) {
  if (status == dnnl_success) return;
  d3k_fail(status == dnnl_out_of_memory ? D3K_FAILED_MEMORY : D3K_FAILED_BACKEND);
}

int32_t d3k_dnnl_is_best(const char *name) { return strstr(name, "brg") != NULL; }

int32_t d3k_dnnl_is_compiled(const char *name) {
  return d3k_dnnl_is_best(name) || strstr(name, "jit") == name;
}

dnnl_primitive_desc_t d3k_dnnl_desc_create(const void *op, float alpha, dnnl_primitive_desc_t hint,
                                           int32_t (*is_wanted)(const char *name)) {
  dnnl_primitive_attr_t attr;
  dnnl_primitive_desc_t desc;
  const char *name = NULL;
  if (dnnl_primitive_attr_create(&attr) != dnnl_success) return NULL;
  int32_t fine =
      dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) == dnnl_success &&
      (alpha == 1 || dnnl_primitive_attr_set_output_scales(attr, 1, 0, &alpha) == dnnl_success) &&
      dnnl_primitive_desc_create(&desc, op, attr, d3k_dnnl_engine(), hint) == dnnl_success;
  dnnl_primitive_attr_destroy(attr);
  if (!fine) return NULL;
  dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
  if (name && is_wanted(name)) return desc;
  dnnl_primitive_desc_destroy(desc);
  return NULL;
}

/* Calls ---------------------------------------------------------------------------------- */

int32_t d3k_dnnl_call_create(d3k_dnnl_call *call, dnnl_primitive_desc_t desc,
                             const d3k_dnnl_call *like) {
  *call = (d3k_dnnl_call){.primitive = like ? like->primitive : NULL, .is_owner = !like};
  if (!like && dnnl_primitive_create(&call->primitive, desc) != dnnl_success) return 0;
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

void d3k_dnnl_call_set(const d3k_dnnl_call *call, int32_t index, const void *data) {
  /* Setting a handle makes oneDNN 2 write zeros into the padding of packed weights, even when the
   * handle stays the same. d3k_dnnl_pack has written them already. */
  void *before = NULL;
  dnnl_memory_get_data_handle(call->args[index].memory, &before);
  if (before == data) return;
  /* oneDNN takes no const pointer here, but it only reads inputs. */
  note(dnnl_memory_set_data_handle(call->args[index].memory, (void *)(uintptr_t)data));
}

void d3k_dnnl_call_run(const d3k_dnnl_call *call) {
  /* Arguments may be missing after a failure, which d3k_take_failure tells the caller. */
  if (d3k_has_failed()) return;
  int32_t before = d3k_dnnl_keep();
  note(dnnl_primitive_execute(call->primitive, call->stream, call->arg_count, call->args));
  d3k_dnnl_restore(before);
}

void d3k_dnnl_call_destroy(d3k_dnnl_call *call) {
  for (int32_t i = 0; i < call->arg_count; i++) dnnl_memory_destroy(call->args[i].memory);
  if (call->stream) dnnl_stream_destroy(call->stream);
  if (call->is_owner && call->primitive) dnnl_primitive_destroy(call->primitive);
}
#endif
