#include "das3_ros/labeller.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <stdexcept>

namespace das3_ros {
namespace {

std::uint8_t byte_of(float share) {
  return static_cast<std::uint8_t>(255.0F * std::clamp(share, 0.0F, 1.0F) + 0.5F);
}

std::size_t pixel_count(const das3_image &image) {
  return static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
}

das3::Model load(const LabellerSettings &settings) {
  if (settings.model.empty())
    throw std::invalid_argument("the parameter model is empty; expected the path of an ONNX file");
  das3::ModelOptions options;
  if (!settings.class_preset.empty()) options.class_preset = settings.class_preset.c_str();
  return das3::Model(settings.model, options);
}

das3::Online online(const LabellerSettings &settings, const das3::Model &model) {
  das3::SegmenterOptions labelling;
  labelling.threads = settings.threads;
  labelling.height = settings.height;
  labelling.width = settings.width;
  das3::OnlineOptions options;
  options.segmenter = &labelling;
  options.budget = settings.budget;
  return das3::Online(model, options);
}

std::vector<Class> classes_of(const das3::Model &model) {
  std::vector<Class> classes;
  const std::int32_t count = model.info().class_count;
  for (std::int32_t id = 0; id < count; ++id) {
    const das3_class entry = model.class_at(id);
    classes.push_back(
        {static_cast<std::uint8_t>(id), entry.name, {entry.red, entry.green, entry.blue}});
  }
  return classes;
}

}  // namespace

Confidence confidence_named(const std::string &name) {
  if (name == "maximum") return Confidence::maximum;
  if (name == "margin") return Confidence::margin;
  if (name == "entropy") return Confidence::entropy;
  throw std::invalid_argument("the parameter confidence is \"" + name +
                              "\"; expected maximum, margin or entropy");
}

void write_margin(das3::Span<const float> probabilities, das3::Span<std::uint8_t> confidence) {
  // Blocks of pixels, so that the two best of each stay in the cache while the classes go by.
  constexpr std::size_t block = 256;
  const std::size_t pixels = confidence.size();
  for (std::size_t begin = 0; begin < pixels; begin += block) {
    const std::size_t count = std::min(block, pixels - begin);
    std::array<float, block> best{}, second{};
    for (std::size_t plane = begin; plane < probabilities.size(); plane += pixels)
      for (std::size_t i = 0; i < count; ++i) {
        const float value = probabilities[plane + i];
        second[i] = std::max(second[i], std::min(best[i], value));
        best[i] = std::max(best[i], value);
      }
    for (std::size_t i = 0; i < count; ++i) confidence[begin + i] = byte_of(best[i] - second[i]);
  }
}

void write_certainty(das3::Span<const float> entropy, das3::Span<std::uint8_t> confidence) {
  std::transform(entropy.begin(), entropy.end(), confidence.begin(),
                 [](float value) { return byte_of(1.0F - value); });
}

Labeller::Labeller(const LabellerSettings &settings) : Labeller(settings, load(settings)) {}

Labeller::Labeller(const LabellerSettings &settings, const das3::Model &model)
    : confidence_(settings.confidence),
      checkpoint_(settings.checkpoint),
      classes_(classes_of(model)),
      online_(online(settings, model)) {
  if (checkpoint_.empty() || !std::filesystem::exists(checkpoint_)) return;
  try {
    online_.resume(checkpoint_);
  } catch (const das3::Error &error) {
    throw das3::Error(error.status(), std::string(error.what()) +
                                          "; remove the checkpoint to begin again with the model");
  }
}

void Labeller::label(const das3_image &image, das3::Span<std::uint8_t> mask,
                     das3::Span<std::uint8_t> confidence) {
  das3::Segmentation result{mask};
  if (confidence.size() != 0) {
    switch (confidence_) {
      case Confidence::maximum:
        result.confidence = confidence;
        break;
      case Confidence::margin:
        scores_.resize(classes_.size() * pixel_count(image));
        result.probabilities = scores_;
        break;
      case Confidence::entropy:
        scores_.resize(pixel_count(image));
        result.entropy = scores_;
        break;
    }
  }
  online_.run(image, result);
  if (result.probabilities.size() != 0) write_margin(result.probabilities, confidence);
  if (result.entropy.size() != 0) write_certainty(result.entropy, confidence);
}

void Labeller::set_learning(bool is_on) {
  if (is_on)
    online_.go_on();
  else
    online_.pause();
}

void Labeller::save() const {
  if (!checkpoint_.empty() && report().frame_count > 0) online_.save(checkpoint_);
}

}  // namespace das3_ros
