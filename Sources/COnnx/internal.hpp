// Declarations that the files of this folder share: the model behind the records, failures, and
// names in messages.
#ifndef D3O_INTERNAL_HPP
#define D3O_INTERNAL_HPP

// Debian builds libonnx with these two macros. Without them the classes have other names and other
// layouts.
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

// Records point into `proto` (names, dims, attribute values), so it lives as long as they do.
struct d3o_model {
  onnx::ModelProto proto;
  d3o_graph graph = {};
  std::vector<d3o_node> nodes;  // those of the graph, then those of blocks
  std::vector<d3o_attribute> attributes;
  std::vector<d3o_block> blocks;
  std::deque<onnx::AttributeProto> defaults;  // of the attributes of functions
  size_t file_tensors = 0;                    // the first of `tensors`, which are outside blocks
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

/// Turns any text into one line of printable ASCII. Several blanks in a row become one.
std::string one_line(std::string_view text);

void write_message(char *message, size_t capacity, std::string_view text) noexcept;

[[noreturn]] inline void fail(d3o_status status, std::string message) {
  throw Failure{status, std::move(message)};
}

/// Runs `body` and turns every exception into a status and a line, so that none reaches C code.
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

/// Whether the bytes are UTF-8 without NUL, so that a C string can hold them.
bool is_text(std::string_view bytes);

/// The C string of a name. Throws unless it is text; `what` says in the message whose name it is.
const char *text(const std::string &bytes, const std::string &what);

/// Sorts the names and throws if two are equal; `what` says in the message what they name.
void refuse_duplicates(std::vector<std::string_view> &names, const char *what);

/// Walks the wire format of a model before protobuf allocates anything, and throws where the
/// objects or the tensors of the model would need more memory than the limits allow: a byte of the
/// file can cost protobuf 200 bytes.
void scan(const void *bytes, size_t size, const d3o_limits &limits);

/// Adds the record of a tensor. Throws where its dims, type and data do not agree. `what` is its
/// name in messages; `total` is the number of bytes of all tensors so far.
void add_tensor(d3o_model &model, onnx::TensorProto &proto, const std::string &what,
                const d3o_limits &limits, uint64_t &total);

/// Whether this is the default domain of ONNX. It has two names; records use only "".
inline bool is_default(const std::string &domain) { return domain.empty() || domain == "ai.onnx"; }

/// The AttributeProto type of an attribute, also where the file leaves the type out.
int type_of(const onnx::AttributeProto &attribute);

/// Adds the records of nodes, of their attributes with the tensors of these, and of blocks.
void add_nodes(d3o_model &model, const d3o_limits &limits, uint64_t &total);

/// Size of one element in bits, 0 where the type is not fixed-size or unknown.
int bits_of(int32_t data_type);
std::string type_name(int32_t data_type);

}  // namespace d3o

#endif  // D3O_INTERNAL_HPP
