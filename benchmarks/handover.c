/* What a camera's thread pays for taking other weights: see README.md.
 *
 *     handover MODEL WIDTH HEIGHT [FRAMES]
 */
#include <das3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { period = 5 }; /* frames from one hand-over to the next */

static das3_segmenter *segmenter;
static das3_model *models[2];
static atomic_int wanted = -1, ready = -1; /* which model is to be prepared, and which one is */

static void check(das3_status status) {
  if (status == DAS3_OK) return;
  fprintf(stderr, "%s\n", das3_last_error());
  exit(1);
}

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void *prepare(void *unused) {
  (void)unused;
  for (;;) {
    int index = atomic_exchange(&wanted, -1);
    if (index == 2) return NULL;
    if (index >= 0) {
      check(das3_segmenter_prepare_model(segmenter, models[index]));
      atomic_store(&ready, index);
    }
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  }
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef enum handover { never, unprepared, prepared } handover;

static void run(const char *name, handover kind, const das3_image *image, das3_segmentation *result,
                int frames) {
  double *spent = malloc((size_t)frames * sizeof(double)), worst_set = 0;
  int next = 1, count = 0;
  for (int frame = 0; frame < frames; frame++) {
    double start = milliseconds();
    if (kind == unprepared && frame % period == period - 1) {
      check(das3_segmenter_set_model(segmenter, models[next]));
      next = 1 - next;
      count++;
    } else if (kind == prepared && atomic_load(&ready) == next) {
      check(das3_segmenter_set_model(segmenter, models[next]));
      atomic_store(&ready, -1);
      next = 1 - next;
      count++;
    }
    double set = milliseconds();
    if (set - start > worst_set) worst_set = set - start;
    if (kind == prepared && frame % period == 0) atomic_store(&wanted, next);
    check(das3_segmenter_run(segmenter, image, result));
    spent[frame] = milliseconds() - start;
  }
  qsort(spent, (size_t)frames, sizeof(double), compare);
  double median = spent[frames / 2];
  printf("%-26s %4d %10.2f %12.2f %14.4f\n", name, count, median, spent[frames - 1] - median,
         count ? worst_set : 0);
  free(spent);
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s MODEL WIDTH HEIGHT [FRAMES]\n", argv[0]);
    return 2;
  }
  int width = atoi(argv[2]), height = atoi(argv[3]), frames = argc > 4 ? atoi(argv[4]) : 60;
  check(das3_model_load(&models[0], argv[1], NULL));
  das3_model_info info = {.struct_size = sizeof(info)};
  check(das3_model_get_info(models[0], &info));
  float *weights = malloc((size_t)info.parameter_count * sizeof(float));
  check(das3_model_get_parameters(models[0], weights, info.parameter_count));
  check(das3_model_with_parameters(&models[1], models[0], weights, info.parameter_count));
  free(weights);
  das3_segmenter_options options;
  das3_segmenter_options_init(&options);
  options.width = width;
  options.height = height;
  options.threads = 1;
  check(das3_segmenter_create(&segmenter, models[0], &options));
  size_t pixels = (size_t)width * (size_t)height;
  uint8_t *frame = malloc(3 * pixels), *labels = malloc(pixels);
  for (size_t i = 0; i < 3 * pixels; i++) frame[i] = (uint8_t)(i * 37 % 251);
  das3_image image = {.data = frame, .width = width, .height = height, .format = DAS3_FORMAT_RGB8};
  das3_segmentation result = {.struct_size = sizeof(result), .labels = labels};
  for (int i = 0; i < 3; i++) check(das3_segmenter_run(segmenter, &image, &result));
  pthread_t thread;
  pthread_create(&thread, NULL, prepare, NULL);
  printf("%d frames each, ms           sets     median  worst extra  worst set_model\n", frames);
  run("no other weights", never, &image, &result, frames);
  run("set_model alone", unprepared, &image, &result, frames);
  run("after prepare_model", prepared, &image, &result, frames);
  atomic_store(&wanted, 2);
  pthread_join(thread, NULL);
  das3_segmenter_free(segmenter);
  das3_model_free(models[1]);
  das3_model_free(models[0]);
  free(frame);
  free(labels);
  return 0;
}
