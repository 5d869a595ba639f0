// The wire format of protobuf: fields of a message that has been scanned, and varints.
#ifndef D3O_WIRE_HPP
#define D3O_WIRE_HPP

#include "internal.hpp"

namespace d3o {

enum Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr size_t kMaxVarintBytes = 10;

/// Reads a varint and moves `at` behind it.
inline uint64_t read_varint(const unsigned char *&at, const unsigned char *end) {
  uint64_t value = 0;
  for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
    const unsigned char byte = *at++;
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  fail(D3O_E_FORMAT, "the wire format is damaged");  // scan() has seen to it
}

/// Writes the shortest form and gives its size.
inline size_t write_varint(unsigned char *out, uint64_t value) {
  size_t size = 0;
  for (; value >= 0x80; value >>= 7) out[size++] = static_cast<unsigned char>(value | 0x80);
  out[size++] = static_cast<unsigned char>(value);
  return size;
}

/// One field: tag, length where it has one, content.
struct Field {
  const unsigned char *begin, *length, *content, *end;
  uint32_t number, wire;

  bool is(uint32_t other_number, Wire other_wire) const {
    return number == other_number && wire == other_wire;
  }
};

/// Reads the field at `at` and moves behind it; false at the end.
inline bool next_field(const unsigned char *&at, const unsigned char *end, Field &field) {
  if (at >= end) return false;
  field.begin = at;
  const auto tag = static_cast<uint32_t>(read_varint(at, end));
  field.number = tag >> 3;
  field.wire = tag & 7;
  field.length = field.content = at;
  uint64_t size = 0;
  if (field.wire == kVarint) {
    read_varint(at, end);
    size = static_cast<uint64_t>(at - field.content);
  } else if (field.wire == kBytes) {
    size = read_varint(at, end);
    field.content = at;
  } else {
    size = field.wire == kFixed64 ? 8 : 4;
  }
  if (size > static_cast<uint64_t>(end - field.content)) {
    fail(D3O_E_FORMAT, "the wire format is damaged");
  }
  field.end = at = field.content + size;
  return true;
}

}  // namespace d3o

#endif  // D3O_WIRE_HPP
