// Stands in for the header of the same name in ROS 2, where it registers a component.
#pragma once

#include <rclcpp/rclcpp.hpp>
#include <type_traits>

#define RCLCPP_COMPONENTS_REGISTER_NODE(Component)                               \
  static_assert(std::is_constructible_v<Component, const rclcpp::NodeOptions &>, \
                "a component is made of its NodeOptions");
