// Runs the checker of libonnx on a parsed model.
// internal.hpp says how libonnx was built, so it must come first.
// clang-format off
#include "internal.hpp"
#include <onnx/checker.h>
// clang-format on

#include <functional>
#include <unordered_map>

namespace {

using onnx::AttributeProto;
using onnx::TensorProto;

// The newest versions that libonnx 1.12 knows.
constexpr int64_t kNewestIR = 8;
constexpr int64_t kNewestOpset = 17;

bool is_standard(const std::string &domain) {
  return domain.empty() || domain == "ai.onnx.ml" || domain == "ai.onnx.training" ||
         domain == "ai.onnx.preview.training";
}

// Whether each node stands after the nodes whose outputs it reads.
bool is_sorted(const onnx::GraphProto &graph) {
  std::unordered_map<std::string_view, int> makers;
  for (int i = 0; i < graph.node_size(); i++) {
    for (const auto &name : graph.node(i).output()) makers.emplace(name, i);
  }
  for (int i = 0; i < graph.node_size(); i++) {
    for (const auto &name : graph.node(i).input()) {
      const auto maker = makers.find(name);
      if (!name.empty() && maker != makers.end() && maker->second >= i) return false;
    }
  }
  return true;
}

// Whether the checker may see the model. It calls nodes out of order an error, which the importer
// sorts. With subgraphs and sparse tensors a hostile file could make it open files (external data
// inside a subgraph) or read past the end of sparse indices; the importer handles both.
bool can_judge(const d3o_model &model) {
  if (model.proto.ir_version() > kNewestIR || model.graph.opset > kNewestOpset) return false;
  if (model.graph.opset == 0 || model.proto.functions_size() > 0) return false;
  if (!is_sorted(model.proto.graph())) return false;
  // The checker requires shapes of outputs. The importer does not need them.
  for (const auto &output : model.proto.graph().output()) {
    if (!output.type().tensor_type().has_shape()) return false;
  }
  for (const auto &import : model.proto.opset_import()) {
    if (!is_standard(import.domain())) return false;
  }
  for (const auto &attribute : model.attributes) {
    if (attribute.kind == D3O_GRAPH || attribute.kind == D3O_OTHER) return false;
  }
  return true;
}

// The checker would only print a warning to stderr about an operator that ONNX has removed.
void refuse_removed_operators(const d3o_model &model) {
  for (const auto &node : model.nodes) {
    if (!onnx::checker::check_is_experimental_op(node.op_type)) continue;
    d3o::fail(D3O_E_UNSUPPORTED, "node " + d3o::shown(node.name) + " is the operator " +
                                     d3o::shown(node.op_type) + ", which ONNX has removed");
  }
}

// Changes the message for the checker and undoes the changes when it is destroyed: the default
// domain gets the name "", every attribute its type, and every external tensor one byte of inline
// data. The checker then opens no files and misses no data; it does not compare sizes, which the
// parser has done.
class Adjusted {
 public:
  explicit Adjusted(d3o_model &model) {
    for (auto &import : *model.proto.mutable_opset_import()) unname(import);
    for (auto &node : *model.proto.mutable_graph()->mutable_node()) {
      unname(node);
      for (auto &attribute : *node.mutable_attribute()) add_type(attribute);
    }
    for (size_t i = 0; i < model.tensors.size(); i++) {
      if (model.tensors[i].is_external == 0) continue;
      make_inline(*model.tensor_protos[i], model.tensors[i].element_count > 0);
    }
  }
  ~Adjusted() {
    for (const auto &undo : undo_) undo();
  }
  Adjusted(const Adjusted &) = delete;
  Adjusted &operator=(const Adjusted &) = delete;

 private:
  template <typename Message>
  void unname(Message &message) {
    if (message.domain() != "ai.onnx") return;
    undo_.push_back([&message] { message.set_domain("ai.onnx"); });  // needs no new memory
    message.clear_domain();
  }

  void add_type(AttributeProto &attribute) {
    const int type = d3o::type_of(attribute);
    if (type == attribute.type()) return;
    undo_.push_back([&attribute, is_stated = attribute.has_type()] {
      attribute.clear_type();
      if (is_stated) attribute.set_type(AttributeProto::UNDEFINED);
    });
    attribute.set_type(static_cast<AttributeProto::AttributeType>(type));
  }

  void make_inline(TensorProto &tensor, bool has_data) {
    undo_.push_back([&tensor] {
      tensor.clear_raw_data();
      tensor.set_data_location(TensorProto::EXTERNAL);
    });
    tensor.set_data_location(TensorProto::DEFAULT);
    if (has_data) tensor.set_raw_data("-");
  }

  std::vector<std::function<void()>> undo_;
};

}  // namespace

extern "C" d3o_status d3o_check(d3o_model *model, char *message, size_t capacity) {
  return d3o::guarded(message, capacity, [&] {
    if (model == nullptr) d3o::fail(D3O_E_FORMAT, "there is no model to check");
    if (!can_judge(*model)) return;
    refuse_removed_operators(*model);
    const Adjusted adjusted(*model);
    try {
      onnx::checker::check_model(model->proto);
    } catch (const std::bad_alloc &) {
      throw;
    } catch (const std::exception &error) {
      d3o::fail(D3O_E_FORMAT, d3o::one_line(std::string("onnx checker: ") + error.what()));
    }
  });
}
