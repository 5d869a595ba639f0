/* Calls of kernels -> a tape. The linker puts the functions here in front of the kernels, and of
 * mmap, which is where all memory of an executor comes from (run.sh names them). */
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "calls.hpp"
#include "tape.h"

extern "C" {
void *__real_mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset);
int __real_munmap(void *address, size_t bytes);
}

namespace {

using tape::Event;
using tape::Place;

std::FILE *file;

/** A block of mapped memory, and what it was when a kernel last returned. */
struct Block {
  char *start;
  std::vector<char> before;
  bool is_mapped = true;
};

/** What is written while a section is recorded. */
class Out {
 public:
  const d3k_walk *walk = nullptr;

  template <class T>
  void raw(const T &value) {
    bytes(&value, sizeof value);
  }

  void bytes(const void *from, size_t count) {
    const char *first = static_cast<const char *>(from);
    section_.insert(section_.end(), first, first + count);
  }

  template <class T>
  void address(T *&pointer) {
    const char *at = reinterpret_cast<const char *>(pointer);
    if (!at) return raw(Place::null);
    for (size_t i = 0; i < blocks_.size(); i++) {
      const Block &block = blocks_[i];
      if (!block.is_mapped || at < block.start || at >= block.start + block.before.size()) continue;
      raw(Place::mapped);
      raw(static_cast<uint32_t>(i));
      return raw(static_cast<uint64_t>(at - block.start));
    }
    if (!walk) fail("an argument is not in mapped memory");
    int64_t count = 1;
    for (int32_t k = 0; k < walk->rank; k++) count *= walk->dims[k];
    raw(std::is_const_v<T> ? Place::given : Place::result);
    raw(count);
    if (std::is_const_v<T>) bytes(pointer, sizeof(float) * static_cast<size_t>(count));
  }

  template <class T>
  void array(const T *&pointer, int64_t count) {
    bytes(pointer, sizeof(T) * static_cast<size_t>(count));
  }

  template <class T>
  const T *store(const T &value) {
    auto copy = std::make_shared<T>(value);
    stored_.push_back(copy);
    return copy.get();
  }

  template <class T>
  bool keep(const T *&pointer) {
    raw(static_cast<uint8_t>(pointer != nullptr));
    if (pointer) pointer = store(*pointer);
    return pointer != nullptr;
  }

  template <class T>
  void object(T *&pointer) {
    raw(objects_.at(pointer));
  }
  void new_object(const void *pointer) {
    objects_[pointer] = static_cast<uint32_t>(created_);
    raw(static_cast<uint32_t>(created_++));
  }

  void threads(int32_t) {}
  void backend(int32_t) {}

  void map(void *start, size_t size) {
    raw(Event::map);
    raw(static_cast<uint64_t>(size));
    blocks_.push_back({static_cast<char *>(start), std::vector<char>(size)});
  }

  void unmap(void *start) {
    for (size_t i = 0; i < blocks_.size(); i++)
      if (blocks_[i].is_mapped && blocks_[i].start == start) {
        raw(Event::unmap);
        raw(static_cast<uint32_t>(i));
        blocks_[i] = {nullptr, {}, false};
      }
  }

  /** Writes down which floats have changed since a kernel last returned. */
  void pokes() {
    for_changed_pages([this](uint32_t block, size_t begin, size_t end) {
      const char *now = blocks_[block].start, *before = blocks_[block].before.data();
      const auto differs = [=](size_t at) { return std::memcmp(now + at, before + at, 4) != 0; };
      for (size_t at = begin; at < end; at += 4) {
        if (!differs(at)) continue;
        size_t last = at + 4;
        while (last < end && differs(last)) last += 4;
        raw(Event::poke);
        raw(block);
        raw(static_cast<uint64_t>(at));
        raw(static_cast<uint64_t>(last - at));
        bytes(now + at, last - at);
        at = last - 4;
      }
      learn(block, begin, end);
    });
  }

  /** What is there now, kernels have written. */
  void absorb() {
    for_changed_pages(
        [this](uint32_t block, size_t begin, size_t end) { learn(block, begin, end); });
    stored_.clear();
  }

  void write(const std::string &name) {
    const uint64_t sizes[] = {name.size(), section_.size()};
    std::fwrite(sizes, sizeof sizes, 1, file);
    std::fwrite(name.data(), name.size(), 1, file);
    std::fwrite(section_.data(), section_.size(), 1, file);
  }

