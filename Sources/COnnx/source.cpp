// The bytes of a file and its parsed records come in; pieces that can be put together again, with
// other weights and without other files, go out.
#include "source.hpp"

#include <climits>
#include <cstring>
#include <deque>
#include <set>
#include <unordered_map>

#include "wire.hpp"

namespace d3o {

namespace {

using Form = Piece::Form;
using Kind = Piece::Kind;
using onnx::TensorProto;

// A file of ours needs ten for each parameter; the limit keeps hostile ones small.
constexpr size_t kMaxPieces = size_t{1} << 20;

// Field numbers of onnx.proto.
constexpr uint32_t kModelGraph = 7, kModelMetadata = 14;
constexpr uint32_t kGraphNode = 1, kGraphInitializer = 5;
constexpr uint32_t kNodeAttribute = 5, kAttributeTensor = 5;
constexpr uint32_t kFloatData = 4, kInt32Data = 5, kRawData = 9, kDoubleData = 10;
constexpr uint32_t kExternalData = 13, kDataLocation = 14;
constexpr uint32_t kTensorDims = 1, kTensorType = 2, kTensorName = 8;

constexpr unsigned char kRawDataTag[] = {kRawData << 3 | kBytes};

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

// Not the attribute's single tensor: that one is looked after.
bool holds_external(const onnx::AttributeProto &attribute) {
  for (const auto &tensor : attribute.tensors()) {
    if (tensor.data_location() == TensorProto::EXTERNAL) return true;
  }
  for (const auto &graph : attribute.graphs()) {
    if (holds_external(graph)) return true;
  }
  return attribute.has_g() && holds_external(attribute.g());
}

void append_varint(std::string &out, uint64_t value) {
  unsigned char bytes[kMaxVarintBytes];
  out.append(reinterpret_cast<const char *>(bytes), write_varint(bytes, value));
}

class Splitter {
 public:
  Splitter(d3o_source &source, const d3o_model &model, int directory)
      : source_(source),
        model_(model),
        directory_(directory),
        offsets_(model.tensors.size(), -1),
        tensor_(static_cast<size_t>(model.graph.initializer_count)) {}

  void add_parameter(const d3o_parameter &parameter) {
    if (parameter.tensor < 0 || static_cast<size_t>(parameter.tensor) >= offsets_.size() ||
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
    } else if (parameter.node < model_.proto.graph().node_size() &&
               model_.proto.graph().node(static_cast<int>(parameter.node)).output_size() > 0) {
      dequantized_[static_cast<int>(parameter.node)] = {index, parameter.offset};
    } else {
      fail(D3O_E_FORMAT, "there is no node " + std::to_string(parameter.node));
    }
  }

  void run(const void *bytes, size_t size) {
    check_external();
    find_unused();
    literal_ = static_cast<const unsigned char *>(bytes);
    split_model(literal_, literal_ + size);
    if (initializer_ != static_cast<size_t>(model_.graph.initializer_count) ||
        tensor_ != model_.file_tensors) {
      fail(D3O_E_FORMAT, "the file holds its tensors in an unusual way");
    }
    keep_bytes();
  }

 private:
  // Where the bytes of a piece come from: the file, or, where nothing is named, external data.
  struct Origin {
    const unsigned char *bytes;
    size_t tensor;
  };

  // One file cannot hold more; so no more is read.
  void check_external() const {
    uint64_t total = 0;
    for (size_t i = 0; i < model_.tensors.size(); i++) {
      if (model_.tensors[i].is_external == 0) continue;
      if (i >= model_.file_tensors) {
        fail(D3O_E_UNSUPPORTED, "tensor " + shown(model_.tensors[i].name) +
                                    " of a function or a branch holds external data");
      }
      total += tensor_bytes(i);
    }
    if (total > INT_MAX) {
      fail(D3O_E_LIMIT, "its external data has " + std::to_string(total) +
                            " bytes, one file may have " + std::to_string(INT_MAX));
    }
  }

  uint64_t tensor_bytes(size_t index) const {
    const d3o_tensor &record = model_.tensors[index];
    const auto bits = static_cast<uint64_t>(bits_of(record.data_type));
    return (static_cast<uint64_t>(record.element_count) * bits + 7) / 8;
  }

  bool is_special(size_t tensor) const {
    return offsets_[tensor] >= 0 || model_.tensors[tensor].is_external != 0;
  }

  // The functions that write pieces.

  void push(const Piece &piece, Origin origin) {
    if (source_.pieces.size() == kMaxPieces) {
      fail(D3O_E_LIMIT,
           "its weights are stored in more than " + std::to_string(kMaxPieces) + " parts");
    }
    source_.pieces.push_back(piece);
    origins_.push_back(origin);
  }

