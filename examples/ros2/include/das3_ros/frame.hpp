// A frame as sensor_msgs/Image describes it in, a das3_image out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <das3.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace das3_ros {

/// The fields of a sensor_msgs/Image, which lends its pixels.
struct Frame {
  std::string_view encoding;
  std::uint32_t width, height;
  std::uint32_t step;  // bytes from one row to the next
  bool is_bigendian;   // of values of 16 bits
  const std::uint8_t *data;
  std::size_t size;  // bytes that `data` holds
};

/// A frame that cannot be read; what() says what was found and what was expected.
class FrameError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The encodings that a FrameReader understands, separated by commas.
std::string understood_encodings();

/// Describes frames to libdas3. A frame in one of its own formats is not copied; another one is
/// converted into a buffer, which keeps its memory from one frame to the next.
class FrameReader {
 public:
  /// The image points into the frame, or into the buffer until the next call.
  das3_image read(const Frame &frame);

 private:
  std::vector<std::uint8_t> buffer_;
};

}  // namespace das3_ros
