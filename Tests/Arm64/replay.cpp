/* replay TAPE [TEXT]: runs every section of a tape (those whose name contains TEXT) on the kernels
 * of this processor, on one thread and on three, and compares the results with the reference's.
 *
 * Prints how many sections passed, and which implementations the kernels chose. Exits with 1 where
 * a section fails, each with one line, and where a whole tape leaves out a kernel of calls.hpp; an
 * access outside of a block of memory ends the program.
 */
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "Tape/calls.hpp"

namespace {

using tape::Event;
using tape::Place;

/** A block of memory; what lies behind it cannot be accessed. */
class Block {
 public:
  explicit Block(size_t bytes) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t whole = (bytes + page - 1) / page * page;
    size_ = whole + page;
    void *map = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(static_cast<char *>(map) + whole, page, PROT_NONE) != 0) {
      std::perror("replay: memory");
      std::exit(1);
    }
    map_ = static_cast<char *>(map);
    start = map_ + (whole - bytes) / 64 * 64;
  }
  Block(const Block &) = delete;
  ~Block() { munmap(map_, size_); }

  char *start;

 private:
  char *map_;
  size_t size_;
};

/** What Swift has of a kernel with a _create function. */
using Object = std::shared_ptr<const void>;

std::set<std::string> called;
std::map<std::string, int> chosen;

Object owned(d3k_conv *conv) {
  chosen[std::string("convolution ") + d3k_conv_name(conv)]++;
  return Object(conv, [](const void *p) { d3k_conv_free((d3k_conv *)p); });
}

Object owned(d3k_matmul *matmul) {
  chosen[std::string("product ") + d3k_matmul_name(matmul)]++;
  return Object(matmul, [](const void *p) { d3k_matmul_free((d3k_matmul *)p); });
}

Object owned(d3k_conv_gradient *gradient) {
  chosen[std::string("gradient ") + d3k_conv_gradient_name(gradient)]++;
  return Object(gradient, [](const void *p) { d3k_conv_gradient_free((d3k_conv_gradient *)p); });
}

/** A section that is run once. */
class In {
 public:
  In(const char *section, size_t bytes, int32_t threads)
      : at_(section), end_(section + bytes), threads_(threads) {}

  /** Runs it; returns the first failure, empty = none. */
  std::string run() {
    while (at_ < end_ && failure_.empty()) {
      switch (get<Event>()) {
        case Event::map:
          blocks_.push_back(std::make_unique<Block>(get<uint64_t>()));
          break;
        case Event::unmap:
          blocks_[get<uint32_t>()] = nullptr;
          break;
        case Event::poke:
          poke();
          break;
        case Event::call:
          call();
          break;
        case Event::expect:
          expect();
          break;
        case Event::slope:
          expect_slope();
          break;
      }
      stored_.clear();
    }
    return failure_;
  }

  /** All results and gradients that were compared. */
  std::vector<float> compared;

  // What calls.hpp needs.
  const d3k_walk *walk = nullptr;

  template <class T>
  void raw(T &value) {
    take(&value, sizeof value);
  }

  template <class T>
  void address(T *&pointer) {
    switch (get<Place>()) {
      case Place::null:
        pointer = nullptr;
        break;
      case Place::mapped: {
        const uint32_t block = get<uint32_t>();
        pointer = reinterpret_cast<T *>(blocks_.at(block)->start + get<uint64_t>());
        break;
      }
      case Place::given: {
        const float *values = nullptr;
        array(values, get<int64_t>());
        pointer = (T *)values;
        break;
      }
      case Place::result:
        results_.emplace_back(static_cast<size_t>(get<int64_t>()));
        pointer = (T *)results_.back().data();
        break;
    }
  }

  template <class T>
  void array(const T *&pointer, int64_t count) {
    std::shared_ptr<T[]> copy(new T[static_cast<size_t>(count) + 1]);
    take(copy.get(), sizeof(T) * static_cast<size_t>(count));
    stored_.push_back(copy);
    pointer = copy.get();
  }

