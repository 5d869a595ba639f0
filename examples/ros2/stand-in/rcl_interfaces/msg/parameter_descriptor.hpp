// Stands in for the header of the same name in ROS 2.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rcl_interfaces::msg {
struct FloatingPointRange {
  double from_value = 0;
  double to_value = 0;
  double step = 0;
};
struct IntegerRange {
  std::int64_t from_value = 0;
  std::int64_t to_value = 0;
  std::uint64_t step = 0;
};
struct ParameterDescriptor {
  std::string description;
  // In ROS these are bounded to one element.
  std::vector<FloatingPointRange> floating_point_range;
  std::vector<IntegerRange> integer_range;
};
}  // namespace rcl_interfaces::msg
