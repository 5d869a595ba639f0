// A model as it is kept for saving: its protobuf message in parts, and the places of its weights.
#ifndef D3O_SOURCE_HPP
#define D3O_SOURCE_HPP

#include <google/protobuf/io/coded_stream.h>

#include <memory>
#include <mutex>

#include "internal.hpp"

namespace d3o {

/// A protobuf message that is cut in two around one of its fields, which is written between the
/// parts.
struct Layer {
  int field;  // the number of the message in the message around it
  std::unique_ptr<google::protobuf::MessageLite> front, back;
};

/// A tensor whose values are weights. Values that follow from the weights alone are not kept here.
struct Weight {
  const void *owner;          // the element of `nodes` or `initializers` that contains it
  int64_t first, count;       // its elements of the flat weights
  int32_t type;               // TensorProto.DataType
  onnx::TensorProto *tensor;  // filled with the values before it is written; or NULL:
  std::vector<Layer> layers;  // the messages from `owner` inwards, around the values
};

/// Writes values in the encoding of raw_data; `type` is FLOAT, FLOAT16 or BFLOAT16.
void write_values(google::protobuf::io::CodedOutputStream &stream, int32_t type,
                  const float *values, size_t count);

/// Replaces the values of a tensor, in the encoding that it has. A value that has not changed keeps
/// its bits.
void put_values(onnx::TensorProto &tensor, const float *values, size_t count);

}  // namespace d3o

struct d3o_source {
  // The parts of the model in the order of the file. The graph stands after `head`, the metadata
  // after `middle`.
  onnx::ModelProto head, middle, tail;
  // The parts of the graph: the nodes stand before `graph_head`, the initializers after it.
  onnx::GraphProto graph_head, graph_tail;
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
  google::protobuf::RepeatedPtrField<onnx::TensorProto> initializers;
  google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto> metadata;
  std::vector<d3o::Weight> weights;  // in the order of the file
  int64_t weight_count = 0;
  std::mutex mutex;  // guards the tensors that are filled for writing, one at a time
};

#endif  // D3O_SOURCE_HPP
