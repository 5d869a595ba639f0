/* A network and raw camera frames on stdin in, a PGM image of class numbers for each one out. */
#include <das3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A camera whose driver fills `buffer` with one frame after the other. */
typedef struct camera {
  int32_t width, height, format;
  size_t frame_bytes;
  uint8_t *buffer;
} camera;

static int camera_open(camera *from, const char *layout, const char *size) {
  int is_nv12 = strcmp(layout, "nv12") == 0;
  if (!is_nv12 && strcmp(layout, "yuyv") != 0) return 0;
  if (sscanf(size, "%dx%d", &from->width, &from->height) != 2) return 0;
  if (from->width < 2 || from->width > 16384 || from->height < 2 || from->height > 16384) return 0;
  from->format = is_nv12 ? DAS3_FORMAT_NV12 : DAS3_FORMAT_YUYV;
  from->frame_bytes = (size_t)from->width * (size_t)from->height * (is_nv12 ? 3 : 4) / 2;
  from->buffer = malloc(from->frame_bytes);
  return from->buffer != NULL;
}

/* Waits for a frame; 0 when the camera is switched off. */
static int camera_wait(camera *from) {
  return fread(from->buffer, 1, from->frame_bytes, stdin) == from->frame_bytes;
}

/* An image on stdout, and on stderr the classes that cover 5 % of it or more. */
static int use_labels(const das3_model *model, const uint8_t *labels, const camera *of) {
  size_t count = (size_t)of->width * (size_t)of->height, pixels[256] = {0};
  das3_class entry = {.struct_size = sizeof entry};
  for (size_t i = 0; i < count; ++i) ++pixels[labels[i]];
  for (int32_t c = 0; das3_model_get_class(model, c, &entry) == DAS3_OK; ++c)
    if (pixels[c] * 20 >= count)
      fprintf(stderr, "%s %zu %%  ", entry.name, pixels[c] * 100 / count);
  fputc('\n', stderr);
  return printf("P5\n%d %d\n255\n", of->width, of->height) > 0 &&
         fwrite(labels, 1, count, stdout) == count && fflush(stdout) == 0;
}

/* Labels every frame until the camera is switched off. */
static das3_status drive(camera *from, const char *network, uint8_t *labels) {
  das3_model *model = NULL;
  das3_segmenter *segmenter = NULL;
  das3_image frame = {from->buffer, from->width, from->height, 0, from->format};
  das3_segmentation result = {.struct_size = sizeof result, .labels = labels};

  das3_status status = das3_model_load(&model, network, NULL);
  if (status == DAS3_OK) status = das3_segmenter_create(&segmenter, model, NULL);
  while (status == DAS3_OK && camera_wait(from)) {
    status = das3_segmenter_run(segmenter, &frame, &result);
    if (status == DAS3_OK && !use_labels(model, labels, from)) break;
  }
  if (status != DAS3_OK) fprintf(stderr, "%s: %s\n", das3_status_name(status), das3_last_error());
  das3_segmenter_free(segmenter);
  das3_model_free(model);
  return status;
}

int main(int argc, char **argv) {
  camera from;
  if (argc != 4 || !camera_open(&from, argv[2], argv[3])) {
    fprintf(stderr, "usage: c-segment MODEL.onnx yuyv|nv12 WIDTHxHEIGHT <FRAMES >LABELS.pgm\n");
    return 2;
  }
  uint8_t *labels = malloc((size_t)from.width * (size_t)from.height);
  das3_status status = labels ? drive(&from, argv[1], labels) : DAS3_E_MEMORY;
  free(labels);
  free(from.buffer);
  return status == DAS3_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
