/* Drives every function of das3.h into every status that its "Returns" list names.
 *
 *     returns das3.h MODEL.onnx FOLDER
 *
 * The lists are read from the header. The test fails where a listed status has no case, where a
 * case returns a status that is not listed, where a failure has no message, and where a function
 * has no list. What any function may return without listing it: DAS3_E_MEMORY once the process has
 * no memory left, which `without_memory` tries with each of them, and DAS3_E_INTERNAL. */
#define _GNU_SOURCE
#include <das3.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "library_memory.h"
#include "networks.h"
#include "returns_lists.h"
#include "returns_needs.h"

static int block_fails(void) { return is_exhausted; }

/* The cases ------------------------------------------------------------------------------- */

static void ignore_message(int32_t level, const char *message, void *payload) {
  (void)level, (void)message, (void)payload;
}

static void load_models(void) {
  das3_model *model = NULL;
  das3_model_options two, small;
  das3_model_options_init(&two);
  das3_model_options_init(&small);
  two.metadata_json = "{\"classes\": [\"a\", \"b\"]}";
  small.max_bytes = 100;
  CASE(DAS3_OK, das3_model_load, &model, street_path, NULL);
  das3_model_free(model);
  CASE(DAS3_E_ARGUMENT, das3_model_load, &model, NULL, NULL);
  CASE(DAS3_E_IO, das3_model_load, &model, in_folder("missing.onnx"), NULL);
  CASE(DAS3_E_FORMAT, das3_model_load, &model, header_path, NULL);
  CASE(DAS3_E_UNSUPPORTED, das3_model_load, &model, written(UNKNOWN, "unknown.onnx"), NULL);
  CASE(DAS3_E_SHAPE, das3_model_load, &model, street_path, &two);
  CASE(DAS3_E_LIMIT, das3_model_load, &model, street_path, &small);

  const message good = network(PLAIN), unknown = network(UNKNOWN);
  const message external = network(EXTERNAL_WEIGHTS);
  CASE(DAS3_OK, das3_model_load_bytes, &model, good.bytes, good.size, NULL);
  das3_model_free(model);
  CASE(DAS3_E_ARGUMENT, das3_model_load_bytes, &model, NULL, 0, NULL);
  CASE(DAS3_E_IO, das3_model_load_bytes, &model, external.bytes, external.size, NULL);
  CASE(DAS3_E_FORMAT, das3_model_load_bytes, &model, "no network", 10, NULL);
  CASE(DAS3_E_UNSUPPORTED, das3_model_load_bytes, &model, unknown.bytes, unknown.size, NULL);
  CASE(DAS3_E_SHAPE, das3_model_load_bytes, &model, good.bytes, good.size, &two);
  CASE(DAS3_E_LIMIT, das3_model_load_bytes, &model, good.bytes, good.size, &small);
}

static void read_models(void) {
  das3_model_info info = {.struct_size = sizeof info};
  das3_class class = {.struct_size = sizeof class};
  das3_parameter parameter = {.struct_size = sizeof parameter};
  CASE(DAS3_OK, das3_model_get_info, plain, &info);
  CASE(DAS3_E_ARGUMENT, das3_model_get_info, plain, NULL);
  CASE(DAS3_OK, das3_model_get_class, plain, 0, &class);
  CASE(DAS3_E_ARGUMENT, das3_model_get_class, plain, CLASSES, &class);
  CASE(DAS3_OK, das3_model_get_parameter, plain, 0, &parameter);
  CASE(DAS3_E_ARGUMENT, das3_model_get_parameter, plain, -1, &parameter);

  static float values[CLASSES * 3 * 3 * 3];
  const int64_t all = info.parameter_count;
  das3_model *model = NULL;
  CASE(DAS3_OK, das3_model_get_parameters, plain, values, all);
  CASE(DAS3_E_ARGUMENT, das3_model_get_parameters, plain, values, all - 1);
  CASE(DAS3_OK, das3_model_with_parameters, &model, plain, values, all);
  das3_model_free(model);
  CASE(DAS3_E_ARGUMENT, das3_model_with_parameters, &model, plain, NULL, all);

  const das3_model *const models[] = {plain, plain, street};
  CASE(DAS3_OK, das3_model_merge, &model, models, NULL, 2);
  das3_model_free(model);
  CASE(DAS3_E_ARGUMENT, das3_model_merge, &model, models, NULL, 0);
  CASE(DAS3_E_SHAPE, das3_model_merge, &model, models, NULL, 3);
}

