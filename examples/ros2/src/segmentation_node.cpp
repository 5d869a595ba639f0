#include "segmentation_node.hpp"

#include <exception>
#include <functional>
#include <rclcpp_components/register_node_macro.hpp>
#include <utility>

namespace das3_ros {
namespace {

using rcl_interfaces::msg::ParameterDescriptor;

ParameterDescriptor described(const char *description) {
  ParameterDescriptor descriptor;
  descriptor.description = description;
  return descriptor;
}

ParameterDescriptor described(const char *description, double from, double to) {
  ParameterDescriptor descriptor = described(description);
  descriptor.floating_point_range.resize(1);
  descriptor.floating_point_range[0].from_value = from;
  descriptor.floating_point_range[0].to_value = to;
  return descriptor;
}

ParameterDescriptor described(const char *description, std::int64_t from, std::int64_t to) {
  ParameterDescriptor descriptor = described(description);
  descriptor.integer_range.resize(1);
  descriptor.integer_range[0].from_value = from;
  descriptor.integer_range[0].to_value = to;
  descriptor.integer_range[0].step = 1;
  return descriptor;
}

/// An image with the header and the size of another one, and room for its pixels.
std::unique_ptr<sensor_msgs::msg::Image> like(const sensor_msgs::msg::Image &image,
                                              const char *encoding, std::uint32_t pixel_bytes) {
  auto result = std::make_unique<sensor_msgs::msg::Image>();
  result->header = image.header;
  result->height = image.height;
  result->width = image.width;
  result->encoding = encoding;
  result->is_bigendian = 0;
  result->step = image.width * pixel_bytes;
  result->data.resize(std::size_t{result->step} * image.height);
  return result;
}

/// Someone may listen: what nobody hears need not be computed.
template <class Publisher>
bool is_heard(const Publisher &publisher) {
  return publisher->get_subscription_count() > 0;
}

}  // namespace

SegmentationNode::SegmentationNode(const rclcpp::NodeOptions &options)
    : LifecycleNode("das3_segmentation", options) {
  declare_parameters();
  parameter_callback_ = add_on_set_parameters_callback(
      std::bind(&SegmentationNode::check_parameters, this, std::placeholders::_1));
}

SegmentationNode::~SegmentationNode() {
  stop();
  release();  // Ctrl-C ends the process without a transition
}

void SegmentationNode::declare_parameters() {
  const LabellerSettings defaults;
  declare_parameter("model", defaults.model, described("path of the ONNX file of the network"));
  declare_parameter("class_preset", defaults.class_preset,
                    described("class names where the file has none: cityscapes19, camvid11, ..."));
  declare_parameter("threads", std::int64_t{defaults.threads},
                    described("threads that label; 0 = one for each processor", std::int64_t{0},
                              std::int64_t{256}));
  declare_parameter("height", std::int64_t{defaults.height},
                    described("rows that the network works on; 0 = those of the file or the image",
                              std::int64_t{0}, std::int64_t{8192}));
  declare_parameter("width", std::int64_t{defaults.width},
                    described("columns that the network works on; 0 = those of the file or image",
                              std::int64_t{0}, std::int64_t{8192}));
  declare_parameter("confidence", std::string("maximum"),
                    described("what a pixel's confidence is: maximum, margin or entropy"));
  declare_parameter("overlay_opacity", 0.5,
                    described("opacity of the colours in the overlay", 0.0, 1.0));
  declare_parameter("learn", true, described("whether the network learns; may change at any time"));
  declare_parameter(
      "budget", defaults.budget,
      described("share of one processor's time that learning may use; 0 = none", 0.0, 1.0));
  declare_parameter("checkpoint", defaults.checkpoint,
                    described("file that keeps what was learned; empty = it is forgotten"));
  declare_parameter("diagnostics_period", 1.0,
                    described("seconds between two diagnostics", 0.1, 60.0));
}

LabellerSettings SegmentationNode::settings() const {
  LabellerSettings settings;
  settings.model = get_parameter("model").as_string();
  settings.class_preset = get_parameter("class_preset").as_string();
  settings.threads = static_cast<std::uint32_t>(get_parameter("threads").as_int());
  settings.height = static_cast<std::int32_t>(get_parameter("height").as_int());
  settings.width = static_cast<std::int32_t>(get_parameter("width").as_int());
  settings.confidence = confidence_named(get_parameter("confidence").as_string());
  settings.budget = get_parameter("budget").as_double();
  settings.checkpoint = get_parameter("checkpoint").as_string();
  return settings;
}

rcl_interfaces::msg::SetParametersResult SegmentationNode::check_parameters(
    const std::vector<rclcpp::Parameter> &parameters) {
  rcl_interfaces::msg::SetParametersResult result;
  result.successful = true;
  try {
    for (const rclcpp::Parameter &parameter : parameters) {
      if (parameter.get_name() == "confidence") confidence_named(parameter.as_string());
      if (parameter.get_name() == "learn" && images_) labeller_->set_learning(parameter.as_bool());
    }
  } catch (const std::exception &error) {
    result.successful = false;
    result.reason = error.what();
  }
  return result;
}

SegmentationNode::CallbackReturn SegmentationNode::on_configure(const rclcpp_lifecycle::State &) {
  try {
    labeller_.emplace(settings());
    overlay_opacity_ = get_parameter("overlay_opacity").as_double();
  } catch (const std::exception &error) {
    RCLCPP_ERROR(get_logger(), "cannot be configured: %s", error.what());
    return CallbackReturn::FAILURE;
  }
  labeller_->set_learning(false);
  mask_ = create_publisher<Image>("segmentation/mask", rclcpp::QoS(10));
  confidence_ = create_publisher<Image>("segmentation/confidence", rclcpp::QoS(10));
  overlay_ = create_publisher<Image>("segmentation/overlay", rclcpp::QoS(10));
  // What is latched cannot pass inside the process in every version of ROS 2.
  rclcpp::PublisherOptions outside;
  outside.use_intra_process_comm = rclcpp::IntraProcessSetting::Disable;
  label_info_ = create_publisher<vision_msgs::msg::LabelInfo>(
      "segmentation/label_info", rclcpp::QoS(1).transient_local(), outside);
  diagnostics_ = create_publisher<DiagnosticArray>("/diagnostics", rclcpp::QoS(10));
  RCLCPP_INFO(get_logger(), "%s has %zu classes", get_parameter("model").as_string().c_str(),
              labeller_->classes().size());
  return CallbackReturn::SUCCESS;
}

SegmentationNode::CallbackReturn SegmentationNode::on_activate(
    const rclcpp_lifecycle::State &previous) {
  LifecycleNode::on_activate(previous);
  publish_label_info();
  labeller_->set_learning(get_parameter("learn").as_bool());
  slot_.open();
  worker_ = std::thread(&SegmentationNode::label_images, this);
  images_ = create_subscription<Image>(
      "~/image", rclcpp::SensorDataQoS(),
      [this](Image::ConstSharedPtr image) { receive(std::move(image)); });
  timer_ = create_wall_timer(
      std::chrono::duration<double>(get_parameter("diagnostics_period").as_double()),
      [this] { publish_diagnostics(); });
  return CallbackReturn::SUCCESS;
}

SegmentationNode::CallbackReturn SegmentationNode::on_deactivate(
    const rclcpp_lifecycle::State &previous) {
  stop();
  LifecycleNode::on_deactivate(previous);
  return CallbackReturn::SUCCESS;
}

SegmentationNode::CallbackReturn SegmentationNode::on_cleanup(const rclcpp_lifecycle::State &) {
  return release() ? CallbackReturn::SUCCESS : CallbackReturn::FAILURE;
}

SegmentationNode::CallbackReturn SegmentationNode::on_shutdown(const rclcpp_lifecycle::State &) {
  stop();
  return release() ? CallbackReturn::SUCCESS : CallbackReturn::FAILURE;
}

SegmentationNode::CallbackReturn SegmentationNode::on_error(const rclcpp_lifecycle::State &) {
  stop();
  labeller_.reset();
  return CallbackReturn::SUCCESS;
}

void SegmentationNode::stop() {
  timer_.reset();
  images_.reset();
  slot_.close();
  if (worker_.joinable()) worker_.join();
  if (labeller_) labeller_->set_learning(false);
}

bool SegmentationNode::release() {
  try {
    if (labeller_) labeller_->save();
  } catch (const std::exception &error) {
    RCLCPP_ERROR(get_logger(), "what was learned cannot be saved: %s", error.what());
    return false;
  }
  labeller_.reset();
  mask_.reset();
  confidence_.reset();
  overlay_.reset();
  label_info_.reset();
  diagnostics_.reset();
  return true;
}

void SegmentationNode::receive(Image::ConstSharedPtr image) {
  health_.received();
  if (slot_.put({std::move(image), Health::Clock::now()})) health_.dropped();
}

void SegmentationNode::label_images() {
  while (const std::optional<Arrival> arrival = slot_.take()) {
    try {
      label(*arrival);
    } catch (const std::exception &error) {
      health_.refused(error.what());
      RCLCPP_ERROR_THROTTLE(get_logger(), *get_clock(), 5000, "an image is refused: %s",
                            error.what());
    }
  }
}

void SegmentationNode::label(const Arrival &arrival) {
  const Image &image = *arrival.image;
  const das3_image frame =
      reader_.read({image.encoding, image.width, image.height, image.step, image.is_bigendian != 0,
                    image.data.data(), image.data.size()});
  auto mask = like(image, "mono8", 1);
  auto confidence = is_heard(confidence_) ? like(image, "mono8", 1) : nullptr;
  labeller_->label(
      frame, mask->data,
      confidence ? das3::Span<std::uint8_t>(confidence->data) : das3::Span<std::uint8_t>());
  auto overlay = is_heard(overlay_) ? like(image, "rgb8", 3) : nullptr;
  if (overlay)
    draw_overlay(frame, mask->data, labeller_->classes(), overlay_opacity_, overlay->data);
  mask_->publish(std::move(mask));
  if (confidence) confidence_->publish(std::move(confidence));
  if (overlay) overlay_->publish(std::move(overlay));
  health_.labelled(
      image.encoding,
      std::chrono::duration<double, std::milli>(Health::Clock::now() - arrival.time).count());
}

void SegmentationNode::publish_label_info() {
  vision_msgs::msg::LabelInfo info;
  info.header.stamp = now();
  for (const Class &entry : labeller_->classes()) {
    vision_msgs::msg::VisionClass vision_class;
    vision_class.class_id = entry.id;
    vision_class.class_name = entry.name;
    info.class_map.push_back(vision_class);
  }
  info.threshold = 0;  // every pixel has the label of its best class
  label_info_->publish(info);
}

void SegmentationNode::publish_diagnostics() {
  const Diagnosis diagnosis = health_.diagnose(labeller_->report());
  DiagnosticArray array;
  array.header.stamp = now();
  diagnostic_msgs::msg::DiagnosticStatus status;
  status.level = static_cast<unsigned char>(diagnosis.level);
  status.name = std::string(get_name()) + ": segmentation";
  status.message = diagnosis.message;
  status.hardware_id = get_parameter("model").as_string();
  for (const auto &[key, value] : diagnosis.values) {
    diagnostic_msgs::msg::KeyValue entry;
    entry.key = key;
    entry.value = value;
    status.values.push_back(entry);
  }
  array.status.push_back(status);
  diagnostics_->publish(array);
}

}  // namespace das3_ros

RCLCPP_COMPONENTS_REGISTER_NODE(das3_ros::SegmentationNode)