  void push_bytes(Piece piece, const unsigned char *begin, const unsigned char *end) {
    piece.size = static_cast<uint64_t>(end - begin);
    push(piece, {begin, 0});
  }

  void literal_until(const unsigned char *at) {
    if (at > literal_) push_bytes(Piece(), literal_, at);
    literal_ = at;
  }

  void open(const Field &field) {
    literal_until(field.length);
    Piece piece;
    piece.kind = Kind::open;
    push_bytes(piece, field.length, field.content);
    literal_ = field.content;
  }

  void close(const unsigned char *end) {
    literal_until(end);
    Piece piece;
    piece.kind = Kind::close;
    push(piece, {});
  }

  void drop(const Field &field) {
    literal_until(field.begin);
    Piece piece;
    piece.is_saved = false;
    push_bytes(piece, field.begin, field.end);
    literal_ = field.end;
  }

  // The messages on the way to tensors.

  void split_model(const unsigned char *at, const unsigned char *end) {
    for (Field field; next_field(at, end, field);) {
      if (field.is(kModelGraph, kBytes)) {
        open(field);
        split_graph(field);
        close(field.end);
      } else if (field.is(kModelMetadata, kBytes)) {
        literal_until(field.begin);
        Piece piece;
        piece.kind = Kind::metadata;
        push_bytes(piece, field.begin, field.end);
        literal_ = field.end;
      }
    }
    literal_until(end);
  }

  void split_graph(const Field &graph) {
    const unsigned char *at = graph.content;
    for (Field field; next_field(at, graph.end, field);) {
      if (field.is(kGraphInitializer, kBytes)) {
        const size_t index = initializer_++;
        if (index >= model_.tensors.size()) break;
        if (unused_.count(model_.tensors[index].name) > 0) {
          drop(field);
        } else if (is_special(index)) {
          split_tensor(index, {field});
        }
      } else if (field.is(kGraphNode, kBytes)) {
        split_node(field);
      }
    }
  }

  void split_node(const Field &node) {
    const int index = node_++;
    if (index >= model_.proto.graph().node_size()) return;
    const onnx::NodeProto &proto = model_.proto.graph().node(index);
    bool is_special_node = false;
    size_t tensor = tensor_;
    for (const auto &attribute : proto.attribute()) {
      if (holds_external(attribute)) {
        fail(D3O_E_UNSUPPORTED, "attribute " + shown(attribute.name()) + " of node " +
                                    shown(proto.name()) + " holds external data");
      }
      if (attribute.has_t()) is_special_node = is_special(tensor++) || is_special_node;
    }
    const auto dequantized = dequantized_.find(index);
    if (dequantized != dequantized_.end()) {
      tensor_ = tensor;
      drop(node);
      insert_initializer(proto.output(0), dequantized->second);
      return;
    }
    if (!is_special_node) {
      tensor_ = tensor;
      return;
    }
    open(node);
    const unsigned char *at = node.content;
    int number = 0;
    for (Field field; next_field(at, node.end, field);) {
      if (!field.is(kNodeAttribute, kBytes) || number >= proto.attribute_size()) continue;
      if (proto.attribute(number++).has_t()) split_attribute(field, tensor_++);
    }
    close(node.end);
  }

  void split_attribute(const Field &attribute, size_t tensor) {
    if (!is_special(tensor)) return;
    std::vector<Field> parts;
    const unsigned char *at = attribute.content;
    for (Field field; next_field(at, attribute.end, field);) {
      if (field.is(kAttributeTensor, kBytes)) parts.push_back(field);
    }
    open(attribute);
    split_tensor(tensor, parts);
    close(attribute.end);
  }

  // Tensors. A message that stands in several parts is, for protobuf, their concatenation.

  void split_tensor(size_t index, const std::vector<Field> &parts) {
    const bool is_external = model_.tensors[index].is_external != 0;
    first_ = offsets_[index];
    const unsigned char *const raw = is_external ? nullptr : last_raw_data(parts);
    for (const Field &part : parts) {
      open(part);
      const unsigned char *at = part.content;
      for (Field field; next_field(at, part.end, field);) {
        if (!is_external) {
          split_data(index, field, raw);
        } else if (field.is(kExternalData, kBytes) || field.is(kDataLocation, kVarint)) {
          drop(field);
        }
      }
      if (is_external && &part == &parts.back()) insert_raw_data(index, part.end);
      close(part.end);
    }
    if (offsets_[index] >= 0 && first_ != offsets_[index] + model_.tensors[index].element_count) {
      fail(D3O_E_FORMAT,
           "tensor " + shown(model_.tensors[index].name) + " holds its values in an unusual way");
    }
  }

