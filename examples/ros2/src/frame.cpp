#include "das3_ros/frame.hpp"

#include <cstring>
#include <limits>

namespace das3_ros {
namespace {

enum class Kind {
  direct,     // one of libdas3's own formats
  high_byte,  // gray of 16 bits
  uyvy,       // YUYV with the bytes of each pair swapped
  nv21,       // NV12 with U and V swapped
  bayer       // one colour at each pixel
};

struct Encoding {
  std::string_view name;
  Kind kind;
  das3_format format;  // of the image that comes out
  std::uint32_t pixel_bytes;
  std::uint32_t red_x = 0, red_y = 0;  // where a Bayer pattern has its red pixel
};

constexpr Encoding encodings[] = {
    {"rgb8", Kind::direct, DAS3_FORMAT_RGB8, 3},
    {"bgr8", Kind::direct, DAS3_FORMAT_BGR8, 3},
    {"rgba8", Kind::direct, DAS3_FORMAT_RGBA8, 4},
    {"bgra8", Kind::direct, DAS3_FORMAT_BGRA8, 4},
    {"mono8", Kind::direct, DAS3_FORMAT_GRAY8, 1},
    {"mono16", Kind::high_byte, DAS3_FORMAT_GRAY8, 2},
    {"yuyv", Kind::direct, DAS3_FORMAT_YUYV, 2},
    {"yuv422_yuy2", Kind::direct, DAS3_FORMAT_YUYV, 2},
    {"uyvy", Kind::uyvy, DAS3_FORMAT_YUYV, 2},
    {"yuv422", Kind::uyvy, DAS3_FORMAT_YUYV, 2},
    {"nv12", Kind::direct, DAS3_FORMAT_NV12, 1},
    {"nv21", Kind::nv21, DAS3_FORMAT_NV12, 1},
    {"bayer_rggb8", Kind::bayer, DAS3_FORMAT_RGB8, 1, 0, 0},
    {"bayer_grbg8", Kind::bayer, DAS3_FORMAT_RGB8, 1, 1, 0},
    {"bayer_gbrg8", Kind::bayer, DAS3_FORMAT_RGB8, 1, 0, 1},
    {"bayer_bggr8", Kind::bayer, DAS3_FORMAT_RGB8, 1, 1, 1},
    {"bayer_rggb16", Kind::bayer, DAS3_FORMAT_RGB8, 2, 0, 0},
    {"bayer_grbg16", Kind::bayer, DAS3_FORMAT_RGB8, 2, 1, 0},
    {"bayer_gbrg16", Kind::bayer, DAS3_FORMAT_RGB8, 2, 0, 1},
    {"bayer_bggr16", Kind::bayer, DAS3_FORMAT_RGB8, 2, 1, 1},
};

const Encoding &encoding_named(std::string_view name) {
  for (const Encoding &encoding : encodings)
    if (encoding.name == name) return encoding;
  throw FrameError("the encoding is \"" + std::string(name) + "\"; expected one of " +
                   understood_encodings());
}

bool is_even(std::uint32_t value) { return value % 2 == 0; }

/// Rows of a frame, with those of the chroma below NV12 and NV21.
std::size_t row_count(const Encoding &encoding, std::size_t height) {
  return encoding.format == DAS3_FORMAT_NV12 ? height + (height + 1) / 2 : height;
}

/// Refuses what does not hold the pixels that it says.
void check(const Frame &frame, const Encoding &encoding) {
  const std::string size = std::to_string(frame.width) + "x" + std::to_string(frame.height);
  const std::string shown = "a frame of " + size + " " + std::string(encoding.name);
  constexpr std::uint32_t largest = std::numeric_limits<std::int32_t>::max();
  if (frame.width == 0 || frame.height == 0 || frame.width > largest || frame.height > largest)
    throw FrameError(shown + "; expected a width and a height from 1 to " +
                     std::to_string(largest));
  const bool has_pairs = encoding.format == DAS3_FORMAT_YUYV || encoding.format == DAS3_FORMAT_NV12;
  if (has_pairs && !is_even(frame.width))
    throw FrameError(shown + "; expected an even width, for two pixels share their colour");
  if (encoding.kind == Kind::bayer && (frame.width < 2 || frame.height < 2))
    throw FrameError(shown + "; expected at least 2x2, the size of the pattern");
  const std::size_t row = std::size_t{frame.width} * encoding.pixel_bytes;
  if (frame.step < row)
    throw FrameError(shown + " has a step of " + std::to_string(frame.step) +
                     " bytes; expected at least " + std::to_string(row));
  // The padding of the last row may be missing.
  const std::size_t rows = row_count(encoding, frame.height);
  const std::size_t expected = (rows - 1) * frame.step + row;
  if (frame.data == nullptr || frame.size < expected)
    throw FrameError(shown + " with a step of " + std::to_string(frame.step) + " holds " +
                     std::to_string(frame.size) + " bytes; expected at least " +
                     std::to_string(expected));
}

/// The 8 bits that count of each value of a row.
struct Row {
  const std::uint8_t *first;
  std::size_t distance;
  int operator[](std::size_t x) const { return first[x * distance]; }
};

Row row_of(const Frame &frame, std::uint32_t pixel_bytes, std::size_t y) {
  const std::size_t high = pixel_bytes == 2 && !frame.is_bigendian ? 1 : 0;
  return {frame.data + y * frame.step + high, pixel_bytes};
}

void take_high_bytes(const Frame &frame, std::uint8_t *gray) {
  for (std::size_t y = 0; y < frame.height; ++y) {
    const Row row = row_of(frame, 2, y);
    for (std::size_t x = 0; x < frame.width; ++x) *gray++ = static_cast<std::uint8_t>(row[x]);
  }
}

void swap_pairs(const std::uint8_t *from, std::size_t count, std::uint8_t *to) {
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    to[i] = from[i + 1];
    to[i + 1] = from[i];
  }
}

/// The colours that a pixel lacks are means of its neighbours, rounded. The rows and columns beyond
/// the edge are those inside it in the mirror, where the pattern goes on.
void demosaic(const Frame &frame, const Encoding &encoding, std::uint8_t *rgb) {
  const std::size_t height = frame.height, width = frame.width;
  for (std::size_t y = 0; y < height; ++y) {
    const Row above = row_of(frame, encoding.pixel_bytes, y == 0 ? 1 : y - 1);
    const Row row = row_of(frame, encoding.pixel_bytes, y);
    const Row below = row_of(frame, encoding.pixel_bytes, y + 1 == height ? height - 2 : y + 1);
    const bool in_red_row = y % 2 == encoding.red_y;
    for (std::size_t x = 0; x < width; ++x, rgb += 3) {
      const std::size_t left = x == 0 ? 1 : x - 1, right = x + 1 == width ? width - 2 : x + 1;
      const bool in_red_column = x % 2 == encoding.red_x;
      int with_red, green, with_blue;  // the colour of the red rows, and that of the blue ones
      if (in_red_row == in_red_column) {
        with_red = row[x];
        green = (above[x] + below[x] + row[left] + row[right] + 2) / 4;
        with_blue = (above[left] + above[right] + below[left] + below[right] + 2) / 4;
      } else {
        with_red = (row[left] + row[right] + 1) / 2;
        green = row[x];
        with_blue = (above[x] + below[x] + 1) / 2;
      }
      rgb[0] = static_cast<std::uint8_t>(in_red_row ? with_red : with_blue);
      rgb[1] = static_cast<std::uint8_t>(green);
      rgb[2] = static_cast<std::uint8_t>(in_red_row ? with_blue : with_red);
    }
  }
}

}  // namespace

