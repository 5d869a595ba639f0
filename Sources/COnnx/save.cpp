// What a model is saved from and weights come in; the bytes of a file go out.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <cerrno>
#include <climits>

#include "file.hpp"
#include "source.hpp"

namespace d3o {

namespace {

using google::protobuf::io::CodedOutputStream;
using onnx::GraphProto;
using onnx::ModelProto;

constexpr int kBufferBytes = 64 * 1024;

// Counts bytes and, where there is a stream, writes them.
class Output {
 public:
  explicit Output(CodedOutputStream *stream = nullptr) : stream_(stream) {}

  void put(const google::protobuf::MessageLite &message) {
    size_ += message.ByteSizeLong();
    if (stream_ != nullptr) message.SerializeWithCachedSizes(stream_);
  }

  /// The tag and length of a field that holds `size` bytes.
  void open(int field, uint64_t size) {
    const auto tag = static_cast<uint32_t>(field) << 3 | 2;
    size_ += CodedOutputStream::VarintSize32(tag) + CodedOutputStream::VarintSize64(size);
    if (stream_ == nullptr) return;
    stream_->WriteTag(tag);
    stream_->WriteVarint64(size);
  }

  void put(int field, const google::protobuf::MessageLite &message) {
    open(field, message.ByteSizeLong());
    put(message);
  }

  uint64_t size() const { return size_; }

 private:
  CodedOutputStream *const stream_;
  uint64_t size_ = 0;
};

// A tensor has its values while this lives: one copy of one tensor at a time.
class Filled {
 public:
  Filled(const Weight &weight, const float *weights)
      : tensor_(weight.tensor), other_(*weight.tensor) {
    put_values(other_, weight.is_raw, weights + weight.first, static_cast<size_t>(weight.count));
    other_.Swap(tensor_);
  }
  ~Filled() { other_.Swap(tensor_); }
  Filled(const Filled &) = delete;
  Filled &operator=(const Filled &) = delete;

 private:
  onnx::TensorProto *const tensor_;
  onnx::TensorProto other_;
};

class Saver {
 public:
  Saver(d3o_source &source, const float *weights, const d3o_pair *metadata, int64_t count)
      : source_(source), weights_(weights), guard_(source.mutex) {
    for (int64_t i = 0; i < count; i++) {
      onnx::StringStringEntryProto &entry = *entries_.Add();
      entry.set_key(metadata[i].key);
      entry.set_value(metadata[i].value);
    }
    Output output;
    put_graph(output);
    graph_bytes_ = output.size();
  }

  uint64_t size() {
    Output output;
    put_front(output);
    put_back(output);
    return output.size() + graph_bytes_;
  }

  void write(CodedOutputStream &stream) {
    Output output(&stream);
    put_front(output);
    put_graph(output);
    put_back(output);
  }

 private:
  void put_front(Output &output) const {
    output.put(source_.head);
    output.open(ModelProto::kGraphFieldNumber, graph_bytes_);
  }

  void put_graph(Output &output) {
    next_ = 0;
    put_list(output, GraphProto::kNodeFieldNumber, source_.nodes);
    output.put(source_.graph_head);
    put_list(output, GraphProto::kInitializerFieldNumber, source_.initializers);
    output.put(source_.graph_tail);
  }

  void put_back(Output &output) const {
    output.put(source_.middle);
    for (const auto &entry : source_.metadata) {
      if (!is_replaced(entry.key())) output.put(ModelProto::kMetadataPropsFieldNumber, entry);
    }
    for (const auto &entry : entries_) output.put(ModelProto::kMetadataPropsFieldNumber, entry);
    output.put(source_.tail);
  }

  template <typename List>
  void put_list(Output &output, int field, const List &list) {
    for (const auto &element : list) {
      if (next_ < source_.weights.size() && source_.weights[next_].owner == &element) {
        const Filled filled(source_.weights[next_++], weights_);
        output.put(field, element);
      } else {
        output.put(field, element);
      }
    }
  }

  bool is_replaced(const std::string &key) const {
    for (const auto &entry : entries_) {
      if (entry.key() == key) return true;
    }
    return false;
  }

  d3o_source &source_;
  const float *const weights_;
  const std::lock_guard<std::mutex> guard_;
  google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto> entries_;
  uint64_t graph_bytes_ = 0;
  size_t next_ = 0;  // of the weights
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

extern "C" d3o_status d3o_source_save(d3o_source *source, const float *weights,
                                      int64_t weight_count, const d3o_pair *metadata,
                                      int64_t metadata_count, const char *path, char *message,
                                      size_t capacity) {
  return d3o::guarded(message, capacity, [&] {
    d3o::check(source, weights, weight_count);
    if (path == nullptr) d3o::fail(D3O_E_IO, "no file can be written: path is NULL");
    const std::string refusal = "cannot write " + d3o::shown(path) + ": ";
    if (source->status != D3O_OK) d3o::fail(source->status, refusal + source->problem);
    d3o::Saver saver(*source, weights, metadata, metadata_count);
    const uint64_t size = saver.size();
    if (size > INT_MAX) {
      d3o::fail(D3O_E_LIMIT, refusal + "as one file the model has " + std::to_string(size) +
                                 " bytes, protobuf allows " + std::to_string(INT_MAX));
    }
    d3o::AtomicFile file(path, size);
    google::protobuf::io::FileOutputStream stream(file.get(), d3o::kBufferBytes);
    {
      google::protobuf::io::CodedOutputStream coded(&stream);
      saver.write(coded);
    }
    if (!stream.Flush()) {
      errno = stream.GetErrno();
      file.fail_writing();
    }
    file.commit();
  });
}