  // Of several the last one counts; an empty one says nothing.
  static const unsigned char *last_raw_data(const std::vector<Field> &parts) {
    Field last = {};
    for (const Field &part : parts) {
      const unsigned char *at = part.content;
      for (Field field; next_field(at, part.end, field);) {
        if (field.is(kRawData, kBytes)) last = field;
      }
    }
    return last.content == last.end ? nullptr : last.begin;
  }

  void split_data(size_t index, const Field &field, const unsigned char *raw) {
    const int32_t type = model_.tensors[index].data_type;
    if (raw != nullptr) {
      if (field.begin == raw) add_payload(field.content, field.end, type, fixed_form(type));
    } else if (type == TensorProto::FLOAT && field.number == kFloatData) {
      split_fixed(field, type, kFixed32);
    } else if (type == TensorProto::DOUBLE && field.number == kDoubleData) {
      split_fixed(field, type, kFixed64);
    } else if (value_bytes(type) == 2 && field.is(kInt32Data, kBytes)) {
      open(field);
      add_payload(field.content, field.end, type, Form::varint);
      close(field.end);
    } else if (value_bytes(type) == 2 && field.is(kInt32Data, kVarint)) {
      add_payload(field.begin, field.end, type, Form::tagged_varint);
    }
  }

  void split_fixed(const Field &field, int32_t type, Wire wire) {
    if (field.wire == kBytes) {
      add_payload(field.content, field.end, type, fixed_form(type));
    } else if (field.wire == wire) {
      add_payload(field.begin, field.end, type, Form::tagged);
    }
  }

  // A double says more than the weight that is made of it.
  static Form fixed_form(int32_t type) {
    return type == TensorProto::DOUBLE ? Form::fixed : Form::plain;
  }

  void add_payload(const unsigned char *begin, const unsigned char *end, int32_t type, Form form) {
    Piece piece;
    piece.kind = Kind::payload;
    piece.form = form;
    piece.type = type;
    piece.first = static_cast<uint64_t>(first_);
    const auto size = static_cast<uint64_t>(end - begin);
    if (form == Form::varint) {
      for (const unsigned char *at = begin; at < end; at++) piece.count += *at < 0x80;
    } else {
      piece.count = form == Form::plain || form == Form::fixed ? size / value_bytes(type) : 1;
    }
    first_ += static_cast<int64_t>(piece.count);
    const bool is_tagged = form == Form::tagged || form == Form::tagged_varint;
    if (is_tagged && begin == literal_ && !source_.pieces.empty() &&
        source_.pieces.back().kind == Kind::payload && source_.pieces.back().form == form) {
      source_.pieces.back().size += size;  // one after the other they are one
      source_.pieces.back().count++;
    } else {
      literal_until(begin);
      if (form == Form::plain) {
        push(piece, {});
      } else {
        push_bytes(piece, begin, end);
      }
    }
    literal_ = end;
  }

  void insert_raw_data(size_t index, const unsigned char *at) {
    const uint64_t size = tensor_bytes(index);
    if (size == 0) return;
    literal_until(at);
    Piece piece;
    piece.is_read = false;
    push_bytes(piece, kRawDataTag, kRawDataTag + sizeof kRawDataTag);
    piece.size = 0;
    piece.kind = Kind::open;
    push(piece, {});
    const int32_t type = model_.tensors[index].data_type;
    piece.kind = Kind::literal;
    piece.size = size;
    if (offsets_[index] >= 0) {
      piece.kind = Kind::payload;
      piece.type = type;
      piece.form = fixed_form(type);
      piece.first = static_cast<uint64_t>(first_);
      piece.count = static_cast<uint64_t>(model_.tensors[index].element_count);
      first_ += model_.tensors[index].element_count;
      if (piece.form == Form::plain) piece.size = 0;
    }
    push(piece, {nullptr, index});
    piece.kind = Kind::close;
    piece.size = 0;
    push(piece, {});
  }

  // Weights that were integers in the file.

  struct Dequantized {
    size_t tensor;
    int64_t offset;
  };

  // Initializers that only replaced nodes use. What a subgraph uses is not known here.
  void find_unused() {
    if (dequantized_.empty()) return;
    const onnx::GraphProto &graph = model_.proto.graph();
    std::set<std::string_view> used;
    for (const auto &value : graph.input()) used.insert(value.name());
    for (const auto &value : graph.output()) used.insert(value.name());
    for (int i = 0; i < graph.node_size(); i++) {
      for (const auto &attribute : graph.node(i).attribute()) {
        if (attribute.has_g() || attribute.graphs_size() > 0) return;
      }
      if (dequantized_.count(i) > 0) continue;
      used.insert(graph.node(i).input().begin(), graph.node(i).input().end());
    }
    for (const auto &entry : dequantized_) {
      for (const std::string &name : graph.node(entry.first).input()) {
        if (used.count(name) == 0) unused_.insert(name);
      }
    }
  }

