/* The kernels that Swift calls for operators, and how their arguments lie on a tape. Each type is
 * described once: Out (record.cpp) writes it, In (replay.cpp) reads it. */
#ifndef D3T_CALLS_HPP
#define D3T_CALLS_HPP

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "d3k.h"
#include "d3k_conv_gradient.h"
#include "d3k_gradient.h"

// run.sh reads these names, too: each is replaced when the recorder is linked.
#define D3T_CALLS(CALL)                   \
  CALL(d3k_accumulate)                    \
  CALL(d3k_arg_max)                       \
  CALL(d3k_broadcast)                     \
  CALL(d3k_broadcast_backward)            \
  CALL(d3k_chain_backward)                \
  CALL(d3k_chain_backward_scratch_bytes)  \
  CALL(d3k_chain_run)                     \
  CALL(d3k_conv_create)                   \
  CALL(d3k_conv_gradient_create)          \
  CALL(d3k_conv_gradient_run)             \
  CALL(d3k_conv_gradient_scratch_bytes)   \
  CALL(d3k_conv_pack)                     \
  CALL(d3k_conv_packed_bytes)             \
  CALL(d3k_conv_run)                      \
  CALL(d3k_conv_scratch_bytes)            \
  CALL(d3k_copy)                          \
  CALL(d3k_fill)                          \
  CALL(d3k_grid_sample_backward)          \
  CALL(d3k_grid_sample_run)               \
  CALL(d3k_group_norm)                    \
  CALL(d3k_group_norm_backward)           \
  CALL(d3k_index)                         \
  CALL(d3k_index_backward)                \
  CALL(d3k_layer_norm)                    \
  CALL(d3k_layer_norm_backward)           \
  CALL(d3k_matmul_create)                 \
  CALL(d3k_matmul_pack)                   \
  CALL(d3k_matmul_packed_bytes)           \
  CALL(d3k_matmul_run)                    \
  CALL(d3k_matmul_scratch_bytes)          \
  CALL(d3k_norm_backward_scratch_bytes)   \
  CALL(d3k_pool_backward)                 \
  CALL(d3k_pool_run)                      \
  CALL(d3k_reduce)                        \
  CALL(d3k_reduce_backward)               \
  CALL(d3k_resample)                      \
  CALL(d3k_resize_backward_scratch_bytes) \
  CALL(d3k_resize_linear)                 \
  CALL(d3k_resize_linear_backward)        \
  CALL(d3k_softmax)                       \
  CALL(d3k_softmax_backward)              \
  CALL(d3k_where)                         \
  CALL(d3k_where_backward)

