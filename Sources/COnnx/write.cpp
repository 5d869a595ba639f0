// A path of the user's and bytes come in; a file that is whole or not there at all goes out.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "file.hpp"

namespace d3o {

namespace {

constexpr int kAttempts = 1000;

// The path behind a link, else the path itself.
std::string resolved(const char *path, const std::string &name, struct stat *status, bool *exists) {
  *exists = lstat(path, status) == 0;
  if (!*exists) {
    if (errno != ENOENT) fail_with_errno("cannot write ", name);
    return path;
  }
  std::string result = path;
  if (S_ISLNK(status->st_mode)) {
    const std::unique_ptr<char, decltype(&std::free)> real(realpath(path, nullptr), &std::free);
    if (real == nullptr || stat(real.get(), status) != 0) fail_with_errno("cannot write ", name);
    result = real.get();
  }
  if (!S_ISREG(status->st_mode)) {
    fail(D3O_E_IO, "cannot write " + name + ": it is " + kind_of(status->st_mode) +
                       ", expected a regular file or none");
  }
  return result;
}

// Beyond this limit the kernel would end the process.
void check_size_limit(uint64_t size, const std::string &name) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      size > limit.rlim_cur) {
    fail(D3O_E_IO, "cannot write " + name + ": it needs " + std::to_string(size) +
                       " bytes, files of this process may have " + std::to_string(limit.rlim_cur));
  }
}

std::string temporary_name() {
  static std::atomic<uint64_t> counter{0};
  return ".das3-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".tmp";
}

bool is_temporary(const char *name) {
  unsigned long process, number;
  int length = 0;
  return sscanf(name, ".das3-%lu-%lu.tmp%n", &process, &number, &length) == 2 && length > 0 &&
         name[length] == '\0';
}

bool is_named(int directory, const char *name, int file) {
  struct stat named, held;
  return fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(file, &held) == 0 &&
         named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

// Whoever writes a temporary file holds a lock on it, which ends with its process.
bool lock(int file) { return flock(file, LOCK_EX | LOCK_NB) == 0; }

// Removes what killed processes have left: files that nobody holds. Process numbers do not tell,
// for containers and machines share folders but not numbers. Without locks nothing is removed.
void remove_abandoned(int directory) {
  const int copy = open_again(directory, ".", O_RDONLY | O_DIRECTORY);
  if (copy < 0) return;
  const std::unique_ptr<DIR, decltype(&closedir)> entries(fdopendir(copy), &closedir);
  if (entries == nullptr) {
    close(copy);
    return;
  }
  while (const dirent *entry = readdir(entries.get())) {
    if (!is_temporary(entry->d_name)) continue;
    const File file(open_again(directory, entry->d_name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK));
    if (file.get() >= 0 && lock(file.get()) && is_named(directory, entry->d_name, file.get())) {
      unlinkat(directory, entry->d_name, 0);
    }
  }
}

}  // namespace

AtomicFile::AtomicFile(const char *path, uint64_t size) : shown_(shown(path)) {
  struct stat status;
  bool exists = false;
  const std::string target = resolved(path, shown_, &status, &exists);
  check_size_limit(size, shown_);
  const size_t slash = target.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : target.substr(0, std::max<size_t>(slash, 1));
  name_ = slash == std::string::npos ? target : target.substr(slash + 1);
  if (name_.empty()) fail(D3O_E_IO, "cannot write " + shown_ + ": the path names no file");
  directory_ = File(open_again(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (directory_.get() < 0 && errno == EACCES) {
    can_sync_directory_ = false;  // it may be written but not read
    directory_ = File(open_again(AT_FDCWD, folder.c_str(), O_PATH | O_DIRECTORY));
  }
  if (directory_.get() < 0) fail_writing();
  remove_abandoned(directory_.get());
  for (int attempt = 0; temporary_.empty(); attempt++) {
    std::string name = temporary_name();
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    file_ = File(open_again(directory_.get(), name.c_str(), flags, exists ? 0600 : 0666));
    if (file_.get() < 0 && (errno != EEXIST || attempt == kAttempts)) fail_writing();
    // Somebody may have seen it before it was locked, and removes it.
    const bool is_ours = file_.get() >= 0 && (lock(file_.get()) || errno != EWOULDBLOCK);
    if (is_ours && is_named(directory_.get(), name.c_str(), file_.get())) temporary_.swap(name);
  }
  // The destructor does not run for what throws here.
  if (exists && fchmod(file_.get(), status.st_mode & 0777) != 0) {
    const int error = errno;
    unlinkat(directory_.get(), temporary_.c_str(), 0);
    errno = error;
    fail_writing();
  }
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) unlinkat(directory_.get(), temporary_.c_str(), 0);
}

void AtomicFile::fail_writing() const { fail_with_errno("cannot write ", shown_); }

void AtomicFile::put(const void *bytes, size_t size) {
  const auto *at = static_cast<const unsigned char *>(bytes);
  while (size > 0) {
    const ssize_t done = write(file_.get(), at, std::min(size, kTransferBytes));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_writing();
    at += done;
    size -= static_cast<size_t>(done);
  }
}

void AtomicFile::commit() {
  if (fsync(file_.get()) != 0) fail_writing();
  if (renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str()) != 0) {
    fail_writing();
  }
  temporary_.clear();
  // The new file is there, whole and on disk: a failure from here on would say that the old one
  // still is. Where the directory cannot be synced, a crash of the machine may bring that back.
  if (can_sync_directory_) fsync(directory_.get());
}

}  // namespace d3o

extern "C" d3o_status d3o_write_file(const char *path, const d3o_part *parts, int64_t count,
                                     char *message, size_t capacity) {
  return d3o::guarded(message, capacity, [&] {
    if (path == nullptr || count < 0 || (parts == nullptr && count > 0)) {
      d3o::fail(D3O_E_IO, "no file can be written: path or parts is NULL");
    }
    uint64_t size = 0;
    for (int64_t i = 0; i < count; i++) size += parts[i].size;
    d3o::AtomicFile file(path, size);
    for (int64_t i = 0; i < count; i++) file.put(parts[i].bytes, parts[i].size);
    file.commit();
  });
}