  void insert_initializer(const std::string &name, const Dequantized &weight) {
    const d3o_tensor &record = model_.tensors[weight.tensor];
    std::string &tag = made_.emplace_back();
    append_varint(tag, kGraphInitializer << 3 | kBytes);
    std::string &head = made_.emplace_back();
    for (int32_t i = 0; i < record.dim_count; i++) {
      append_varint(head, kTensorDims << 3 | kVarint);
      append_varint(head, static_cast<uint64_t>(record.dims[i]));
    }
    append_varint(head, kTensorType << 3 | kVarint);
    append_varint(head, TensorProto::FLOAT);
    append_varint(head, kTensorName << 3 | kBytes);
    append_varint(head, name.size());
    head += name;
    append_varint(head, kRawData << 3 | kBytes);
    push_made(Kind::literal, tag);
    push_made(Kind::open, {});
    push_made(Kind::literal, head);
    push_made(Kind::open, {});
    Piece values;
    values.kind = Kind::payload;
    values.is_read = false;
    values.type = TensorProto::FLOAT;
    values.first = static_cast<uint64_t>(weight.offset);
    values.count = static_cast<uint64_t>(record.element_count);
    push(values, {});
    push_made(Kind::close, {});
    push_made(Kind::close, {});
  }

  // A piece that the file that was read does not have; its bytes live as long as `made_`.
  void push_made(Kind kind, std::string_view bytes) {
    Piece piece;
    piece.kind = kind;
    piece.is_read = false;
    piece.size = bytes.size();
    push(piece, {reinterpret_cast<const unsigned char *>(bytes.data()), 0});
  }

  // The file's bytes end with the call, so what is needed of them is copied into one block.
  void keep_bytes() {
    uint64_t total = 0;
    for (Piece &piece : source_.pieces) {
      piece.begin = total;
      total += piece.size;
    }
    source_.bytes.reset(new unsigned char[total]);
    for (size_t i = 0; i < origins_.size(); i++) {
      const Piece &piece = source_.pieces[i];
      unsigned char *const out = source_.bytes.get() + piece.begin;
      if (piece.size == 0) continue;
      if (origins_[i].bytes != nullptr) {
        std::memcpy(out, origins_[i].bytes, piece.size);
      } else {
        read_tensor(origins_[i].tensor, out, piece.size);
      }
    }
    source_.pieces.shrink_to_fit();
  }

  void read_tensor(size_t index, unsigned char *out, uint64_t size) const {
    const d3o_tensor &record = model_.tensors[index];
    const File file = open_external(directory_, record.location, record.offset, size,
                                    "tensor " + shown(record.name));
    read_fully(file.get(), out, size, record.offset, shown(record.location));
  }

  d3o_source &source_;
  const d3o_model &model_;
  const int directory_;
  std::vector<int64_t> offsets_;  // of a tensor's values in the weights, -1 = none
  std::unordered_map<int, Dequantized> dequantized_;  // by node
  std::set<std::string_view> unused_;                 // initializers that are not saved
  std::deque<std::string> made_;                      // bytes that are in no file
  std::vector<Origin> origins_;                       // parallel to the pieces
  const unsigned char *literal_ = nullptr;            // what precedes it is in pieces
  size_t initializer_ = 0, tensor_;                   // the next one's index
  int node_ = 0;
  int64_t first_ = 0;  // the next value's index in the weights
};

}  // namespace

}  // namespace d3o

extern "C" {

d3o_status d3o_source_create(d3o_source **out, const d3o_model *model, const void *bytes,
                             size_t size, int directory, const d3o_parameter *parameters,
                             int64_t count, int64_t weight_count, char *message, size_t capacity) {
  if (out != nullptr) *out = nullptr;
  return d3o::guarded(message, capacity, [&] {
    if (out == nullptr || model == nullptr || bytes == nullptr ||
        (parameters == nullptr && count > 0)) {
      d3o::fail(D3O_E_FORMAT, "there is no model, or no place for what it is saved from");
    }
    auto source = std::make_unique<d3o_source>();
    source->weight_count = weight_count;
    try {
      d3o::Splitter splitter(*source, *model, directory);
      for (int64_t i = 0; i < count; i++) splitter.add_parameter(parameters[i]);
      splitter.run(bytes, size);
    } catch (const d3o::Failure &failure) {
      source->status = failure.status;
      source->problem = failure.message;
      source->pieces = {};
      source->bytes.reset();
    }
    *out = source.release();
  });
}

void d3o_source_free(d3o_source *source) { delete source; }

}  // extern "C"