namespace tape {

enum class Event : uint8_t { map, unmap, poke, call, expect, slope };
enum class Place : uint8_t { null, mapped, given, result };

/* Out and In have:
 *   raw(value)            the bytes of a value
 *   address(pointer)      of mapped memory; or else of an array over all of the call's walk
 *   array(pointer, count) elements that are no part of mapped memory
 *   object(pointer)       what a _create function has returned
 *   store(value)          a copy that lives as long as the call
 *   keep(pointer)         such a copy in its place; false where it is NULL
 *   threads(count), backend(number)
 *   walk                  of the call                                                          */

template <class Stream>
void members(Stream &, d3k_lines &) {}
template <class Stream>
void members(Stream &, d3k_pool &) {}
template <class Stream>
void members(Stream &, d3k_grid_sample &) {}

template <class Stream>
void members(Stream &stream, d3k_walk &walk) {
  stream.walk = &walk;
}

template <class Stream>
void members(Stream &stream, d3k_chain &chain) {
  for (int32_t i = 0; i < chain.count; i++) {
    stream.address(chain.stages[i].operand);
    stream.address(chain.stages[i].operand2);
  }
}

template <class Stream>
void members(Stream &stream, d3k_conv_options &options) {
  stream.threads(options.threads);
  stream.backend(options.backend);
  members(stream, options.chain);
}

template <class Stream>
void members(Stream &stream, d3k_matmul_options &options) {
  stream.threads(options.threads);
  stream.backend(options.backend);
  members(stream, options.chain);
}

template <class Stream>
void members(Stream &stream, d3k_norm &norm) {
  stream.address(norm.x);
  stream.address(norm.scale);
  stream.address(norm.shift);
  stream.address(norm.y);
}

template <class Stream>
void members(Stream &stream, d3k_norm_gradient &norm) {
  stream.address(norm.x);
  stream.address(norm.dy);
  stream.address(norm.scale);
  stream.address(norm.dx);
  stream.address(norm.dscale);
  stream.address(norm.dshift);
  stream.address(norm.scratch);
}

template <class Stream>
void members(Stream &stream, d3k_axis &axis) {
  stream.array(axis.low, axis.size);
  stream.array(axis.high, axis.size);
  stream.array(axis.weight, axis.size);
}

template <class Stream>
void members(Stream &stream, d3k_terms &terms) {
  stream.array(terms.starts, terms.size + 1);
  stream.array(terms.positions, terms.starts[terms.size]);
  stream.array(terms.weights, terms.starts[terms.size]);
}

template <class Stream>
void members(Stream &stream, d3k_chain_gradient &gradients) {
  for (d3k_stage_gradient &stage : gradients.stages) {
    stream.address(stage.operand);
    stream.address(stage.operand2);
    stream.address(stage.center);
    stream.address(stage.factor);
  }
}

template <class Stream>
void members(Stream &, d3k_resize &);
template <class Stream>
void members(Stream &, d3k_chain_pass &);

template <class Stream, class Struct>
void carry(Stream &stream, const Struct *&pointer) {
  if (!stream.keep(pointer)) return;
  // It is the stream's own.
  Struct &own = const_cast<Struct &>(*pointer);
  stream.raw(own);
  members(stream, own);
}

template <class Stream>
void members(Stream &stream, d3k_resize &resize) {
  carry(stream, resize.rows);
  carry(stream, resize.columns);
}

template <class Stream>
void members(Stream &stream, d3k_chain_pass &pass) {
  carry(stream, pass.chain);
  carry(stream, pass.gradients);
  stream.address(pass.x);
  stream.address(pass.y);
  stream.address(pass.dy);
  stream.address(pass.dx);
  stream.address(pass.scratch);
}

template <class Stream>
void carry(Stream &stream, int32_t &value) {
  stream.raw(value);
}
template <class Stream>
void carry(Stream &stream, int64_t &value) {
  stream.raw(value);
}
template <class Stream>
void carry(Stream &stream, float &value) {
  stream.raw(value);
}
template <class Stream>
void carry(Stream &stream, float *&pointer) {
  stream.address(pointer);
}
template <class Stream>
void carry(Stream &stream, void *&pointer) {
  stream.address(pointer);
}
template <class Stream>
void carry(Stream &stream, const float *&pointer) {
  stream.address(pointer);
}
template <class Stream>
void carry(Stream &stream, const void *&pointer) {
  stream.address(pointer);
}
template <class Stream>
void carry(Stream &stream, const d3k_conv *&conv) {
  stream.object(conv);
}
template <class Stream>
void carry(Stream &stream, const d3k_matmul *&matmul) {
  stream.object(matmul);
}
template <class Stream>
void carry(Stream &stream, const d3k_conv_gradient *&gradient) {
  stream.object(gradient);
}

/* in_dims of d3k_index_backward. */
template <class Stream>
void carry(Stream &stream, const int64_t *&dims) {
  stream.array(dims, stream.walk->rank);
}

/* Index tables, one for each dimension of the walk, or NULL. */
template <class Stream>
void carry(Stream &stream, const int32_t *const *&tables) {
  struct Tables {
    const int32_t *of[D3K_MAX_RANK];
  };
  Tables own = {};
  for (int32_t k = 0; k < stream.walk->rank; k++) {
    if (tables) own.of[k] = tables[k];
    uint8_t is_table = own.of[k] != nullptr;
    stream.raw(is_table);
    if (is_table) stream.array(own.of[k], stream.walk->dims[k]);
  }
  tables = stream.store(own)->of;
}

/* All arguments of a call, the number of threads first where there is one. */
template <class Stream, class First, class... Rest>
void carry_all(Stream &stream, First &first, Rest &...rest) {
  stream.walk = nullptr;
  carry(stream, first);
  if constexpr (std::is_same_v<First, int32_t>) stream.threads(first);
  (carry(stream, rest), ...);
}

}  // namespace tape

#endif  // D3T_CALLS_HPP