  template <class T>
  const T *store(const T &value) {
    auto copy = std::make_shared<T>(value);
    stored_.push_back(copy);
    return copy.get();
  }

  template <class T>
  bool keep(const T *&pointer) {
    const bool is_there = get<uint8_t>() != 0;
    pointer = is_there ? store(T{}) : nullptr;
    return is_there;
  }

  template <class T>
  void object(const T *&pointer) {
    pointer = static_cast<const T *>(objects_.at(get<uint32_t>()).get());
  }

  void threads(int32_t &count) { count = threads_; }
  void backend(int32_t &number) { number = d3k_best_backend(); }

 private:
  template <class T>
  T get() {
    T value;
    raw(value);
    return value;
  }

  void take(void *to, size_t bytes) {
    if (bytes > static_cast<size_t>(end_ - at_)) {
      std::fprintf(stderr, "replay: the tape ends in the middle of a section\n");
      std::exit(1);
    }
    std::memcpy(to, at_, bytes);
    at_ += bytes;
  }

  __attribute__((format(printf, 2, 3))) void fail(const char *format, ...) {
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (failure_.empty()) failure_ = text;
  }

  void poke() {
    const uint32_t block = get<uint32_t>();
    char *to = blocks_.at(block)->start + get<uint64_t>();
    take(to, get<uint64_t>());
  }

  template <class Result, class... Arguments>
  void call(const char *name, Result (*kernel)(Arguments...)) {
    called.insert(name);
    std::tuple<Arguments...> arguments;
    std::apply([this](auto &...each) { tape::carry_all(*this, each...); }, arguments);
    if constexpr (std::is_void_v<Result>) {
      std::apply(kernel, arguments);
    } else if constexpr (std::is_pointer_v<Result>) {
      if (get<uint32_t>() != objects_.size()) fail("%s: out of order", name);
      Result made = std::apply(kernel, arguments);
      if (made)
        objects_.push_back(owned(made));
      else
        fail("%s returned NULL", name);
    } else {
      const size_t needed = std::apply(kernel, arguments), room = get<size_t>();
      if (needed > room) fail("%s: %zu bytes are needed, %zu are there", name, needed, room);
    }
    if (d3k_take_failure()) fail("%s failed", name);
  }

