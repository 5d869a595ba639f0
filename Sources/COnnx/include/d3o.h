/* Reads an ONNX file into flat, read-only records, and writes the file again with other weights.
 * Callers need neither protobuf nor libonnx.
 *
 * Most functions return a d3o_status. On failure they write one line into `message`, a buffer of
 * `capacity` bytes; the line always ends with NUL. Records live as long as their model. No input
 * makes a function trap, throw or print.
 */
#ifndef D3O_H
#define D3O_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum d3o_status {
  D3O_OK = 0,
  D3O_E_FORMAT = 1,      /* not ONNX, truncated, or inconsistent                            */
  D3O_E_LIMIT = 2,       /* larger than the limits of the caller                            */
  D3O_E_UNSUPPORTED = 3, /* valid ONNX of a kind that this reader does not support          */
  D3O_E_IO = 4,          /* a file cannot be read or written                                */
  D3O_E_MEMORY = 5
} d3o_status;

typedef struct d3o_limits {
  uint64_t max_bytes;    /* of all tensors together, in the encoding of the file            */
  uint64_t max_nodes;
} d3o_limits;

typedef struct d3o_model d3o_model;

/* Element types are the numbers of ONNX's TensorProto.DataType, such as 1 float and 7 int64. */
typedef struct d3o_tensor {
  const char *name;
  int32_t data_type;
  int32_t dim_count;
  const int64_t *dims;      /* each >= 0                                                    */
  int64_t element_count;    /* product of dims, checked against overflow                    */
  int32_t is_external;      /* 1 = the data is in the file `location`                       */
  int32_t reserved;
  const char *location;
  int64_t offset, length;   /* of the data in that file, in bytes                           */
} d3o_tensor;

typedef enum d3o_attribute_kind {
  D3O_FLOAT = 1, D3O_INT = 2, D3O_STRING = 3, D3O_TENSOR = 4, D3O_GRAPH = 5,
  D3O_FLOATS = 6, D3O_INTS = 7, D3O_STRINGS = 8, D3O_OTHER = 9
} d3o_attribute_kind;

typedef struct d3o_attribute {
  const char *name;
  int32_t kind;                /* d3o_attribute_kind                                        */
  int32_t count;               /* of floats, ints or strings                                */
  float f;
  int32_t tensor;              /* index into d3o_graph.tensors, or -1                       */
  int32_t block;               /* of D3O_GRAPH: index into d3o_graph.blocks, or -1          */
  int32_t reserved;
  const char *reference;       /* in a function: the name of the attribute of the calling node
                                  that gives the value; "" = the value stands here          */
  int64_t i;
  const char *s;               /* ended by NUL                                              */
  const float *floats;
  const int64_t *ints;
  const char *const *strings;
} d3o_attribute;

typedef struct d3o_node {
  const char *name;            /* "" where the file gives none                              */
  const char *op_type;
  const char *domain;          /* "" for the default domain ("ai.onnx" is turned into "")   */
  int32_t input_count, output_count, attribute_count;
  int32_t reserved;
  const char *const *inputs;   /* "" = an optional input that is left out                   */
  const char *const *outputs;
  const d3o_attribute *attributes;
} d3o_node;

/* A list of nodes with inputs and outputs: a function that the model defines, or a graph that is
 * the value of an attribute (a branch of an If, for example). */
typedef struct d3o_block {
  const char *name, *domain;   /* of a function, else ""                                    */
  int64_t opset;               /* of a function: its opset of the default domain; 0 = none  */
  int32_t input_count, output_count;
  const char *const *inputs;
  const char *const *outputs;
  int64_t node_count;
  const d3o_node *nodes;
  int64_t first_initializer, initializer_count;   /* among d3o_graph.tensors                */
  int32_t default_count, reserved;
  const d3o_attribute *defaults;   /* of a function: attributes that a call may leave out     */
} d3o_block;

typedef struct d3o_value {
  const char *name;
  int32_t data_type;           /* 0 = not stated, or not a tensor                           */
  int32_t dim_count;           /* -1 = rank not stated                                      */
  const int64_t *dims;         /* -1 = open                                                 */
} d3o_value;

