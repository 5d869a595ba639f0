// Stands in for the header of the same name in ROS 2: as much of it as the node uses. Messages go
// from publishers to subscriptions of the same topic at once, inside one process.
#pragma once

#include <builtin_interfaces/msg/time.hpp>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace rclcpp {

class QoS {
 public:
  QoS(std::size_t depth) : depth_(depth) {}
  QoS &transient_local() {
    is_transient_local_ = true;
    return *this;
  }
  QoS &best_effort() {
    is_best_effort_ = true;
    return *this;
  }
  std::size_t depth() const { return depth_; }
  bool is_transient_local() const { return is_transient_local_; }
  bool is_best_effort() const { return is_best_effort_; }

 private:
  std::size_t depth_;
  bool is_transient_local_ = false, is_best_effort_ = false;
};

class SensorDataQoS : public QoS {
 public:
  SensorDataQoS() : QoS(5) { best_effort(); }
};

enum class IntraProcessSetting { Enable, Disable, NodeDefault };

struct PublisherOptions {
  IntraProcessSetting use_intra_process_comm = IntraProcessSetting::NodeDefault;
};

class Time {
 public:
  operator builtin_interfaces::msg::Time() const {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since);
    const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(since - whole);
    return {static_cast<std::int32_t>(whole.count()), static_cast<std::uint32_t>(rest.count())};
  }
};

class Clock {
 public:
  using SharedPtr = std::shared_ptr<Clock>;
};

struct Logger {
  std::string name;
};

template <class... Arguments>
void log(const char *level, const Logger &logger, const char *format, Arguments... arguments) {
  char text[1024];
  // The format is a literal of the caller, as in ROS.
  if constexpr (sizeof...(arguments) == 0)
    std::snprintf(text, sizeof text, "%s", format);
  else
    std::snprintf(text, sizeof text, format, arguments...);
  std::fprintf(stderr, "[%s] [%s]: %s\n", level, logger.name.c_str(), text);
}

class Parameter {
 public:
  using Value = std::variant<bool, std::int64_t, double, std::string>;
  Parameter(std::string name, Value value) : name_(std::move(name)), value_(std::move(value)) {}
  const std::string &get_name() const { return name_; }
  bool as_bool() const { return std::get<bool>(value_); }
  std::int64_t as_int() const { return std::get<std::int64_t>(value_); }
  double as_double() const { return std::get<double>(value_); }
  std::string as_string() const { return std::get<std::string>(value_); }

 private:
  std::string name_;
  Value value_;
};

class NodeOptions {
 public:
  // In ROS this is a std::vector of parameters.
  std::map<std::string, Parameter> &parameter_overrides() { return overrides_; }
  const std::map<std::string, Parameter> &parameter_overrides() const { return overrides_; }

 private:
  std::map<std::string, Parameter> overrides_;
};

struct TimerBase {
  using SharedPtr = std::shared_ptr<TimerBase>;
  std::chrono::nanoseconds period{};
  std::function<void()> callback;
};

template <class Message>
struct Subscription {
  using SharedPtr = std::shared_ptr<Subscription>;
  std::function<void(std::shared_ptr<const Message>)> callback;
};

/// What is on the topics of one type.
template <class Message>
struct Topics {
  struct Topic {
    std::vector<std::weak_ptr<Subscription<Message>>> subscriptions;
    std::shared_ptr<const Message> latched;
  };
  std::recursive_mutex mutex;
  std::map<std::string, Topic> topics;

  static Topics &all() {
    static Topics instance;
    return instance;
  }
};

template <class Message>
std::shared_ptr<Subscription<Message>> subscribe(
    const std::string &topic, const QoS &qos,
    std::function<void(std::shared_ptr<const Message>)> callback) {
  auto &all = Topics<Message>::all();
  const std::lock_guard lock(all.mutex);
  auto subscription = std::make_shared<Subscription<Message>>();
  subscription->callback = std::move(callback);
  all.topics[topic].subscriptions.push_back(subscription);
  if (qos.is_transient_local() && all.topics[topic].latched)
    subscription->callback(all.topics[topic].latched);
  return subscription;
}

template <class Message>
class Publisher {
 public:
  Publisher(std::string topic, const QoS &qos) : topic_(std::move(topic)), qos_(qos) {}
  virtual ~Publisher() = default;

  virtual void publish(std::unique_ptr<Message> message) {
    auto &all = Topics<Message>::all();
    const std::lock_guard lock(all.mutex);
    auto &topic = all.topics[topic_];
    const std::shared_ptr<const Message> shared = std::move(message);
    if (qos_.is_transient_local()) topic.latched = shared;
    for (const auto &entry : topic.subscriptions)
      if (const auto subscription = entry.lock()) subscription->callback(shared);
  }
  virtual void publish(const Message &message) { publish(std::make_unique<Message>(message)); }

  std::size_t get_subscription_count() const {
    auto &all = Topics<Message>::all();
    const std::lock_guard lock(all.mutex);
    std::size_t count = 0;
    for (const auto &entry : all.topics[topic_].subscriptions) count += entry.expired() ? 0 : 1;
    return count;
  }

 private:
  std::string topic_;
  QoS qos_;
};

}  // namespace rclcpp

#define RCLCPP_INFO(logger, ...) rclcpp::log("INFO", logger, __VA_ARGS__)
#define RCLCPP_ERROR(logger, ...) rclcpp::log("ERROR", logger, __VA_ARGS__)
#define RCLCPP_ERROR_THROTTLE(logger, clock, milliseconds, ...) \
  static_cast<void>(clock), rclcpp::log("ERROR", logger, __VA_ARGS__)