/* Loads a network from a file and saves it, which must return `expected`. */
static void save_model(kind which, das3_status expected) {
  das3_model *model = NULL;
  das3_model_options roomy;
  das3_model_options_init(&roomy);
  roomy.max_bytes = UINT64_MAX;
  need(das3_model_load(&model, written(which, "some.onnx"), &roomy) == DAS3_OK, "some.onnx");
  CASE(expected, das3_model_save, model, in_folder("saved.onnx"));
  das3_model_free(model);
}

static void save_models(void) {
  CASE(DAS3_OK, das3_model_save, plain, in_folder("saved.onnx"));
  CASE(DAS3_E_ARGUMENT, das3_model_save, plain, "");
  CASE(DAS3_E_IO, das3_model_save, plain, in_folder("missing/saved.onnx"));
  CASE(DAS3_E_IO, das3_model_save, plain, folder);
  unlink(in_folder("weights.bin"));
  save_model(EXTERNAL_UNUSED, DAS3_E_IO);
  need(make_file(in_folder("weights.bin"), 4), "weights.bin");
  save_model(EXTERNAL_UNUSED, DAS3_E_FORMAT);
  need(make_file(in_folder("weights.bin"), (int64_t)1 << 31), "weights.bin");
  save_model(EXTERNAL_LARGE, DAS3_E_LIMIT);
  save_model(EXTERNAL_IN_BRANCH, DAS3_E_UNSUPPORTED);
  unlink(in_folder("weights.bin"));
  const struct rlimit tiny = {100, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &tiny);
  CASE(DAS3_E_IO, das3_model_save, plain, in_folder("saved.onnx"));
  setrlimit(RLIMIT_FSIZE, &none);
}

static das3_segmenter_options segmenting(int32_t width, int32_t height, uint64_t memory_limit) {
  das3_segmenter_options options;
  das3_segmenter_options_init(&options);
  options.threads = 1;
  options.width = width;
  options.height = height;
  options.memory_limit = memory_limit;
  return options;
}

/* With the library that has no bfloat16, on every processor. */
static void refuse_bfloat16(void) {
  das3_segmenter *segmenter = NULL;
  das3_adapter *adapter = NULL;
  das3_segmenter_options segmented = segmenting(0, 0, 0);
  das3_adapter_options adapted = adapting();
  segmented.precision = adapted.precision = DAS3_PRECISION_BF16;
  setenv("DAS3_BACKEND", "openblas", 1);
  CASE(DAS3_E_UNSUPPORTED, das3_segmenter_create, &segmenter, plain, &segmented);
  CASE(DAS3_E_UNSUPPORTED, das3_adapter_create, &adapter, plain, &adapted);
  setenv("DAS3_BACKEND", "another", 1);
  CASE(DAS3_E_ARGUMENT, das3_segmenter_create, &segmenter, plain, NULL);
  CASE(DAS3_E_ARGUMENT, das3_adapter_create, &adapter, plain, NULL);
  unsetenv("DAS3_BACKEND");
}

static void create_segmenters(void) {
  das3_segmenter *segmenter = NULL;
  const das3_segmenter_options good = segmenting(WIDTH, HEIGHT, 0), odd = segmenting(1, 1, 0);
  const das3_segmenter_options wide = segmenting(LARGE, LARGE, 0), poor = segmenting(9, 9, 1);
  CASE(DAS3_OK, das3_segmenter_create, &segmenter, plain, &good);
  das3_segmenter_free(segmenter);
  CASE(DAS3_E_ARGUMENT, das3_segmenter_create, NULL, plain, &good);
  CASE(DAS3_E_SHAPE, das3_segmenter_create, &segmenter, plain, &odd);
  CASE(DAS3_E_LIMIT, das3_segmenter_create, &segmenter, street, &wide);
  CASE(DAS3_E_MEMORY, das3_segmenter_create, &segmenter, plain, &poor);
}

