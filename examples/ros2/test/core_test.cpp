// Tests of what needs no ROS: core_test MODEL CONVERSIONS
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <das3_ros/frame.hpp>
#include <das3_ros/health.hpp>
#include <das3_ros/labeller.hpp>
#include <das3_ros/slot.hpp>
#include <fstream>
#include <numeric>
#include <thread>

#include "check.hpp"

using namespace das3_ros;
using Bytes = std::vector<std::uint8_t>;

namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

/// The pixels of an image without the padding of its rows.
Bytes pixels_of(const das3_image &image) {
  const auto width = static_cast<std::size_t>(image.width);
  const auto height = static_cast<std::size_t>(image.height);
  const bool is_nv12 = image.format == DAS3_FORMAT_NV12;
  const std::size_t bytes = image.format == DAS3_FORMAT_RGB8 || image.format == DAS3_FORMAT_BGR8 ? 3
                            : image.format == DAS3_FORMAT_RGBA8 || image.format == DAS3_FORMAT_BGRA8
                                ? 4
                            : image.format == DAS3_FORMAT_YUYV ? 2
                                                               : 1;
  const std::size_t rows = is_nv12 ? height + (height + 1) / 2 : height;
  const std::size_t stride =
      image.stride_bytes ? static_cast<std::size_t>(image.stride_bytes) : bytes * width;
  Bytes pixels;
  for (std::size_t y = 0; y < rows; ++y) {
    const auto *row = static_cast<const std::uint8_t *>(image.data) + y * stride;
    pixels.insert(pixels.end(), row, row + bytes * width);
  }
  return pixels;
}

/// FNV-1a, 32 bits.
std::uint32_t digest_of(const Bytes &bytes) {
  std::uint32_t digest = 2166136261U;
  for (const std::uint8_t byte : bytes) digest = (digest ^ byte) * 16777619U;
  return digest;
}

/// conversions.txt has what every encoding becomes, for this reader and the one in Python.
void test_conversions(const char *path) {
  std::ifstream lines(path);
  std::string encoding;
  std::uint32_t width, height, step, is_bigendian, format, digest;
  int count = 0;
  FrameReader reader;
  while (lines >> encoding) {
    if (encoding[0] == '#') {
      std::getline(lines, encoding);
      continue;
    }
    lines >> width >> height >> step >> is_bigendian >> format >> digest;
    Bytes bytes(std::size_t{step} * height * 3 / 2 + step);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(i * i * 31 + i * 7 + 3);
    const das3_image image =
        reader.read({encoding, width, height, step, is_bigendian != 0, bytes.data(), bytes.size()});
    CHECK(image.format == static_cast<std::int32_t>(format));
    if (const std::uint32_t found = digest_of(pixels_of(image)); found != digest) {
      std::printf("%s %ux%u: the digest is %u, expected %u\n", encoding.c_str(), width, height,
                  found, digest);
      CHECK(found == digest);
    }
    ++count;
  }
  CHECK(count >= 24);
  std::printf("%d conversions\n", count);
}

void test_frames_without_a_copy() {
  const Bytes bytes(12 * 8 * 4);
  FrameReader reader;
  for (const char *encoding :
       {"rgb8", "bgr8", "rgba8", "bgra8", "mono8", "yuyv", "yuv422_yuy2", "nv12"}) {
    const das3_image image = reader.read({encoding, 8, 4, 40, false, bytes.data(), bytes.size()});
    CHECK(image.data == bytes.data());
    CHECK(image.stride_bytes == 40);
  }
  // The others share one buffer.
  const void *first = reader.read({"uyvy", 8, 4, 16, false, bytes.data(), bytes.size()}).data;
  CHECK(first != bytes.data());
  CHECK(reader.read({"uyvy", 8, 4, 16, false, bytes.data(), bytes.size()}).data == first);
}

void test_refusals() {
  const Bytes bytes(8 * 4 * 4);
  FrameReader reader;
  const auto refusal = [&](const char *encoding, std::uint32_t width, std::uint32_t height,
                           std::uint32_t step, std::size_t size) {
    return check::message_of([&] {
      reader.read({encoding, width, height, step, false, bytes.data(), size});
    });
  };
  const std::string unknown = refusal("32FC1", 8, 4, 32, bytes.size());
  CHECK(contains(unknown, "\"32FC1\""));
  CHECK(contains(unknown, understood_encodings()));
  CHECK(
      contains(refusal("rgb8", 8, 4, 23, bytes.size()), "step of 23 bytes; expected at least 24"));
  CHECK(contains(refusal("rgb8", 8, 4, 24, 95), "holds 95 bytes; expected at least 96"));
  CHECK(refusal("rgb8", 8, 4, 24, 96).empty());
  CHECK(contains(refusal("nv12", 8, 4, 8, 47), "expected at least 48"));
  CHECK(contains(refusal("yuyv", 7, 4, 14, bytes.size()), "even width"));
  CHECK(contains(refusal("nv21", 7, 4, 14, bytes.size()), "even width"));
  CHECK(contains(refusal("mono8", 0, 4, 8, bytes.size()), "from 1 to"));
  CHECK(contains(refusal("mono8", 4294967295U, 1, 4294967295U, bytes.size()), "from 1 to"));
  CHECK(contains(refusal("mono8", 2147483647U, 2147483647U, 2147483647U, 128), "holds 128 bytes"));
  CHECK(contains(refusal("bayer_rggb8", 1, 1, 1, bytes.size()), "2x2"));
}

