/* What the cases of returns.c need: models, frames, adapters, files in a folder. */
#ifndef DAS3_TEST_RETURNS_NEEDS_H
#define DAS3_TEST_RETURNS_NEEDS_H

#include <das3.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "networks.h"
#include "returns_lists.h"

enum { SIDE = 1024, LARGE = 32768 };

static const char *folder;

/* A path in the folder; valid until the third next call. */
static const char *in_folder(const char *name) {
  static char paths[4][4096];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

/* Makes a file of `size` bytes that takes no room. */
static int make_file(const char *path, int64_t size) {
  FILE *file = fopen(path, "wb");
  const int is_made = file != NULL && ftruncate(fileno(file), size) == 0;
  if (file != NULL) fclose(file);
  return is_made;
}

static const char *header_path, *street_path;
static das3_model *street, *plain, *two_classes, *fixed, *tiled, *branching;
static uint8_t pixels[SIDE * SIDE], labels[SIDE * SIDE];
static const das3_image frame = {pixels, WIDTH, HEIGHT, 0, DAS3_FORMAT_RGB8};
static const das3_image dot = {pixels, 1, 1, 0, DAS3_FORMAT_RGB8};
static const das3_image tall = {pixels, 4, 700, 0, DAS3_FORMAT_RGB8};
static const das3_image large = {pixels, SIDE, SIDE, 0, DAS3_FORMAT_GRAY8};

static void need(int is_good, const char *what) {
  if (is_good) return;
  fprintf(stderr, "%s: %s\n", what, das3_last_error());
  exit(1);
}

static das3_model *made(kind which) {
  das3_model *model = NULL;
  const message bytes = network(which);
  need(das3_model_load_bytes(&model, bytes.bytes, bytes.size, NULL) == DAS3_OK, "a made network");
  return model;
}

/* Writes a made network into the folder. */
static const char *written(kind which, const char *name) {
  const message bytes = network(which);
  const char *path = in_folder(name);
  FILE *file = fopen(path, "wb");
  need(file != NULL && fwrite(bytes.bytes, 1, bytes.size, file) == bytes.size, path);
  fclose(file);
  return path;
}

static int32_t read_image(int64_t index, das3_image *image, void *payload) {
  (void)index;
  if (payload == NULL) return 1;
  *image = *(const das3_image *)payload;
  return 0;
}

static das3_frame_source source_of(const das3_image *image) {
  das3_frame_source source = {.struct_size = sizeof source, .count = 1, .read = read_image};
  source.payload = (void *)(uintptr_t)image;
  return source;
}

static int32_t cancel(const das3_adapter_report *report, void *payload) {
  (void)report;
  CASE(DAS3_OK, das3_adapter_cancel, payload);
  CASE(DAS3_E_ARGUMENT, das3_adapter_step, payload, NULL);
  return 0;
}

static das3_adapter_options adapting(void) {
  das3_adapter_options options;
  das3_adapter_options_init(&options);
  options.method = DAS3_METHOD_DAS3;
  options.threads = 1;
  options.stages = "b";
  options.steps_b = 2;
  return options;
}

/* An adapter whose first frame decides its size. */
static das3_adapter *adapter_of(const das3_model *model, int32_t method, uint64_t memory_limit) {
  das3_adapter *adapter = NULL;
  das3_adapter_options options = adapting();
  options.method = method;
  options.memory_limit = memory_limit;
  need(das3_adapter_create(&adapter, model, &options) == DAS3_OK, "an adapter");
  return adapter;
}

static das3_adapter *sourced(das3_adapter *adapter, const das3_image *image) {
  const das3_frame_source source = source_of(image);
  need(das3_adapter_set_source(adapter, &source) == DAS3_OK, "a source");
  return adapter;
}

#endif
