// Turns a parsed model into the source that it is saved from: its message without the values of the
// weights and without external data.
#include <algorithm>
#include <map>
#include <set>

#include "source.hpp"

namespace d3o {

namespace {

using google::protobuf::RepeatedPtrField;
using onnx::GraphProto;
using onnx::TensorProto;

constexpr int kRawData = TensorProto::kRawDataFieldNumber;

bool holds_external(const onnx::AttributeProto &attribute);

bool holds_external(const onnx::GraphProto &graph) {
  for (const auto &tensor : graph.initializer()) {
    if (tensor.data_location() == TensorProto::EXTERNAL) return true;
  }
  for (const auto &node : graph.node()) {
    for (const auto &attribute : node.attribute()) {
      if (holds_external(attribute)) return true;
    }
  }
  return false;
}

// The single tensor of an attribute does not count: keep_tensor handles it.
bool holds_external(const onnx::AttributeProto &attribute) {
  for (const auto &tensor : attribute.tensors()) {
    if (tensor.data_location() == TensorProto::EXTERNAL) return true;
  }
  for (const auto &graph : attribute.graphs()) {
    if (holds_external(graph)) return true;
  }
  return attribute.has_g() && holds_external(attribute.g());
}

template <typename Element, typename Test>
void remove(RepeatedPtrField<Element> &list, Test is_gone) {
  int kept = 0;
  for (int i = 0; i < list.size(); i++) {
    if (!is_gone(list.Get(i))) list.SwapElements(i, kept++);
  }
  list.DeleteSubrange(kept, list.size() - kept);
}

/// Moves the fields with numbers below `number` from one message to another.
template <typename Message>
void move_fields_below(int number, Message &from, Message &to) {
  std::vector<const google::protobuf::FieldDescriptor *> fields;
  from.GetReflection()->ListFields(from, &fields);
  const auto end = std::find_if(fields.begin(), fields.end(),
                                [&](const auto *field) { return field->number() >= number; });
  fields.erase(end, fields.end());
  from.GetReflection()->SwapFields(&from, &to, fields);
}

class Keeper {
 public:
  Keeper(d3o_source &source, d3o_model &model)
      : source_(source),
        model_(model),
        graph_(*model.proto.mutable_graph()),
        offsets_(model.tensors.size(), -1) {}

  void add_parameter(const d3o_parameter &parameter) {
    if (parameter.tensor < 0 || static_cast<size_t>(parameter.tensor) >= model_.file_tensors ||
        parameter.offset < 0) {
      fail(D3O_E_FORMAT, "there is no tensor " + std::to_string(parameter.tensor));
    }
    const auto index = static_cast<size_t>(parameter.tensor);
    if (model_.tensors[index].element_count > source_.weight_count - parameter.offset) {
      fail(D3O_E_FORMAT,
           "tensor " + shown(model_.tensors[index].name) + " ends behind the weights");
    }
    if (parameter.node < 0) {
      offsets_[index] = parameter.offset;
    } else if (parameter.node < graph_.node_size() &&
               graph_.node(static_cast<int>(parameter.node)).output_size() > 0) {
      dequantized_[static_cast<int>(parameter.node)] = {index, parameter.offset};
    } else {
      fail(D3O_E_FORMAT, "there is no node " + std::to_string(parameter.node));
    }
  }

  void run() {
    check_external();
    find_unused();
    const int count = graph_.initializer_size();
    auto tensor = static_cast<size_t>(count);
    for (auto &node : *graph_.mutable_node()) keep_node(node, tensor);
    for (const auto &[node, weight] : dequantized_) add_initializer(node, weight);
    for (int i = 0; i < count; i++) {
      auto &initializer = *graph_.mutable_initializer(i);
      if (unused_.count(initializer.name()) > 0) continue;
      if (!keep_tensor(static_cast<size_t>(i), initializer, &initializer)) continue;
      add_layer(GraphProto::kInitializerFieldNumber, initializer, kRawData);
    }
    remove_replaced(count);
    divide();
  }

