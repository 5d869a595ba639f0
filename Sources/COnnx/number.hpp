// Converts the 16-bit floating-point types of ONNX, which C++17 does not have, from and to float32.
#ifndef D3O_NUMBER_HPP
#define D3O_NUMBER_HPP

#include <cmath>
#include <cstdint>
#include <cstring>

namespace d3o {

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

inline float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t to_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float to_float(float value) { return value; }
inline float to_float(double value) { return static_cast<float>(value); }
inline float to_float(BFloat16 value) { return from_bits(uint32_t{value.bits} << 16); }
inline float to_float(Half value) {
  const uint32_t sign = uint32_t{value.bits & 0x8000u} << 16;
  const uint32_t exponent = value.bits >> 10 & 0x1f;
  const uint32_t fraction = value.bits & 0x3ff;
  if (exponent == 31) return from_bits(sign | 0x7f800000 | fraction << 13);  // infinity, NaN
  if (exponent != 0) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
  const float subnormal = std::ldexp(static_cast<float>(fraction), -24);  // exact in float32
  return sign != 0 ? -subnormal : subnormal;
}

// From float32 to the type: to the nearest value, ties to even. A value that was read from the type
// returns to the same bits.

inline void from_float(float value, float &out) { out = value; }
inline void from_float(float value, double &out) { out = value; }

inline void from_float(float value, BFloat16 &out) {
  const uint32_t bits = to_bits(value);
  uint32_t upper = bits >> 16;
  if ((bits & 0x7fffffff) > 0x7f800000) {
    if ((upper & 0x7f) == 0) upper |= 0x40;  // without this the NaN would become an infinity
  } else {
    upper = (bits + 0x7fff + (upper & 1)) >> 16;
  }
  out.bits = static_cast<uint16_t>(upper);
}

inline void from_float(float value, Half &out) {
  const uint32_t sign = to_bits(value) >> 16 & 0x8000;
  const uint32_t size = to_bits(value) & 0x7fffffff;
  uint32_t rest;
  if (size > 0x7f800000) {
    const uint32_t fraction = size >> 13 & 0x3ff;
    rest = 0x7c00 | (fraction != 0 ? fraction : 0x200);
  } else if (size >= 0x477ff000) {  // 65520 and more round to infinity
    rest = 0x7c00;
  } else if (size >= 0x38800000) {  // 2^-14, the smallest normal number
    rest = (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13;
  } else {  // in 0.5…1 the last bit of a float32 is worth 2^-24, as in a subnormal half
    rest = to_bits(from_bits(size) + 0.5f) - to_bits(0.5f);
  }
  out.bits = static_cast<uint16_t>(sign | rest);
}

}  // namespace d3o

#endif  // D3O_NUMBER_HPP
