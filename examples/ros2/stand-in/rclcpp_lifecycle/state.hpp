// Stands in for the header of the same name in ROS 2.
#pragma once

namespace rclcpp_lifecycle {
class State {};
}  // namespace rclcpp_lifecycle