  void call() {
    switch (get<uint32_t>()) {
      enum : uint32_t {
#define NUMBER(name) number_of_##name,
        D3T_CALLS(NUMBER)
      };
#define CASE(name)       \
  case number_of_##name: \
    call(#name, name);   \
    break;
      D3T_CALLS(CASE)
      default:
        fail("the tape calls an unknown kernel");
    }
  }

  /* As ForwardTests: the absolute tolerance is that of the largest finite value. */
  void expect() {
    const int32_t index = get<int32_t>();
    const double absolute = get<double>(), relative = get<double>();
    const int64_t count = get<int64_t>();
    const double *expected = nullptr;
    array(expected, count);
    const std::vector<float> &found = results_.at(static_cast<size_t>(index));
    if (found.size() != static_cast<size_t>(count))
      return fail("result %d has %zu elements, expected %lld", index, found.size(),
                  static_cast<long long>(count));
    compared.insert(compared.end(), found.begin(), found.end());
    double scale = 0;
    for (int64_t i = 0; i < count; i++)
      if (std::fabs(expected[i]) <= FLT_MAX) scale = std::max(scale, std::fabs(expected[i]));
    for (int64_t i = 0; i < count; i++) {
      const float y = found[static_cast<size_t>(i)], wanted = static_cast<float>(expected[i]);
      if (y == wanted || (std::isnan(y) && std::isnan(wanted))) continue;
      const double allowed =
          std::max(absolute * scale, DBL_TRUE_MIN) + relative * std::fabs(expected[i]);
      // Not a number is never as close.
      if (!(std::fabs(y - expected[i]) <= allowed))
        return fail("[%d][%lld] is %.9g, expected %.9g", index, static_cast<long long>(i), y,
                    expected[i]);
    }
  }

  void expect_slope() {
    const float *gradient = nullptr;
    const double *direction = nullptr;
    address(gradient);
    const double slope = get<double>(), tolerance = get<double>(), slack = get<double>();
    const int64_t count = get<int64_t>();
    array(direction, count);
    compared.insert(compared.end(), gradient, gradient + count);
    double found = 0, norm = 0, scale = 0;
    for (int64_t i = 0; i < count; i++) {
      found += gradient[i] * direction[i];
      norm += direction[i] * direction[i];
      scale = std::max(scale, std::fabs(static_cast<double>(gradient[i])));
    }
    const double allowed = tolerance * std::max(scale * std::sqrt(norm), std::fabs(slope)) + slack;
    if (!(std::fabs(found - slope) <= allowed))
      fail("the slope is %.9g, differences give %.9g", found, slope);
  }

  const char *at_, *end_;
  int32_t threads_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Object> objects_;
  std::vector<std::vector<float>> results_;
  std::vector<std::shared_ptr<const void>> stored_;
  std::string failure_;
};

/** The first failure of a section, empty = none. */
std::string run(const char *section, size_t bytes) {
  In one(section, bytes, 1), three(section, bytes, 3);
  std::string failure = one.run();
  if (failure.empty() && !(failure = three.run()).empty()) failure = "3 threads: " + failure;
  if (failure.empty() && (one.compared.size() != three.compared.size() ||
                          std::memcmp(one.compared.data(), three.compared.data(),
                                      sizeof(float) * one.compared.size()) != 0))
    failure = "3 threads give other bits than one";
  return failure;
}

/** Names kernels of calls.hpp that no section has called; returns how many. */
int print_uncalled() {
  int count = 0;
#define CHECK(name)                                      \
  if (called.count(#name) == 0) {                        \
    std::printf("replay: no section calls %s\n", #name); \
    count++;                                             \
  }
  D3T_CALLS(CHECK)
  return count;
}

}  // namespace

int main(int count, char **arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: replay TAPE [TEXT]\n");
    return 2;
  }
  std::ifstream file(arguments[1], std::ios::binary);
  const std::string tape((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  int failed = 0;
  std::map<std::string, int> passed_of;
  for (size_t at = 0; at < tape.size();) {
    uint64_t sizes[2] = {~0ull, ~0ull};
    if (tape.size() - at >= sizeof sizes) std::memcpy(sizes, &tape[at], sizeof sizes);
    at += sizeof sizes;
    if (sizes[0] > tape.size() - at || sizes[1] > tape.size() - at - sizes[0]) {
      std::fprintf(stderr, "replay: %s is no whole tape\n", arguments[1]);
      return 1;
    }
    const std::string name(&tape[at], sizes[0]);
    const char *section = &tape[at + sizes[0]];
    at += sizes[0] + sizes[1];
    if (count > 2 && name.find(arguments[2]) == std::string::npos) continue;
    const std::string failure = run(section, sizes[1]);
    if (failure.empty())
      passed_of[name.substr(0, name.find(' '))]++;
    else
      failed++, std::printf("%s: %s\n", name.c_str(), failure.c_str());
  }
  for (const auto &[name, chosen_by] : chosen)
    std::printf("replay: %6d x %s\n", chosen_by, name.c_str());
  std::printf("replay: %s, 1 and 3 threads:", d3k_isa_name());
  for (const auto &[kind, passed] : passed_of) std::printf(" %d %s passed,", passed, kind.c_str());
  std::printf(" %d failed\n", failed);
  const int uncalled = count > 2 ? 0 : print_uncalled();
  return failed > 0 || uncalled > 0 || passed_of.empty();
}
