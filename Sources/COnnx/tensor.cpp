// Reads the values of a tensor, in any encoding of the file, as float32 or int64, and writes them
// back.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <type_traits>

#include "number.hpp"
#include "source.hpp"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data is little endian");

namespace {

using d3o::fail;
using onnx::TensorProto;

constexpr size_t kBufferBytes = 64 * 1024;

using d3o::BFloat16;
using d3o::Half;
using d3o::to_float;

struct Bool {
  uint8_t bits;
};

template <typename Integer>
int64_t to_int(Integer value) {
  return static_cast<int64_t>(value);
}
int64_t to_int(uint64_t value) {
  return static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX));
}
int64_t to_int(Bool value) { return value.bits != 0; }

template <typename Element>
void convert(Element value, float *out) {
  *out = to_float(value);
}
template <typename Element>
void convert(Element value, int64_t *out) {
  *out = to_int(value);
}

// Typed fields hold small elements in an int32, and uint32 in a uint64. The low bits are the value.
template <typename Element, typename Entry>
Element narrow(Entry entry) {
  if constexpr (std::is_same_v<Element, Bool>) {
    return Bool{entry != 0};
  } else if constexpr (std::is_same_v<Element, Half> || std::is_same_v<Element, BFloat16>) {
    return Element{static_cast<uint16_t>(entry)};
  } else {
    return static_cast<Element>(entry);
  }
}

template <typename Element, typename Out>
void convert_raw(const void *bytes, size_t count, Out *out) {
  if constexpr (std::is_same_v<Element, Out>) {
    if (count > 0) std::memcpy(out, bytes, count * sizeof(Out));
  } else {
    const auto *at = static_cast<const unsigned char *>(bytes);
    for (size_t i = 0; i < count; i++) {
      Element value;  // raw_data is not aligned
      std::memcpy(&value, at + i * sizeof value, sizeof value);
      convert(value, out + i);
    }
  }
}

struct Source {
  const TensorProto &proto;
  const d3o_tensor &record;
  int file;  // of external data
};

constexpr size_t kTransferBytes = size_t{1} << 30;  // one pread(2) moves below 2 GiB

void read_fully(int file, void *out, size_t size, int64_t offset, const std::string &name) {
  auto *at = static_cast<unsigned char *>(out);
  while (size > 0) {
    const ssize_t got = pread(file, at, std::min(size, kTransferBytes), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      fail(error == ENOMEM ? D3O_E_MEMORY : D3O_E_IO,
           "cannot read " + name + ": " + std::generic_category().message(error));
    }
    if (got == 0) fail(D3O_E_IO, name + " became shorter while it was read");
    at += got;
    offset += got;
    size -= static_cast<size_t>(got);
  }
}

template <typename Element, typename Out>
void read_external(const Source &source, Out *out) {
  const d3o_tensor &record = source.record;
  const auto count = static_cast<size_t>(record.element_count);
  const std::string name = d3o::shown(record.location);
  if constexpr (std::is_same_v<Element, Out>) {
    read_fully(source.file, out, count * sizeof(Out), record.offset, name);
  } else {
    std::vector<unsigned char> buffer(std::min(kBufferBytes, count * sizeof(Element)));
    for (size_t done = 0; done < count;) {
      const size_t part = std::min(count - done, kBufferBytes / sizeof(Element));
      const int64_t at = record.offset + static_cast<int64_t>(done * sizeof(Element));
      read_fully(source.file, buffer.data(), part * sizeof(Element), at, name);
      convert_raw<Element>(buffer.data(), part, out + done);
      done += part;
    }
  }
}

// The parser has checked that the data has element_count entries, wherever it is stored.
template <typename Element, typename Entries, typename Out>
void read_values(const Source &source, const Entries &entries, Out *out) {
  if (source.record.is_external != 0) {
    read_external<Element>(source, out);
  } else if (!source.proto.raw_data().empty()) {
    const auto count = static_cast<size_t>(source.record.element_count);
    convert_raw<Element>(source.proto.raw_data().data(), count, out);
  } else {
    for (const auto entry : entries) convert(narrow<Element>(entry), out++);
  }
}

void read_as(const Source &source, float *out) {
  const TensorProto &proto = source.proto;
  switch (proto.data_type()) {
    case TensorProto::FLOAT:
      return read_values<float>(source, proto.float_data(), out);
    case TensorProto::DOUBLE:
      return read_values<double>(source, proto.double_data(), out);
    case TensorProto::FLOAT16:
      return read_values<Half>(source, proto.int32_data(), out);
    case TensorProto::BFLOAT16:
      return read_values<BFloat16>(source, proto.int32_data(), out);
    default:
      fail(D3O_E_UNSUPPORTED, "tensor " + d3o::shown(source.record.name) + " is of type " +
                                  d3o::type_name(proto.data_type()) +
                                  ", expected float, float16, bfloat16 or double");
  }
}