/// One colour everywhere comes back everywhere; in a ramp, what lies between two pixels is halfway.
void test_bayer() {
  const struct {
    const char *encoding;
    int red_x, red_y;
  } patterns[] = {
      {"bayer_rggb8", 0, 0}, {"bayer_grbg8", 1, 0}, {"bayer_gbrg8", 0, 1}, {"bayer_bggr8", 1, 1}};
  for (const auto &pattern : patterns) {
    Bytes mosaic, ramp;
    for (int y = 0; y < 5; ++y)
      for (int x = 0; x < 7; ++x) {
        const bool red_row = y % 2 == pattern.red_y, red_column = x % 2 == pattern.red_x;
        mosaic.push_back(red_row && red_column ? 200 : red_row || red_column ? 120 : 40);
        ramp.push_back(static_cast<std::uint8_t>(10 * x));
      }
    FrameReader reader;
    Bytes rgb = pixels_of(reader.read({pattern.encoding, 7, 5, 7, false, mosaic.data(), 35}));
    for (std::size_t i = 0; i < 35; ++i)
      CHECK(rgb[3 * i] == 200 && rgb[3 * i + 1] == 120 && rgb[3 * i + 2] == 40);
    rgb = pixels_of(reader.read({pattern.encoding, 7, 5, 7, false, ramp.data(), 35}));
    for (std::size_t y = 0; y < 5; ++y)
      for (std::size_t x = 1; x < 6; ++x)
        for (std::size_t c = 0; c < 3; ++c) CHECK(rgb[3 * (7 * y + x) + c] == 10 * x);
  }
}

void test_confidences() {
  // Three classes, four pixels.
  const std::vector<float> probabilities = {0.7F, 0.2F, 1,    0.5F, 0.2F, 0.3F,
                                            0,    0.5F, 0.1F, 0.5F, 0,    0};
  Bytes confidence(4);
  write_margin(probabilities, confidence);
  CHECK((confidence == Bytes{128, 51, 255, 0}));
  write_certainty(std::vector<float>{0, 1, 0.5F, 0.25F}, confidence);
  CHECK((confidence == Bytes{255, 0, 128, 191}));
  CHECK(confidence_named("margin") == Confidence::margin);
  CHECK(
      contains(check::message_of([] { confidence_named("best"); }), "maximum, margin or entropy"));
  // More pixels than fit in a block.
  const std::size_t pixels = 1000;
  std::vector<float> planes(2 * pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    planes[i] = static_cast<float>(i) / pixels;
    planes[pixels + i] = 1 - planes[i];
  }
  confidence.resize(pixels);
  write_margin(planes, confidence);
  for (std::size_t i = 0; i < pixels; ++i)
    CHECK(std::abs(confidence[i] - 255 * std::abs(2.0 * static_cast<double>(i) / pixels - 1)) <=
          0.51);
}

void test_overlay() {
  const std::vector<Class> classes = {{0, "road", {100, 0, 200}}, {1, "sky", {0, 255, 0}}};
  const Bytes rgb = {10, 20, 30, 40, 50, 60}, bgr = {30, 20, 10, 60, 50, 40}, labels = {0, 255};
  Bytes drawn(6), other(6);
  draw_overlay({rgb.data(), 2, 1, 0, DAS3_FORMAT_RGB8}, labels, classes, 0.5, drawn);
  CHECK((drawn == Bytes{55, 10, 115, 20, 25, 30}));
  draw_overlay({bgr.data(), 2, 1, 6, DAS3_FORMAT_BGR8}, labels, classes, 0.5, other);
  CHECK(drawn == other);
  draw_overlay({rgb.data(), 2, 1, 0, DAS3_FORMAT_RGB8}, labels, classes, 0, drawn);
  CHECK(drawn == rgb);
  // Gray, black and white of the video range have no colour.
  const Bytes yuyv = {16, 128, 235, 128}, nv12 = {16, 235, 128, 128};
  draw_overlay({yuyv.data(), 2, 1, 0, DAS3_FORMAT_YUYV}, labels, classes, 0, drawn);
  draw_overlay({nv12.data(), 2, 1, 0, DAS3_FORMAT_NV12}, labels, classes, 0, other);
  CHECK((drawn == Bytes{0, 0, 0, 255, 255, 255}));
  CHECK(drawn == other);
}

