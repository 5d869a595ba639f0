// Stands in for the header of the same name in ROS 2: as much of it as the node uses, inside one
// process. Whoever tests the node calls the transitions and fires the timers.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <rcl_interfaces/msg/parameter_descriptor.hpp>
#include <rcl_interfaces/msg/set_parameters_result.hpp>
#include <rclcpp/rclcpp.hpp>
#include <rclcpp_lifecycle/lifecycle_publisher.hpp>
#include <rclcpp_lifecycle/state.hpp>
#include <string>
#include <utility>
#include <vector>

namespace rclcpp_lifecycle {
namespace node_interfaces {

class LifecycleNodeInterface {
 public:
  enum class CallbackReturn : std::uint8_t { SUCCESS = 97, FAILURE = 98, ERROR = 99 };

  virtual ~LifecycleNodeInterface() = default;
  virtual CallbackReturn on_configure(const State &) { return CallbackReturn::SUCCESS; }
  virtual CallbackReturn on_cleanup(const State &) { return CallbackReturn::SUCCESS; }
  virtual CallbackReturn on_shutdown(const State &) { return CallbackReturn::SUCCESS; }
  virtual CallbackReturn on_activate(const State &) { return CallbackReturn::SUCCESS; }
  virtual CallbackReturn on_deactivate(const State &) { return CallbackReturn::SUCCESS; }
  virtual CallbackReturn on_error(const State &) { return CallbackReturn::FAILURE; }
};

}  // namespace node_interfaces

class LifecycleNode : public node_interfaces::LifecycleNodeInterface {
 public:
  using OnSetParametersCallbackType = std::function<rcl_interfaces::msg::SetParametersResult(
      const std::vector<rclcpp::Parameter> &)>;
  struct OnSetParametersCallbackHandle {
    using SharedPtr = std::shared_ptr<OnSetParametersCallbackHandle>;
    OnSetParametersCallbackType callback;
  };

  explicit LifecycleNode(const std::string &node_name,
                         const rclcpp::NodeOptions &options = rclcpp::NodeOptions())
      : name_(node_name), options_(options) {}

  const char *get_name() const { return name_.c_str(); }
  rclcpp::Logger get_logger() const { return {name_}; }
  rclcpp::Clock::SharedPtr get_clock() { return std::make_shared<rclcpp::Clock>(); }
  rclcpp::Time now() const { return {}; }

  template <class Value>
  auto declare_parameter(const std::string &name, const Value &default_value,
                         const rcl_interfaces::msg::ParameterDescriptor &descriptor = {}) -> Value {
    descriptors_[name] = descriptor;
    const auto found = options_.parameter_overrides().find(name);
    const bool is_set = found != options_.parameter_overrides().end();
    parameters_.emplace(name, is_set ? found->second : rclcpp::Parameter(name, default_value));
    return default_value;
  }
  rclcpp::Parameter get_parameter(const std::string &name) const { return parameters_.at(name); }
  OnSetParametersCallbackHandle::SharedPtr add_on_set_parameters_callback(
      OnSetParametersCallbackType callback) {
    auto handle = std::make_shared<OnSetParametersCallbackHandle>();
    handle->callback = std::move(callback);
    on_set_ = handle;
    return handle;
  }
  rcl_interfaces::msg::SetParametersResult set_parameter(const rclcpp::Parameter &parameter) {
    const auto handle = on_set_.lock();
    rcl_interfaces::msg::SetParametersResult result;
    result.successful = true;
    if (handle) result = handle->callback({parameter});
    if (result.successful) parameters_.insert_or_assign(parameter.get_name(), parameter);
    return result;
  }

  template <class Message>
  std::shared_ptr<LifecyclePublisher<Message>> create_publisher(
      const std::string &topic, const rclcpp::QoS &qos, const rclcpp::PublisherOptions & = {}) {
    auto publisher = std::make_shared<LifecyclePublisher<Message>>(expanded(topic), qos);
    managed_.push_back(publisher);
    return publisher;
  }
  template <class Message, class Callback>
  std::shared_ptr<rclcpp::Subscription<Message>> create_subscription(const std::string &topic,
                                                                     const rclcpp::QoS &qos,
                                                                     Callback &&callback) {
    return rclcpp::subscribe<Message>(expanded(topic), qos, std::forward<Callback>(callback));
  }
  template <class Rep, class Period, class Callback>
  rclcpp::TimerBase::SharedPtr create_wall_timer(std::chrono::duration<Rep, Period> period,
                                                 Callback callback) {
    auto timer = std::make_shared<rclcpp::TimerBase>();
    timer->period = std::chrono::duration_cast<std::chrono::nanoseconds>(period);
    timer->callback = callback;
    timer_ = timer;
    return timer;
  }

  CallbackReturn on_activate(const State &) override {
    for (const auto &entity : managed_)
      if (const auto publisher = entity.lock()) publisher->on_activate();
    return CallbackReturn::SUCCESS;
  }
  CallbackReturn on_deactivate(const State &) override {
    for (const auto &entity : managed_)
      if (const auto publisher = entity.lock()) publisher->on_deactivate();
    return CallbackReturn::SUCCESS;
  }

  // What tests use, and ROS does not have.
  std::shared_ptr<rclcpp::TimerBase> timer() const { return timer_.lock(); }
  const std::map<std::string, rcl_interfaces::msg::ParameterDescriptor> &descriptors() const {
    return descriptors_;
  }

 private:
  std::string expanded(const std::string &topic) const {
    if (topic.rfind("~/", 0) == 0) return "/" + name_ + topic.substr(1);
    return topic.front() == '/' ? topic : "/" + topic;
  }

  std::string name_;
  rclcpp::NodeOptions options_;
  std::map<std::string, rclcpp::Parameter> parameters_;
  std::map<std::string, rcl_interfaces::msg::ParameterDescriptor> descriptors_;
  std::weak_ptr<OnSetParametersCallbackHandle> on_set_;
  std::vector<std::weak_ptr<ManagedEntityInterface>> managed_;
  std::weak_ptr<rclcpp::TimerBase> timer_;
};

}  // namespace rclcpp_lifecycle