  [[noreturn]] static void fail(const char *what) {
    std::fprintf(stderr, "tape: %s\n", what);
    std::exit(1);
  }

 private:
  void learn(uint32_t block, size_t begin, size_t end) {
    std::memcpy(blocks_[block].before.data() + begin, blocks_[block].start + begin, end - begin);
  }

  template <class Body>
  void for_changed_pages(Body body) {
    const size_t page = 4096;
    for (size_t i = 0; i < blocks_.size(); i++) {
      const Block &block = blocks_[i];
      for (size_t at = 0; at < block.before.size(); at += page) {
        const size_t end = std::min(at + page, block.before.size());
        if (std::memcmp(block.start + at, block.before.data() + at, end - at) != 0)
          body(static_cast<uint32_t>(i), at, end);
      }
    }
  }

  std::vector<char> section_;
  std::vector<Block> blocks_;
  std::map<const void *, uint32_t> objects_;
  size_t created_ = 0;
  std::vector<std::shared_ptr<void>> stored_;
};

/* Threads of the pool record nothing, nor does a kernel that another one calls. */
thread_local std::unique_ptr<Out> out;
thread_local std::string section_name;
thread_local bool is_inside = false;

/** Other kernels on the other processor may need more. */
size_t with_room(size_t bytes) { return 2 * bytes + (size_t(2) << 20); }

template <uint32_t number, auto real>
struct Recorded;

template <uint32_t number, class Result, class... Arguments, Result (*real)(Arguments...)>
struct Recorded<number, real> {
  static Result call(Arguments... arguments) {
    if (!out || is_inside) return real(arguments...);
    // The others neither read nor write mapped memory.
    if constexpr (std::is_void_v<Result>) out->pokes();
    out->raw(Event::call);
    out->raw(number);
    [](auto... copies) { tape::carry_all(*out, copies...); }(arguments...);
    is_inside = true;
    if constexpr (std::is_void_v<Result>) {
      real(arguments...);
      is_inside = false;
      out->absorb();
    } else {
      Result result = real(arguments...);
      is_inside = false;
      if constexpr (std::is_pointer_v<Result>) {
        out->new_object(result);
      } else {
        result = with_room(result);
        out->raw(result);
      }
      return result;
    }
  }
};

enum class Call : uint32_t {
#define NUMBER(name) name,
  D3T_CALLS(NUMBER)
};

}  // namespace

// The linker's option --wrap=name makes calls of `name` calls of __wrap_name, whose own __real_name
// is the kernel.
#define DEFINE(name)                                                         \
  extern "C" decltype(name) __real_##name;                                   \
  extern "C" __attribute__((visibility("hidden"))) void *d3t_find_##name() { \
    return reinterpret_cast<void *>(                                         \
        Recorded<static_cast<uint32_t>(Call::name), __real_##name>::call);   \
  }                                                                          \
  extern "C" __attribute__((ifunc("d3t_find_" #name))) decltype(name) __wrap_##name;
D3T_CALLS(DEFINE)

extern "C" void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int descriptor,
                             off_t offset) {
  void *start = __real_mmap(address, bytes, protection, flags, descriptor, offset);
  if (out && start != MAP_FAILED && descriptor < 0) out->map(start, bytes);
  return start;
}

extern "C" int __wrap_munmap(void *address, size_t bytes) {
  if (out) out->unmap(address);
  return __real_munmap(address, bytes);
}

int32_t d3t_open(const char *path) {
  file = std::fopen(path, "wb");
  return file != nullptr;
}

int32_t d3t_close(void) {
  const bool is_written = !std::ferror(file);
  return std::fclose(file) == 0 && is_written;
}

void d3t_begin(const char *name) {
  section_name = name;
  out = std::make_unique<Out>();
}

void d3t_end(int32_t is_kept) {
  if (is_kept) out->write(section_name);
  out = nullptr;
}

void d3t_expect(int32_t result, const double *values, int64_t count, double absolute,
                double relative) {
  out->raw(Event::expect);
  out->raw(result);
  out->raw(absolute);
  out->raw(relative);
  out->raw(count);
  out->array(values, count);
}

void d3t_expect_slope(const float *gradient, const double *direction, int64_t count, double slope,
                      double tolerance, double slack) {
  out->raw(Event::slope);
  out->address(gradient);
  out->raw(slope);
  out->raw(tolerance);
  out->raw(slack);
  out->raw(count);
  out->array(direction, count);
}
