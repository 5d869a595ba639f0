// Weights as float32 come in; bytes in the encoding that their tensor has in the file go out.
#include <cstring>

#include "number.hpp"
#include "source.hpp"
#include "wire.hpp"

namespace d3o {

namespace {

using Form = Piece::Form;
using onnx::TensorProto;

// Collects small pieces so that a sink is called rarely.
class Buffer {
 public:
  explicit Buffer(Sink &sink) : sink_(sink) {}
  ~Buffer() = default;

  void put(const void *bytes, size_t size) {  // at most 16 bytes
    if (size_ + size > sizeof bytes_) flush();
    std::memcpy(bytes_ + size_, bytes, size);
    size_ += size;
  }
  void flush() {
    sink_.put(bytes_, size_);
    size_ = 0;
  }

 private:
  Sink &sink_;
  unsigned char bytes_[4096];
  size_t size_ = 0;
};

template <typename Element>
Element encoded(float value) {
  Element result;
  from_float(value, result);
  return result;
}

// A double has bits that a float32 lacks, and a varint may be longer than needed: a value that is
// what the file says keeps the file's bytes.
template <typename Element>
bool is_same(Element element, float value) {
  return to_bits(to_float(element)) == to_bits(value);
}

template <typename Element>
void encode_plain(const float *values, uint64_t count, Buffer &out) {
  for (uint64_t i = 0; i < count; i++) {
    const auto element = encoded<Element>(values[i]);
    out.put(&element, sizeof element);
  }
}

template <typename Element>
void encode_fixed(const Piece &piece, const unsigned char *at, const float *values, Buffer &out) {
  const unsigned char *const end = at + piece.size;
  for (uint64_t i = 0; i < piece.count; i++) {
    if (piece.form == Form::tagged) {
      const unsigned char *const tag = at;
      read_varint(at, end);
      out.put(tag, static_cast<size_t>(at - tag));
    }
    Element element;
    std::memcpy(&element, at, sizeof element);
    at += sizeof element;
    if (!is_same(element, values[i])) element = encoded<Element>(values[i]);
    out.put(&element, sizeof element);
  }
}

template <typename Element>
void encode_varints(const Piece &piece, const unsigned char *at, const float *values, Buffer &out) {
  const unsigned char *const end = at + piece.size;
  for (uint64_t i = 0; i < piece.count; i++) {
    if (piece.form == Form::tagged_varint) {
      const unsigned char *const tag = at;
      read_varint(at, end);
      out.put(tag, static_cast<size_t>(at - tag));
    }
    const unsigned char *const entry = at;
    const Element element{static_cast<uint16_t>(read_varint(at, end))};
    if (is_same(element, values[i])) {
      out.put(entry, static_cast<size_t>(at - entry));
    } else {
      unsigned char bytes[kMaxVarintBytes];
      out.put(bytes, write_varint(bytes, encoded<Element>(values[i]).bits));
    }
  }
}

template <typename Element>
void encode_small(const Piece &piece, const unsigned char *kept, const float *values, Buffer &out) {
  if (piece.form == Form::plain) {
    encode_plain<Element>(values, piece.count, out);
  } else {
    encode_varints<Element>(piece, kept, values, out);
  }
}

}  // namespace

uint64_t value_bytes(int32_t type) { return static_cast<uint64_t>(bits_of(type)) / 8; }

void encode(const Piece &payload, const unsigned char *kept, const float *values, Sink &sink) {
  if (payload.type == TensorProto::FLOAT && payload.form == Form::plain) {
    sink.put(values, payload.count * sizeof(float));
    return;
  }
  Buffer out(sink);
  switch (payload.type) {
    case TensorProto::FLOAT:
      encode_fixed<float>(payload, kept, values, out);
      break;
    case TensorProto::DOUBLE:
      encode_fixed<double>(payload, kept, values, out);
      break;
    case TensorProto::FLOAT16:
      encode_small<Half>(payload, kept, values, out);
      break;
    default:
      encode_small<BFloat16>(payload, kept, values, out);
      break;
  }
  out.flush();
}

}  // namespace d3o
