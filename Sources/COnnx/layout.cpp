// Makes the record of a TensorProto after it has checked that dims, type and data agree.
#include <charconv>
#include <climits>

#include "internal.hpp"

namespace d3o {

namespace {

using onnx::TensorProto;

constexpr int kMaxRank = 32;

struct TypeInfo {
  const char *name;
  int bits;  // of one element; 0 = the size is not fixed
};

// Indexed by TensorProto.DataType. The linked libonnx does not know the types above 16.
constexpr TypeInfo kTypes[] = {
    {"undefined", 0},      {"float", 32},       {"uint8", 8},          {"int8", 8},
    {"uint16", 16},        {"int16", 16},       {"int32", 32},         {"int64", 64},
    {"string", 0},         {"bool", 8},         {"float16", 16},       {"double", 64},
    {"uint32", 32},        {"uint64", 64},      {"complex64", 64},     {"complex128", 128},
    {"bfloat16", 16},      {"float8e4m3fn", 8}, {"float8e4m3fnuz", 8}, {"float8e5m2", 8},
    {"float8e5m2fnuz", 8}, {"uint4", 4},        {"int4", 4},
};
constexpr int kTypeCount = sizeof kTypes / sizeof kTypes[0];

int64_t count_elements(const TensorProto &tensor, const std::string &what) {
  if (tensor.dims_size() > kMaxRank) {
    fail(D3O_E_LIMIT, what + " has " + std::to_string(tensor.dims_size()) +
                          " dimensions, the limit is " + std::to_string(kMaxRank));
  }
  bool empty = false;
  for (int64_t dim : tensor.dims()) {
    if (dim < 0) fail(D3O_E_FORMAT, what + " has a dimension of size " + std::to_string(dim));
    empty = empty || dim == 0;
  }
  if (empty) return 0;
  int64_t count = 1;
  for (int64_t dim : tensor.dims()) {
    if (__builtin_mul_overflow(count, dim, &count)) {
      fail(D3O_E_LIMIT, what + " has more than 2^63 elements");
    }
  }
  return count;
}

uint64_t needed_bytes(int64_t count, int32_t type, const std::string &what) {
  uint64_t bits = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(count), uint64_t(bits_of(type)), &bits)) {
    fail(D3O_E_LIMIT, what + " needs more than 2^61 bytes");
  }
  return bits / 8 + (bits % 8 != 0);
}

// The number of entries in the typed field of a tensor of `count` elements.
uint64_t typed_entries(const TensorProto &tensor, uint64_t count) {
  switch (tensor.data_type()) {
    case TensorProto::COMPLEX64:
    case TensorProto::COMPLEX128:
      return count * 2;
    case 21:  // uint4 and int4: an entry holds two elements
    case 22:
      return count / 2 + count % 2;
    default:
      return count;
  }
}

uint64_t typed_size(const TensorProto &tensor) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
    case TensorProto::COMPLEX64:
      return tensor.float_data_size();
    case TensorProto::DOUBLE:
    case TensorProto::COMPLEX128:
      return tensor.double_data_size();
    case TensorProto::INT64:
      return tensor.int64_data_size();
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      return tensor.uint64_data_size();
    case TensorProto::STRING:
      return tensor.string_data_size();
    default:
      return tensor.int32_data_size();
  }
}

int filled_fields(const TensorProto &tensor) {
  return (tensor.float_data_size() > 0) + (tensor.int32_data_size() > 0) +
         (tensor.string_data_size() > 0) + (tensor.int64_data_size() > 0) +
         (tensor.double_data_size() > 0) + (tensor.uint64_data_size() > 0) +
         !tensor.raw_data().empty();
}

void check_inline(const TensorProto &tensor, int64_t count, uint64_t bytes,
                  const std::string &what) {
  const std::string elements = std::to_string(count) + " " + type_name(tensor.data_type());
  if (filled_fields(tensor) > 1) fail(D3O_E_FORMAT, what + " holds its data twice");
  if (!tensor.raw_data().empty()) {
    if (tensor.data_type() == TensorProto::STRING || tensor.raw_data().size() != bytes) {
      fail(D3O_E_FORMAT, what + " has " + std::to_string(tensor.raw_data().size()) +
                             " raw bytes, its " + elements + " elements need " +
                             std::to_string(bytes));
    }
    return;
  }
  const uint64_t expected = typed_entries(tensor, static_cast<uint64_t>(count));
  if (typed_size(tensor) != expected || (expected == 0 && filled_fields(tensor) != 0)) {
    fail(D3O_E_FORMAT, what + " holds " + std::to_string(typed_size(tensor)) +
                           " values in the field of its type, its " + elements + " elements need " +
                           std::to_string(expected));
  }
}

