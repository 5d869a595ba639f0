// Stands in for the header of the same name in ROS 2.
#pragma once

#include <memory>
#include <rclcpp/rclcpp.hpp>
#include <utility>

namespace rclcpp_lifecycle {

class ManagedEntityInterface {
 public:
  virtual ~ManagedEntityInterface() = default;
  virtual void on_activate() = 0;
  virtual void on_deactivate() = 0;
};

/// Publishes while it is active.
template <class Message>
class LifecyclePublisher : public ManagedEntityInterface, public rclcpp::Publisher<Message> {
 public:
  using rclcpp::Publisher<Message>::Publisher;

  void on_activate() override { is_activated_ = true; }
  void on_deactivate() override { is_activated_ = false; }
  bool is_activated() const { return is_activated_; }

  void publish(std::unique_ptr<Message> message) override {
    if (is_activated_) rclcpp::Publisher<Message>::publish(std::move(message));
  }
  void publish(const Message &message) override {
    if (is_activated_) rclcpp::Publisher<Message>::publish(message);
  }

 private:
  bool is_activated_ = false;
};

}  // namespace rclcpp_lifecycle