/* Labels one frame with a segmenter whose size the frame decides. */
static void segment(const das3_model *model, uint64_t memory_limit, const das3_image *image,
                    das3_status expected) {
  das3_segmenter *segmenter = NULL;
  const das3_segmenter_options options = segmenting(0, 0, memory_limit);
  das3_segmentation result = {.struct_size = sizeof result};
  need(das3_segmenter_create(&segmenter, model, &options) == DAS3_OK, "a segmenter");
  CASE(expected, das3_segmenter_run, segmenter, image, &result);
  das3_segmenter_free(segmenter);
}

static void run_segmenters(void) {
  segment(plain, 0, &frame, DAS3_OK);
  segment(plain, 0, NULL, DAS3_E_ARGUMENT);
  segment(plain, 0, &dot, DAS3_E_SHAPE);
  segment(branching, 0, &tall, DAS3_E_UNSUPPORTED);
  segment(tiled, 0, &large, DAS3_E_LIMIT);
  segment(plain, 1, &frame, DAS3_E_MEMORY);

  das3_segmenter *segmenter = NULL, *full = NULL;
  das3_segmenter_options options = segmenting(WIDTH, HEIGHT, 0);
  das3_segmenter_info info = {.struct_size = sizeof info};
  need(das3_segmenter_create(&segmenter, plain, &options) == DAS3_OK, "a segmenter");
  CASE(DAS3_OK, das3_segmenter_get_info, segmenter, &info);
  CASE(DAS3_E_ARGUMENT, das3_segmenter_get_info, NULL, &info);
  const char *json = NULL;
  CASE(DAS3_OK, das3_segmenter_set_profile, segmenter, 1);
  CASE(DAS3_E_ARGUMENT, das3_segmenter_set_profile, NULL, 1);
  CASE(DAS3_OK, das3_segmenter_get_profile, segmenter, &json);
  CASE(DAS3_E_ARGUMENT, das3_segmenter_get_profile, segmenter, NULL);
  need(das3_segmenter_set_profile(segmenter, 0) == DAS3_OK, "no profile");
  CASE(DAS3_E_ARGUMENT, das3_segmenter_get_profile, segmenter, &json);
  CASE(DAS3_OK, das3_segmenter_prepare_model, segmenter, plain);
  CASE(DAS3_E_ARGUMENT, das3_segmenter_prepare_model, segmenter, NULL);
  CASE(DAS3_E_SHAPE, das3_segmenter_prepare_model, segmenter, street);
  CASE(DAS3_OK, das3_segmenter_set_model, segmenter, plain);
  CASE(DAS3_E_ARGUMENT, das3_segmenter_set_model, segmenter, NULL);
  CASE(DAS3_E_SHAPE, das3_segmenter_set_model, segmenter, street);
  das3_segmenter_free(segmenter);

  options.memory_limit = info.peak_bytes;
  need(das3_segmenter_create(&full, plain, &options) == DAS3_OK, "a segmenter with its memory");
  CASE(DAS3_E_MEMORY, das3_segmenter_prepare_model, full, plain);
  das3_segmenter_free(full);
}

static void create_adapters(void) {
  das3_adapter *adapter = NULL;
  das3_adapter_options options = adapting();
  options.width = WIDTH, options.height = HEIGHT;
  CASE(DAS3_OK, das3_adapter_create, &adapter, plain, &options);
  das3_adapter_free(adapter);
  CASE(DAS3_E_ARGUMENT, das3_adapter_create, &adapter, NULL, &options);
  options.memory_limit = 1;
  CASE(DAS3_E_MEMORY, das3_adapter_create, &adapter, plain, &options);
  options.memory_limit = 0;
  options.method = DAS3_METHOD_TENT;
  CASE(DAS3_E_UNSUPPORTED, das3_adapter_create, &adapter, plain, &options);
  options.method = DAS3_METHOD_DAS3;
  options.width = options.height = 1;
  CASE(DAS3_E_SHAPE, das3_adapter_create, &adapter, plain, &options);
  options.width = options.height = LARGE;
  CASE(DAS3_E_LIMIT, das3_adapter_create, &adapter, street, &options);
}

