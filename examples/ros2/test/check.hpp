// What the tests check with: a failure is printed with its place, and the program then fails.
#pragma once

#include <cstdio>
#include <exception>
#include <string>

namespace check {

inline int failures = 0, checks = 0;

inline void that(bool holds, const char *what, const char *file, int line) {
  ++checks;
  if (holds) return;
  ++failures;
  std::printf("%s:%d: not true: %s\n", file, line, what);
}

/// The message of what a function throws; "" if it throws nothing.
template <class Function>
std::string message_of(Function function) {
  try {
    function();
    return "";
  } catch (const std::exception &error) {
    return error.what();
  }
}

inline int result() {
  std::printf("%d checks, %d failures\n", checks, failures);
  return failures == 0 && checks > 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)
