// Images of a camera in; masks, confidences, overlays, labels and diagnostics out.
#pragma once

#include <chrono>
#include <diagnostic_msgs/msg/diagnostic_array.hpp>
#include <memory>
#include <optional>
#include <rclcpp/rclcpp.hpp>
#include <rclcpp_lifecycle/lifecycle_node.hpp>
#include <rclcpp_lifecycle/lifecycle_publisher.hpp>
#include <sensor_msgs/msg/image.hpp>
#include <string>
#include <thread>
#include <vector>
#include <vision_msgs/msg/label_info.hpp>

#include "das3_ros/frame.hpp"
#include "das3_ros/health.hpp"
#include "das3_ros/labeller.hpp"
#include "das3_ros/slot.hpp"

namespace das3_ros {

/// A managed node. A thread of its own labels the newest image, so that neither the executor nor
/// other components of the process ever wait for the network.
///
///     configure   loads the network and what was learned before
///     activate    labels, and learns if `learn` is true
///     deactivate  neither labels nor learns; nothing is forgotten
///     cleanup     saves what was learned, and frees the network; stays inactive if it cannot save
class SegmentationNode : public rclcpp_lifecycle::LifecycleNode {
 public:
  explicit SegmentationNode(const rclcpp::NodeOptions &options);
  ~SegmentationNode() override;

  CallbackReturn on_configure(const rclcpp_lifecycle::State &previous) override;
  CallbackReturn on_activate(const rclcpp_lifecycle::State &previous) override;
  CallbackReturn on_deactivate(const rclcpp_lifecycle::State &previous) override;
  CallbackReturn on_cleanup(const rclcpp_lifecycle::State &previous) override;
  CallbackReturn on_shutdown(const rclcpp_lifecycle::State &previous) override;
  CallbackReturn on_error(const rclcpp_lifecycle::State &previous) override;

 private:
  using Image = sensor_msgs::msg::Image;
  using DiagnosticArray = diagnostic_msgs::msg::DiagnosticArray;
  template <class Message>
  using Publisher = std::shared_ptr<rclcpp_lifecycle::LifecyclePublisher<Message>>;

  struct Arrival {
    Image::ConstSharedPtr image;
    Health::Clock::time_point time;
  };

  void declare_parameters();
  LabellerSettings settings() const;
  rcl_interfaces::msg::SetParametersResult check_parameters(
      const std::vector<rclcpp::Parameter> &parameters);
  void receive(Image::ConstSharedPtr image);
  void label_images();
  void label(const Arrival &arrival);
  void publish_label_info();
  void publish_diagnostics();
  void stop();
  /// Saves what was learned and frees the network; or returns false, and both stay.
  bool release();

  rclcpp_lifecycle::LifecycleNode::OnSetParametersCallbackHandle::SharedPtr parameter_callback_;
  std::optional<Labeller> labeller_;
  double overlay_opacity_ = 0;
  FrameReader reader_;
  Health health_;
  Slot<Arrival> slot_;
  std::thread worker_;

  Publisher<Image> mask_, confidence_, overlay_;
  Publisher<vision_msgs::msg::LabelInfo> label_info_;
  Publisher<DiagnosticArray> diagnostics_;
  rclcpp::Subscription<Image>::SharedPtr images_;
  rclcpp::TimerBase::SharedPtr timer_;
};

}  // namespace das3_ros
