// The bytes of a file come in before protobuf sees them; those that would cost it far more memory
// than the limits allow are refused, by counting on the wire, without allocating anything.
#include "internal.hpp"

namespace d3o {

namespace {

// The messages of onnx.proto that nest, and `leaf` for every other field.
enum class Kind {
  leaf,
  model,
  training,
  graph,
  node,
  attribute,
  tensor,
  segment,
  sparse,
  value,
  annotation,
  function,
  opset,
  pair,
  type,
  type_tensor,  // dense and sparse
  type_nested,  // sequence and optional
  type_map,
  shape,
  dim,
};

constexpr int kMaxDepth = 90;           // protobuf itself stops at 100
constexpr uint64_t kHeapOverhead = 24;  // allocator header and the pointer to the object
constexpr uint64_t kNodeBytes = 8192;   // of objects per allowed node; exporters need about 2000
constexpr uint64_t kSpareBytes = 16 << 20;

struct Field {
  Kind parent;
  int first, last;  // field numbers of onnx.proto
  Kind child;
};

constexpr Field kFields[] = {
    {Kind::model, 7, 7, Kind::graph},        {Kind::model, 8, 8, Kind::opset},
    {Kind::model, 14, 14, Kind::pair},       {Kind::model, 20, 20, Kind::training},
    {Kind::model, 25, 25, Kind::function},   {Kind::training, 1, 2, Kind::graph},
    {Kind::training, 3, 4, Kind::pair},      {Kind::graph, 1, 1, Kind::node},
    {Kind::graph, 5, 5, Kind::tensor},       {Kind::graph, 11, 13, Kind::value},
    {Kind::graph, 14, 14, Kind::annotation}, {Kind::graph, 15, 15, Kind::sparse},
    {Kind::node, 5, 5, Kind::attribute},     {Kind::attribute, 5, 5, Kind::tensor},
    {Kind::attribute, 6, 6, Kind::graph},    {Kind::attribute, 10, 10, Kind::tensor},
    {Kind::attribute, 11, 11, Kind::graph},  {Kind::attribute, 14, 15, Kind::type},
    {Kind::attribute, 22, 23, Kind::sparse}, {Kind::tensor, 3, 3, Kind::segment},
    {Kind::tensor, 13, 13, Kind::pair},      {Kind::sparse, 1, 2, Kind::tensor},
    {Kind::value, 2, 2, Kind::type},         {Kind::annotation, 2, 2, Kind::pair},
    {Kind::function, 7, 7, Kind::node},      {Kind::function, 9, 9, Kind::opset},
    {Kind::type, 1, 1, Kind::type_tensor},   {Kind::type, 4, 4, Kind::type_nested},
    {Kind::type, 5, 5, Kind::type_map},      {Kind::type, 8, 8, Kind::type_tensor},
    {Kind::type, 9, 9, Kind::type_nested},   {Kind::type_tensor, 2, 2, Kind::shape},
    {Kind::type_nested, 1, 1, Kind::type},   {Kind::type_map, 2, 2, Kind::type},
    {Kind::shape, 1, 1, Kind::dim},
};

Kind child(Kind parent, uint64_t number) {
  for (const Field &field : kFields) {
    const bool inside = number >= uint64_t(field.first) && number <= uint64_t(field.last);
    if (field.parent == parent && inside) return field.child;
  }
  return Kind::leaf;
}

uint64_t object_bytes(Kind kind) {
  switch (kind) {
    case Kind::graph:
      return sizeof(onnx::GraphProto);
    case Kind::node:
      return sizeof(onnx::NodeProto);
    case Kind::attribute:
      return sizeof(onnx::AttributeProto);
    case Kind::tensor:
      return sizeof(onnx::TensorProto);
    case Kind::function:
      return sizeof(onnx::FunctionProto);
    default:
      return 128;  // all others are smaller
  }
}

// A varint ends at the first byte below 0x80.
uint64_t count_varints(const unsigned char *at, const unsigned char *end) {
  uint64_t count = 0;
  for (; at < end; at++) count += *at < 0x80;
  return count;
}

class Scanner {
 public:
  Scanner(const void *bytes, size_t size, const d3o_limits &limits)
      : begin_(static_cast<const unsigned char *>(bytes)), end_(begin_ + size), limits_(limits) {
    // Saturating: a caller may mean "no limit" with UINT64_MAX. Small elements stand four times as
    // large in memory as their type when they are stored as int32.
    if (__builtin_mul_overflow(limits.max_nodes, kNodeBytes, &object_limit_) ||
        __builtin_add_overflow(object_limit_, kSpareBytes, &object_limit_)) {
      object_limit_ = UINT64_MAX;
    }
    if (__builtin_mul_overflow(limits.max_bytes, uint64_t{4}, &data_limit_) ||
        __builtin_add_overflow(data_limit_, kSpareBytes, &data_limit_)) {
      data_limit_ = UINT64_MAX;
    }
  }