/* An adapter that its first frame shows to be impossible, whichever call reads it. */
static void meet_first_frame(das3_status expected, const das3_model *model, int32_t method,
                             uint64_t memory_limit, const das3_image *image) {
  das3_adapter *adapter = adapter_of(model, method, memory_limit);
  CASE(expected, das3_adapter_add_frame, adapter, image);
  CASE(expected, das3_adapter_add_labelled_frame, adapter, image, labels);
  sourced(adapter, image);
  CASE(expected, das3_adapter_step, adapter, NULL);
  CASE(expected, das3_adapter_run, adapter, NULL, NULL);
  CASE(expected, das3_adapter_save, adapter, in_folder("impossible.das3"));
  CASE(expected, das3_adapter_resume, adapter, in_folder("good.das3"));
  das3_adapter_free(adapter);
}

static void feed_adapters(void) {
  das3_adapter *adapter = adapter_of(plain, DAS3_METHOD_DAS3, 0);
  das3_adapter_info info = {.struct_size = sizeof info};
  const das3_frame_source source = source_of(&frame);
  CASE(DAS3_E_ARGUMENT, das3_adapter_save, adapter, in_folder("good.das3"));
  CASE(DAS3_OK, das3_adapter_add_frame, adapter, &frame);
  CASE(DAS3_E_ARGUMENT, das3_adapter_add_frame, adapter, NULL);
  das3_adapter *counting = adapter_of(plain, DAS3_METHOD_BLEND, 0);
  CASE(DAS3_E_ARGUMENT, das3_adapter_add_labelled_frame, counting, &frame, labels);
  das3_adapter_free(counting);
  CASE(DAS3_OK, das3_adapter_set_truth_classes, adapter, labels, CLASSES);
  CASE(DAS3_E_ARGUMENT, das3_adapter_set_truth_classes, adapter, NULL, CLASSES);
  CASE(DAS3_E_SHAPE, das3_adapter_set_truth_classes, adapter, labels, 1);
  CASE(DAS3_E_ARGUMENT, das3_adapter_set_source, adapter, &source);
  CASE(DAS3_OK, das3_adapter_set_ignored, adapter, labels, HEIGHT, WIDTH);
  CASE(DAS3_E_ARGUMENT, das3_adapter_set_ignored, adapter, NULL, HEIGHT, WIDTH);
  CASE(DAS3_OK, das3_adapter_get_info, adapter, &info);
  CASE(DAS3_E_ARGUMENT, das3_adapter_get_info, adapter, NULL);
  const char *json = NULL;
  CASE(DAS3_E_ARGUMENT, das3_adapter_get_profile, adapter, &json);
  CASE(DAS3_OK, das3_adapter_set_profile, adapter, 1);
  CASE(DAS3_E_ARGUMENT, das3_adapter_set_profile, NULL, 1);
  CASE(DAS3_OK, das3_adapter_get_profile, adapter, &json);
  need(das3_adapter_set_profile(adapter, 0) == DAS3_OK, "no profile");
  das3_adapter_free(adapter);

  adapter = adapter_of(plain, DAS3_METHOD_AUTO, 0);
  CASE(DAS3_OK, das3_adapter_add_labelled_frame, adapter, &frame, labels);
  CASE(DAS3_E_ARGUMENT, das3_adapter_add_labelled_frame, adapter, &frame, NULL);
  das3_adapter_free(adapter);

  adapter = adapter_of(plain, DAS3_METHOD_DAS3, 1);
  das3_teacher teacher = {.struct_size = sizeof teacher};
  CASE(DAS3_E_ARGUMENT, das3_adapter_set_teacher, adapter, &teacher);
  teacher.model = fixed;
  CASE(DAS3_E_MEMORY, das3_adapter_set_teacher, adapter, &teacher);
  das3_adapter_free(adapter);
  adapter = adapter_of(plain, DAS3_METHOD_DAS3, 0);
  CASE(DAS3_OK, das3_adapter_set_teacher, adapter, &teacher);
  teacher.model = two_classes;
  CASE(DAS3_E_SHAPE, das3_adapter_set_teacher, adapter, &teacher);
  das3_adapter_free(adapter);
}