int64_t decimal(const std::string &digits, const std::string &key, const std::string &what) {
  int64_t value = -1;
  const char *const end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || value < 0) {
    fail(D3O_E_FORMAT, what + " has external data with " + key + " " + shown(digits) +
                           ", expected a decimal number from 0");
  }
  return value;
}

void read_external_entry(d3o_tensor &record, const TensorProto &tensor, uint64_t bytes,
                         const std::string &what) {
  record.is_external = 1;
  record.length = static_cast<int64_t>(bytes);
  if (filled_fields(tensor) != 0) {
    fail(D3O_E_FORMAT, what + " is external but also holds data in the model");
  }
  int64_t length = record.length;
  std::vector<std::string_view> keys;
  for (const auto &entry : tensor.external_data()) {
    keys.push_back(entry.key());
    if (entry.key() == "location") {
      record.location = text(entry.value(), "location of external " + what);
    } else if (entry.key() == "offset") {
      record.offset = decimal(entry.value(), entry.key(), what);
    } else if (entry.key() == "length") {
      length = decimal(entry.value(), entry.key(), what);
    }
  }
  refuse_duplicates(keys, ("external data entries of " + what).c_str());
  if (record.location[0] == '\0') {
    fail(D3O_E_FORMAT, what + " is external but names no file");
  }
  if (bits_of(tensor.data_type()) == 0) {
    fail(D3O_E_UNSUPPORTED, what + " is external and of type " + type_name(tensor.data_type()));
  }
  if (length != record.length) {
    fail(D3O_E_FORMAT, what + " has external data of length " + std::to_string(length) +
                           ", its elements need " + std::to_string(bytes));
  }
}

}  // namespace

int bits_of(int32_t data_type) {
  return data_type >= 0 && data_type < kTypeCount ? kTypes[data_type].bits : 0;
}

std::string type_name(int32_t data_type) {
  if (data_type >= 0 && data_type < kTypeCount) return kTypes[data_type].name;
  return "number " + std::to_string(data_type);
}

void add_tensor(d3o_model &model, TensorProto &tensor, const std::string &what,
                const d3o_limits &limits, uint64_t &total) {
  const int32_t type = tensor.data_type();
  if (type == TensorProto::UNDEFINED) fail(D3O_E_FORMAT, what + " has no element type");
  if (type < 0 || type >= kTypeCount) {
    fail(D3O_E_UNSUPPORTED, what + " has elements of type " + type_name(type) +
                                ", known are 1 to " + std::to_string(kTypeCount - 1));
  }
  if (tensor.has_segment()) fail(D3O_E_UNSUPPORTED, what + " is stored in segments");
  d3o_tensor record = {};
  record.name = text(tensor.name(), "tensor name");
  record.data_type = type;
  record.dim_count = tensor.dims_size();
  record.dims = tensor.dims().data();
  record.element_count = count_elements(tensor, what);
  record.location = "";
  const uint64_t bytes = needed_bytes(record.element_count, type, what);
  if (__builtin_add_overflow(total, bytes, &total) || total > limits.max_bytes) {
    fail(D3O_E_LIMIT, "the tensors up to " + what + " (" + std::to_string(bytes) +
                          " bytes) need more than the limit of " +
                          std::to_string(limits.max_bytes) + " bytes");
  }
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    read_external_entry(record, tensor, bytes, what);
  } else {
    check_inline(tensor, record.element_count, bytes, what);
  }
  if (model.tensors.size() >= INT32_MAX) fail(D3O_E_LIMIT, "the model has too many tensors");
  model.tensors.push_back(record);
  model.tensor_protos.push_back(&tensor);
}

}  // namespace d3o