  void run(Kind kind) { message(kind, begin_, end_, 0); }

 private:
  [[noreturn]] void fail_at(const unsigned char *at) const {
    fail(D3O_E_FORMAT, "not ONNX: damaged or truncated at byte " + std::to_string(at - begin_) +
                           " of " + std::to_string(end_ - begin_));
  }

  uint64_t varint(const unsigned char *&at, const unsigned char *end) const {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at == end) fail_at(at);
      const unsigned char byte = *at++;
      value |= static_cast<uint64_t>(byte & 0x7f) << (shift < 64 ? shift : 63);
      if (byte < 0x80) return value;
    }
    fail_at(at);
  }

  void add_objects(uint64_t bytes) {
    object_bytes_ += bytes;
    if (object_bytes_ > object_limit_) {
      fail(D3O_E_LIMIT, "the file holds more parts than a graph of " +
                            std::to_string(limits_.max_nodes) + " nodes, the limit, needs");
    }
  }

  void add_data(uint64_t bytes) {
    data_bytes_ += bytes;
    if (data_bytes_ > data_limit_) {
      fail(D3O_E_LIMIT, "the tensors in the file need more than the limit of " +
                            std::to_string(limits_.max_bytes) + " bytes");
    }
  }

  void leaf(Kind parent, uint64_t field, const unsigned char *at, const unsigned char *end) {
    const auto size = static_cast<uint64_t>(end - at);
    if (parent == Kind::tensor && (field == 5 || field == 7 || field == 11)) {
      add_data(count_varints(at, end) * (field == 5 ? 4 : 8));
    } else if (parent == Kind::tensor && (field == 4 || field == 9 || field == 10)) {
      add_data(size);
    } else if ((parent == Kind::attribute && field == 8) ||
               ((parent == Kind::tensor || parent == Kind::sparse) && field <= 3)) {
      add_objects(count_varints(at, end) * 8);
    } else {
      add_objects(sizeof(std::string) + kHeapOverhead);
    }
  }

  void message(Kind kind, const unsigned char *at, const unsigned char *end, int depth) {
    if (depth > kMaxDepth) {
      fail(D3O_E_FORMAT, "not ONNX: parts are nested more than " + std::to_string(kMaxDepth) +
                             " deep at byte " + std::to_string(at - begin_));
    }
    add_objects(object_bytes(kind) + kHeapOverhead);
    while (at < end) {
      // protobuf drops what a tag has beyond 32 bits; what counts is the field that it sees.
      const auto tag = static_cast<uint32_t>(varint(at, end));
      const uint32_t field = tag >> 3;
      uint64_t size = 0;
      switch (tag & 7) {
        case 0:
          varint(at, end);
          break;
        case 1:
          size = 8;
          break;
        case 2:
          size = varint(at, end);
          break;
        case 5:
          size = 4;
          break;
        default:  // groups, which ONNX does not use
          fail_at(at);
      }
      if (field == 0 || size > static_cast<uint64_t>(end - at)) fail_at(at);
      if ((tag & 7) == 2) {
        const Kind inner = child(kind, field);
        if (inner != Kind::leaf) {
          message(inner, at, at + size, depth + 1);
        } else {
          leaf(kind, field, at, at + size);
        }
      } else if (kind == Kind::tensor && field > 3) {
        add_data(8);
      } else {
        add_objects(8);
      }
      at += size;
    }
  }

  const unsigned char *begin_, *end_;
  const d3o_limits &limits_;
  uint64_t object_bytes_ = 0, data_bytes_ = 0;
  uint64_t object_limit_ = 0, data_limit_ = 0;
};

}  // namespace

void scan(const void *bytes, size_t size, Root root, const d3o_limits &limits) {
  Scanner(bytes, size, limits).run(root == Root::model ? Kind::model : Kind::tensor);
}

}  // namespace d3o
