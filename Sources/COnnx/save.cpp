// The pieces of a file and weights come in; the bytes of a file, or their hash, go out.
#include <climits>
#include <cstring>

#include "source.hpp"
#include "wire.hpp"

namespace d3o {

namespace {

using Form = Piece::Form;
using Kind = Piece::Kind;

// Tags of ModelProto.metadata_props and of its key and value.
constexpr unsigned char kMetadataTag = 14 << 3 | kBytes;
constexpr unsigned char kKeyTag = 1 << 3 | kBytes, kValueTag = 2 << 3 | kBytes;

class Counter final : public Sink {
 public:
  void put(const void *, size_t size) override { count += size; }
  uint64_t count = 0;
};

class Saver {
 public:
  Saver(const d3o_source &source, const float *weights, const d3o_pair *metadata,
        int64_t metadata_count)
      : source_(source), weights_(weights) {
    for (int64_t i = 0; i < metadata_count; i++) {
      keys_.push_back(metadata[i].key);
      append_entry(metadata[i]);
    }
    measure();
  }

  uint64_t size() const { return size_; }

  void write(Sink &sink) const {
    size_t message = 0;
    for (const Piece &piece : source_.pieces) {
      if (!is_written(piece)) continue;
      if (piece.kind == Kind::open) {
        put_length(piece, lengths_[message++], sink);
      } else {
        put(piece, sink);
      }
    }
    sink.put(entries_.data(), entries_.size());
  }

  /// The file as it was read, if the weights are those that were read.
  void write_as_read(Sink &sink) const {
    for (const Piece &piece : source_.pieces) {
      if (piece.is_read) put(piece, sink);
    }
  }

 private:
  const unsigned char *bytes(const Piece &piece) const { return source_.bytes.get() + piece.begin; }

  void put(const Piece &piece, Sink &sink) const {
    if (piece.kind == Kind::payload) {
      encode(piece, bytes(piece), weights_ + piece.first, sink);
    } else {
      sink.put(bytes(piece), piece.size);
    }
  }

  void put_length(const Piece &piece, uint64_t length, Sink &sink) const {
    const unsigned char *at = bytes(piece);
    if (piece.size > 0 && read_varint(at, at + piece.size) == length) {
      sink.put(bytes(piece), piece.size);  // as it was, even where it is longer than needed
      return;
    }
    unsigned char shortest[kMaxVarintBytes];
    sink.put(shortest, write_varint(shortest, length));
  }

  // The key of one entry; of several, protobuf takes the last.
  std::string_view key(const Piece &piece) const {
    std::string_view result;
    const unsigned char *at = bytes(piece);
    Field entry, field;
    if (!next_field(at, at + piece.size, entry)) return result;
    at = entry.content;
    while (next_field(at, entry.end, field)) {
      if (!field.is(1, kBytes)) continue;
      result = {reinterpret_cast<const char *>(field.content),
                static_cast<size_t>(field.end - field.content)};
    }
    return result;
  }

  bool is_written(const Piece &piece) const {
    if (!piece.is_saved || piece.kind != Kind::metadata || keys_.empty()) return piece.is_saved;
    const std::string_view found = key(piece);
    for (const std::string_view written : keys_) {
      if (found == written) return false;
    }
    return true;
  }

  static void append_text(std::string &out, unsigned char tag, std::string_view text) {
    unsigned char length[kMaxVarintBytes];
    out += static_cast<char>(tag);
    out.append(reinterpret_cast<const char *>(length), write_varint(length, text.size()));
    out += text;
  }

  void append_entry(const d3o_pair &pair) {
    std::string entry;
    append_text(entry, kKeyTag, pair.key);
    append_text(entry, kValueTag, pair.value);
    append_text(entries_, kMetadataTag, entry);
  }

  uint64_t size_of(const Piece &piece) const {
    if (piece.kind != Kind::payload) return piece.size;
    if (piece.form == Form::plain) return piece.count * value_bytes(piece.type);
    if (piece.form == Form::fixed || piece.form == Form::tagged) return piece.size;
    Counter counter;
    put(piece, counter);
    return counter.count;
  }

  // The lengths of all messages, in the order in which they begin, and of the whole.
  void measure() {
    std::vector<size_t> open;
    std::vector<const Piece *> pieces;
    for (const Piece &piece : source_.pieces) {
      if (!is_written(piece)) continue;
      if (piece.kind == Kind::open) {
        open.push_back(lengths_.size());
        lengths_.push_back(0);
        pieces.push_back(&piece);
        continue;
      }
      uint64_t size = 0;
      if (piece.kind == Kind::close) {
        Counter counter;
        size = lengths_[open.back()];
        put_length(*pieces[open.back()], size, counter);
        size += counter.count;
        open.pop_back();
      } else {
        size = size_of(piece);
      }
      (open.empty() ? size_ : lengths_[open.back()]) += size;
    }
    size_ += entries_.size();
  }

  const d3o_source &source_;
  const float *weights_;
  std::vector<std::string_view> keys_;
  std::string entries_;
  std::vector<uint64_t> lengths_;
  uint64_t size_ = 0;
};

void check(const d3o_source *source, const float *weights, int64_t weight_count) {
  if (source == nullptr) fail(D3O_E_FORMAT, "there is nothing to save the model from");
  if (weight_count != source->weight_count || (weights == nullptr && weight_count > 0)) {
    fail(D3O_E_FORMAT, std::to_string(weights == nullptr ? 0 : weight_count) +
                           " weights are given, the model has " +
                           std::to_string(source->weight_count));
  }
}

}  // namespace

}  // namespace d3o

extern "C" {

d3o_status d3o_source_hash(const d3o_source *source, const float *weights, int64_t weight_count,
                           uint8_t *out, char *message, size_t capacity) {
  return d3o::guarded(message, capacity, [&] {
    d3o::check(source, weights, weight_count);
    if (out == nullptr) d3o::fail(D3O_E_FORMAT, "there is no place for the hash (out is NULL)");
    if (source->status != D3O_OK) d3o::fail(source->status, source->problem);
    const std::lock_guard<std::mutex> guard(source->mutex);
    if (!source->has_digest) {
      d3o::Sha256 hash;
      d3o::Saver(*source, weights, nullptr, 0).write_as_read(hash);
      hash.finish(source->digest);
      source->has_digest = true;
    }
    std::memcpy(out, source->digest, sizeof source->digest);
  });
}

d3o_status d3o_source_save(const d3o_source *source, const float *weights, int64_t weight_count,
                           const d3o_pair *metadata, int64_t metadata_count, const char *path,
                           char *message, size_t capacity) {
  return d3o::guarded(message, capacity, [&] {
    d3o::check(source, weights, weight_count);
    if (path == nullptr) d3o::fail(D3O_E_IO, "no file can be written: path is NULL");
    const std::string refusal = "cannot write " + d3o::shown(path) + ": ";
    if (source->status != D3O_OK) d3o::fail(source->status, refusal + source->problem);
    const d3o::Saver saver(*source, weights, metadata, metadata_count);
    if (saver.size() > INT_MAX) {
      d3o::fail(D3O_E_LIMIT, refusal + "as one file the model has " + std::to_string(saver.size()) +
                                 " bytes, protobuf allows " + std::to_string(INT_MAX));
    }
    d3o::AtomicFile file(path, saver.size());
    saver.write(file);
    file.commit();
  });
}

}  // extern "C"
