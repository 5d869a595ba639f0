// A file of raw YUYV frames in, 30 of them a second out, round and round.
#pragma once

#include <chrono>
#include <cstdint>
#include <das3.hpp>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using Bytes = std::vector<std::uint8_t>;

class Camera {
 public:
  Camera(const std::string &path, std::int32_t width, std::int32_t height)
      : stream_(path, std::ios::binary), width_(width), height_(height) {
    if (!stream_) throw std::runtime_error(path + ": cannot be read");
  }

  std::size_t pixel_count() const {
    return static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_);
  }

  das3_image image(const Bytes &frame) const {
    return {frame.data(), width_, height_, 0, DAS3_FORMAT_YUYV};
  }

  Bytes next() {
    std::this_thread::sleep_until(due_);
    due_ += std::chrono::milliseconds(33);
    Bytes frame(2 * pixel_count());
    if (!read(frame)) {
      stream_.clear();
      stream_.seekg(0);
      if (!read(frame)) throw std::runtime_error("the camera's file holds no whole frame");
    }
    return frame;
  }

 private:
  bool read(Bytes &frame) {
    const auto size = static_cast<std::streamsize>(frame.size());
    return static_cast<bool>(stream_.read(reinterpret_cast<char *>(frame.data()), size));
  }

  std::ifstream stream_;
  std::int32_t width_, height_;
  std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now();
};
