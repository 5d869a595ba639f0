// What the files of this folder share: the model behind the records, failures, names in messages.
#ifndef D3O_INTERNAL_HPP
#define D3O_INTERNAL_HPP

// Debian's libonnx is built with these two; without them the classes have other names and layouts.
#define ONNX_NAMESPACE onnx
#define ONNX_ML 1
#include <onnx/onnx_pb.h>

#include <deque>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "d3o.h"

// The records point into `proto` (names, dims, attribute values), so it lives as long as they do.
struct d3o_model {
  onnx::ModelProto proto;
  d3o_graph graph = {};
  std::vector<d3o_node> nodes;  // of the graph, then of blocks
  std::vector<d3o_attribute> attributes;
  std::vector<d3o_block> blocks;
  std::deque<onnx::AttributeProto> defaults;  // of functions' attributes
  size_t file_tensors = 0;                    // of `tensors`: those outside blocks
  std::vector<const char *> strings;
  std::vector<d3o_tensor> tensors;
  std::vector<onnx::TensorProto *> tensor_protos;  // parallel to `tensors`
  std::vector<d3o_value> inputs, outputs;
  std::vector<int64_t> value_dims;
  std::vector<d3o_pair> metadata;
};

namespace d3o {

struct Failure {
  d3o_status status;
  std::string message;
};

/// A name for a message: quoted, printable ASCII, at most about 80 bytes.
std::string shown(std::string_view name);

/// Any text as one line of printable ASCII without runs of blanks.
std::string one_line(std::string_view text);

void write_message(char *message, size_t capacity, std::string_view text) noexcept;

[[noreturn]] inline void fail(d3o_status status, std::string message) {
  throw Failure{status, std::move(message)};
}

/// Runs `body`; everything thrown becomes a status and a line, so that nothing crosses into C.
template <typename Body>
d3o_status guarded(char *message, size_t capacity, Body body) noexcept {
  write_message(message, capacity, "");
  try {
    body();
    return D3O_OK;
  } catch (const Failure &failure) {
    write_message(message, capacity, failure.message);
    return failure.status;
  } catch (const std::bad_alloc &) {
    write_message(message, capacity, "out of memory for the model");
    return D3O_E_MEMORY;
  } catch (const std::length_error &) {
    write_message(message, capacity, "out of memory for the model");
    return D3O_E_MEMORY;
  } catch (const std::exception &error) {
    try {
      write_message(message, capacity, one_line(error.what()));
    } catch (...) {
      write_message(message, capacity, "unexpected failure in the model");
    }
    return D3O_E_FORMAT;
  } catch (...) {
    write_message(message, capacity, "unexpected failure in the model");
    return D3O_E_FORMAT;
  }
}

/// True for UTF-8 without NUL: what a C string can carry and every language can read.
bool is_text(std::string_view bytes);

/// The C string of a name, refused unless it is text; `what` says whose name it is.
const char *text(const std::string &bytes, const std::string &what);

/// Throws if two of the names are equal; `what` says what they name. Sorts them.
void refuse_duplicates(std::vector<std::string_view> &names, const char *what);

/// Walks the wire format of a model before protobuf allocates anything, and throws where the
/// objects or the tensors of the model would need more memory than the limits allow: a byte of the
/// file can cost protobuf 200 bytes.
void scan(const void *bytes, size_t size, const d3o_limits &limits);

/// Adds the record of `proto`; its dims, type and data must agree. `what` names it in messages.
/// `total` is the sum of tensor bytes so far.
void add_tensor(d3o_model &model, onnx::TensorProto &proto, const std::string &what,
                const d3o_limits &limits, uint64_t &total);

/// "ai.onnx" and "" are the same domain; records know only "".
inline bool is_default(const std::string &domain) { return domain.empty() || domain == "ai.onnx"; }

/// The AttributeProto type of an attribute, whether it is stated or not.
int type_of(const onnx::AttributeProto &attribute);

/// Fills nodes, attributes, the tensors of attributes, and blocks.
void add_nodes(d3o_model &model, const d3o_limits &limits, uint64_t &total);

/// Size of one element in bits, 0 where the type is not fixed-size or unknown.
int bits_of(int32_t data_type);
std::string type_name(int32_t data_type);

}  // namespace d3o

#endif  // D3O_INTERNAL_HPP
