// Writes the bytes of an ONNX file from the source of a model and weights.
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

// Counts the bytes of what is put into it, and writes them where it has a stream.
class Output {
 public:
  explicit Output(CodedOutputStream *stream = nullptr) : stream_(stream) {}

  void put(const google::protobuf::MessageLite &message) {
    size_ += message.ByteSizeLong();
    if (stream_ != nullptr) message.SerializeWithCachedSizes(stream_);
  }

  /// Puts the tag and the length of a field whose content has `size` bytes.
  void open(int field, uint64_t size) {
    const auto tag = static_cast<uint32_t>(field) << 3 | 2;
    size_ += field_bytes(field, size) - size;
    if (stream_ == nullptr) return;
    stream_->WriteTag(tag);
    stream_->WriteVarint64(size);
  }

  void put(int field, const google::protobuf::MessageLite &message) {
    open(field, message.ByteSizeLong());
    put(message);
  }

  void put(const Weight &weight, const float *values) {
    const auto count = static_cast<size_t>(weight.count);
    const uint64_t bytes = count * static_cast<uint64_t>(bits_of(weight.type)) / 8;
    std::vector<uint64_t> sizes;  // of the messages, the innermost first
    uint64_t inner = field_bytes(onnx::TensorProto::kRawDataFieldNumber, bytes);
    for (auto layer = weight.layers.rbegin(); layer != weight.layers.rend(); ++layer) {
      sizes.push_back(layer->front->ByteSizeLong() + inner + layer->back->ByteSizeLong());
      inner = field_bytes(layer->field, sizes.back());
    }
    if (stream_ == nullptr) {
      size_ += inner;
      return;
    }
    for (const Layer &layer : weight.layers) {
      open(layer.field, sizes.back());
      sizes.pop_back();
      put(*layer.front);
    }
    open(onnx::TensorProto::kRawDataFieldNumber, bytes);
    write_values(*stream_, weight.type, values, count);
    for (auto layer = weight.layers.rbegin(); layer != weight.layers.rend(); ++layer) {
      put(*layer->back);
    }
  }

  uint64_t size() const { return size_; }

 private:
  static uint64_t field_bytes(int field, uint64_t size) {
    const auto tag = static_cast<uint32_t>(field) << 3;
    return CodedOutputStream::VarintSize32(tag) + CodedOutputStream::VarintSize64(size) + size;
  }

  CodedOutputStream *const stream_;
  uint64_t size_ = 0;
};

// Fills the tensor of a weight with its values, and restores the tensor when it is destroyed.
class Filled {
 public:
  Filled(const Weight &weight, const float *weights)
      : tensor_(weight.tensor), other_(*weight.tensor) {
    put_values(other_, weights + weight.first, static_cast<size_t>(weight.count));
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
      if (next_ == source_.weights.size() || source_.weights[next_].owner != &element) {
        output.put(field, element);
        continue;
      }
      const Weight &weight = source_.weights[next_++];
      if (weight.tensor == nullptr) {
        output.put(weight, weights_ + weight.first);
      } else {
        const Filled filled(weight, weights_);
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
  size_t next_ = 0;  // index of the next weight in the order of the file
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