static void run_adapters(void) {
  das3_adapter *adapter = adapter_of(plain, DAS3_METHOD_DAS3, 0);
  das3_model *model = NULL;
  const das3_frame_source source = source_of(&frame);
  CASE(DAS3_OK, das3_adapter_set_source, adapter, &source);
  CASE(DAS3_OK, das3_adapter_cancel, adapter);
  CASE(DAS3_E_CANCELLED, das3_adapter_step, adapter, NULL);
  CASE(DAS3_E_CANCELLED, das3_adapter_run, adapter, cancel, adapter);
  CASE(DAS3_OK, das3_adapter_step, adapter, NULL);
  CASE(DAS3_OK, das3_adapter_save, adapter, in_folder("good.das3"));
  CASE(DAS3_E_IO, das3_adapter_save, adapter, in_folder("missing/good.das3"));
  CASE(DAS3_E_ARGUMENT, das3_adapter_resume, adapter, in_folder("good.das3"));
  CASE(DAS3_OK, das3_adapter_run, adapter, NULL, NULL);
  CASE(DAS3_OK, das3_adapter_snapshot, &model, adapter);
  das3_model_free(model);
  das3_adapter_free(adapter);
  CASE(DAS3_E_ARGUMENT, das3_adapter_cancel, NULL);
  CASE(DAS3_E_ARGUMENT, das3_adapter_step, NULL, NULL);
  CASE(DAS3_E_ARGUMENT, das3_adapter_run, NULL, NULL, NULL);
  CASE(DAS3_E_ARGUMENT, das3_adapter_snapshot, &model, NULL);

  adapter = sourced(adapter_of(plain, DAS3_METHOD_DAS3, 0), &frame);
  CASE(DAS3_E_IO, das3_adapter_resume, adapter, in_folder("missing.das3"));
  CASE(DAS3_E_FORMAT, das3_adapter_resume, adapter, header_path);
  /* Not every file system has room for the length of it. */
  if (make_file(in_folder("long.das3"), ((int64_t)1 << 36) + 1)) {
    CASE(DAS3_E_LIMIT, das3_adapter_resume, adapter, in_folder("long.das3"));
  }
  unlink(in_folder("long.das3"));
  CASE(DAS3_OK, das3_adapter_resume, adapter, in_folder("good.das3"));
  das3_adapter_free(adapter);

  adapter = sourced(adapter_of(plain, DAS3_METHOD_DAS3, 0), NULL); /* its callback fails */
  CASE(DAS3_E_IO, das3_adapter_step, adapter, NULL);
  CASE(DAS3_E_IO, das3_adapter_run, adapter, NULL, NULL);
  das3_adapter_free(adapter);

  meet_first_frame(DAS3_E_SHAPE, plain, DAS3_METHOD_DAS3, 0, &dot);
  meet_first_frame(DAS3_E_UNSUPPORTED, plain, DAS3_METHOD_BN, 0, &frame);
  meet_first_frame(DAS3_E_LIMIT, tiled, DAS3_METHOD_DAS3, 0, &large);
  meet_first_frame(DAS3_E_MEMORY, plain, DAS3_METHOD_DAS3, 1, &frame);
}

/* An online object of one thread, without a thread of its own. */
static das3_status make_online(das3_online **online, const das3_model *model,
                               const das3_segmenter_options *segmenter) {
  das3_online_options options;
  das3_online_options_init(&options);
  options.segmenter = segmenter;
  options.steps_per_frame = 1;
  return das3_online_create(online, model, &options);
}

/* Labels one frame with an online object whose size the frame decides. */
static void drive(const das3_model *model, uint64_t memory_limit, const das3_image *image,
                  das3_status expected) {
  das3_online *online = NULL;
  const das3_segmenter_options options = segmenting(0, 0, memory_limit);
  das3_segmentation result = {.struct_size = sizeof result, .labels = labels};
  need(make_online(&online, model, &options) == DAS3_OK, "an online object");
  CASE(expected, das3_online_run, online, image, &result);
  das3_online_free(online);
}

