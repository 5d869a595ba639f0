#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "das3_ros/labeller.hpp"

namespace das3_ros {
namespace {

using Pixel = std::array<int, 3>;

/// BT.601, video range, in steps of 1/256.
Pixel rgb_of(int y, int u, int v) {
  const int luma = 298 * (y - 16) + 128, blue = u - 128, red = v - 128;
  const auto value = [](int scaled) { return std::clamp(scaled >> 8, 0, 255); };
  return {value(luma + 409 * red), value(luma - 100 * blue - 208 * red), value(luma + 516 * blue)};
}

/// Reads pixels of an image of bytes.
class Reader {
 public:
  explicit Reader(const das3_image &image)
      : data_(static_cast<const std::uint8_t *>(image.data)),
        format_(image.format),
        height_(static_cast<std::size_t>(image.height)) {
    const std::size_t bytes = format_ == DAS3_FORMAT_RGB8 || format_ == DAS3_FORMAT_BGR8     ? 3
                              : format_ == DAS3_FORMAT_RGBA8 || format_ == DAS3_FORMAT_BGRA8 ? 4
                              : format_ == DAS3_FORMAT_YUYV                                  ? 2
                                                                                             : 1;
    stride_ = image.stride_bytes > 0 ? static_cast<std::size_t>(image.stride_bytes)
                                     : bytes * static_cast<std::size_t>(image.width);
  }

  Pixel at(std::size_t y, std::size_t x) const {
    const std::uint8_t *row = data_ + y * stride_;
    switch (format_) {
      case DAS3_FORMAT_RGB8:
        return {row[3 * x], row[3 * x + 1], row[3 * x + 2]};
      case DAS3_FORMAT_BGR8:
        return {row[3 * x + 2], row[3 * x + 1], row[3 * x]};
      case DAS3_FORMAT_RGBA8:
        return {row[4 * x], row[4 * x + 1], row[4 * x + 2]};
      case DAS3_FORMAT_BGRA8:
        return {row[4 * x + 2], row[4 * x + 1], row[4 * x]};
      case DAS3_FORMAT_GRAY8:
        return {row[x], row[x], row[x]};
      case DAS3_FORMAT_YUYV: {
        const std::uint8_t *pair = row + x / 2 * 4;
        return rgb_of(row[2 * x], pair[1], pair[3]);
      }
      case DAS3_FORMAT_NV12: {
        const std::uint8_t *pair = data_ + (height_ + y / 2) * stride_ + x / 2 * 2;
        return rgb_of(row[x], pair[0], pair[1]);
      }
      default:
        throw std::invalid_argument("an overlay needs an image of bytes");
    }
  }

 private:
  const std::uint8_t *data_;
  std::int32_t format_;
  std::size_t height_, stride_;
};

}  // namespace

void draw_overlay(const das3_image &image, das3::Span<const std::uint8_t> labels,
                  const std::vector<Class> &classes, double opacity, das3::Span<std::uint8_t> rgb) {
  std::array<Pixel, 256> colours{};
  for (const Class &entry : classes)
    colours[entry.id] = {entry.colour[0], entry.colour[1], entry.colour[2]};
  const int share = static_cast<int>(std::lround(256 * std::clamp(opacity, 0.0, 1.0)));
  const Reader reader(image);
  const auto height = static_cast<std::size_t>(image.height);
  const auto width = static_cast<std::size_t>(image.width);
  const std::uint8_t *label = labels.data();
  std::uint8_t *to = rgb.data();
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x, ++label, to += 3) {
      const Pixel pixel = reader.at(y, x);
      const Pixel &colour = colours[*label];
      for (std::size_t c = 0; c < 3; ++c)
        to[c] =
            static_cast<std::uint8_t>(((256 - share) * pixel[c] + share * colour[c] + 128) / 256);
    }
}

}  // namespace das3_ros
