// The newest value of one thread in, the same value in another out: keep last 1.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace das3_ros {

template <class T>
class Slot {
 public:
  /// Never waits. Returns whether a value was there that nobody has taken: it is lost.
  bool put(T value) {
    const std::lock_guard lock(mutex_);
    const bool replaces = value_.has_value();
    value_ = std::move(value);
    filled_.notify_one();
    return replaces;
  }

  /// Waits for a value; nothing once the slot is closed.
  std::optional<T> take() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return value_.has_value() || is_closed_; });
    if (is_closed_) return std::nullopt;
    return std::exchange(value_, std::nullopt);
  }

  void close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    filled_.notify_all();
  }

  /// Empties the slot and lets values pass again.
  void open() {
    const std::lock_guard lock(mutex_);
    value_.reset();
    is_closed_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::optional<T> value_;
  bool is_closed_ = false;
};

}  // namespace das3_ros
