/* Small ONNX networks as bytes, for tests that need one of a certain kind.
 *
 * Protobuf knows two sorts of fields here: numbers (wire type 0) and bytes (2), which also hold
 * texts and other messages. */
#ifndef NETWORKS_H
#define NETWORKS_H

#include <stdint.h>
#include <string.h>

typedef struct message {
  size_t size;
  uint8_t bytes[4000];
} message;

static void put_varint(message *m, uint64_t value) {
  for (; value > 127; value >>= 7) m->bytes[m->size++] = (uint8_t)(value | 128);
  m->bytes[m->size++] = (uint8_t)value;
}

static void put_number(message *m, unsigned field, uint64_t value) {
  put_varint(m, field << 3);
  put_varint(m, value);
}

static void put_bytes(message *m, unsigned field, const void *bytes, size_t size) {
  put_varint(m, field << 3 | 2);
  put_varint(m, size);
  memcpy(m->bytes + m->size, bytes, size);
  m->size += size;
}

static void put_text(message *m, unsigned field, const char *text) {
  put_bytes(m, field, text, strlen(text));
}

static void put_message(message *m, unsigned field, const message *inner) {
  put_bytes(m, field, inner->bytes, inner->size);
}

static void put_entry(message *m, unsigned field, const char *key, const char *value) {
  message entry = {0};
  put_text(&entry, 1, key);
  put_text(&entry, 2, value);
  put_message(m, field, &entry);
}

enum { FLOAT = 1, INT64 = 7 };

/* Begins a TensorProto. */
static message tensor(const char *name, int type, int rank, const int64_t *dims) {
  message m = {0};
  for (int i = 0; i < rank; i++) put_number(&m, 1, (uint64_t)dims[i]);
  put_number(&m, 2, (uint64_t)type);
  put_text(&m, 8, name);
  return m;
}

/* A tensor of floats that stands in weights.bin. */
static message external_tensor(const char *name, int rank, const int64_t *dims) {
  message m = tensor(name, FLOAT, rank, dims);
  put_entry(&m, 13, "location", "weights.bin");
  put_number(&m, 14, 1);
  return m;
}

/* Begins a NodeProto of at most two inputs. */
static message node(const char *type, const char *first, const char *second, const char *output) {
  message m = {0};
  if (first != NULL) put_text(&m, 1, first);
  if (second != NULL) put_text(&m, 1, second);
  put_text(&m, 2, output);
  put_text(&m, 4, type);
  return m;
}

/* A ValueInfoProto of 1 x channels x height x width floats; 0 = an open size. */
static message port(const char *name, int channels, int height, int width) {
  const int sizes[] = {1, channels, height, width};
  message shape = {0}, floats = {0}, type = {0}, m = {0};
  for (int i = 0; i < 4; i++) {
    message size = {0};
    if (sizes[i] > 0) put_number(&size, 1, (uint64_t)sizes[i]);
    if (sizes[i] == 0) put_text(&size, 2, i == 2 ? "height" : "width");
    put_message(&shape, 1, &size);
  }
  put_number(&floats, 1, FLOAT);
  put_message(&floats, 2, &shape);
  put_message(&type, 1, &floats);
  put_text(&m, 1, name);
  put_message(&m, 2, &type);
  return m;
}

static void put_attribute(message *m, const char *name, unsigned field, int kind,
                          const message *value) {
  message attribute = {0};
  put_text(&attribute, 1, name);
  put_message(&attribute, field, value);
  put_number(&attribute, 20, (uint64_t)kind);
  put_message(m, 5, &attribute);
}

/* A branch of If: one node. */
static message branch(const char *type, const char *input, const char *output) {
  message m = {0}, only = node(type, input, NULL, output), value = {0};
  put_message(&m, 1, &only);
  put_text(&m, 2, "branch");
  put_text(&value, 1, output);
  put_message(&m, 12, &value);
  return m;
}

/* Puts an If behind value y. Above 600 rows it takes a branch with an operator that does not exist;
 * below it changes nothing. */