static void create_online(const das3_segmenter_options *segmenter, int32_t width,
                          const das3_model *model, das3_status expected) {
  das3_online *online = NULL;
  das3_online_options options;
  das3_adapter_options adapter = adapting();
  das3_online_options_init(&options);
  adapter.width = adapter.height = width;
  options.segmenter = segmenter;
  options.adapter = &adapter;
  CASE(expected, das3_online_create, &online, model, &options);
  das3_online_free(online);
}

static void learn_online(void) {
  const das3_segmenter_options good = segmenting(WIDTH, HEIGHT, 0), odd = segmenting(1, 1, 0);
  const das3_segmenter_options wide = segmenting(LARGE, LARGE, 0), poor = segmenting(9, 9, 1);
  create_online(&good, 0, plain, DAS3_OK);
  create_online(&good, -1, plain, DAS3_E_ARGUMENT);
  create_online(&odd, 0, plain, DAS3_E_SHAPE);
  create_online(&wide, 0, street, DAS3_E_LIMIT);
  create_online(&poor, 0, plain, DAS3_E_MEMORY);
  das3_segmenter_options narrow = good;
  narrow.precision = DAS3_PRECISION_BF16;
  setenv("DAS3_BACKEND", "openblas", 1);
  create_online(&narrow, 0, plain, DAS3_E_UNSUPPORTED);
  unsetenv("DAS3_BACKEND");

  drive(plain, 0, &frame, DAS3_OK);
  drive(plain, 0, NULL, DAS3_E_ARGUMENT);
  drive(plain, 0, &dot, DAS3_E_SHAPE);
  drive(branching, 0, &tall, DAS3_E_UNSUPPORTED);
  drive(tiled, 0, &large, DAS3_E_LIMIT);
  drive(plain, 1, &frame, DAS3_E_MEMORY);

  das3_online *online = NULL;
  das3_model *model = NULL;
  das3_online_report report = {.struct_size = sizeof report};
  need(make_online(&online, plain, &good) == DAS3_OK, "an online object");
  CASE(DAS3_OK, das3_online_set_ignored, online, NULL, 0, 0);
  CASE(DAS3_E_ARGUMENT, das3_online_set_ignored, online, labels, 0, WIDTH);
  CASE(DAS3_OK, das3_online_save, online, in_folder("online.das3"));
  CASE(DAS3_E_ARGUMENT, das3_online_save, online, NULL);
  CASE(DAS3_E_IO, das3_online_save, online, in_folder("missing/online.das3"));
  CASE(DAS3_OK, das3_online_resume, online, in_folder("online.das3"));
  CASE(DAS3_E_ARGUMENT, das3_online_resume, online, "");
  CASE(DAS3_E_IO, das3_online_resume, online, in_folder("missing.das3"));
  CASE(DAS3_E_FORMAT, das3_online_resume, online, header_path);
  if (make_file(in_folder("long.das3"), ((int64_t)1 << 36) + 1)) {
    CASE(DAS3_E_LIMIT, das3_online_resume, online, in_folder("long.das3"));
  }
  unlink(in_folder("long.das3"));
  CASE(DAS3_OK, das3_online_get_report, online, &report);
  CASE(DAS3_E_ARGUMENT, das3_online_get_report, online, NULL);
  CASE(DAS3_OK, das3_online_pause, online, 1);
  CASE(DAS3_E_ARGUMENT, das3_online_pause, online, 2);
  CASE(DAS3_OK, das3_online_reset, online);
  CASE(DAS3_E_ARGUMENT, das3_online_reset, NULL);
  CASE(DAS3_OK, das3_online_snapshot, &model, online);
  CASE(DAS3_E_ARGUMENT, das3_online_snapshot, NULL, online);
  das3_model_free(model);
  das3_online_free(online);
}

