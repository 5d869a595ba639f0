// A path from the user, or a location from a hostile file, comes in; bytes of regular files go out.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "internal.hpp"

namespace d3o {

namespace {

constexpr size_t kMaxComponents = 64;

}  // namespace

// Builds no text before errno is read: an allocation may change it.
void fail_with_errno(const char *action, const std::string &name) {
  const int error = errno;
  fail(error == ENOMEM ? D3O_E_MEMORY : D3O_E_IO,
       action + name + ": " + std::generic_category().message(error));
}

const char *kind_of(unsigned mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

int open_again(int directory, const char *path, int flags, unsigned mode) {
  int descriptor;
  do {
    descriptor = openat(directory, path, flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

namespace {

// O_PATH looks without opening, so a pipe does not block and a device is not touched. What is then
// opened for reading must be the very file that was looked at.
File open_regular(int directory, const char *path, int follow, const std::string &what,
                  struct stat *status) {
  const File looked(open_again(directory, path, O_PATH | follow));
  if (looked.get() < 0) fail_with_errno("cannot open ", what);
  struct stat seen;
  if (fstat(looked.get(), &seen) != 0) fail_with_errno("cannot open ", what);
  if (!S_ISREG(seen.st_mode)) {
    fail(D3O_E_IO, what + " is " + kind_of(seen.st_mode) + ", expected a regular file");
  }
  File file(open_again(directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | follow));
  if (file.get() < 0) fail_with_errno("cannot open ", what);
  if (fstat(file.get(), status) != 0) fail_with_errno("cannot open ", what);
  if (status->st_dev != seen.st_dev || status->st_ino != seen.st_ino) {
    fail(D3O_E_IO, what + " was replaced while it was being opened");
  }
  return file;
}

// "a/b/c" as its names; anything that could lead out of the directory is refused.
std::vector<std::string> components(const std::string &location, const std::string &what) {
  std::vector<std::string> names;
  size_t begin = 0;
  while (begin <= location.size()) {
    const size_t end = std::min(location.find('/', begin), location.size());
    names.push_back(location.substr(begin, end - begin));
    const std::string &name = names.back();
    if (name.empty() || name == "." || name == ".." || names.size() > kMaxComponents ||
        name.find('\\') != std::string::npos) {
      fail(D3O_E_IO, what + " is stored in " + shown(location) +
                         ", expected a plain path inside the model's directory");
    }
    begin = end + 1;
  }
  return names;
}

}  // namespace

File::~File() {
  if (descriptor_ >= 0) close(descriptor_);
}

File open_external(int directory, const char *location, int64_t offset, uint64_t needed,
                   const std::string &what) {
  if (directory < 0) {
    fail(D3O_E_IO,
         what + " is stored in " + shown(location) + ", but external data is not allowed");
  }
  const std::vector<std::string> names = components(location, what);
  const std::string shown_location = shown(location) + " (external data of " + what + ")";
  File parent;
  int inside = directory;
  for (size_t i = 0; i + 1 < names.size(); i++) {
    File next(open_again(inside, names[i].c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW));
    if (next.get() < 0) fail_with_errno("cannot open ", shown_location);
    parent = std::move(next);
    inside = parent.get();
  }
  struct stat status;
  File file = open_regular(inside, names.back().c_str(), O_NOFOLLOW, shown_location, &status);
  if (status.st_nlink != 1) {
    // A hard link can give a file from elsewhere a name in here.
    fail(D3O_E_IO,
         shown_location + " has " + std::to_string(status.st_nlink) + " hard links, expected 1");
  }
  const auto size = static_cast<uint64_t>(status.st_size);
  const auto start = static_cast<uint64_t>(offset);
  if (offset < 0 || start > size || needed > size - start) {
    fail(D3O_E_FORMAT, shown_location + " has " + std::to_string(size) + " bytes, expected " +
                           std::to_string(needed) + " from offset " + std::to_string(offset));
  }
  return file;
}

void read_fully(int descriptor, void *out, size_t size, int64_t offset, const std::string &name) {
  auto *at = static_cast<unsigned char *>(out);
  while (size > 0) {
    const ssize_t got = pread(descriptor, at, std::min(size, kTransferBytes), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_errno("cannot read ", name);
    if (got == 0) fail(D3O_E_IO, name + " became shorter while it was read");
    at += got;
    offset += got;
    size -= static_cast<size_t>(got);
  }
}

}  // namespace d3o

extern "C" {

d3o_status d3o_read_file(void **out, size_t *size, const char *path, uint64_t max_bytes,
                         char *message, size_t capacity) {
  if (out != nullptr) *out = nullptr;
  if (size != nullptr) *size = 0;
  return d3o::guarded(message, capacity, [&] {
    if (out == nullptr || size == nullptr || path == nullptr) {
      d3o::fail(D3O_E_IO, "no file can be read: path or out is NULL");
    }
    const std::string name = d3o::shown(path);
    struct stat status;
    const d3o::File file = d3o::open_regular(AT_FDCWD, path, 0, name, &status);
    const auto bytes = static_cast<uint64_t>(status.st_size);
    if (bytes > max_bytes || bytes > SIZE_MAX / 2) {
      d3o::fail(D3O_E_LIMIT, name + " has " + std::to_string(bytes) + " bytes, the limit is " +
                                 std::to_string(max_bytes));
    }
    const auto length = static_cast<size_t>(bytes);
    void *buffer = std::malloc(std::max<size_t>(length, 1));
    if (buffer == nullptr) throw std::bad_alloc();
    try {
      d3o::read_fully(file.get(), buffer, length, 0, name);
    } catch (...) {
      std::free(buffer);
      throw;
    }
    *out = buffer;
    *size = length;
  });
}

void d3o_free_bytes(void *bytes) { std::free(bytes); }

int d3o_path_exists(const char *path) {
  struct stat status;
  // Whatever else is wrong than that nothing is there is told by who opens it.
  return path != nullptr && (lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

d3o_status d3o_open_directory(int *out, const char *path, char *message, size_t capacity) {
  if (out != nullptr) *out = -1;
  return d3o::guarded(message, capacity, [&] {
    if (out == nullptr || path == nullptr) {
      d3o::fail(D3O_E_IO, "no directory can be opened: path or out is NULL");
    }
    const std::string name = d3o::shown(path);
    // O_PATH: the right to reach files is enough, listing them is not needed.
    const int descriptor = d3o::open_again(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    if (descriptor < 0) d3o::fail_with_errno("cannot open directory ", name);
    *out = descriptor;
  });
}

void d3o_close_directory(int directory) {
  if (directory >= 0) close(directory);
}

}  // extern "C"