 private:
  struct Dequantized {
    size_t tensor;
    int64_t offset;
  };

  void check_external() const {
    for (const auto &node : graph_.node()) {
      for (const auto &attribute : node.attribute()) {
        if (!holds_external(attribute)) continue;
        fail(D3O_E_UNSUPPORTED, "attribute " + shown(attribute.name()) + " of node " +
                                    shown(node.name()) + " holds external data");
      }
    }
  }

  // Takes a weight out of a node and cuts the node in two around it. `tensor` is the index of the
  // next tensor record.
  void keep_node(onnx::NodeProto &node, size_t &tensor) {
    int place = -1;
    for (int i = 0; i < node.attribute_size(); i++) {
      if (!node.attribute(i).has_t()) continue;
      if (keep_tensor(tensor++, *node.mutable_attribute(i)->mutable_t(), &node)) place = i;
    }
    if (place < 0) return;
    onnx::AttributeProto attribute;
    attribute.Swap(node.mutable_attribute(place));
    TensorProto value;
    value.Swap(attribute.mutable_t());
    attribute.clear_t();
    const auto [front, back] =
        add_layer(GraphProto::kNodeFieldNumber, node, onnx::NodeProto::kAttributeFieldNumber);
    for (int i = 0; i < place; i++) front->add_attribute()->Swap(back->mutable_attribute(i));
    back->mutable_attribute()->DeleteSubrange(0, place + 1);
    add_layer(onnx::NodeProto::kAttributeFieldNumber, attribute,
              onnx::AttributeProto::kTFieldNumber);
    add_layer(onnx::AttributeProto::kTFieldNumber, value, kRawData);
  }

  // Cuts a message of the last weight in two around the field `inner`, which it no longer has.
  template <typename Message>
  std::pair<Message *, Message *> add_layer(int field, Message &message, int inner) {
    auto front = std::make_unique<Message>(), back = std::make_unique<Message>();
    const std::pair<Message *, Message *> result(front.get(), back.get());
    back->Swap(&message);
    move_fields_below(inner, *back, *front);
    source_.weights.back().layers.push_back({field, std::move(front), std::move(back)});
    return result;
  }

  // Frees the values of a tensor that follow from the weights. Returns whether the tensor is a
  // weight that is written as raw_data.
  bool keep_tensor(size_t index, TensorProto &tensor, const void *owner) {
    const d3o_tensor &record = model_.tensors[index];
    const bool is_external = record.is_external != 0, is_weight = offsets_[index] >= 0;
    const bool is_raw = is_external || !tensor.raw_data().empty();
    // Doubles, and 16-bit values in wider fields, have bits that the float32 weights do not have:
    // their tensors stay.
    const bool is_exact = is_weight && record.data_type != TensorProto::DOUBLE &&
                          (is_raw || record.data_type == TensorProto::FLOAT);
    if (is_external) {
      if (!is_exact) fail(D3O_E_FORMAT, "tensor " + shown(record.name) + " is still external");
      tensor.clear_external_data();
      tensor.clear_data_location();
    } else if (is_exact && is_raw) {
      delete tensor.release_raw_data();
    } else if (is_exact) {
      google::protobuf::RepeatedField<float>().Swap(tensor.mutable_float_data());
    }
    if (!is_weight || record.element_count == 0) return false;
    const bool is_written = is_exact && is_raw;
    source_.weights.push_back({owner,
                               offsets_[index],
                               record.element_count,
                               record.data_type,
                               is_written ? nullptr : &tensor,
                               {}});
    return is_written;
  }