static void evaluate(void) {
  das3_evaluator *evaluator = NULL;
  das3_evaluation result = {.struct_size = sizeof result};
  CASE(DAS3_E_ARGUMENT, das3_evaluator_create, &evaluator, 0, 255);
  CASE(DAS3_OK, das3_evaluator_create, &evaluator, CLASSES, 255);
  CASE(DAS3_OK, das3_evaluator_add, evaluator, labels, labels, 100);
  CASE(DAS3_E_ARGUMENT, das3_evaluator_add, evaluator, labels, NULL, 100);
  CASE(DAS3_OK, das3_evaluator_get_result, evaluator, &result);
  CASE(DAS3_E_ARGUMENT, das3_evaluator_get_result, evaluator, NULL);
  das3_evaluator_free(evaluator);
  CASE(DAS3_OK, das3_set_log_callback, ignore_message, DAS3_LOG_WARNING, NULL);
  CASE(DAS3_E_ARGUMENT, das3_set_log_callback, ignore_message, 9, NULL);
  CASE(DAS3_OK, das3_set_log_callback, NULL, 0, NULL);
}

static void describe_options(void) {
  das3_option option = {.struct_size = sizeof option};
  int32_t count = 0;
  while (das3_adapter_options_get(count, &option) == DAS3_OK) count++;
  CASE(DAS3_OK, das3_adapter_options_get, count - 1, &option);
  CASE(DAS3_E_ARGUMENT, das3_adapter_options_get, count, &option);
}

