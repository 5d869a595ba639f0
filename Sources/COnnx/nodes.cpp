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

// The type, which is known to be that of the one value.
int checked_type(const AttributeProto &attribute, const std::string &what) {
  const uint32_t filled = filled_fields(attribute);
  if ((filled & (filled - 1)) != 0) fail(D3O_E_FORMAT, what + " has more than one value");
  const int type = type_of(attribute);
  if ((filled & ~(uint32_t{1} << type)) != 0) {
    fail(D3O_E_FORMAT, what + " says type " + std::to_string(type) + " but holds type " +
                           std::to_string(__builtin_ctz(filled)));
  }
  return type;
}

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

// What a graph, a function or an attribute's graph needs of the vectors into which records point:
// they must have their full size before the first entry.
struct Sizes {
  size_t strings = 0, attributes = 0, nodes = 0, blocks = 0;

  void add(const AttributeProto &attribute) {
    attributes++;
    strings += attribute.strings_size();
    if (attribute.has_g()) add(attribute.g());
  }

  void add(const Nodes &list) {
    nodes += list.size();
    for (const auto &node : list) {
      strings += node.input_size() + node.output_size();
      for (const auto &attribute : node.attribute()) add(attribute);
    }
  }

  void add(const onnx::GraphProto &graph) {
    blocks++;
    strings += graph.input_size() + graph.output_size();
    add(graph.node());
  }

  void add(const onnx::FunctionProto &function) {
    blocks++;
    strings += function.input_size() + function.output_size();
    add(function.node());
  }
};

// Attributes' graphs that have a block each, filled when the nodes around them are complete.
struct Pending {
  onnx::GraphProto *graph;
  size_t block;
  std::string owner;
};

