/* Uses every kind of struct that may grow; prints what came of it.
 *
 *     older MODEL.onnx
 *
 * It is compiled twice, against das3.h and against what older_header.py makes of it. Both
 * must print the same but for the first line, the sizes of the structs as the program knows them.
 */
#include <das3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What lies behind a struct is not the library's. */
#define GUARDED(type, name)   \
  struct {                    \
    type value;               \
    unsigned char behind[64]; \
  } name;                     \
  memset(&name, 0xAB, sizeof name)
#define SIZED(name) ((name).value.struct_size = sizeof(name).value, &(name).value)

#define DEFAULTS(type, name) \
  GUARDED(type, name);       \
  type##_init(&name.value);  \
  intact(name.behind, #type)

static void check(das3_status status) {
  if (status == DAS3_OK) return;
  printf("%s: %s\n", das3_status_name(status), das3_last_error());
  exit(1);
}

static void intact(const unsigned char *behind, const char *what) {
  for (int i = 0; i < 64; ++i)
    if (behind[i] != 0xAB) printf("%s: byte %d behind the struct was written\n", what, i), exit(1);
}

static unsigned hash(const void *bytes, size_t size) {
  unsigned h = 2166136261u;
  for (size_t i = 0; i < size; ++i) h = (h ^ ((const unsigned char *)bytes)[i]) * 16777619u;
  return h;
}

enum { WIDTH = 48, HEIGHT = 32, COUNT = WIDTH * HEIGHT };
static uint8_t pixels[COUNT * 3], labels[COUNT];

static int32_t read_frame(int64_t index, das3_image *image, void *payload) {
  (void)payload;
  for (int i = 0; i < COUNT * 3; ++i) pixels[i] = (uint8_t)((i * (index + 3)) % 251);
  *image = (das3_image){pixels, WIDTH, HEIGHT, 0, DAS3_FORMAT_RGB8};
  return 0;
}

int main(int argc, char **argv) {
  das3_model *model = NULL, *better = NULL;
  das3_segmenter *segmenter = NULL;
  das3_adapter *adapter = NULL;
  das3_evaluator *evaluator = NULL;
  das3_image image;
  if (argc != 2) return 2;
  printf("%zu %zu %zu %zu %zu %zu\n", sizeof(das3_model_options), sizeof(das3_segmenter_options),
         sizeof(das3_adapter_options), sizeof(das3_segmentation), sizeof(das3_adapter_report),
         sizeof(das3_frame_source));

  DEFAULTS(das3_model_options, loading);
  check(das3_model_load(&model, argv[1], &loading.value));
  GUARDED(das3_model_info, info);
  check(das3_model_get_info(model, SIZED(info)));
  intact(info.behind, "info");
  GUARDED(das3_class, entry);
  check(das3_model_get_class(model, 1, SIZED(entry)));
  intact(entry.behind, "class");
  GUARDED(das3_parameter, parameter);
  check(das3_model_get_parameter(model, 1, SIZED(parameter)));
  intact(parameter.behind, "parameter");
  printf("%d classes, colour %d, %d values\n", info.value.class_count, entry.value.red,
         (int)parameter.value.count);

  DEFAULTS(das3_segmenter_options, camera);
  check(das3_segmenter_create(&segmenter, model, &camera.value));
  GUARDED(das3_segmentation, result);
  memset(&result.value, 0, sizeof result.value);
  result.value.labels = labels;
  read_frame(0, &image, NULL);
  check(das3_segmenter_run(segmenter, &image, SIZED(result)));
  intact(result.behind, "segmentation");
  printf("labels %08x\n", hash(labels, COUNT));

  GUARDED(das3_option, option);
  check(das3_adapter_options_get(0, SIZED(option)));
  intact(option.behind, "option");
  printf("option %s, at byte %d\n", option.value.name, (int)option.value.offset);
  DEFAULTS(das3_adapter_options, learning);
  learning.value.method = DAS3_METHOD_DAS3;
  learning.value.stages = "ab";
  learning.value.threads = 1;
  learning.value.steps_a = learning.value.steps_b = 2;
  check(das3_adapter_create(&adapter, model, &learning.value));
  das3_frame_source source = {sizeof source, 0, 3, read_frame};
  check(das3_adapter_set_source(adapter, &source));
  GUARDED(das3_adapter_report, report);
  do {
    check(das3_adapter_step(adapter, SIZED(report)));
    intact(report.behind, "report");
    printf("step %d, loss %.9g\n", (int)report.value.total_step, report.value.loss);
  } while (!report.value.done);
  check(das3_adapter_snapshot(&better, adapter));
  float *weights = malloc((size_t)info.value.parameter_count * sizeof *weights);
  check(das3_model_get_parameters(better, weights, info.value.parameter_count));
  printf("weights %08x\n", hash(weights, (size_t)info.value.parameter_count * sizeof *weights));

  check(das3_evaluator_create(&evaluator, info.value.class_count, 255));
  check(das3_evaluator_add(evaluator, labels, labels, COUNT));
  GUARDED(das3_evaluation, evaluation);
  evaluation.value.iou = NULL;
  evaluation.value.class_capacity = 0;
  check(das3_evaluator_get_result(evaluator, SIZED(evaluation)));
  intact(evaluation.behind, "evaluation");
  printf("mIoU %.3f\n", evaluation.value.miou);

  free(weights);
  das3_evaluator_free(evaluator);
  das3_adapter_free(adapter);
  das3_segmenter_free(segmenter);
  das3_model_free(better);
  das3_model_free(model);
  return 0;
}