/* What every function answers once confusion matrices have taken all memory. */
static void without_memory(void) {
  enum { MANY = 1000 };
  static das3_evaluator *hoard[MANY];
  int count = 0;
  das3_segmenter *segmenter = NULL;
  das3_adapter *adapter = adapter_of(plain, DAS3_METHOD_DAS3, 0);
  const das3_frame_source source = source_of(&frame);
  const das3_teacher teacher = {.struct_size = sizeof teacher, .model = plain};
  das3_segmentation result = {.struct_size = sizeof result};
  need(das3_segmenter_create(&segmenter, plain, NULL) == DAS3_OK, "a segmenter");
  das3_online *online = NULL;
  need(make_online(&online, plain, NULL) == DAS3_OK, "an online object");

  is_exhausted = 1;
  while (count < MANY && das3_evaluator_create(&hoard[count], 255, 255) == DAS3_OK) count++;
  das3_model *model = NULL;
  das3_segmenter *other = NULL;
  das3_adapter *another = NULL;
  das3_online *beside = NULL;
  das3_evaluator *evaluator = NULL;
  CASE(DAS3_E_MEMORY, das3_set_log_callback, NULL, 0, NULL);
  CASE(DAS3_E_MEMORY, das3_model_load, &model, street_path, NULL);
  CASE(DAS3_E_MEMORY, das3_model_load_bytes, &model, pixels, 100, NULL);
  CASE(DAS3_E_MEMORY, das3_model_get_info, plain, NULL);
  CASE(DAS3_E_MEMORY, das3_model_get_class, plain, 0, NULL);
  CASE(DAS3_E_MEMORY, das3_model_get_parameter, plain, 0, NULL);
  CASE(DAS3_E_MEMORY, das3_model_get_parameters, plain, NULL, 0);
  CASE(DAS3_E_MEMORY, das3_model_with_parameters, &model, plain, NULL, 0);
  CASE(DAS3_E_MEMORY, das3_model_merge, &model, NULL, NULL, 0);
  CASE(DAS3_E_MEMORY, das3_model_save, plain, in_folder("saved.onnx"));
  CASE(DAS3_E_MEMORY, das3_segmenter_create, &other, plain, NULL);
  CASE(DAS3_E_MEMORY, das3_segmenter_run, segmenter, &frame, &result);
  CASE(DAS3_E_MEMORY, das3_segmenter_prepare_model, segmenter, plain);
  CASE(DAS3_E_MEMORY, das3_segmenter_set_model, segmenter, plain);
  CASE(DAS3_E_MEMORY, das3_segmenter_get_info, segmenter, NULL);
  CASE(DAS3_E_MEMORY, das3_segmenter_set_profile, segmenter, 1);
  CASE(DAS3_E_MEMORY, das3_segmenter_get_profile, segmenter, NULL);
  CASE(DAS3_E_MEMORY, das3_adapter_options_get, 0, NULL);
  CASE(DAS3_E_MEMORY, das3_adapter_create, &another, plain, NULL);
  CASE(DAS3_E_MEMORY, das3_adapter_add_frame, adapter, &frame);
  CASE(DAS3_E_MEMORY, das3_adapter_add_labelled_frame, adapter, &frame, labels);
  CASE(DAS3_E_MEMORY, das3_adapter_set_truth_classes, adapter, NULL, 0);
  CASE(DAS3_E_MEMORY, das3_adapter_set_source, adapter, &source);
  CASE(DAS3_E_MEMORY, das3_adapter_set_teacher, adapter, &teacher);
  CASE(DAS3_E_MEMORY, das3_adapter_set_ignored, adapter, labels, HEIGHT, WIDTH);
  CASE(DAS3_E_MEMORY, das3_adapter_step, adapter, NULL);
  CASE(DAS3_E_MEMORY, das3_adapter_run, adapter, NULL, NULL);
  CASE(DAS3_E_MEMORY, das3_adapter_cancel, adapter);
  CASE(DAS3_E_MEMORY, das3_adapter_snapshot, &model, adapter);
  CASE(DAS3_E_MEMORY, das3_adapter_save, adapter, in_folder("good.das3"));
  CASE(DAS3_E_MEMORY, das3_adapter_resume, adapter, in_folder("good.das3"));
  CASE(DAS3_E_MEMORY, das3_adapter_get_info, adapter, NULL);
  CASE(DAS3_E_MEMORY, das3_adapter_set_profile, adapter, 1);
  CASE(DAS3_E_MEMORY, das3_adapter_get_profile, adapter, NULL);
  CASE(DAS3_E_MEMORY, das3_online_create, &beside, plain, NULL);
  CASE(DAS3_E_MEMORY, das3_online_set_ignored, online, labels, HEIGHT, WIDTH);
  CASE(DAS3_E_MEMORY, das3_online_run, online, &frame, &result);
  CASE(DAS3_E_MEMORY, das3_online_get_report, online, NULL);
  CASE(DAS3_E_MEMORY, das3_online_snapshot, &model, online);
  CASE(DAS3_E_MEMORY, das3_online_pause, online, 1);
  CASE(DAS3_E_MEMORY, das3_online_reset, online);
  CASE(DAS3_E_MEMORY, das3_online_save, online, in_folder("online.das3"));
  CASE(DAS3_E_MEMORY, das3_online_resume, online, in_folder("online.das3"));
  CASE(DAS3_E_MEMORY, das3_evaluator_create, &evaluator, 255, 255);
  CASE(DAS3_E_MEMORY, das3_evaluator_add, hoard[0], labels, labels, 1);
  CASE(DAS3_E_MEMORY, das3_evaluator_get_result, hoard[0], NULL);
  for (int i = 0; i < count; i++) das3_evaluator_free(hoard[i]);
  is_exhausted = 0;
  segment(plain, 0, &frame, DAS3_OK);
  das3_online_free(online);
  das3_adapter_free(adapter);
  das3_segmenter_free(segmenter);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  header_path = arguments[1], street_path = arguments[2], folder = arguments[3];
  static char header[1 << 20];
  FILE *file = fopen(header_path, "rb");
  need(file != NULL && fread(header, 1, sizeof header - 1, file) > 0, header_path);
  fclose(file);
  read_lists(header);
  dl_iterate_phdr(find_code, NULL);
  need(code_begin < code_end, "the library cannot be found");
  for (int i = 0; i < SIDE * SIDE; i++) pixels[i] = (uint8_t)(i * 7 % 251 + i / 900);
  need(das3_model_load(&street, street_path, NULL) == DAS3_OK, street_path);
  plain = made(PLAIN), two_classes = made(TWO_CLASSES), fixed = made(FIXED);
  tiled = made(TILED), branching = made(BRANCHING);

  load_models();
  read_models();
  save_models();
  refuse_bfloat16();
  create_segmenters();
  run_segmenters();
  create_adapters();
  feed_adapters();
  run_adapters();
  learn_online();
  describe_options();
  evaluate();
  without_memory();

  return sum_up();
}
