// Stands in for the header of the same name in ROS 2.
#pragma once

#include <string>

namespace rcl_interfaces::msg {
struct SetParametersResult {
  bool successful = false;
  std::string reason;
};
}  // namespace rcl_interfaces::msg
