// A file as pieces: what the files that take it apart and put it together share.
#ifndef D3O_SOURCE_HPP
#define D3O_SOURCE_HPP

#include <memory>
#include <mutex>

#include "internal.hpp"

namespace d3o {

/// A part of a file, in its order. Lengths of messages are pieces of their own, as they may change.
struct Piece {
  enum class Kind : uint8_t {
    literal,   // bytes
    metadata,  // bytes: one entry of ModelProto.metadata_props, with tag and length
    open,      // the length of all pieces up to its `close`; bytes as it was read
    close,
    payload,  // values of weights; bytes only where they do not follow from the values
  };
  enum class Form : uint8_t {
    plain,          // fixed-size, nothing kept
    fixed,          // fixed-size
    tagged,         // each a field of its own: tag, value
    varint,         // variable size
    tagged_varint,  // both
  };
  Kind kind = Kind::literal;
  Form form = Form::plain;
  bool is_read = true;            // stands in the file that was read
  bool is_saved = true;           // stands in a file that is written
  int32_t type = 0;               // of a payload: TensorProto.DataType
  uint64_t begin = 0, size = 0;   // bytes in d3o_source.bytes
  uint64_t first = 0, count = 0;  // values in the flat weights
};

/// Where bytes go: a file, a hash, a counter.
class Sink {
 public:
  virtual void put(const void *bytes, size_t size) = 0;

 protected:
  ~Sink() = default;
};

/// Writes the values of a payload in its encoding. `kept` are its bytes, `values` its first.
void encode(const Piece &payload, const unsigned char *kept, const float *values, Sink &sink);

/// Bytes of one value of a fixed-size payload.
uint64_t value_bytes(int32_t type);

class Sha256 final : public Sink {
 public:
  void put(const void *bytes, size_t size) override;
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
class AtomicFile final : public Sink {
 public:
  /// `size` is what will be put.
  AtomicFile(const char *path, uint64_t size);
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  void put(const void *bytes, size_t size) override;
  /// Syncs and names the file.
  void commit();

 private:
  [[noreturn]] void fail_writing() const;
  void write_all(const unsigned char *bytes, size_t size);
  void flush();

  std::string shown_, name_, temporary_;
  File directory_, file_;
  bool can_sync_directory_ = true;
  std::vector<unsigned char> buffer_;
};

}  // namespace d3o

struct d3o_source {
  std::vector<d3o::Piece> pieces;
  std::unique_ptr<unsigned char[]> bytes;
  int64_t weight_count = 0;
  d3o_status status = D3O_OK;  // else why it cannot be written again
  std::string problem;
  mutable std::mutex mutex;  // guards the two below
  mutable bool has_digest = false;
  mutable uint8_t digest[32] = {};
};

#endif  // D3O_SOURCE_HPP
