// A parsed model comes in; the judgement of libonnx's checker goes out, where it has one.
// internal.hpp says how libonnx was built, so it must come first.
// clang-format off
#include "internal.hpp"
#include <onnx/checker.h>
// clang-format on

#include <unordered_map>

namespace {

using onnx::TensorProto;

// What the linked libonnx 1.12 knows.
constexpr int64_t kNewestIR = 8;
constexpr int64_t kNewestOpset = 17;

bool is_standard(const std::string &domain) {
  return domain.empty() || domain == "ai.onnx.ml" || domain == "ai.onnx.training" ||
         domain == "ai.onnx.preview.training";
}

// Subgraphs, functions and sparse tensors are refused by the importer with a better message. Here
// they would let a hostile file make the checker ask for files (external data inside a subgraph)
// or read past the end of sparse indices.
// Nodes out of order it calls damage; the importer sorts them.
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

bool can_judge(const d3o_model &model) {
  if (model.proto.ir_version() > kNewestIR || model.graph.opset > kNewestOpset) return false;
  if (model.graph.opset == 0 || model.proto.functions_size() > 0) return false;
  if (!is_sorted(model.proto.graph())) return false;
  // It insists on shapes of outputs, which are inferred here.
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

// The checker prints a warning about these names to stderr and looks no further.
void refuse_removed_operators(const d3o_model &model) {
  for (const auto &node : model.nodes) {
    if (!onnx::checker::check_is_experimental_op(node.op_type)) continue;
    d3o::fail(D3O_E_UNSUPPORTED, "node " + d3o::shown(node.name) + " is the operator " +
                                     d3o::shown(node.op_type) + ", which ONNX has removed");
  }
}

// While it lives, the checker sees external tensors as inline ones with one byte of data (it never
// compares sizes, the parser has), so it neither looks for files nor misses data.
class InlineForNow {
 public:
  explicit InlineForNow(const d3o_model &model) : model_(model) {}
  ~InlineForNow() {
    for (size_t i = 0; i < done_; i++) {
      if (model_.tensors[i].is_external == 0) continue;
      model_.tensor_protos[i]->clear_raw_data();
      model_.tensor_protos[i]->set_data_location(TensorProto::EXTERNAL);
    }
  }
  InlineForNow(const InlineForNow &) = delete;
  InlineForNow &operator=(const InlineForNow &) = delete;

  void apply() {
    while (done_ < model_.tensors.size()) {
      const size_t i = done_++;
      if (model_.tensors[i].is_external == 0) continue;
      model_.tensor_protos[i]->set_data_location(TensorProto::DEFAULT);
      if (model_.tensors[i].element_count > 0) model_.tensor_protos[i]->set_raw_data("-");
    }
  }

 private:
  const d3o_model &model_;
  size_t done_ = 0;
};

}  // namespace

extern "C" d3o_status d3o_check(d3o_model *model, char *message, size_t capacity) {
  return d3o::guarded(message, capacity, [&] {
    if (model == nullptr) d3o::fail(D3O_E_FORMAT, "there is no model to check");
    if (!can_judge(*model)) return;
    refuse_removed_operators(*model);
    InlineForNow external(*model);
    external.apply();
    try {
      onnx::checker::check_model(model->proto);
    } catch (const std::bad_alloc &) {
      throw;
    } catch (const std::exception &error) {
      d3o::fail(D3O_E_FORMAT, d3o::one_line(std::string("onnx checker: ") + error.what()));
    }
  });
}
