// Stands in for the header of the same name in vision_msgs 4.
#pragma once

#include <cstdint>
#include <std_msgs/msg/header.hpp>
#include <string>
#include <vector>

namespace vision_msgs::msg {
struct VisionClass {
  std::uint16_t class_id = 0;
  std::string class_name;
};
struct LabelInfo {
  std_msgs::msg::Header header;
  std::vector<VisionClass> class_map;
  float threshold = 0;
};
}  // namespace vision_msgs::msg
