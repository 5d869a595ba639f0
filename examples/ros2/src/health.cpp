#include "das3_ros/health.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace das3_ros {
namespace {

std::string with_decimals(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string learning_of(const das3_online_report &report) {
  if (report.status != DAS3_OK)
    return std::string("ended: ") + das3_status_name(static_cast<das3_status>(report.status));
  return report.paused ? "paused" : "on";
}

std::string weights_of(const das3_online_report &report) {
  switch (report.origin) {
    case DAS3_GUARD_ORIGIN_SOURCE:
      return "source";
    case DAS3_GUARD_ORIGIN_BLEND:
      return "blend";
    case DAS3_GUARD_ORIGIN_TRAINING:
      return "training";
    default:
      return std::string("stage ") + static_cast<char>(report.origin);
  }
}

}  // namespace

void Latencies::add(double milliseconds) {
  if (values_.size() < capacity_)
    values_.push_back(milliseconds);
  else
    values_[next_] = milliseconds;
  next_ = (next_ + 1) % capacity_;
}

double Latencies::quantile(double share) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::nth_element(sorted.begin(), sorted.begin() + index, sorted.end());
  return sorted[static_cast<std::size_t>(index)];
}

void Health::received() {
  const std::lock_guard lock(mutex_);
  ++counts_.received;
}

void Health::dropped() {
  const std::lock_guard lock(mutex_);
  ++counts_.dropped;
}

void Health::refused(const std::string &message) {
  const std::lock_guard lock(mutex_);
  ++counts_.refused;
  refusal_ = message;
}

void Health::labelled(const std::string &encoding, double latency_milliseconds) {
  const std::lock_guard lock(mutex_);
  ++counts_.labelled;
  encoding_ = encoding;
  latencies_.add(latency_milliseconds);
}

Diagnosis Health::diagnose(const das3_online_report &report, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const Counts since = {
      counts_.received - counts_before_.received, counts_.labelled - counts_before_.labelled,
      counts_.dropped - counts_before_.dropped, counts_.refused - counts_before_.refused};
  const double seconds = std::chrono::duration<double>(now - before_).count();
  const double rate = seconds > 0 ? static_cast<double>(since.labelled) / seconds : 0;
  counts_before_ = counts_;
  before_ = now;

  Diagnosis diagnosis{Level::ok, "labels " + with_decimals(rate, 1) + " frames a second", {}};
  if (since.refused > 0)
    diagnosis = {Level::error, refusal_, {}};
  else if (since.received == 0)
    diagnosis = {Level::warn, "no frame since the last diagnosis", {}};
  else if (report.status != DAS3_OK)
    diagnosis = {Level::warn, "learning has " + learning_of(report), {}};
  else if (since.dropped > since.labelled)
    diagnosis = {Level::warn, "more frames are dropped than labelled", {}};
  diagnosis.values = {
      {"encoding", encoding_},
      {"rate_hz", with_decimals(rate, 2)},
      {"latency_median_ms", with_decimals(latencies_.quantile(0.5), 2)},
      {"latency_p99_ms", with_decimals(latencies_.quantile(0.99), 2)},
      {"frames_received", std::to_string(counts_.received)},
      {"frames_labelled", std::to_string(counts_.labelled)},
      {"frames_dropped", std::to_string(counts_.dropped)},
      {"frames_refused", std::to_string(counts_.refused)},
      {"learning", learning_of(report)},
      {"weights", weights_of(report)},
      {"steps", std::to_string(report.total_step)},
      {"accepted", std::to_string(report.accepted_count)},
      {"refused", std::to_string(report.held_count + report.rolled_back_count)},
      {"alarms", std::to_string(report.alarm_count)},
      {"swaps", std::to_string(report.swap_count)},
      {"score", with_decimals(report.score, 4)},
      {"source_score", with_decimals(report.source_score, 4)},
  };
  return diagnosis;
}

}  // namespace das3_ros