static void put_choice(message *graph, int has_external) {
  static const int64_t four = 4;
  const message shape = node("Shape", "y", NULL, "shape");
  const message rows = node("Gather", "shape", "two", "rows");
  const message is_large = node("Greater", "rows", "most", "is_large");
  message choice = node("If", "is_large", NULL, "scores");
  const message unheard = branch("Unheard", "y", "a");
  message same = branch("Identity", "y", "b");
  const message unused = external_tensor("unused", 1, &four);
  if (has_external) put_message(&same, 5, &unused);
  put_attribute(&choice, "then_branch", 6, 5, &unheard);
  put_attribute(&choice, "else_branch", 6, 5, &same);
  put_message(graph, 1, &shape);
  put_message(graph, 1, &rows);
  put_message(graph, 1, &is_large);
  put_message(graph, 1, &choice);
  message two = tensor("two", INT64, 0, NULL), most = tensor("most", INT64, 0, NULL);
  const int64_t values[] = {2, 600};
  put_bytes(&two, 9, &values[0], 8);
  put_bytes(&most, 9, &values[1], 8);
  put_message(graph, 5, &two);
  put_message(graph, 5, &most);
}

enum { CLASSES = 9, HEIGHT = 48, WIDTH = 64 };

typedef enum kind {
  PLAIN,              /* a convolution of 3x3 without padding; no BatchNormalization */
  TWO_CLASSES,        /* PLAIN with scores of two classes */
  FIXED,              /* PLAIN for frames of one size */
  EXTERNAL_WEIGHTS,   /* PLAIN with its weights in another file */
  EXTERNAL_UNUSED,    /* PLAIN with 4 numbers in another file, which nothing uses */
  EXTERNAL_LARGE,     /* the same with more numbers than an ONNX file can hold */
  UNKNOWN,            /* has an operator that does not exist */
  TILED,              /* repeats its scores 32 x 32 times */
  BRANCHING,          /* has an operator that does not exist, for frames above 600 rows */
  EXTERNAL_IN_BRANCH, /* BRANCHING with numbers in another file, inside a branch */
} kind;

/* A network of a kind: a ModelProto. */
static message network(kind which) {
  static const int64_t four = 4, many = 1 << 29;
  const int channels = which == TWO_CLASSES ? 2 : CLASSES;
  const int64_t dims[] = {channels, 3, 3, 3};
  static const float weights[CLASSES * 3 * 3 * 3] = {0.5f, -1.0f, 2.0f};
  message graph = {0}, opset = {0}, model = {0};
  const int branches = which == BRANCHING || which == EXTERNAL_IN_BRANCH;
  message conv = node("Conv", "image", "w", which < UNKNOWN ? "scores" : "y");
  put_message(&graph, 1, &conv);
  if (which == UNKNOWN) {
    message last = node("Unheard", "y", NULL, "scores");
    put_message(&graph, 1, &last);
  }
  if (which == TILED) {
    const message last = node("Tile", "y", "repeats", "scores");
    message repeats = tensor("repeats", INT64, 1, &four);
    put_bytes(&repeats, 9, (const int64_t[]){1, 1, 32, 32}, 32);
    put_message(&graph, 1, &last);
    put_message(&graph, 5, &repeats);
  }
  if (branches) put_choice(&graph, which == EXTERNAL_IN_BRANCH);
  put_text(&graph, 2, "test");
  message w = external_tensor("w", 4, dims);
  if (which != EXTERNAL_WEIGHTS) {
    w = tensor("w", FLOAT, 4, dims);
    put_bytes(&w, 9, weights, (size_t)channels * 27 * sizeof *weights);
  }
  put_message(&graph, 5, &w);
  if (which == EXTERNAL_UNUSED || which == EXTERNAL_LARGE) {
    const message unused = external_tensor("unused", 1, which == EXTERNAL_LARGE ? &many : &four);
    put_message(&graph, 5, &unused);
  }
  const int is_fixed = which == FIXED;
  const message input = port("image", 3, is_fixed ? HEIGHT : 0, is_fixed ? WIDTH : 0);
  const message output =
      port("scores", channels, is_fixed ? HEIGHT - 2 : 0, is_fixed ? WIDTH - 2 : 0);
  put_message(&graph, 11, &input);
  put_message(&graph, 12, &output);
  put_text(&opset, 1, "");
  put_number(&opset, 2, 13);
  put_number(&model, 1, 7);
  put_message(&model, 7, &graph);
  put_message(&model, 8, &opset);
  put_entry(&model, 14, "output", "{\"layout\": \"nchw\"}");
  return model;
}

#endif /* NETWORKS_H */