void test_latencies() {
  Latencies latencies(100);
  CHECK(latencies.quantile(0.5) == 0);
  for (int i = 200; i > 0; --i) latencies.add(i);  // 100 to 1 remain
  CHECK(latencies.quantile(0.5) == 50);
  CHECK(latencies.quantile(0.99) == 99);
  CHECK(latencies.quantile(1) == 100);
}

std::string value_of(const Diagnosis &diagnosis, const std::string &key) {
  for (const auto &[name, value] : diagnosis.values)
    if (name == key) return value;
  return "no " + key;
}

void test_health() {
  Health health;
  das3_online_report report{};
  report.total_step = 7;
  report.held_count = 2;
  report.rolled_back_count = 1;
  report.origin = 'b';
  const auto begin = Health::Clock::now();
  CHECK(health.diagnose(report, begin).level == Level::warn);  // no frame yet
  for (int i = 0; i < 20; ++i) {
    health.received();
    health.labelled("rgb8", 8);
  }
  Diagnosis diagnosis = health.diagnose(report, begin + std::chrono::seconds(2));
  CHECK(diagnosis.level == Level::ok);
  CHECK(diagnosis.message == "labels 10.0 frames a second");
  CHECK(value_of(diagnosis, "rate_hz") == "10.00");
  CHECK(value_of(diagnosis, "latency_p99_ms") == "8.00");
  CHECK(value_of(diagnosis, "frames_labelled") == "20");
  CHECK(value_of(diagnosis, "encoding") == "rgb8");
  CHECK(value_of(diagnosis, "learning") == "on");
  CHECK(value_of(diagnosis, "steps") == "7");
  CHECK(value_of(diagnosis, "refused") == "3");
  CHECK(value_of(diagnosis, "weights") == "stage b");
  for (int i = 0; i < 3; ++i) health.received();
  health.dropped();
  health.dropped();
  health.labelled("rgb8", 8);
  diagnosis = health.diagnose(report, begin + std::chrono::seconds(3));
  CHECK(diagnosis.level == Level::warn);
  CHECK(contains(diagnosis.message, "dropped"));
  health.received();
  report.status = DAS3_E_MEMORY;
  CHECK(contains(health.diagnose(report).message, "learning has ended: DAS3_E_MEMORY"));
  health.received();
  health.refused("a frame of 7x4 yuyv");
  diagnosis = health.diagnose(report);
  CHECK(diagnosis.level == Level::error);
  CHECK(diagnosis.message == "a frame of 7x4 yuyv");
}

void test_slot() {
  Slot<int> slot;
  CHECK(!slot.put(1));
  CHECK(slot.put(2));
  CHECK(slot.take() == 2);
  std::thread closing([&] { slot.close(); });
  CHECK(slot.take() == std::nullopt);
  closing.join();
  slot.open();
  CHECK(!slot.put(3));
  CHECK(slot.take() == 3);
}

void test_labeller(const std::string &model) {
  const std::int32_t width = 160, height = 120;
  Bytes rgb(3 * 160 * 120);
  for (std::size_t i = 0; i < rgb.size(); ++i)
    rgb[i] = static_cast<std::uint8_t>(i / 240 + i % 3 * 40);
  const das3_image image = {rgb.data(), width, height, 0, DAS3_FORMAT_RGB8};
  Bytes expected(160 * 120), mask(160 * 120), confidence(160 * 120), labels_only(160 * 120);
  das3::Segmenter segmenter{das3::Model(model)};
  segmenter.run(image, {expected});

  LabellerSettings settings;
  settings.model = model;
  settings.checkpoint = "core_test.checkpoint";
  std::remove(settings.checkpoint.c_str());
  for (const Confidence kind : {Confidence::maximum, Confidence::margin, Confidence::entropy}) {
    settings.confidence = kind;
    Labeller labeller(settings);
    labeller.set_learning(false);
    CHECK(labeller.report().paused == 1);
    CHECK(labeller.classes().size() == 9);
    CHECK(labeller.classes()[0].name == "road");
    std::fill(confidence.begin(), confidence.end(), 0);
    labeller.label(image, mask, confidence);
    CHECK(mask == expected);
    CHECK(*std::max_element(confidence.begin(), confidence.end()) > 128);
    labeller.label(image, labels_only, {});
    CHECK(labels_only == expected);
    labeller.save();
  }
  Labeller resumed(settings);
  resumed.label(image, mask, {});
  CHECK(mask == expected);
  std::ofstream(settings.checkpoint) << "no checkpoint";
  CHECK(contains(check::message_of([&] { Labeller damaged(settings); }), "remove the checkpoint"));
  std::remove(settings.checkpoint.c_str());
  settings.model = "";
  CHECK(contains(check::message_of([&] { Labeller none(settings); }), "parameter model is empty"));
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: core_test MODEL CONVERSIONS\n");
    return 2;
  }
  test_conversions(arguments[2]);
  test_frames_without_a_copy();
  test_refusals();
  test_bayer();
  test_confidences();
  test_overlay();
  test_latencies();
  test_health();
  test_slot();
  test_labeller(arguments[1]);
  return check::result();
}
