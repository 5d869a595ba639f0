// Estimates the memory that protobuf would need for a file, from the wire format and without
// allocating anything, and refuses the file where it is far more than the limits allow.
#include <google/protobuf/descriptor.h>

#include "internal.hpp"

namespace d3o {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using onnx::TensorProto;

constexpr int kMaxDepth = 90;           // protobuf itself stops at 100
constexpr uint64_t kHeapOverhead = 24;  // the header of the allocator and the pointer to the object
constexpr uint64_t kNodeBytes = 8192;   // allowed for each node; exporters need about 2000
constexpr uint64_t kSpareBytes = 16 << 20;

template <typename Message>
bool is(const Descriptor *kind) {
  return kind == Message::descriptor();
}

uint64_t object_bytes(const Descriptor *kind) {
  if (is<onnx::NodeProto>(kind)) return sizeof(onnx::NodeProto);
  if (is<onnx::AttributeProto>(kind)) return sizeof(onnx::AttributeProto);
  if (is<TensorProto>(kind)) return sizeof(TensorProto);
  if (is<onnx::GraphProto>(kind)) return sizeof(onnx::GraphProto);
  if (is<onnx::FunctionProto>(kind)) return sizeof(onnx::FunctionProto);
  return 128;  // all others are smaller
}

// Whether a field holds the values of a tensor, which count towards the limit on bytes.
bool is_data(const FieldDescriptor *field) {
  return field != nullptr && is<TensorProto>(field->containing_type()) &&
         (field->number() == TensorProto::kRawDataFieldNumber ||
          (field->is_packable() && field->number() != TensorProto::kDimsFieldNumber));
}

// A varint ends with its first byte below 0x80.
uint64_t count_varints(const unsigned char *at, const unsigned char *end) {
  uint64_t count = 0;
  for (; at < end; at++) count += *at < 0x80;
  return count;
}

// The memory of a packed field of numbers, or of a field of bytes.
uint64_t value_bytes(const FieldDescriptor *field, const unsigned char *at,
                     const unsigned char *end) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return count_varints(at, end) * 4;
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
      return count_varints(at, end) * 8;
    default:
      return static_cast<uint64_t>(end - at);
  }
}

class Scanner {
 public:
  Scanner(const void *bytes, size_t size, const d3o_limits &limits)
      : begin_(static_cast<const unsigned char *>(bytes)), end_(begin_ + size), limits_(limits) {
    // The sums saturate, because a caller may pass UINT64_MAX for "no limit". Elements of 8 bits
    // that are stored as int32 take four times the bytes of their type.
    if (__builtin_mul_overflow(limits.max_nodes, kNodeBytes, &object_limit_) ||
        __builtin_add_overflow(object_limit_, kSpareBytes, &object_limit_)) {
      object_limit_ = UINT64_MAX;
    }
    if (__builtin_mul_overflow(limits.max_bytes, uint64_t{4}, &data_limit_) ||
        __builtin_add_overflow(data_limit_, kSpareBytes, &data_limit_)) {
      data_limit_ = UINT64_MAX;
    }
  }

  void run() { message(onnx::ModelProto::descriptor(), begin_, end_, 0); }

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

  void leaf(const FieldDescriptor *field, const unsigned char *at, const unsigned char *end) {
    if (is_data(field)) {
      add_data(value_bytes(field, at, end));
    } else if (field != nullptr && field->is_packable()) {
      add_objects(value_bytes(field, at, end));
    } else {
      add_objects(sizeof(std::string) + kHeapOverhead);
    }
  }

  void message(const Descriptor *kind, const unsigned char *at, const unsigned char *end,
               int depth) {
    if (depth > kMaxDepth) {
      fail(D3O_E_FORMAT, "not ONNX: parts are nested more than " + std::to_string(kMaxDepth) +
                             " deep at byte " + std::to_string(at - begin_));
    }
    add_objects(object_bytes(kind) + kHeapOverhead);
    while (at < end) {
      // protobuf ignores the bits of a tag above the 32nd, so they are ignored here too.
      const auto tag = static_cast<uint32_t>(varint(at, end));
      const auto number = static_cast<int>(tag >> 3);
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
      if (number == 0 || size > static_cast<uint64_t>(end - at)) fail_at(at);
      const FieldDescriptor *field = kind->FindFieldByNumber(number);
      if ((tag & 7) != 2) {
        if (is_data(field)) {
          add_data(8);
        } else {
          add_objects(8);
        }
      } else if (field != nullptr && field->message_type() != nullptr) {
        message(field->message_type(), at, at + size, depth + 1);
      } else {
        leaf(field, at, at + size);
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

void scan(const void *bytes, size_t size, const d3o_limits &limits) {
  Scanner(bytes, size, limits).run();
}

}  // namespace d3o
