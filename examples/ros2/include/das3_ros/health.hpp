// What happened to the frames, and what was learned from them, as diagnostics say it.
#pragma once

#include <chrono>
#include <cstdint>
#include <das3.hpp>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace das3_ros {

/// The newest latencies, of which there are at most `capacity`.
class Latencies {
 public:
  explicit Latencies(std::size_t capacity = 512) : capacity_(capacity) {}

  void add(double milliseconds);
  /// The value that `share` of the latencies do not exceed (nearest rank); 0 if there are none.
  double quantile(double share) const;

 private:
  std::size_t capacity_, next_ = 0;
  std::vector<double> values_;
};

/// Levels of diagnostic_msgs/DiagnosticStatus.
enum class Level : std::uint8_t { ok = 0, warn = 1, error = 2 };

struct Diagnosis {
  Level level;
  std::string message;
  std::vector<std::pair<std::string, std::string>> values;
};

/// Counts frames. Any thread may call any function.
class Health {
 public:
  using Clock = std::chrono::steady_clock;

  void received();
  void dropped();
  void refused(const std::string &message);
  void labelled(const std::string &encoding, double latency_milliseconds);

  /// Describes the time since the last diagnosis, and counts from the start.
  Diagnosis diagnose(const das3_online_report &report, Clock::time_point now = Clock::now());

 private:
  struct Counts {
    std::int64_t received = 0, labelled = 0, dropped = 0, refused = 0;
  };

  std::mutex mutex_;
  Counts counts_, counts_before_;
  Clock::time_point before_ = Clock::now();
  Latencies latencies_;
  std::string encoding_, refusal_;
};

}  // namespace das3_ros
