// What a model is saved from: its message in parts, and where its weights belong.
#ifndef D3O_SOURCE_HPP
#define D3O_SOURCE_HPP

#include <memory>
#include <mutex>

#include "internal.hpp"

namespace d3o {

/// A tensor whose values are in the weights and, where they follow from these, nowhere else.
struct Weight {
  onnx::TensorProto *tensor;
  const void *owner;     // the element of `nodes` or `initializers` that it belongs to
  int64_t first, count;  // in the flat weights
  bool is_raw;           // values belong in raw_data
};

/// Puts values into a tensor, in the encoding of its type; a value that is what stands there
/// already keeps its bits.
void put_values(onnx::TensorProto &tensor, bool is_raw, const float *values, size_t count);

}  // namespace d3o

struct d3o_source {
  // In the order of the file, between them the graph and the metadata.
  onnx::ModelProto head, middle, tail;
  // Between them the initializers, before them the nodes.
  onnx::GraphProto graph_head, graph_tail;
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
  google::protobuf::RepeatedPtrField<onnx::TensorProto> initializers;
  google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto> metadata;
  std::vector<d3o::Weight> weights;  // in the order of their owners in the file
  int64_t weight_count = 0;
  std::mutex mutex;  // guards the tensors of weights, which are filled one at a time to be written
};

#endif  // D3O_SOURCE_HPP
