// Stands in for the header of the same name in ROS 2.
#pragma once

#include <std_msgs/msg/header.hpp>
#include <string>
#include <vector>

namespace diagnostic_msgs::msg {
struct KeyValue {
  std::string key;
  std::string value;
};
struct DiagnosticStatus {
  unsigned char level = 0;
  std::string name;
  std::string message;
  std::string hardware_id;
  std::vector<KeyValue> values;
};
struct DiagnosticArray {
  std_msgs::msg::Header header;
  std::vector<DiagnosticStatus> status;
};
}  // namespace diagnostic_msgs::msg
