// Turns the nodes, attributes, functions and subgraphs of a parsed model into records.
#include "internal.hpp"

namespace d3o {

namespace {

using onnx::AttributeProto;
using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
using Functions = google::protobuf::RepeatedPtrField<onnx::FunctionProto>;

std::string node_shown(const onnx::NodeProto &node, int index) {
  const std::string which = node.name().empty() ? std::to_string(index) : shown(node.name());
  return "node " + which + " (" + one_line(node.op_type().substr(0, 80)) + ")";
}

// A bit mask of the value fields that are set. Bit k stands for the AttributeProto type k.
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

// The type of the attribute. Fails unless exactly the field of this type has a value.
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

// Counts the entries of the vectors into which records point. The vectors get this size before the
// first entry, so that no entry moves.
struct Sizes {
  size_t strings = 0, attributes = 0, nodes = 0;

  void add(const AttributeProto &attribute) {
    attributes++;
    strings += attribute.strings_size();
    if (attribute.has_g()) add_block(attribute.g());
  }

  void add(const Nodes &list) {
    nodes += list.size();
    for (const auto &node : list) {
      strings += node.input_size() + node.output_size();
      for (const auto &attribute : node.attribute()) add(attribute);
    }
  }

  /// A function or the graph of an attribute.
  template <typename Block>
  void add_block(const Block &block) {
    strings += block.input_size() + block.output_size();
    add(block.node());
  }
};

const std::string &name_of(const std::string &name) { return name; }
const std::string &name_of(const onnx::ValueInfoProto &value) { return value.name(); }

// Field 11 of FunctionProto came with IR 9; libonnx 1.12 keeps it as an unknown field.
constexpr int kFunctionDefaults = 11;

int64_t default_opset(const onnx::FunctionProto &function) {
  for (const auto &import : function.opset_import()) {
    if (is_default(import.domain())) return import.version();
  }
  return 0;
}

// Adds the records of nodes, with their attributes and tensors, and of blocks.
class NodeReader {
 public:
  NodeReader(d3o_model &model, const d3o_limits &limits, uint64_t &total)
      : model_(model), limits_(limits), total_(total) {}

  void run() {
    auto &graph = *model_.proto.mutable_graph();
    auto &functions = *model_.proto.mutable_functions();
    reserve(graph, functions);
    add_nodes(*graph.mutable_node());
    model_.file_tensors = model_.tensors.size();
    for (int i = 0; i < functions.size(); i++) add_function(i, functions[i]);
    while (!pending_.empty()) {
      const Pending next = pending_.back();
      pending_.pop_back();
      add_graph(next);
    }
  }

 private:
  // The graph of an attribute, and its place among the blocks. Its nodes are added when the list of
  // nodes around it is complete, because the nodes of one list lie side by side.
  struct Pending {
    onnx::GraphProto *graph;
    size_t block;
    std::string owner;
  };

  void reserve(const onnx::GraphProto &graph, const Functions &functions) {
    Sizes sizes;
    sizes.add(graph.node());
    for (const auto &function : functions) {
      sizes.add_block(function);
      defaults_.push_back(read_defaults(function));
      for (const AttributeProto *attribute : defaults_.back()) sizes.add(*attribute);
    }
    if (sizes.nodes > limits_.max_nodes) {
      fail(D3O_E_LIMIT, "the graph has " + std::to_string(sizes.nodes) + " nodes, the limit is " +
                            std::to_string(limits_.max_nodes));
    }
    model_.strings.reserve(sizes.strings);
    model_.attributes.reserve(sizes.attributes);
    model_.nodes.reserve(sizes.nodes);
    model_.blocks.resize(functions.size());
  }

  std::vector<AttributeProto *> read_defaults(const onnx::FunctionProto &function) {
    std::vector<AttributeProto *> result;
    const auto &fields = function.GetReflection()->GetUnknownFields(function);
    for (int i = 0; i < fields.field_count(); i++) {
      const auto &field = fields.field(i);
      if (field.number() != kFunctionDefaults ||
          field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
        continue;
      }
      model_.defaults.emplace_back();
      if (!model_.defaults.back().ParseFromString(field.length_delimited())) {
        fail(D3O_E_FORMAT, "an attribute of function " + shown(function.name()) + " is damaged");
      }
      result.push_back(&model_.defaults.back());
    }
    return result;
  }

  void add_nodes(Nodes &nodes) {
    for (auto &node : nodes) add_node(node);
  }

