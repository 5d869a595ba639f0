// Frames in, masks and confidences out, and a network that learns meanwhile.
#pragma once

#include <cstdint>
#include <das3.hpp>
#include <string>
#include <vector>

namespace das3_ros {

/// What the confidence of a pixel is.
enum class Confidence {
  maximum,  // the probability of the label
  margin,   // ... less that of the second best class
  entropy   // 1 less the entropy of all probabilities over its largest value
};

/// The kind with that name; another name throws std::invalid_argument.
Confidence confidence_named(const std::string &name);

/// 255 * (the largest probability less the second largest), rounded.
/// probabilities  planes of classes x pixels
void write_margin(das3::Span<const float> probabilities, das3::Span<std::uint8_t> confidence);

/// 255 * (1 - entropy), rounded.
void write_certainty(das3::Span<const float> entropy, das3::Span<std::uint8_t> confidence);

/// A class as masks number it and overlays draw it.
struct Class {
  std::uint8_t id;
  std::string name;
  std::uint8_t colour[3];  // red, green, blue
};

/// Draws the colours of the labels over a frame, as rows of RGB without padding.
/// opacity  of the colours, 0 to 1
void draw_overlay(const das3_image &image, das3::Span<const std::uint8_t> labels,
                  const std::vector<Class> &classes, double opacity, das3::Span<std::uint8_t> rgb);

struct LabellerSettings {
  std::string model;
  std::string class_preset;            // "" = the classes that the file states
  std::uint32_t threads = 0;           // 0 = one for each processor
  std::int32_t height = 0, width = 0;  // that the network works on; 0 = the file's or the frame's
  Confidence confidence = Confidence::maximum;
  double budget = das3::OnlineOptions().budget;
  std::string checkpoint;  // what was learned; "" = it is forgotten
};

/// One thread at a time may call `label`; any thread may call the rest.
class Labeller {
 public:
  /// Loads the network, and what was learned before if the checkpoint exists.
  explicit Labeller(const LabellerSettings &settings);

  /// Labels a frame. Both results have one byte for each of its pixels; without room for
  /// confidences none are computed.
  void label(const das3_image &image, das3::Span<std::uint8_t> mask,
             das3::Span<std::uint8_t> confidence);

  /// Whether something is learned from the frames from now on.
  void set_learning(bool is_on);

  /// Writes what was learned to the checkpoint, if there is one and a frame was labelled.
  void save() const;

  const std::vector<Class> &classes() const { return classes_; }
  das3_online_report report() const { return online_.report(); }

 private:
  explicit Labeller(const LabellerSettings &settings, const das3::Model &model);

  Confidence confidence_;
  std::string checkpoint_;
  std::vector<Class> classes_;
  std::vector<float> scores_;  // entropies or probabilities of a frame
  das3::Online online_;
};

}  // namespace das3_ros
