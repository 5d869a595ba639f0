// The newest value of one thread in, the same value in another out; neither ever waits.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

template <class T>
class Slot {
 public:
  ~Slot() { delete newest_.load(); }

  void put(T value) { delete newest_.exchange(new T(std::move(value))); }

  /// NULL where nothing new has come.
  std::unique_ptr<T> take() { return std::unique_ptr<T>(newest_.exchange(nullptr)); }

 private:
  std::atomic<T *> newest_ = nullptr;
};
