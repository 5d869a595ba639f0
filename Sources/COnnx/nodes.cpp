// The nodes of a parsed graph come in; node and attribute records go out.
#include "internal.hpp"

namespace d3o {

namespace {

using onnx::AttributeProto;

std::string node_shown(const onnx::NodeProto &node, int index) {
  const std::string which = node.name().empty() ? std::to_string(index) : shown(node.name());
  return "node " + which + " (" + one_line(node.op_type().substr(0, 80)) + ")";
}

// One bit per value field that is filled, at the number of its AttributeProto type.
uint32_t filled_fields(const AttributeProto &attribute) {
  const auto bit = [](bool filled, AttributeProto::AttributeType type) {
    return filled ? uint32_t{1} << type : 0;
  };
  return bit(attribute.has_f(), AttributeProto::FLOAT) |
         bit(attribute.has_i(), AttributeProto::INT) |
         bit(attribute.has_s(), AttributeProto::STRING) |
         bit(attribute.has_t(), AttributeProto::TENSOR) |
         bit(attribute.has_g(), AttributeProto::GRAPH) |
         bit(attribute.has_sparse_tensor(), AttributeProto::SPARSE_TENSOR) |
         bit(attribute.has_tp(), AttributeProto::TYPE_PROTO) |
         bit(attribute.floats_size() > 0, AttributeProto::FLOATS) |
         bit(attribute.ints_size() > 0, AttributeProto::INTS) |
         bit(attribute.strings_size() > 0, AttributeProto::STRINGS) |
         bit(attribute.tensors_size() > 0, AttributeProto::TENSORS) |
         bit(attribute.graphs_size() > 0, AttributeProto::GRAPHS) |
         bit(attribute.sparse_tensors_size() > 0, AttributeProto::SPARSE_TENSORS) |
         bit(attribute.type_protos_size() > 0, AttributeProto::TYPE_PROTOS);
}

// Old files (IR < 2 habits) leave the type out; then the one filled field tells it.
// libonnx's checker insists on the type, so it is written down.
int type_of(AttributeProto &attribute, const std::string &what) {
  const uint32_t filled = filled_fields(attribute);
  if ((filled & (filled - 1)) != 0) fail(D3O_E_FORMAT, what + " has more than one value");
  if (attribute.type() == AttributeProto::UNDEFINED && filled != 0) {
    attribute.set_type(static_cast<AttributeProto::AttributeType>(__builtin_ctz(filled)));
  }
  const int type = attribute.type();
  if ((filled & ~(uint32_t{1} << type)) != 0) {
    fail(D3O_E_FORMAT, what + " says type " + std::to_string(type) + " but holds type " +
                           std::to_string(__builtin_ctz(filled)));
  }
  return type;
}

void add_attribute(d3o_model &model, AttributeProto &attribute, const std::string &owner,
                   const d3o_limits &limits, uint64_t &total) {
  const std::string what = "attribute " + shown(attribute.name()) + " of " + owner;
  if (attribute.name().empty()) fail(D3O_E_FORMAT, "an attribute of " + owner + " has no name");
  if (!attribute.ref_attr_name().empty()) {
    fail(D3O_E_UNSUPPORTED, what + " refers to a function's attribute " +
                                shown(attribute.ref_attr_name()) + ", which is not read");
  }
  d3o_attribute record = {};
  record.name = text(attribute.name(), "attribute name");
  record.kind = D3O_OTHER;
  record.tensor = -1;
  record.s = "";
  switch (type_of(attribute, what)) {
    case AttributeProto::FLOAT:
      record.kind = D3O_FLOAT;
      record.f = attribute.f();
      break;
    case AttributeProto::INT:
      record.kind = D3O_INT;
      record.i = attribute.i();
      break;
    case AttributeProto::STRING:
      // Bytes, not text, in ONNX: lent as they are, a NUL ends them for the reader.
      record.kind = D3O_STRING;
      record.s = attribute.s().c_str();
      break;
    case AttributeProto::TENSOR:
      if (!attribute.has_t()) fail(D3O_E_FORMAT, what + " is a tensor without a value");
      record.kind = D3O_TENSOR;
      record.tensor = static_cast<int32_t>(model.tensors.size());
      add_tensor(model, *attribute.mutable_t(), what, limits, total);
      break;
    case AttributeProto::GRAPH:
      record.kind = D3O_GRAPH;
      break;
    case AttributeProto::FLOATS:
      record.kind = D3O_FLOATS;
      record.count = attribute.floats_size();
      record.floats = attribute.floats().data();
      break;
    case AttributeProto::INTS:
      record.kind = D3O_INTS;
      record.count = attribute.ints_size();
      record.ints = attribute.ints().data();
      break;
    case AttributeProto::STRINGS:
      record.kind = D3O_STRINGS;
      record.count = attribute.strings_size();
      record.strings = model.strings.data() + model.strings.size();
      for (const auto &s : attribute.strings()) model.strings.push_back(s.c_str());
      break;
    default:
      break;
  }
  model.attributes.push_back(record);
}

template <typename Names>
const char *const *add_names(d3o_model &model, const Names &names, const std::string &what) {
  const char *const *first = model.strings.data() + model.strings.size();
  for (const auto &name : names) model.strings.push_back(text(name, what));
  return first;
}

void add_node(d3o_model &model, onnx::NodeProto &node, const d3o_limits &limits, uint64_t &total) {
  const std::string what = node_shown(node, static_cast<int>(model.nodes.size()));
  if (node.op_type().empty()) fail(D3O_E_FORMAT, what + " has no operator");
  d3o_node record = {};
  record.name = text(node.name(), "node name");
  record.op_type = text(node.op_type(), "operator");
  record.domain = text(node.domain(), "domain of " + what);
  record.input_count = node.input_size();
  record.output_count = node.output_size();
  record.attribute_count = node.attribute_size();
  record.inputs = add_names(model, node.input(), "an input of " + what);
  record.outputs = add_names(model, node.output(), "an output of " + what);
  record.attributes = model.attributes.data() + model.attributes.size();
  std::vector<std::string_view> names;
  for (auto &attribute : *node.mutable_attribute()) {
    names.push_back(attribute.name());
    add_attribute(model, attribute, what, limits, total);
  }
  refuse_duplicates(names, ("attributes of " + what).c_str());
  model.nodes.push_back(record);
}

}  // namespace

void add_nodes(d3o_model &model, const d3o_limits &limits, uint64_t &total) {
  auto &nodes = *model.proto.mutable_graph()->mutable_node();
  if (static_cast<uint64_t>(nodes.size()) > limits.max_nodes) {
    fail(D3O_E_LIMIT, "the graph has " + std::to_string(nodes.size()) + " nodes, the limit is " +
                          std::to_string(limits.max_nodes));
  }
  // Records point into these two vectors: they must have their full size before the first entry.
  size_t strings = 0, attributes = 0;
  for (const auto &node : nodes) {
    strings += node.input_size() + node.output_size();
    attributes += node.attribute_size();
    for (const auto &attribute : node.attribute()) strings += attribute.strings_size();
  }
  model.strings.reserve(strings);
  model.attributes.reserve(attributes);
  model.nodes.reserve(nodes.size());
  for (auto &node : nodes) add_node(model, node, limits, total);
}

}  // namespace d3o
