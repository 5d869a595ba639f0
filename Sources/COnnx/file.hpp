// What the files that read, write and hash share.
#ifndef D3O_FILE_HPP
#define D3O_FILE_HPP

#include "internal.hpp"

namespace d3o {

class Sha256 final {
 public:
  void put(const void *bytes, size_t size);
  /// Ends the message. Call it once.
  void finish(uint8_t *digest);

 private:
  void block(const unsigned char *bytes);

  uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  unsigned char rest_[64] = {};
  uint64_t size_ = 0;
};

/// A file that appears under its name when it is complete; until then it is gone with the value.
class AtomicFile final {
 public:
  /// `size` is what will be put.
  AtomicFile(const char *path, uint64_t size);
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  /// Where it is written.
  int get() const { return file_.get(); }
  void put(const void *bytes, size_t size);
  /// Syncs and names the file.
  void commit();
  /// Throws what errno says.
  [[noreturn]] void fail_writing() const;

 private:
  std::string shown_, name_, temporary_;
  File directory_, file_;
  bool can_sync_directory_ = true;
};

}  // namespace d3o

#endif  // D3O_FILE_HPP