  void add_node(onnx::NodeProto &node) {
    const std::string what = node_shown(node, static_cast<int>(model_.nodes.size()));
    if (node.op_type().empty()) fail(D3O_E_FORMAT, what + " has no operator");
    d3o_node record = {};
    record.name = text(node.name(), "node name");
    record.op_type = text(node.op_type(), "operator");
    record.domain = is_default(node.domain()) ? "" : text(node.domain(), "domain of " + what);
    record.input_count = node.input_size();
    record.output_count = node.output_size();
    record.attribute_count = node.attribute_size();
    record.inputs = add_names(node.input(), "an input of " + what);
    record.outputs = add_names(node.output(), "an output of " + what);
    record.attributes = model_.attributes.data() + model_.attributes.size();
    std::vector<std::string_view> names;
    for (auto &attribute : *node.mutable_attribute()) {
      names.push_back(attribute.name());
      add_attribute(attribute, what);
    }
    refuse_duplicates(names, ("attributes of " + what).c_str());
    model_.nodes.push_back(record);
  }

  template <typename Names>
  const char *const *add_names(const Names &names, const std::string &what) {
    const char *const *first = model_.strings.data() + model_.strings.size();
    for (const auto &name : names) model_.strings.push_back(text(name_of(name), what));
    return first;
  }

  void add_attribute(AttributeProto &attribute, const std::string &owner) {
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
        // ONNX strings are bytes, not text. They are lent unchanged; a NUL ends them for the
        // reader.
        record.kind = D3O_STRING;
        record.s = attribute.s().c_str();
        break;
      case AttributeProto::TENSOR:
        if (!attribute.has_t()) fail(D3O_E_FORMAT, what + " is a tensor without a value");
        record.kind = D3O_TENSOR;
        record.tensor = static_cast<int32_t>(model_.tensors.size());
        add_tensor(model_, *attribute.mutable_t(), what, limits_, total_);
        break;
      case AttributeProto::GRAPH:
        record.kind = D3O_GRAPH;
        if (!attribute.has_g()) break;
        record.block = static_cast<int32_t>(model_.blocks.size());
        pending_.push_back({attribute.mutable_g(), model_.blocks.size(), what});
        model_.blocks.push_back({});
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
        record.strings = model_.strings.data() + model_.strings.size();
        for (const auto &s : attribute.strings()) model_.strings.push_back(s.c_str());
        break;
      default:
        break;
    }
    model_.attributes.push_back(record);
  }

  void add_function(int index, onnx::FunctionProto &function) {
    const std::string what = "function " + shown(function.name());
    const auto &defaults = defaults_[index];
    d3o_block block = {};
    block.name = text(function.name(), what);
    block.domain = text(function.domain(), "domain of " + what);
    block.opset = default_opset(function);
    block.default_count = static_cast<int32_t>(defaults.size());
    block.defaults = model_.attributes.data() + model_.attributes.size();
    for (AttributeProto *attribute : defaults) add_attribute(*attribute, what);
    fill_block(block, function, "an input of " + what, "an output of " + what);
    model_.blocks[index] = block;
  }

  void add_graph(const Pending &place) {
    onnx::GraphProto &graph = *place.graph;
    if (graph.sparse_initializer_size() > 0) {
      fail(D3O_E_UNSUPPORTED, place.owner + " has a sparse initializer, only dense ones are read");
    }
    d3o_block block = {};
    block.name = block.domain = "";
    block.first_initializer = static_cast<int64_t>(model_.tensors.size());
    block.initializer_count = graph.initializer_size();
    for (auto &tensor : *graph.mutable_initializer()) {
      const std::string what = "initializer " + shown(tensor.name()) + " of " + place.owner;
      add_tensor(model_, tensor, what, limits_, total_);
    }
    fill_block(block, graph, place.owner, place.owner);
    model_.blocks[place.block] = block;
  }

  template <typename Block>
  void fill_block(d3o_block &record, Block &block, const std::string &input,
                  const std::string &output) {
    record.input_count = block.input_size();
    record.output_count = block.output_size();
    record.inputs = add_names(block.input(), input);
    record.outputs = add_names(block.output(), output);
    record.node_count = block.node_size();
    record.nodes = model_.nodes.data() + model_.nodes.size();
    add_nodes(*block.mutable_node());
  }

  d3o_model &model_;
  const d3o_limits &limits_;
  uint64_t &total_;                                      // bytes of all tensors so far
  std::vector<std::vector<AttributeProto *>> defaults_;  // of each function
  std::vector<Pending> pending_;
};

}  // namespace

// Files written by very old exporters (as before IR 2) leave the type out. The one field that has a
// value then tells it.
int type_of(const AttributeProto &attribute) {
  const uint32_t filled = filled_fields(attribute);
  const bool is_missing = attribute.type() == AttributeProto::UNDEFINED && filled != 0;
  return is_missing ? __builtin_ctz(filled) : attribute.type();
}

void add_nodes(d3o_model &model, const d3o_limits &limits, uint64_t &total) {
  NodeReader(model, limits, total).run();
}

}  // namespace d3o
