/* A network and a binary PPM image in, a PGM image of class numbers out. */
#include <das3.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, const char *why) {
  fprintf(stderr, "segment: %s: %s\n", what, why);
  return EXIT_FAILURE;
}

/* The pixels of a binary 8-bit PPM file, or NULL. The caller frees them. */
static uint8_t *read_ppm(const char *path, int32_t *width, int32_t *height) {
  uint8_t *rgb = NULL;
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  if (fscanf(file, "P6 %d %d 255", width, height) == 2 && fgetc(file) != EOF && *width > 0 &&
      *height > 0 && *width <= 16384 && *height <= 16384) {
    size_t size = (size_t)*width * (size_t)*height * 3;
    rgb = malloc(size);
    if (rgb && fread(rgb, 1, size, file) != size) {
      free(rgb);
      rgb = NULL;
    }
  }
  fclose(file);
  return rgb;
}

static int write_pgm(const char *path, const uint8_t *labels, int32_t width, int32_t height) {
  size_t count = (size_t)width * (size_t)height;
  FILE *file = fopen(path, "wb");
  if (!file) return 0;
  int good = fprintf(file, "P5\n%d %d\n255\n", width, height) > 0 &&
             fwrite(labels, 1, count, file) == count;
  return (fclose(file) == 0) && good;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: segment MODEL.onnx IMAGE.ppm LABELS.pgm\n");
    return 2;
  }
  das3_image image = {.format = DAS3_FORMAT_RGB8};
  uint8_t *rgb = read_ppm(argv[2], &image.width, &image.height);
  if (!rgb) return fail(argv[2], "not a readable binary 8-bit PPM");
  image.data = rgb;

  das3_model *model = NULL;
  das3_segmenter *segmenter = NULL;
  das3_segmentation result = {.struct_size = sizeof result};
  result.labels = malloc((size_t)image.width * (size_t)image.height);

  int code = EXIT_SUCCESS;
  if (!result.labels)
    code = fail(argv[2], "not enough memory");
  else if (das3_model_load(&model, argv[1], NULL) != DAS3_OK ||
           das3_segmenter_create(&segmenter, model, NULL) != DAS3_OK ||
           das3_segmenter_run(segmenter, &image, &result) != DAS3_OK)
    code = fail(argv[1], das3_last_error());
  else if (!write_pgm(argv[3], result.labels, image.width, image.height))
    code = fail(argv[3], "cannot be written");

  das3_segmenter_free(segmenter);
  das3_model_free(model);
  free(result.labels);
  free(rgb);
  return code;
}