void add_attribute(d3o_model &model, AttributeProto &attribute, const std::string &owner,
                   const d3o_limits &limits, uint64_t &total, std::vector<Pending> &pending) {
  const std::string what = "attribute " + shown(attribute.name()) + " of " + owner;
  if (attribute.name().empty()) fail(D3O_E_FORMAT, "an attribute of " + owner + " has no name");
  d3o_attribute record = {};
  record.name = text(attribute.name(), "attribute name");
  record.kind = D3O_OTHER;
  record.tensor = -1;
  record.block = -1;
  record.reference = text(attribute.ref_attr_name(), what);
  record.s = "";
  switch (checked_type(attribute, what)) {
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
      if (!attribute.has_g()) break;
      record.block = static_cast<int32_t>(model.blocks.size());
      pending.push_back({attribute.mutable_g(), model.blocks.size(), what});
      model.blocks.push_back({});
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

void add_node(d3o_model &model, onnx::NodeProto &node, const d3o_limits &limits, uint64_t &total,
              std::vector<Pending> &pending) {
  const std::string what = node_shown(node, static_cast<int>(model.nodes.size()));
  if (node.op_type().empty()) fail(D3O_E_FORMAT, what + " has no operator");
  d3o_node record = {};
  record.name = text(node.name(), "node name");
  record.op_type = text(node.op_type(), "operator");
  record.domain = is_default(node.domain()) ? "" : text(node.domain(), "domain of " + what);
  record.input_count = node.input_size();
  record.output_count = node.output_size();
  record.attribute_count = node.attribute_size();
  record.inputs = add_names(model, node.input(), "an input of " + what);
  record.outputs = add_names(model, node.output(), "an output of " + what);
  record.attributes = model.attributes.data() + model.attributes.size();
  std::vector<std::string_view> names;
  for (auto &attribute : *node.mutable_attribute()) {
    names.push_back(attribute.name());
    add_attribute(model, attribute, what, limits, total, pending);
  }
  refuse_duplicates(names, ("attributes of " + what).c_str());
  model.nodes.push_back(record);
}

void add_list(d3o_model &model, Nodes &nodes, const d3o_limits &limits, uint64_t &total,
              std::vector<Pending> &pending) {
  for (auto &node : nodes) add_node(model, node, limits, total, pending);
}

// Field 11 of FunctionProto came with IR 9; libonnx 1.12 keeps it as an unknown field.
constexpr int kFunctionDefaults = 11;

std::vector<AttributeProto *> read_defaults(d3o_model &model, const onnx::FunctionProto &function) {
  std::vector<AttributeProto *> result;
  const auto &fields = function.GetReflection()->GetUnknownFields(function);
  for (int i = 0; i < fields.field_count(); i++) {
    const auto &field = fields.field(i);
    if (field.number() != kFunctionDefaults ||
        field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
      continue;
    }
    model.defaults.emplace_back();
    if (!model.defaults.back().ParseFromString(field.length_delimited())) {
      fail(D3O_E_FORMAT, "an attribute of function " + shown(function.name()) + " is damaged");
    }
    result.push_back(&model.defaults.back());
  }
  return result;
}

int64_t default_opset(const onnx::FunctionProto &function) {
  for (const auto &import : function.opset_import()) {
    if (is_default(import.domain())) return import.version();
  }
  return 0;
}

void fill_function(d3o_model &model, size_t index, onnx::FunctionProto &function,
                   const std::vector<AttributeProto *> &defaults, const d3o_limits &limits,
                   uint64_t &total, std::vector<Pending> &pending) {
  const std::string what = "function " + shown(function.name());
  d3o_block block = {};
  block.name = text(function.name(), what);
  block.domain = text(function.domain(), "domain of " + what);
  block.opset = default_opset(function);
  block.input_count = function.input_size();
  block.output_count = function.output_size();
  block.inputs = add_names(model, function.input(), "an input of " + what);
  block.outputs = add_names(model, function.output(), "an output of " + what);
  block.default_count = static_cast<int32_t>(defaults.size());
  block.defaults = model.attributes.data() + model.attributes.size();
  for (AttributeProto *attribute : defaults) {
    add_attribute(model, *attribute, what, limits, total, pending);
  }
  block.node_count = function.node_size();
  block.nodes = model.nodes.data() + model.nodes.size();
  add_list(model, *function.mutable_node(), limits, total, pending);
  model.blocks[index] = block;
}

void fill_graph_block(d3o_model &model, const Pending &place, const d3o_limits &limits,
                      uint64_t &total, std::vector<Pending> &pending) {
  onnx::GraphProto &graph = *place.graph;
  if (graph.sparse_initializer_size() > 0) {
    fail(D3O_E_UNSUPPORTED, place.owner + " has a sparse initializer, only dense ones are read");
  }
  d3o_block block = {};
  block.name = block.domain = "";
  block.input_count = graph.input_size();
  block.output_count = graph.output_size();
  const auto add_values = [&](const auto &values) {
    const char *const *first = model.strings.data() + model.strings.size();
    for (const auto &value : values) model.strings.push_back(text(value.name(), place.owner));
    return first;
  };
  block.inputs = add_values(graph.input());
  block.outputs = add_values(graph.output());
  block.first_initializer = static_cast<int64_t>(model.tensors.size());
  block.initializer_count = graph.initializer_size();
  for (auto &tensor : *graph.mutable_initializer()) {
    add_tensor(model, tensor, "initializer " + shown(tensor.name()) + " of " + place.owner, limits,
               total);
  }
  block.node_count = graph.node_size();
  block.nodes = model.nodes.data() + model.nodes.size();
  add_list(model, *graph.mutable_node(), limits, total, pending);
  model.blocks[place.block] = block;
}

}  // namespace

// Old files (IR < 2 habits) leave the type out; then the one filled field tells it.
int type_of(const AttributeProto &attribute) {
  const uint32_t filled = filled_fields(attribute);
  const bool is_missing = attribute.type() == AttributeProto::UNDEFINED && filled != 0;
  return is_missing ? __builtin_ctz(filled) : attribute.type();
}

void add_nodes(d3o_model &model, const d3o_limits &limits, uint64_t &total) {
  auto &graph = *model.proto.mutable_graph();
  auto &functions = *model.proto.mutable_functions();
  Sizes sizes;
  sizes.add(graph.node());
  std::vector<std::vector<AttributeProto *>> defaults;
  for (const auto &function : functions) {
    sizes.add(function);
    defaults.push_back(read_defaults(model, function));
    for (const AttributeProto *attribute : defaults.back()) sizes.add(*attribute);
  }
  if (sizes.nodes > limits.max_nodes) {
    fail(D3O_E_LIMIT, "the graph has " + std::to_string(sizes.nodes) + " nodes, the limit is " +
                          std::to_string(limits.max_nodes));
  }
  model.strings.reserve(sizes.strings);
  model.attributes.reserve(sizes.attributes);
  model.nodes.reserve(sizes.nodes);
  model.blocks.resize(functions.size());
  std::vector<Pending> pending;
  add_list(model, *graph.mutable_node(), limits, total, pending);
  model.file_tensors = model.tensors.size();
  for (int i = 0; i < functions.size(); i++) {
    fill_function(model, static_cast<size_t>(i), functions[i], defaults[i], limits, total, pending);
  }
  while (!pending.empty()) {
    const Pending next = pending.back();
    pending.pop_back();
    fill_graph_block(model, next, limits, total, pending);
  }
}

}  // namespace d3o