  // Finds the initializers that only replaced nodes use, and which need not be saved. With
  // subgraphs, which may use any initializer, it finds none.
  void find_unused() {
    if (dequantized_.empty()) return;
    std::set<std::string_view> used;
    for (const auto &value : graph_.input()) used.insert(value.name());
    for (const auto &value : graph_.output()) used.insert(value.name());
    for (int i = 0; i < graph_.node_size(); i++) {
      for (const auto &attribute : graph_.node(i).attribute()) {
        if (attribute.has_g() || attribute.graphs_size() > 0) return;
      }
      if (dequantized_.count(i) > 0) continue;
      used.insert(graph_.node(i).input().begin(), graph_.node(i).input().end());
    }
    for (const auto &entry : dequantized_) {
      for (const std::string &name : graph_.node(entry.first).input()) {
        if (!name.empty() && used.count(name) == 0) unused_.insert(name);
      }
    }
  }

  // Adds a float32 initializer in place of a DequantizeLinear.
  void add_initializer(int node, const Dequantized &weight) {
    const d3o_tensor &record = model_.tensors[weight.tensor];
    TensorProto &tensor = *graph_.add_initializer();
    for (int32_t i = 0; i < record.dim_count; i++) tensor.add_dims(record.dims[i]);
    tensor.set_data_type(TensorProto::FLOAT);
    tensor.set_name(graph_.node(node).output(0));
    if (record.element_count == 0) return;
    source_.weights.push_back(
        {&tensor, weight.offset, record.element_count, TensorProto::FLOAT, nullptr, {}});
    add_layer(GraphProto::kInitializerFieldNumber, tensor, kRawData);
  }

  // Removes the replaced nodes and the unused initializers, and moves the added initializers, which
  // follow `count` others, to the front.
  void remove_replaced(int count) {
    if (dequantized_.empty()) return;
    std::set<const onnx::NodeProto *> nodes;
    for (const auto &entry : dequantized_) nodes.insert(&graph_.node(entry.first));
    remove(*graph_.mutable_node(), [&](const auto &node) { return nodes.count(&node) > 0; });
    auto &tensors = *graph_.mutable_initializer();
    std::rotate(tensors.pointer_begin(), tensors.pointer_begin() + count, tensors.pointer_end());
    remove(tensors, [&](const auto &tensor) { return unused_.count(tensor.name()) > 0; });
  }

  // Divides the message into the parts that are written one after the other, in the order of field
  // numbers.
  void divide() {
    onnx::ModelProto &model = model_.proto;
    source_.nodes.Swap(graph_.mutable_node());
    source_.initializers.Swap(graph_.mutable_initializer());
    source_.metadata.Swap(model.mutable_metadata_props());
    move_fields_below(onnx::GraphProto::kInitializerFieldNumber, graph_, source_.graph_head);
    source_.graph_tail.Swap(&graph_);
    model.clear_graph();
    move_fields_below(onnx::ModelProto::kGraphFieldNumber, model, source_.head);
    move_fields_below(onnx::ModelProto::kMetadataPropsFieldNumber, model, source_.middle);
    source_.tail.Swap(&model);
  }

  d3o_source &source_;
  d3o_model &model_;
  onnx::GraphProto &graph_;
  std::vector<int64_t> offsets_;  // of the values of each tensor in the weights; -1 = none
  std::map<int, Dequantized> dequantized_;  // by node
  std::set<std::string> unused_;            // initializers that are not saved
};

}  // namespace

}  // namespace d3o

extern "C" {

d3o_status d3o_source_create(d3o_source **out, d3o_model *model, const d3o_parameter *parameters,
                             int64_t count, int64_t weight_count, char *message, size_t capacity) {
  if (out != nullptr) *out = nullptr;
  return d3o::guarded(message, capacity, [&] {
    if (out == nullptr || model == nullptr || (parameters == nullptr && count > 0)) {
      d3o::fail(D3O_E_FORMAT, "there is no model, or no place for what it is saved from");
    }
    auto source = std::make_unique<d3o_source>();
    source->weight_count = weight_count;
    d3o::Keeper keeper(*source, *model);
    for (int64_t i = 0; i < count; i++) keeper.add_parameter(parameters[i]);
    keeper.run();
    *out = source.release();
  });
}

void d3o_source_free(d3o_source *source) { delete source; }

}  // extern "C"
