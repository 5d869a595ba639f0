// What a model is saved from: its message in parts, and where its weights belong.
#ifndef D3O_SOURCE_HPP
#define D3O_SOURCE_HPP

#include <google/protobuf/io/coded_stream.h>

#include <memory>
#include <mutex>

#include "internal.hpp"

namespace d3o {

/// A message around a field of it that holds what is written in between.
struct Layer {
  int field;  // of the message, in the one around it
  std::unique_ptr<google::protobuf::MessageLite> front, back;
};

/// A tensor whose values are in the weights and, where they follow from these, nowhere else.
struct Weight {
  const void *owner;          // the element of `nodes` or `initializers` that stands for it
  int64_t first, count;       // in the flat weights
  int32_t type;               // TensorProto.DataType
  onnx::TensorProto *tensor;  // which is filled to be written; else, NULL,
  std::vector<Layer> layers;  // from the element to the raw_data of the tensor
};

/// Writes values as raw_data has them, of a type of at most 32 bits.
void write_values(google::protobuf::io::CodedOutputStream &stream, int32_t type,
                  const float *values, size_t count);

/// Puts values into a tensor that has some, in the encoding of its type; one that is what stands
/// there already keeps its bits.
void put_values(onnx::TensorProto &tensor, const float *values, size_t count);

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
