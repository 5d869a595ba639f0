// What a model is saved from and weights come in; the bytes of a file go out.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <climits>
#include <system_error>

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
  Saver(d3o_source &source, const d3o_content &content)
      : source_(source), weights_(content.weights), guard_(source.mutex) {
    for (int64_t i = 0; i < content.metadata_count; i++) {
      onnx::StringStringEntryProto &entry = *entries_.Add();
      entry.set_key(content.metadata[i].key);
      entry.set_value(content.metadata[i].value);
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

template <typename Body>
d3o_status with_saver(d3o_source *source, const d3o_content *content, char *message,
                      size_t capacity, Body body) {
  return guarded(message, capacity, [&] {
    if (source == nullptr || content == nullptr) {
      fail(D3O_E_FORMAT, "there is nothing to save the model from");
    }
    if (content->weight_count != source->weight_count) {
      fail(D3O_E_FORMAT, std::to_string(content->weight_count) +
                             " weights are given, the model has " +
                             std::to_string(source->weight_count));
    }
    Saver saver(*source, *content);
    body(saver);
  });
}

}  // namespace

}  // namespace d3o

extern "C" {

d3o_status d3o_source_measure(d3o_source *source, const d3o_content *content, uint64_t *out,
                              char *message, size_t capacity) {
  return d3o::with_saver(source, content, message, capacity, [&](d3o::Saver &saver) {
    *out = saver.size();
    if (*out > INT_MAX) {
      d3o::fail(D3O_E_LIMIT, "as one file the model has " + std::to_string(*out) +
                                 " bytes, protobuf allows " + std::to_string(INT_MAX));
    }
  });
}

d3o_status d3o_source_write(d3o_source *source, const d3o_content *content, int file, char *message,
                            size_t capacity) {
  return d3o::with_saver(source, content, message, capacity, [&](d3o::Saver &saver) {
    google::protobuf::io::FileOutputStream stream(file, d3o::kBufferBytes);
    {
      google::protobuf::io::CodedOutputStream coded(&stream);
      saver.write(coded);
    }
    if (!stream.Flush()) {
      d3o::fail(D3O_E_IO, std::generic_category().message(stream.GetErrno()));
    }
  });
}

}  // extern "C"
