// Parses the bytes of an ONNX file and makes records that point into the parsed message.
#include <algorithm>
#include <climits>
#include <memory>

#include "internal.hpp"

namespace {

using d3o::fail;
using d3o::shown;

constexpr d3o_limits kDefaultLimits = {uint64_t{2} << 30, 100000};
constexpr int64_t kOldestIR = 3, kNewestIR = 13;
constexpr int64_t kOldestOpset = 1, kNewestOpset = 25;

std::string range(int64_t low, int64_t high) {
  return std::to_string(low) + " to " + std::to_string(high);
}

// libprotobuf logs only about missing required fields and about proto3 strings. ONNX has neither,
// so the log handler of the process, which belongs to the program, need not be changed.
void read_message(onnx::ModelProto &proto, const void *bytes, size_t size,
                  const d3o_limits &limits) {
  if (bytes == nullptr || size == 0) fail(D3O_E_FORMAT, "not an ONNX model: there are no bytes");
  if (size > INT_MAX) {
    fail(D3O_E_LIMIT, "the model has " + std::to_string(size) +
                          " bytes, protobuf reads at most 2147483647; use external data");
  }
  d3o::scan(bytes, size, limits);
  if (!proto.ParseFromArray(bytes, static_cast<int>(size))) {
    fail(D3O_E_FORMAT, "not an ONNX model: protobuf cannot read the " + std::to_string(size) +
                           " bytes (truncated or damaged?)");
  }
}

int64_t default_opset(const onnx::ModelProto &proto) {
  int64_t opset = 0;
  for (const auto &import : proto.opset_import()) {
    if (!d3o::is_default(import.domain())) continue;
    if (opset != 0 && opset != import.version()) {
      fail(D3O_E_FORMAT, "the model imports two opsets of the default domain, " +
                             std::to_string(opset) + " and " + std::to_string(import.version()));
    }
    opset = import.version();
  }
  if (opset < kOldestOpset || opset > kNewestOpset) {
    const std::string found = opset == 0 ? "the model imports no opset of the default domain"
                                         : "the model has opset " + std::to_string(opset);
    fail(D3O_E_UNSUPPORTED, found + ", read are " + range(kOldestOpset, kNewestOpset));
  }
  return opset;
}

void check_header(const onnx::ModelProto &proto) {
  if (!proto.has_graph()) fail(D3O_E_FORMAT, "not an ONNX model: it has no graph");
  if (proto.ir_version() < kOldestIR || proto.ir_version() > kNewestIR) {
    const std::string found = proto.has_ir_version()
                                  ? "the model has IR version " + std::to_string(proto.ir_version())
                                  : "the model has no IR version";
    fail(D3O_E_UNSUPPORTED, found + ", read are " + range(kOldestIR, kNewestIR));
  }
  if (proto.training_info_size() > 0) {
    fail(D3O_E_UNSUPPORTED, "the model carries training info, which is not read");
  }
  if (proto.graph().sparse_initializer_size() > 0) {
    fail(D3O_E_UNSUPPORTED, "sparse initializer " +
                                shown(proto.graph().sparse_initializer(0).values().name()) +
                                " is not read, only dense ones are");
  }
}

std::vector<std::string_view> add_initializers(d3o_model &model, const d3o_limits &limits,
                                               uint64_t &total) {
  std::vector<std::string_view> names;
  for (auto &tensor : *model.proto.mutable_graph()->mutable_initializer()) {
    if (tensor.name().empty()) {
      fail(D3O_E_FORMAT, "initializer " + std::to_string(names.size()) + " has no name");
    }
    names.push_back(tensor.name());
    d3o::add_tensor(model, tensor, "initializer " + shown(tensor.name()), limits, total);
  }
  d3o::refuse_duplicates(names, "initializers");
  return names;
}

d3o_value value_record(d3o_model &model, const onnx::ValueInfoProto &info, const char *what) {
  if (info.name().empty()) fail(D3O_E_FORMAT, std::string("a ") + what + " has no name");
  d3o_value value = {};
  value.name = d3o::text(info.name(), what);
  value.dim_count = -1;
  if (!info.type().has_tensor_type()) return value;
  value.data_type = info.type().tensor_type().elem_type();
  if (!info.type().tensor_type().has_shape()) return value;
  const auto &shape = info.type().tensor_type().shape();
  value.dim_count = shape.dim_size();
  value.dims = model.value_dims.data() + model.value_dims.size();
  for (const auto &dim : shape.dim()) {
    // Some exporters write -1 for an open dimension instead of leaving it out.
    model.value_dims.push_back(dim.has_dim_value() ? std::max<int64_t>(dim.dim_value(), -1) : -1);
  }
  return value;
}

void add_values(d3o_model &model, const std::vector<std::string_view> &initializers) {
  const auto &graph = model.proto.graph();
  size_t dims = 0;
  for (const auto &info : graph.input()) dims += info.type().tensor_type().shape().dim_size();
  for (const auto &info : graph.output()) dims += info.type().tensor_type().shape().dim_size();
  model.value_dims.reserve(dims);  // records point into it, so it must not move
  for (const auto &info : graph.input()) {
    if (std::binary_search(initializers.begin(), initializers.end(), info.name())) continue;
    model.inputs.push_back(value_record(model, info, "graph input"));
  }
  for (const auto &info : graph.output()) {
    model.outputs.push_back(value_record(model, info, "graph output"));
  }
}

void fill_graph(d3o_model &model) {
  const auto &proto = model.proto;
  d3o_graph &graph = model.graph;
  graph.ir_version = proto.ir_version();
  graph.producer_name = d3o::text(proto.producer_name(), "producer name");
  graph.producer_version = d3o::text(proto.producer_version(), "producer version");
  for (const auto &pair : proto.metadata_props()) {
    model.metadata.push_back({d3o::text(pair.key(), "metadata key"),
                              d3o::text(pair.value(), "value of metadata " + shown(pair.key()))});
  }
  graph.node_count = proto.graph().node_size();
  graph.tensor_count = static_cast<int64_t>(model.tensors.size());
  graph.initializer_count = proto.graph().initializer_size();
  graph.input_count = static_cast<int64_t>(model.inputs.size());
  graph.output_count = static_cast<int64_t>(model.outputs.size());
  graph.metadata_count = static_cast<int64_t>(model.metadata.size());
  graph.function_count = proto.functions_size();
  graph.own_tensor_count = static_cast<int64_t>(model.file_tensors);
  graph.block_count = static_cast<int64_t>(model.blocks.size());
  graph.blocks = model.blocks.data();
  graph.nodes = model.nodes.data();
  graph.tensors = model.tensors.data();
  graph.inputs = model.inputs.data();
  graph.outputs = model.outputs.data();
  graph.metadata = model.metadata.data();
}

}  // namespace

extern "C" {

d3o_status d3o_parse(d3o_model **out, const void *bytes, size_t size, const d3o_limits *limits,
                     char *message, size_t capacity) {
  const d3o_limits bounds = limits != nullptr ? *limits : kDefaultLimits;
  if (out != nullptr) *out = nullptr;
  return d3o::guarded(message, capacity, [&] {
    if (out == nullptr) fail(D3O_E_FORMAT, "there is no place for the model (out is NULL)");
    auto model = std::make_unique<d3o_model>();
    read_message(model->proto, bytes, size, bounds);
    check_header(model->proto);
    model->graph.opset = default_opset(model->proto);
    uint64_t total = 0;
    const auto initializers = add_initializers(*model, bounds, total);
    d3o::add_nodes(*model, bounds, total);
    add_values(*model, initializers);
    fill_graph(*model);
    *out = model.release();
  });
}

void d3o_free(d3o_model *model) { delete model; }

const d3o_graph *d3o_get_graph(const d3o_model *model) {
  return model != nullptr ? &model->graph : nullptr;
}

}  // extern "C"