std::string understood_encodings() {
  std::string names;
  for (const Encoding &encoding : encodings)
    names.append(names.empty() ? "" : ", ").append(encoding.name);
  return names;
}

das3_image FrameReader::read(const Frame &frame) {
  const Encoding &encoding = encoding_named(frame.encoding);
  check(frame, encoding);
  const auto width = static_cast<std::int32_t>(frame.width);
  const auto height = static_cast<std::int32_t>(frame.height);
  if (encoding.kind == Kind::direct)
    return {frame.data, width, height, static_cast<std::int64_t>(frame.step), encoding.format};

  const std::size_t pixels = std::size_t{frame.width} * frame.height;
  const std::size_t rows = row_count(encoding, frame.height);
  switch (encoding.kind) {
    case Kind::direct:
      break;
    case Kind::high_byte:
      buffer_.resize(pixels);
      take_high_bytes(frame, buffer_.data());
      break;
    case Kind::uyvy:
      buffer_.resize(2 * pixels);
      for (std::size_t y = 0; y < rows; ++y)
        swap_pairs(frame.data + y * frame.step, 2 * std::size_t{frame.width},
                   buffer_.data() + y * 2 * frame.width);
      break;
    case Kind::nv21:
      buffer_.resize(rows * frame.width);
      for (std::size_t y = 0; y < rows; ++y) {
        const std::uint8_t *from = frame.data + y * frame.step;
        std::uint8_t *to = buffer_.data() + y * frame.width;
        if (y < frame.height)
          std::memcpy(to, from, frame.width);
        else
          swap_pairs(from, frame.width, to);
      }
      break;
    case Kind::bayer:
      buffer_.resize(3 * pixels);
      demosaic(frame, encoding, buffer_.data());
      break;
  }
  return {buffer_.data(), width, height, 0, encoding.format};
}

}  // namespace das3_ros