void read_as(const Source &source, int64_t *out) {
  const TensorProto &proto = source.proto;
  switch (proto.data_type()) {
    case TensorProto::INT64:
      return read_values<int64_t>(source, proto.int64_data(), out);
    case TensorProto::INT32:
      return read_values<int32_t>(source, proto.int32_data(), out);
    case TensorProto::INT16:
      return read_values<int16_t>(source, proto.int32_data(), out);
    case TensorProto::INT8:
      return read_values<int8_t>(source, proto.int32_data(), out);
    case TensorProto::UINT8:
      return read_values<uint8_t>(source, proto.int32_data(), out);
    case TensorProto::UINT16:
      return read_values<uint16_t>(source, proto.int32_data(), out);
    case TensorProto::UINT32:
      return read_values<uint32_t>(source, proto.uint64_data(), out);
    case TensorProto::UINT64:
      return read_values<uint64_t>(source, proto.uint64_data(), out);
    case TensorProto::BOOL:
      return read_values<Bool>(source, proto.int32_data(), out);
    default:
      fail(D3O_E_UNSUPPORTED, "tensor " + d3o::shown(source.record.name) + " is of type " +
                                  d3o::type_name(proto.data_type()) +
                                  ", expected an integer type or bool");
  }
}

size_t checked_index(const d3o_model *model, int64_t tensor) {
  const int64_t available = model != nullptr ? model->graph.tensor_count : 0;
  if (tensor < 0 || tensor >= available) {
    fail(D3O_E_FORMAT, "there is no tensor " + std::to_string(tensor) + ", the model has " +
                           std::to_string(available));
  }
  return static_cast<size_t>(tensor);
}

template <typename Out>
d3o_status read(const d3o_model *model, int64_t tensor, int file, Out *out, int64_t count,
                char *message, size_t capacity) {
  return d3o::guarded(message, capacity, [&] {
    const size_t index = checked_index(model, tensor);
    const d3o_tensor &record = model->tensors[index];
    if (count != record.element_count || (out == nullptr && count > 0)) {
      fail(D3O_E_FORMAT,
           "tensor " + d3o::shown(record.name) + " has " + std::to_string(record.element_count) +
               " elements, there is room for " + std::to_string(out == nullptr ? 0 : count));
    }
    read_as(Source{*model->tensor_protos[index], record, file}, out);
  });
}

// Changes an element unless it has this float32 value already: a double, or an entry that is wider
// than its type, may hold bits that float32 cannot restore. Returns whether it changed.
template <typename Element>
bool replace(Element &element, float value) {
  if (d3o::to_bits(to_float(element)) == d3o::to_bits(value)) return false;
  d3o::from_float(value, element);
  return true;
}

void put_raw(std::string &raw, const float *values) {
  for (size_t at = 0; at < raw.size(); at += sizeof(double)) {
    double element;
    std::memcpy(&element, &raw[at], sizeof element);
    if (replace(element, *values++)) std::memcpy(&raw[at], &element, sizeof element);
  }
}

template <typename Element>
void write_small(google::protobuf::io::CodedOutputStream &stream, const float *values,
                 size_t count) {
  Element buffer[4096];
  for (size_t done = 0; done < count;) {
    const size_t part = std::min(count - done, sizeof buffer / sizeof *buffer);
    for (size_t i = 0; i < part; i++) d3o::from_float(values[done + i], buffer[i]);
    stream.WriteRaw(buffer, static_cast<int>(part * sizeof *buffer));
    done += part;
  }
}

template <typename Element>
void put_small(google::protobuf::RepeatedField<int32_t> &entries, const float *values) {
  for (int32_t &entry : entries) {
    auto element = narrow<Element>(entry);
    if (replace(element, *values++)) entry = element.bits;
  }
}

}  // namespace

void d3o::write_values(google::protobuf::io::CodedOutputStream &stream, int32_t type,
                       const float *values, size_t count) {
  if (type == TensorProto::FLOAT) {
    stream.WriteRaw(values, static_cast<int>(count * sizeof *values));
  } else if (type == TensorProto::FLOAT16) {
    write_small<Half>(stream, values, count);
  } else {
    write_small<BFloat16>(stream, values, count);
  }
}

void d3o::put_values(TensorProto &tensor, const float *values, size_t count) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return tensor.mutable_float_data()->Add(values, values + count);
    case TensorProto::DOUBLE:
      if (!tensor.raw_data().empty()) return put_raw(*tensor.mutable_raw_data(), values);
      for (double &entry : *tensor.mutable_double_data()) replace(entry, *values++);
      return;
    case TensorProto::FLOAT16:
      return put_small<Half>(*tensor.mutable_int32_data(), values);
    default:
      return put_small<BFloat16>(*tensor.mutable_int32_data(), values);
  }
}

extern "C" {

d3o_status d3o_read_floats(const d3o_model *model, int64_t tensor, int file, float *out,
                           int64_t count, char *message, size_t capacity) {
  return read(model, tensor, file, out, count, message, capacity);
}

d3o_status d3o_read_ints(const d3o_model *model, int64_t tensor, int file, int64_t *out,
                         int64_t count, char *message, size_t capacity) {
  return read(model, tensor, file, out, count, message, capacity);
}

d3o_status d3o_read_data(d3o_model *model, int64_t tensor, int file, char *message,
                         size_t capacity) {
  return d3o::guarded(message, capacity, [&] {
    const size_t index = checked_index(model, tensor);
    d3o_tensor &record = model->tensors[index];
    TensorProto &proto = *model->tensor_protos[index];
    if (record.is_external == 0) return;
    if (record.length > 0) {
      std::string &bytes = *proto.mutable_raw_data();
      bytes.resize(static_cast<size_t>(record.length));
      read_fully(file, &bytes[0], bytes.size(), record.offset, d3o::shown(record.location));
    }
    proto.clear_external_data();
    proto.clear_data_location();
    record.is_external = 0;
  });
}

}  // extern "C"