typedef struct d3o_pair { const char *key, *value; } d3o_pair;

typedef struct d3o_graph {
  int64_t ir_version;
  int64_t opset;               /* of the default domain                                     */
  const char *producer_name;
  const char *producer_version;
  int64_t node_count, tensor_count, initializer_count, input_count, output_count;
  int64_t metadata_count, function_count, block_count;
  int64_t own_tensor_count;    /* the first tensors, which do not belong to blocks          */
  const d3o_node *nodes;       /* in file order                                             */
  const d3o_tensor *tensors;   /* initializers, tensors of attributes, then those of blocks */
  const d3o_block *blocks;     /* functions first, then graphs of attributes                */
  const d3o_value *inputs;     /* without those that are initializers                       */
  const d3o_value *outputs;
  const d3o_pair *metadata;
} d3o_graph;

/** Parses a model of `size` bytes. The bytes may be freed afterwards.
 *  `limits` may be NULL: 2 GiB of tensors and 100000 nodes. The answer is D3O_E_UNSUPPORTED for
 *  sparse initializers, for training info, for an opset above 25 and for an IR version below 3 or
 *  above 13. */
d3o_status d3o_parse(d3o_model **out, const void *bytes, size_t size, const d3o_limits *limits,
                     char *message, size_t capacity);

void d3o_free(d3o_model *model);

const d3o_graph *d3o_get_graph(const d3o_model *model);

/** Runs the checker of libonnx on models that it knows (opset <= 17, IR version <= 8). The answer
 *  for other models is D3O_OK. */
d3o_status d3o_check(d3o_model *model, char *message, size_t capacity);

/** Reads a float32, float16, bfloat16 or double tensor as float32, from any encoding of the file.
 *  `file` is a descriptor of the regular file that holds the tensor's external data; it is not used
 *  for other tensors (pass -1). `count` must be the tensor's element_count. */
d3o_status d3o_read_floats(const d3o_model *model, int64_t tensor, int file, float *out,
                           int64_t count, char *message, size_t capacity);

/** Reads an integer or bool tensor as int64. In all else it is like d3o_read_floats. */
d3o_status d3o_read_ints(const d3o_model *model, int64_t tensor, int file, int64_t *out,
                         int64_t count, char *message, size_t capacity);

/** Reads the data of an external tensor into the model. The tensor is not external afterwards. */
d3o_status d3o_read_data(d3o_model *model, int64_t tensor, int file, char *message,
                         size_t capacity);

/* All that a file says except the values of its weights; a model is saved from it. Any number of
 * threads may use it at the same time. */
typedef struct d3o_source d3o_source;

/* A tensor whose values are weights. Its first value is the element `offset` of the flat weights.
 * `node` is -1, or the index of a DequantizeLinear that makes the weights from the integers of the
 * tensor. The saved file then has a float32 initializer in place of that node. */
typedef struct d3o_parameter { int64_t tensor, offset, node; } d3o_parameter;

/** Takes over the content of `model`. Its records are invalid afterwards, and the model can only be
 *  freed. A tensor that is still external must be a weight; else the answer is D3O_E_FORMAT.
 *  `weight_count` is the number of values of all parameters together. */
d3o_status d3o_source_create(d3o_source **out, d3o_model *model, const d3o_parameter *parameters,
                             int64_t count, int64_t weight_count, char *message, size_t capacity);

void d3o_source_free(d3o_source *source);

/* What is written in addition to the source. `metadata` replaces entries with the same keys and
 * stands after the other entries. */
typedef struct d3o_content {
  const float *weights;
  int64_t weight_count;
  const d3o_pair *metadata;
  int64_t metadata_count;
} d3o_content;

/** The size of the file with this content, in bytes. */
d3o_status d3o_source_measure(d3o_source *source, const d3o_content *content, uint64_t *out,
                              char *message, size_t capacity);

/** Writes the file with this content to the descriptor `file`. Each tensor keeps its encoding, and
 *  a value that has not changed keeps its bits. */
d3o_status d3o_source_write(d3o_source *source, const d3o_content *content, int file,
                            char *message, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif /* D3O_H */
