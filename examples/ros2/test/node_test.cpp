// Drives the node through its states against the stand-ins for ROS 2: node_test MODEL
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>

#include "../src/segmentation_node.hpp"
#include "check.hpp"

using namespace das3_ros;
using sensor_msgs::msg::Image;
using CallbackReturn = SegmentationNode::CallbackReturn;
using std::chrono_literals::operator""s;

namespace {

const rclcpp_lifecycle::State state;

/// Keeps the messages of a topic.
template <class Message>
class Listener {
 public:
  explicit Listener(const std::string &topic, const rclcpp::QoS &qos = rclcpp::QoS(10))
      : subscription_(
            rclcpp::subscribe<Message>(topic, qos, [this](std::shared_ptr<const Message> message) {
              const std::lock_guard lock(mutex_);
              messages_.push_back(std::move(message));
              came_.notify_all();
            })) {}

  /// The message after those that were taken before; nullptr if none comes.
  std::shared_ptr<const Message> next(std::chrono::seconds patience = 10s) {
    std::unique_lock lock(mutex_);
    if (!came_.wait_for(lock, patience, [this] { return messages_.size() > taken_; }))
      return nullptr;
    return messages_[taken_++];
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::shared_ptr<const Message>> messages_;
  std::size_t taken_ = 0;
  std::shared_ptr<rclcpp::Subscription<Message>> subscription_;
};

std::unique_ptr<Image> camera_image(std::int32_t second, const std::string &encoding = "bgr8") {
  auto image = std::make_unique<Image>();
  image->header.stamp = {second, 5};
  image->header.frame_id = "camera";
  image->width = 160;
  image->height = 120;
  image->encoding = encoding;
  image->step = 500;  // 480 and padding
  image->data.resize(500 * 120);
  for (std::size_t i = 0; i < image->data.size(); ++i)
    image->data[i] = static_cast<std::uint8_t>(i % 500 / 2 + static_cast<std::size_t>(second));
  return image;
}

SegmentationNode node_of(const std::map<std::string, rclcpp::Parameter::Value> &values) {
  rclcpp::NodeOptions options;
  for (const auto &[name, value] : values)
    options.parameter_overrides().emplace(name, rclcpp::Parameter(name, value));
  return SegmentationNode(options);
}

std::string value_of(const diagnostic_msgs::msg::DiagnosticArray &array, const std::string &key) {
  for (const auto &entry : array.status[0].values)
    if (entry.key == key) return entry.value;
  return "no " + key;
}

void test_refused_configurations(const std::string &model) {
  CHECK(node_of({}).on_configure(state) == CallbackReturn::FAILURE);
  CHECK(node_of({{"model", "missing.onnx"}}).on_configure(state) == CallbackReturn::FAILURE);
  CHECK(node_of({{"model", model}, {"confidence", "best"}}).on_configure(state) ==
        CallbackReturn::FAILURE);
}

void test_life(const std::string &model) {
  const std::string checkpoint = "node_test.checkpoint";
  std::remove(checkpoint.c_str());
  SegmentationNode node = node_of({{"model", model}, {"checkpoint", checkpoint}});
  CHECK(node.descriptors().size() == 11);
  for (const auto &[name, descriptor] : node.descriptors()) CHECK(!descriptor.description.empty());

  Listener<Image> masks("/segmentation/mask"), overlays("/segmentation/overlay");
  Listener<diagnostic_msgs::msg::DiagnosticArray> diagnostics("/diagnostics");
  rclcpp::Publisher<Image> camera("/das3_segmentation/image", rclcpp::QoS(10));
  CHECK(node.on_configure(state) == CallbackReturn::SUCCESS);
  CHECK(camera.get_subscription_count() == 0);  // inactive
  CHECK(node.on_activate(state) == CallbackReturn::SUCCESS);
  CHECK(camera.get_subscription_count() == 1);

  // Whoever comes late gets the labels all the same.
  Listener<vision_msgs::msg::LabelInfo> labels("/segmentation/label_info",
                                               rclcpp::QoS(1).transient_local());
  const auto info = labels.next();
  CHECK(info && info->class_map.size() == 9 && info->class_map[8].class_id == 8);
  CHECK(info && info->class_map[8].class_name == "car");

  das3::Segmenter segmenter{das3::Model(model)};
  for (std::int32_t second = 1; second <= 3; ++second) {
    // The listener to confidences comes with the second image.
    std::optional<Listener<Image>> confidences;
    if (second > 1) confidences.emplace("/segmentation/confidence");
    const auto image = camera_image(second);
    std::vector<std::uint8_t> expected(160 * 120), probability(160 * 120);
    segmenter.run({image->data.data(), 160, 120, 500, DAS3_FORMAT_BGR8}, {expected, probability});
    camera.publish(*image);
    const auto mask = masks.next();
    CHECK(mask && mask->header.stamp.sec == second && mask->header.stamp.nanosec == 5);
    CHECK(mask && mask->header.frame_id == "camera" && mask->encoding == "mono8");
    CHECK(mask && mask->width == 160 && mask->height == 120 && mask->step == 160);
    CHECK(mask && mask->data == expected);
    const auto overlay = overlays.next();
    CHECK(overlay && overlay->encoding == "rgb8" && overlay->data.size() == 3 * 160 * 120);
    if (!confidences) continue;
    const auto confidence = confidences->next();
    CHECK(confidence && confidence->data == probability);
  }

  camera.publish(*camera_image(4, "32FC1"));
  camera.publish(*camera_image(5));
  // The first of both may be dropped, because the second one is newer.
  const auto after = masks.next();
  CHECK(after && after->header.stamp.sec == 5);
  camera.publish(*camera_image(6, "32FC1"));
  CHECK(masks.next(1s) == nullptr);
  node.timer()->callback();
  const auto heartbeat = diagnostics.next();
  CHECK(heartbeat && heartbeat->status[0].level == 2);
  CHECK(heartbeat && heartbeat->status[0].name == "das3_segmentation: segmentation");
  CHECK(heartbeat && heartbeat->status[0].message.find("\"32FC1\"") != std::string::npos);
  CHECK(heartbeat && value_of(*heartbeat, "frames_received") == "6");
  CHECK(heartbeat && value_of(*heartbeat, "frames_labelled") == "4");
  CHECK(heartbeat && value_of(*heartbeat, "learning") == "on");

  CHECK(node.set_parameter(rclcpp::Parameter("learn", false)).successful);
  node.timer()->callback();
  const auto paused = diagnostics.next();
  CHECK(paused && value_of(*paused, "learning") == "paused");
  CHECK(!node.set_parameter(rclcpp::Parameter("confidence", std::string("best"))).successful);

  CHECK(node.on_deactivate(state) == CallbackReturn::SUCCESS);
  CHECK(camera.get_subscription_count() == 0);
  CHECK(node.on_activate(state) == CallbackReturn::SUCCESS);
  camera.publish(*camera_image(7));
  CHECK(masks.next() != nullptr);
  CHECK(node.on_deactivate(state) == CallbackReturn::SUCCESS);
  CHECK(node.on_cleanup(state) == CallbackReturn::SUCCESS);
  CHECK(std::ifstream(checkpoint).good());
  CHECK(node.on_configure(state) == CallbackReturn::SUCCESS);  // with the checkpoint
  CHECK(node.on_shutdown(state) == CallbackReturn::SUCCESS);
  std::remove(checkpoint.c_str());
}

void test_checkpoint_that_cannot_be_written(const std::string &model) {
  SegmentationNode node = node_of({{"model", model}, {"checkpoint", "missing/folder/checkpoint"}});
  Listener<Image> masks("/segmentation/mask");
  rclcpp::Publisher<Image> camera("/das3_segmentation/image", rclcpp::QoS(10));
  CHECK(node.on_configure(state) == CallbackReturn::SUCCESS);
  CHECK(node.on_activate(state) == CallbackReturn::SUCCESS);
  camera.publish(*camera_image(1));
  CHECK(masks.next() != nullptr);
  CHECK(node.on_deactivate(state) == CallbackReturn::SUCCESS);
  CHECK(node.on_cleanup(state) == CallbackReturn::FAILURE);
  CHECK(node.on_activate(state) == CallbackReturn::SUCCESS);  // nothing is lost
  camera.publish(*camera_image(2));
  CHECK(masks.next() != nullptr);
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: node_test MODEL\n");
    return 2;
  }
  test_refused_configurations(arguments[1]);
  test_life(arguments[1]);
  test_checkpoint_that_cannot_be_written(arguments[1]);
  return check::result();
}
