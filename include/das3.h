/* libdas3: semantic segmentation that adapts to where it is used.
 *
 * The library loads a plain ONNX segmentation network and labels every pixel of camera frames on
 * the CPU. It can also adapt the network to the place where it is used, without labelled frames.
 *
 *     das3_model *model = NULL;
 *     das3_segmenter *segmenter = NULL;
 *     if (das3_model_load(&model, "network.onnx", NULL) != DAS3_OK ||
 *         das3_segmenter_create(&segmenter, model, NULL) != DAS3_OK) {
 *       fprintf(stderr, "%s\n", das3_last_error());
 *       return 1;
 *     }
 *     das3_image frame = {.data = rgb, .width = 640, .height = 480, .stride_bytes = 640 * 3,
 *                         .format = DAS3_FORMAT_RGB8};
 *     das3_segmentation result = {.struct_size = sizeof result, .labels = labels};
 *     das3_segmenter_run(segmenter, &frame, &result);
 *     das3_segmenter_free(segmenter);
 *     das3_model_free(model);
 *
 * These rules hold for every function:
 *   Status      0 is success and a negative number is a failure. No function prints, exits, traps
 *               or leaks. "Returns" lists the statuses that a function can return. In addition,
 *               every function can return DAS3_E_INTERNAL (oneDNN failed, or this library has a
 *               fault) and, once the process has no memory left, DAS3_E_MEMORY.
 *   New objects are given through the first parameter. It is set to NULL when the call fails.
 *   Pointers    A pointer to options may be NULL, which selects all defaults. A NULL for any other
 *               pointer that a call needs gives DAS3_E_ARGUMENT. Every _free function accepts NULL,
 *               and handles may be freed in any order.
 *   Structs     that may grow in later versions begin with struct_size. Set it to sizeof the struct
 *               as you compiled it; the _init functions do this. Fields that lie beyond struct_size
 *               take their defaults.
 *   Strings     are UTF-8 and end in NUL. Indices count from 0.
 *
 * Two environment variables exist for tests and comparisons. If one has a value that is not listed
 * here, the functions that create a segmenter or an adapter return DAS3_E_ARGUMENT.
 *   DAS3_ISA      avx512, avx2 or base; on arm64 neon or base. The library's own kernels use at most
 *                 this instruction set, and a smaller one if the processor lacks it. It is read
 *                 once, when the first kernel runs.
 *   DAS3_BACKEND  onednn or openblas. It chooses the library that computes convolutions and matrix
 *                 products. On arm64 there is openblas alone.
 * oneDNN and OpenBLAS have their own variables, ONEDNN_MAX_CPU_ISA and OPENBLAS_CORETYPE.
 */
#ifndef DAS3_H
#define DAS3_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define DAS3_API
#else
#define DAS3_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version ------------------------------------------------------------------------------
 * DAS3_ABI_VERSION rises with every change that breaks programs compiled against an older header.
 */
#define DAS3_VERSION_MAJOR 0
#define DAS3_VERSION_MINOR 1
#define DAS3_VERSION_PATCH 0
#define DAS3_ABI_VERSION 0

/** The ABI of the loaded library: the value of DAS3_ABI_VERSION when it was built.   Since 0.1 */
DAS3_API uint32_t das3_abi_version(void);

/** The version of the loaded library, as "major.minor.patch".                        Since 0.1 */
DAS3_API const char *das3_version(void);

/* Status -------------------------------------------------------------------------------
 * The numbers are never reused. After a failure das3_last_error() says in one line what was found
 * and what was expected.
 */
typedef int32_t das3_status;
enum {
  DAS3_OK = 0,
  DAS3_E_ARGUMENT = -1,    /* an argument or option is missing or out of its range          */
  DAS3_E_SHAPE = -2,       /* sizes do not fit the network, or each other                   */
  DAS3_E_MEMORY = -3,      /* memory ran out, or the memory limit is too small              */
  DAS3_E_IO = -4,          /* a file cannot be read or written                              */
  DAS3_E_FORMAT = -5,      /* a file is damaged, or not what it should be                   */
  DAS3_E_UNSUPPORTED = -6, /* valid, but this library or this CPU cannot do it              */
  DAS3_E_LIMIT = -7,       /* a declared limit (bytes, nodes, time) would be exceeded       */
  DAS3_E_CANCELLED = -8,   /* stopped on request                                            */
  DAS3_E_INTERNAL = -9     /* a fault of this library; please report it with the message    */
};

/** The name of a status, such as "DAS3_E_SHAPE". Any other number gives "unknown".   Since 0.1 */
DAS3_API const char *das3_status_name(das3_status status);

/** Says in one line why the last call on this thread failed. The text is "" after a success and is
 *  never NULL. It stays valid until the next das3 call on this thread.               Since 0.1 */
DAS3_API const char *das3_last_error(void);

/* Logging ------------------------------------------------------------------------------
 * The library writes no messages until you give it a callback. The callback runs on the thread that
 * called the library, and never on two threads at once. It may call das3 functions itself; these
 * calls then produce no messages.
 */
typedef enum das3_log_level {
  DAS3_LOG_DEBUG = 0,
  DAS3_LOG_INFO = 1,
  DAS3_LOG_WARNING = 2
} das3_log_level;

typedef void (*das3_log_callback)(int32_t level, const char *message, void *payload);

/** Sends messages of `minimum_level` and above to `callback`. NULL stops the messages.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also when called inside the callback).          Since 0.1 */
DAS3_API das3_status das3_set_log_callback(das3_log_callback callback, int32_t minimum_level,
                                           void *payload);

/* Images -------------------------------------------------------------------------------
 * An image describes a frame in the form in which a camera or decoder delivers it. The struct only
 * points to the pixels. Rows may be padded.
 */
typedef enum das3_format {
  DAS3_FORMAT_RGB8 = 1,   /* 3 bytes a pixel                                                */
  DAS3_FORMAT_BGR8 = 2,   /* 3 bytes a pixel                                                */
  DAS3_FORMAT_RGBA8 = 3,  /* 4 bytes a pixel, alpha unused                                  */
  DAS3_FORMAT_BGRA8 = 4,  /* 4 bytes a pixel, alpha unused                                  */
  DAS3_FORMAT_GRAY8 = 5,  /* 1 byte a pixel, the same for every channel                     */
  DAS3_FORMAT_NV12 = 6,   /* Y plane, then UV pairs at half size; BT.601, video range       */
  DAS3_FORMAT_YUYV = 7,   /* Y0 U Y1 V, even width; BT.601, video range                     */
  DAS3_FORMAT_FLOAT32 = 8 /* channel planes, finite, normalised as the network expects      */
} das3_format;

typedef struct das3_image {
  const void *data;     /* first byte of the first row                                      */
  int32_t width;        /* pixels                                                           */
  int32_t height;       /* pixels                                                           */
  int64_t stride_bytes; /* from one row to the next; 0 = the rows have no padding           */
  int32_t format;       /* das3_format                                                      */
} das3_image; /* NV12: the UV rows follow the last Y row. FLOAT32: a plane has height rows   */

/* Models -------------------------------------------------------------------------------
 * A model is a network with its weights, class names and preprocessing. It never changes after it
 * has been loaded.
 *
 * Owner    you, from das3_model_load to das3_model_free. Objects made from a model keep it alive.
 * Threads  Any number of threads may use a model at the same time.
 * Errors   The messages of DAS3_E_FORMAT, DAS3_E_UNSUPPORTED and DAS3_E_SHAPE name the node and its
 *          operator.
 *
 * Class names and preprocessing are looked up first in the options, then in the file's metadata,
 * then in `network.json` beside `network.onnx`. The first place that has a key decides its value.
 * The keys are classes, colours, ignore, input {colour_order, scale, mean, std, layout, size} and
 * output {name, kind, layout}. The network's input is (pixel * scale - mean) / std. A network whose
 * scores have a single channel has two classes.
 */
typedef struct das3_model das3_model;

typedef enum das3_external_data {
  DAS3_EXTERNAL_DATA_ALLOW = 0, /* regular files inside the model's own directory only      */
  DAS3_EXTERNAL_DATA_REFUSE = 1
} das3_external_data;

typedef struct das3_model_options {
  uint32_t struct_size;
  uint32_t external_data;         /* das3_external_data                                     */
  const char *metadata_json;      /* keys that override the model's own metadata, or NULL   */
  const char *class_preset;       /* cityscapes19, synthia16, synthia13, crosscity13, camvid11 */
  uint64_t max_bytes;             /* limit of the file plus external data; 0 = 2 GiB        */
  uint64_t max_nodes;             /* limit of the graph; 0 = 100 000                        */
  uint64_t max_milliseconds;      /* limit of the loading time; 0 = none                    */
  const char *external_directory; /* of external data for load_bytes; NULL = none allowed   */
} das3_model_options;

enum { /* the largest number of: */
  DAS3_SCENE_CAPACITY = 8, /* scenes of a model                                              */
  DAS3_BLEND_CAPACITY = 5, /* candidates of a blend                                          */
  DAS3_GUARD_CAPACITY = 16 /* sets of weights that a guard judges                            */
};

typedef struct das3_model_info {
  uint32_t struct_size;
  int32_t class_count;
  int32_t channel_count;      /* of the input image: 1 or 3                                 */
  int32_t height, width;      /* fixed input size in pixels; 0 if the file leaves it open    */
  int32_t stride_multiple;    /* multiples of it fit the network's strides without remainder */
  int32_t opset;              /* of the default ONNX domain                                 */
  int32_t ir_version;
  int32_t ignore_label;       /* the truth value that evaluation leaves out                 */
  int32_t swaps_colours;      /* 1: the network wants BGR, 0: RGB                           */
  int64_t parameter_count;    /* float32 values: trainable ones and statistics              */
  int64_t node_count;         /* in the file                                                */
  float scale, mean[3], std[3];
  const char *producer;       /* the model owns this and all other strings here             */
  const char *input_name;
  const char *output_name;    /* the value that holds the logits                            */
  const char *output_kind;    /* "logits" or "probabilities": what output_name holds         */
  int32_t parameter_tensor_count; /* for das3_model_get_parameter                           */
  int32_t is_input_assumed;   /* 1: scale, mean, std or colour_order is stated nowhere      */
  const char *scores_path;    /* one sentence that says how the class scores were found      */
  int32_t training_height;    /* size of the training images, from the metadata input.size;  */
  int32_t training_width;     /* 0 if it is stated nowhere                                   */
  int32_t quantized_count;    /* parameter tensors: integers in the file, float32 here      */
  int32_t scene_count;        /* scenes with statistics of their own; 0 = all frames share one set */
  int64_t scene_frames[DAS3_SCENE_CAPACITY]; /* frames that the statistics of each scene are of */
} das3_model_info;

typedef struct das3_class {
  uint32_t struct_size;
  uint8_t red, green, blue;
  uint8_t reserved;
  const char *name; /* owned by the model */
} das3_class;

typedef struct das3_parameter {
  uint32_t struct_size;
  int32_t is_statistic; /* 1: running mean or variance of a BatchNormalization              */
  int64_t offset;       /* index of its first value among all parameters of the model       */
  int64_t count;        /* number of values, the product of dims; they are row-major        */
  int64_t dims[8];      /* only the first `rank` of them are used                           */
  int32_t rank;
  int32_t is_classifier; /* 1: it belongs to the last layers before the scores              */
  const char *name;     /* name of the ONNX value; owned by the model                       */
} das3_parameter;

/** Fills in the defaults and struct_size. NULL is ignored. In C and C++ the macro below passes the
 *  size of the struct that your program was compiled with, and nothing beyond that size is written.
 *  The function itself, which other languages call, writes the struct of the loaded library.
 *                                                                                    Since 0.1 */
DAS3_API void das3_model_options_init(das3_model_options *options);
DAS3_API void das3_model_options_init_sized(das3_model_options *options, uint32_t struct_size);
#define das3_model_options_init(options) \
  das3_model_options_init_sized(options, (uint32_t)sizeof(das3_model_options))

/** Loads an ONNX file (opset 9 to 25, IR up to 13).
 *  out      receives the model; NULL after a failure.
 *  path     the file. External data is read only from the directory of this file and only from
 *           regular files: symbolic links and files with several hard links are refused.
 *  options  NULL = defaults.
 *  Returns  DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_IO, DAS3_E_FORMAT, DAS3_E_UNSUPPORTED, DAS3_E_SHAPE,
 *           DAS3_E_LIMIT, DAS3_E_MEMORY.                                             Since 0.1 */
DAS3_API das3_status das3_model_load(das3_model **out, const char *path,
                                     const das3_model_options *options);

/** Loads the bytes of an ONNX file, which are not needed afterwards. External data is read only
 *  where options->external_directory names its directory.
 *  Returns  DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_IO, DAS3_E_FORMAT, DAS3_E_UNSUPPORTED, DAS3_E_SHAPE,
 *           DAS3_E_LIMIT, DAS3_E_MEMORY.                                             Since 0.1 */
DAS3_API das3_status das3_model_load_bytes(das3_model **out, const void *bytes, size_t size,
                                           const das3_model_options *options);

/** Describes a model. Set info->struct_size first.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_model_get_info(const das3_model *model, das3_model_info *info);

/** Describes class `index`. Set entry->struct_size first.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_model_get_class(const das3_model *model, int32_t index,
                                          das3_class *entry);

/** Describes parameter tensor `index`. Parameters are the weights of layers and the statistics of
 *  BatchNormalization; a tensor that several nodes share is listed once. Set entry->struct_size
 *  first.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_model_get_parameter(const das3_model *model, int32_t index,
                                              das3_parameter *entry);

/** Copies all parameters into your buffer, one tensor after the other.
 *  values   a buffer for `count` values.
 *  count    must be info.parameter_count.
 *  Returns  DAS3_OK, DAS3_E_ARGUMENT.                                                Since 0.1 */
DAS3_API das3_status das3_model_get_parameters(const das3_model *model, float *values,
                                               int64_t count);

/** Makes a model that differs from `model` only in its parameters, which are copied from `values`.
 *  Everything else is shared, so the cost is one copy of the parameters. A segmenter of `model`
 *  accepts the new model in das3_segmenter_set_model.
 *  out      receives the model; NULL after a failure.
 *  values   `count` values in the order of das3_model_get_parameters.
 *  count    must be info.parameter_count.
 *  Returns  DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_MEMORY.                                 Since 0.1 */
DAS3_API das3_status das3_model_with_parameters(das3_model **out, const das3_model *model,
                                                const float *values, int64_t count);

/** Makes a model whose parameters, statistics included, are the weighted mean of those of several
 *  models. Sums are computed in double precision.
 *  out      receives the model; NULL after a failure. All else is as in models[0].
 *  models   at least one model. All must have the same graph, and parameters of the same names and
 *           shapes, as networks have that were trained from the same file. A model may occur more
 *           than once.
 *  weights  `count` finite numbers that are at least 0 and not all 0. They are divided by their
 *           sum. NULL gives all models the same weight.
 *  Returns  DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_SHAPE (the message names what differs),
 *           DAS3_E_MEMORY.                                                           Since 0.1 */
DAS3_API das3_status das3_model_merge(das3_model **out, const das3_model *const *models,
                                      const double *weights, int32_t count);

/** Writes the model as an ONNX file. The same model always gives the same bytes.
 *    Parameters   Only their values differ from the file that the model was loaded from. They keep
 *                 the file's encoding (float16 rounds to nearest even), and parameters that have
 *                 not changed keep their bytes. In 16 bits a small change may be lost by rounding;
 *                 a warning then says what share of the changed weights this concerns.
 *    Other files  External weights become part of the one file.
 *    Integers     Weights stored as integers (QDQ) become float32, and their DequantizeLinear nodes
 *                 are removed.
 *    Metadata     Values that came from options or from network.json are added under the same keys.
 *                 If parameters have changed, "das3.provenance" is added.
 *  path     a file in an existing directory. An existing file is replaced only once the new one is
 *           complete and on disk; it keeps its permissions, and after a failure its content. A link
 *           to a file is followed. Anything but a regular file is refused.
 *  Returns  DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_IO, DAS3_E_FORMAT (a file with external data is too
 *           short), DAS3_E_LIMIT (an ONNX file has less than 2 GiB), DAS3_E_UNSUPPORTED (a branch
 *           or a function of the model holds external data), DAS3_E_MEMORY.          Since 0.1 */
DAS3_API das3_status das3_model_save(const das3_model *model, const char *path);

/** Ends your use of a model. NULL is ignored.                                        Since 0.1 */
DAS3_API void das3_model_free(das3_model *model);

/* Segmenters ---------------------------------------------------------------------------
 * A segmenter labels the frames of one camera. It holds a model prepared for one input size, and
 * the memory that a frame needs. It shares the model that it was made from and never changes it.
 *
 * Owner        you, from das3_segmenter_create to das3_segmenter_free. It keeps its model alive.
 * Threads      one thread at a time per segmenter. Different segmenters may run in parallel.
 * Errors       A negative das3_status leaves your buffers untouched.
 * Determinism  The same model, frame, options and machine give the same bits with any number of
 *              threads: how work is split depends on sizes alone.
 */
typedef struct das3_segmenter das3_segmenter;

typedef enum das3_precision {
  DAS3_PRECISION_F32 = 0,
  DAS3_PRECISION_BF16 = 1, /* multiplies in bfloat16 and adds in float32 in convolutions and matrix
                              products; DAS3_E_UNSUPPORTED if the CPU or backend lacks it   */
  DAS3_PRECISION_F32_DIRECT = 2 /* every sum of products as the network states it. F32 computes
                              3x3 convolutions of stride 1 by Winograd's minimal filtering where
                              that is faster: it takes up to a quarter of the multiplications,
                              and rounds about twice as much (Lavin and Gray 2016)          */
} das3_precision;

typedef struct das3_segmenter_options {
  uint32_t struct_size;
  uint32_t threads;       /* that share the work, up to one for each processor of this process;
                             0 = so many                                                    */
  int32_t height, width;  /* size of the network's input in pixels. 0 = the model's fixed size, or
                             else the size of each frame, which is rounded to stride_multiple if
                             the network requires it. A new size of frames needs a new plan */
  int32_t format;         /* the only das3_format that is accepted; 0 = any                 */
  int32_t precision;      /* das3_precision                                                 */
  uint64_t memory_limit;  /* bytes for activations and prepared weights; 0 = no limit       */
  uint32_t ignore_scenes; /* 1 = plain statistics for all frames, and one set of weights      */
  uint32_t reserved;
} das3_segmenter_options; /* new fields are added at the end; missing fields take their defaults */

typedef struct das3_segmentation {
  uint32_t struct_size;
  uint32_t reserved;
  uint8_t *labels;      /* class numbers, height x width of the frame, or NULL               */
  uint8_t *confidence;  /* height x width: the label's probability * 255, rounded, or NULL   */
  float *entropy;       /* height x width: entropy / log(classes), from 0 to 1, or NULL      */
  float *probabilities; /* classes x height x width, or NULL                                */
} das3_segmentation;

typedef struct das3_segmenter_info {
  uint32_t struct_size;
  int32_t height, width;  /* size of the network's input; 0 until the first frame decides it */
  int32_t threads;
  int32_t precision;
  int32_t reserved;
  uint64_t peak_bytes;    /* activations, prepared weights and scratch                      */
  double multiply_adds;   /* in the convolutions and matrix products of one frame           */
  const char *backend;    /* "onednn" or "openblas"                                         */
  int32_t scene_count;    /* scenes in use; 0 = all frames have the same statistics          */
  int32_t scene;          /* of the last frame, from 0; -1 = none                           */
} das3_segmenter_info;

/** Fills in the defaults and struct_size, as das3_model_options_init does.           Since 0.1 */
DAS3_API void das3_segmenter_options_init(das3_segmenter_options *options);
DAS3_API void das3_segmenter_options_init_sized(das3_segmenter_options *options, uint32_t struct_size);
#define das3_segmenter_options_init(options) \
  das3_segmenter_options_init_sized(options, (uint32_t)sizeof(das3_segmenter_options))

/** Prepares a model for frames: it makes a plan, allocates memory, and brings the weights into the
 *  layout of the kernels. If the size is not known yet, this happens with the first frame.
 *  Returns  DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_SHAPE (the message names the node that does not fit
 *           the size), DAS3_E_UNSUPPORTED, DAS3_E_LIMIT (a tensor would have too many elements),
 *           DAS3_E_MEMORY.                                                           Since 0.1 */
DAS3_API das3_status das3_segmenter_create(das3_segmenter **out, const das3_model *model,
                                           const das3_segmenter_options *options);

/** Labels one frame. It does not adapt the network. Once the first frame has set the size, it
 *  allocates nothing, except for a few small blocks that oneDNN takes and frees inside its calls.
 *  segmenter  lent for the call.
 *  image      lent for the call; it may have any size. A frame whose size differs from that of the
 *             network's input is resized (bilinear, half-pixel centres, no antialiasing) before
 *             normalisation. The logits are resized back in the same way before softmax and arg
 *             max.
 *  result     points to your buffers, each of which may be NULL.
 *  Returns    DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_MEMORY. A frame whose size needs a new plan can
 *             also give DAS3_E_SHAPE, DAS3_E_UNSUPPORTED or DAS3_E_LIMIT.            Since 0.1 */
DAS3_API das3_status das3_segmenter_run(das3_segmenter *segmenter, const das3_image *image,
                                        das3_segmentation *result);

/** Brings the weights of another model of the same graph into the layout of the kernels. A later
 *  das3_segmenter_set_model of that model then costs the camera's thread only microseconds. Any
 *  thread may call this function while another thread is inside das3_segmenter_run, but two threads
 *  must not call it at once. The segmenter keeps the weights of the last call beside those in use,
 *  within its memory limit. While it waits for its first frame to set the size, the function checks
 *  the model and prepares nothing.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_SHAPE (the graphs differ), DAS3_E_MEMORY.
 *                                                                                    Since 0.1 */
DAS3_API das3_status das3_segmenter_prepare_model(das3_segmenter *segmenter,
                                                  const das3_model *model);

/** Replaces the weights by those of another model of the same graph, from the next frame on. The
 *  plan and its memory stay. The call costs one pass over the weights, or a few microseconds if
 *  das3_segmenter_prepare_model has prepared the same model. After a failure the old model stays in
 *  use.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_SHAPE (the graphs differ).               Since 0.1 */
DAS3_API das3_status das3_segmenter_set_model(das3_segmenter *segmenter, const das3_model *model);

/** Describes a segmenter. Set info->struct_size first.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_segmenter_get_info(const das3_segmenter *segmenter,
                                             das3_segmenter_info *info);

/** Measures each step of the network from now on (1), or no longer (0). Both forget what was measured
 *  before. Until then nothing is measured. The first call of a process for a number of threads also
 *  measures what the machine can do, which takes 0.1 s and 128 MB. Cost afterwards: some 50 ns a step.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_segmenter_set_profile(das3_segmenter *segmenter, int32_t is_on);

/** What the steps took since das3_segmenter_set_profile, or since the size of the frames last changed.
 *  json  becomes one line of JSON, which is valid until the next call with this segmenter:
 *        instruction_set  "avx512", "avx2", "neon" or "base": of the kernels of this library
 *        threads
 *        peak_flops       most float operations a second of these threads and instructions; a
 *                         multiplication and an addition are two
 *        peak_bandwidth   most bytes a second, those read and those written, between large blocks
 *        steps            in the order of the last frame:
 *          node           of the ONNX file; "" for what is none
 *          operation      such as "Conv" or "Conv gradient"; "frame" reads the pixels, "labels" writes
 *                         the results
 *          kernel         the implementation: "das3", "direct", "depthwise", "onednn", "openblas", ...
 *          pass           "forward", "backward" or "other"
 *          runs, seconds  since measuring began; of all runs together
 *          last_start, last_seconds  of the last run, on a monotonic clock
 *          flops, bytes   of one run: of convolutions and matrix products; of all arrays it reads and
 *                         writes, each element once
 *        The last two and kernel are missing where node is "".
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (nothing was measured).                          Since 0.1 */
DAS3_API das3_status das3_segmenter_get_profile(das3_segmenter *segmenter, const char **json);

/** Ends a segmenter. NULL is ignored.                                                Since 0.1 */
DAS3_API void das3_segmenter_free(das3_segmenter *segmenter);

/* Adapters -------------------------------------------------------------------------------
 * An adapter holds a trainable copy of a model's weights, and frames of the place where the network
 * is to be used. The three stages of DAS3 (Wang, Liang, Zhang: "Give Me Your Trained Model", 2021)
 * need neither labels nor the data that the model was trained with:
 *
 *     (a) alignment      trains the network to make certain and diverse predictions; its classifier
 *                        does not change
 *     (b) self-training  trains with the network's own most certain labels, and with the classes
 *                        that it is certain a pixel does not have
 *     (c) propagation    trains with the frames on which the network is most certain, and with
 *                        pairs of the other frames, cut together
 *
 * A blend of statistics (DAS3_METHOD_BLEND) takes a minute and trains nothing. One pass over the
 * frames computes the exact mean and variance, over all frames and pixels, of the input of every
 * BatchNormalization. The statistics of the model are then moved a part of the way to these. How
 * far they move is chosen without labels: every k-th frame is set aside, and each candidate
 * predicts these frames and their mirror images. The best candidate is certain of single pixels,
 * diverse over all pixels, and predicts the same for a frame as for its mirror image. Training can
 * start from a blend (das3_adapter_options.start).
 *
 * DAS3_METHOD_AUTO, the default, runs a blend and the three stages under a guard. Nothing is learned
 * from the frames that are set aside. After each stage the guard judges by them what the stage has
 * left: it refuses weights that no working network has, and keeps the best set (das3_guard_candidate
 * has the numbers). Where nothing is better than the source, the result is the source, bit for bit.
 * From a few labelled frames (das3_adapter_add_labelled_frame) every stage learns, too. With
 * label_weight 0 they judge instead: where they show which of two sets is better, they decide.
 *
 *     das3_adapter *adapter = NULL;
 *     das3_model *better = NULL;
 *     das3_adapter_create(&adapter, model, NULL);
 *     while (camera_gives(&frame)) das3_adapter_add_frame(adapter, &frame);
 *     das3_adapter_run(adapter, NULL, NULL);
 *     das3_adapter_snapshot(&better, adapter);
 *     das3_model_save(better, "better.onnx");
 *
 * Owner        you, from das3_adapter_create to das3_adapter_free. It keeps its model alive. The
 *              models that das3_adapter_snapshot gives are yours and independent of it.
 * Threads      one thread at a time per adapter, except that any thread may call
 *              das3_adapter_cancel. Different adapters and segmenters may run in parallel.
 * Errors       A negative das3_status leaves the weights as they were before the call; that of
 *              das3_adapter_run leaves them as they were after its last complete step.
 * Determinism  The same model, frames, options, seed and machine give the same bits, with any
 *              number of threads and any memory limit, and also if the run is paused, or saved and
 *              resumed.
 */
typedef struct das3_adapter das3_adapter;

typedef enum das3_method {
  DAS3_METHOD_DAS3 = 0,      /* the stages (a), (b) and (c)                                      */
  DAS3_METHOD_BN = 1,        /* estimates BatchNormalization statistics anew; trains nothing     */
  DAS3_METHOD_TENT = 2,      /* minimises entropy; trains scale and shift of BatchNormalization
                                (Wang 2021)                                                     */
  DAS3_METHOD_ENTROPY = 3,   /* minimises entropy; trains all parameters (Vu 2019)               */
  DAS3_METHOD_MAXSQUARE = 4, /* minimises -1/2 sum of p^2; trains all parameters (Chen 2019)     */
  DAS3_METHOD_SELFTRAIN = 5, /* trains only with each class's most certain labels (Zou 2018)     */
  DAS3_METHOD_SUPERVISED = 6, /* minimises cross-entropy with the truth of labelled frames       */
  DAS3_METHOD_BLEND = 7, /* moves BatchNormalization statistics a part of the way, see above     */
  DAS3_METHOD_AUTO = 8,  /* a blend, then the stages (a), (b) and (c); a guard judges what each of
                            them leaves, and the best set of weights is the result               */
  DAS3_METHOD_ATP = 9,   /* align, teach and propagate as stages (a), (b) and (c) (Wang 2024)    */
  DAS3_METHOD_LD = 10,   /* most certain labels, in each round more, and negative ones (You 2021) */
  DAS3_METHOD_HCL = 11,  /* labels of four views, weighted by an older copy (Huang 2021)         */
  DAS3_METHOD_DINE = 12, /* soft labels, mixed frames, mutual information (Liang 2022)          */
  DAS3_METHOD_URMA = 13  /* classifiers that see half of the channels agree (Sivaprasad 2021)   */
} das3_method;

/** The weights from which a method that trains starts. */
typedef enum das3_start {
  DAS3_START_SOURCE = 0, /* those of the model                                              */
  DAS3_START_BLEND = 1   /* those of the blend that DAS3_METHOD_BLEND makes of the model     */
} das3_start;

typedef enum das3_batch_norm {
  DAS3_BATCH_NORM_DEFAULT = 0,   /* STATISTICS for BN, BATCH for TENT and SUPERVISED, else FROZEN */
  DAS3_BATCH_NORM_FROZEN = 1,    /* uses the running statistics and does not change them; scale and
                                    shift are trained                                           */
  DAS3_BATCH_NORM_BATCH = 2,     /* normalises each frame by its own statistics, which also move the
                                    running ones                                                */
  DAS3_BATCH_NORM_STATISTICS = 3 /* only moves the running statistics to those of the frames;
                                    nothing is trained                                          */
} das3_batch_norm;

typedef enum das3_optimizer {
  DAS3_OPTIMIZER_DEFAULT = 0,  /* SGD in (b) and (c), RELATIVE in (a) and in other methods       */
  DAS3_OPTIMIZER_RELATIVE = 1, /* SGD that first scales the gradient to the Euclidean norm of the
                                  trained weights: a rate of 1e-3 moves them by a thousandth      */
  DAS3_OPTIMIZER_SGD = 2,      /* with momentum, weight decay and clipping                       */
  DAS3_OPTIMIZER_ADAMW = 3,    /* Loshchilov and Hutter 2019                                     */
  DAS3_OPTIMIZER_LARS = 4      /* as RELATIVE, with the norm of each tensor by itself (You 2017) */
} das3_optimizer;

/** How stage (c) mixes hard frames. */
typedef enum das3_mixing {
  DAS3_MIXING_CLASSES = 0, /* half of the classes of one frame are laid over another (ClassMix)  */
  DAS3_MIXING_PLACES = 1,  /* a quarter of each of four frames stays where it is (SpatialMix)    */
  DAS3_MIXING_BOTH = 2     /* the one and the other in turns                                  */
} das3_mixing;

typedef struct das3_adapter_options {
  uint32_t struct_size;
  int32_t method;         /* das3_method                                                    */
  const char *stages;     /* of DAS3, ATP: any of "a", "b", "c", in this order; NULL = "abc" */
  uint64_t seed;          /* of all random choices: orders, masks and augmentation          */
  uint32_t threads;       /* that share the work, up to one for each processor of this process;
                             0 = so many                                                    */
  int32_t precision;      /* das3_precision; weights, losses and sums stay float32           */
  int32_t height, width;  /* size of the network's input in pixels. 0 = the model's fixed size, or
                             else that of the first frame, rounded to the stride multiple    */
  uint64_t memory_limit;  /* bytes for everything; 0 = no limit. To stay below it, the adapter
                             computes activations again instead of keeping them, keeps labels on
                             disk, and refuses frames that do not fit                        */
  const char *scratch_directory; /* existing directory for labels that memory_limit keeps out of
                             memory; NULL = $TMPDIR, or /var/tmp if that is not set          */
  const char *trained;    /* patterns of the names of parameters to train, separated by blanks;
                             * matches any characters and ? any one; NULL = all              */
  const char *frozen;     /* patterns of parameters that `trained` selects and that are nevertheless
                             not trained; NULL = none                                        */
  const char *classifier; /* patterns of the parameters that (a) and URMA do not train; NULL = those
                             of the last layers before the scores                            */

  int32_t steps_a, steps_b, steps_c;    /* largest number of optimiser steps of a stage; 0 = as many
                             as the epochs below have. Other methods use steps_a             */
  int32_t epochs_a, epochs_b, epochs_c; /* passes over the frames; 0 = the stage's default   */
  int32_t label_rounds;   /* largest number of times that stage (b), or LD, makes its labels; with a
                             teacher they are the teacher's, and are made once               */
  int32_t batch_size;     /* frames whose gradients are added up for one step, 1 to 1024     */
  int32_t augment;        /* 1: stage (c) changes colours at random and blurs frames         */
  int32_t flip;           /* 1: stages also train with mirrored frames, and labels come from the
                             mean of the predictions for a frame and its mirror image        */
  int32_t filter_mixed;   /* 1: in the mixed frames of (c), only those pixels have a label whose
                             probability is above the threshold of their class               */
  int32_t balance_classes; /* 1: a class counts in (b) and (c) with the share of pixels that the network
                             expects of it (its mean probability), not that which has its label */

  int32_t optimizer;      /* das3_optimizer                                                 */
  int32_t batch_norm;     /* das3_batch_norm                                                */
  double rate_a, rate_b, rate_c; /* learning rate at the first step of a stage; it is multiplied by
                             (1 - step / steps)^power. Other methods use rate_a. 0 = the default:
                             2.5e-4 for SGD, 1e-6 for ADAMW, 3e-7 for the others. Every optimiser
                             but SGD then also scales its default rate while a stage runs, so that
                             the stage reaches its drift                                     */
  double drift_a, drift_b, drift_c; /* target of a stage: the share of the pixels whose label it
                             changes, 0 to 1. The stage ends early once 1.5 times this share has
                             changed. 0 = no target. (b) with a teacher, and other methods, have
                             none                                                            */
  double classifier_rate; /* learning rate of the classifier as a multiple of that of the rest */
  double power;           /* exponent of the learning rate's decay; 0 = a constant rate      */
  double momentum;        /* at least 0 and below 1                                         */
  double weight_decay;    /* L2 regularisation; ADAMW applies it apart from the gradient     */
  double clip_norm;       /* largest Euclidean norm of a gradient, to which larger ones are scaled;
                             0 = no clipping                                                 */
  double statistics_momentum; /* share of a new frame in the running statistics, 0 to 1      */
  double teacher_momentum; /* share of its old weights that the teacher of (c), or of HCL, keeps at
                             each step, 0 to 1. The teachers of ATP and LD have their own    */

  double alpha, beta;     /* weights of focal entropy and diversity in (a); 0 turns a loss off */
  double gamma, lambda;   /* gamma: exponent of the focal entropy. lambda: the larger it is, the
                             less uncertain pixels count in the diversity                    */
  double positive_weight, negative_weight; /* weights of the two losses in (b)               */
  double easy_weight, mixed_weight;        /* weights of the two losses in (c)               */
  double positive_share;  /* share of each class's pixels that keep their label, the most certain
                             first; K of the paper, 0 to 1                                   */
  double negative_threshold; /* a class that is less probable than this counts as certainly not that
                             of the pixel                                                    */
  double easy_share;      /* share of the frames that are easy: the most certain ones, 0 to 1 */

  int32_t start;          /* das3_start. BN always starts at the source; BLEND and AUTO ignore it */
  int32_t guard;          /* 0 = off, 1 = on in AUTO, 2 = on in every method. A guard sets probes
                             aside: every k-th frame, at most 40. It judges by them what each stage
                             leaves, and the best set of weights is the result               */
  double blend_limit;     /* largest share of the way that a blend tries, 0 to 1, in steps of a
                             quarter. More than 0.5 can help a network whose predictions have
                             collapsed (at night, in noise), and can ruin other networks      */
  double guard_entropy;   /* the guard refuses weights whose mean entropy is less than this share of
                             the source's, from 0                                            */
  double guard_class_share; /* a class is lost that has less than this part of the pixels that both
                             the source and the best set before it give it, 0 to 1           */
  double guard_shift;     /* the guard refuses weights whose shares of the classes are farther than
                             this both from the source's (`shift`) and from those of the best set
                             before them, in nats; from 0                                    */
  double guard_certainty; /* labelled frames decide alone where the probability that one set of
                             weights is better than another is at least this, or at most 1 minus
                             this; otherwise the votes of the probes decide. 0.5 to 1         */
  int32_t find_ignored;   /* 1: a guarded run also ignores what never changes over its probes although
                             the camera moves: a bonnet, bars, a logo                        */
  int32_t zoom;           /* 1: labels also come from four overlapping parts of the frame, each
                             enlarged to the size of the network's input, and count a fifth.
                             Four more passes a frame; no network that was measured gains by it */
  int32_t mixing;         /* das3_mixing                                                    */
  int32_t enlarge;        /* 1: stages (b) and (c) also learn from enlarged parts of frames     */
  double label_weight;    /* weight of the cross-entropy with the truth of labelled frames in every
                             stage; from 0. 0 = they judge, and nothing is learned from them */
  int32_t rare_patches;   /* cells of a 4 x 4 grid, of any frame, with labels of a rare class that
                             stage (c) lays over each mixed frame, where they were; 0 to 16  */
  int32_t scenes;         /* 2 to 8: a blend looks for so many scenes at most, and each frame is
                             learned and labelled with the statistics of its own. 0, 1 = one set */
} das3_adapter_options; /* new fields are added at the end; missing fields take their defaults */

/** The C type of a field of das3_adapter_options. */
typedef enum das3_option_kind {
  DAS3_OPTION_INT32 = 0,
  DAS3_OPTION_UINT32 = 1,
  DAS3_OPTION_UINT64 = 2,
  DAS3_OPTION_DOUBLE = 3,
  DAS3_OPTION_STRING = 4  /* const char *                                                   */
} das3_option_kind;

/** Describes one field of das3_adapter_options. The strings are valid as long as the process. */
typedef struct das3_option {
  uint32_t struct_size;
  int32_t kind;           /* das3_option_kind                                               */
  const char *name;       /* of the field                                                   */
  uint64_t offset;        /* of the field in the struct, in bytes                           */
  const char *words;      /* of a choice: words for the values from 0 on, such as "source|blend";
                             "" for all other options                                        */
  const char *range;      /* the values that are accepted, such as "0 to 1"; "" = any         */
  const char *meaning;    /* a few words for a list of options; the comments above say more   */
} das3_option;

/** One candidate of a blend: the source network with its statistics moved by `share` of the way to
 *  those of the frames. It is judged by frames that are not part of these statistics, each in two
 *  views: the frame and its mirror image. */
typedef struct das3_blend_candidate {
  double share;           /* of the way to the statistics of the frames; 0 = the source       */
  double information;     /* IM: entropy of the mean prediction minus the mean entropy, nats  */
  double agreement;       /* F: share of pixels with the same label in both views, 0 to 1     */
  double divergence;      /* V: mean Jensen-Shannon divergence of the two views, nats         */
  double score;           /* M = IM x F; larger is better                                    */
  double miou;            /* of the labelled frames, 0 to 1; -1 = there are none              */
} das3_blend_candidate;

/** Why a blend has left the statistics of the source exactly as they are. */
typedef enum das3_blend_reason {
  DAS3_BLEND_REASON_NONE = 0,     /* candidates were compared; the source may have won            */
  DAS3_BLEND_REASON_NO_STATISTICS = 1, /* the network has no BatchNormalization statistics        */
  DAS3_BLEND_REASON_FEW_FRAMES = 2,    /* too few frames are neither black nor blank              */
  DAS3_BLEND_REASON_SAME_FRAMES = 3,   /* all frames are the same                                 */
  DAS3_BLEND_REASON_FEW_CLASSES = 4    /* the network sees hardly more than one or two classes    */
} das3_blend_reason;

/** Where a set of weights comes from that a guard has judged. */
typedef enum das3_guard_origin {
  DAS3_GUARD_ORIGIN_SOURCE = 0,   /* the model                                              */
  DAS3_GUARD_ORIGIN_BLEND = 1,    /* a blend of statistics                                  */
  DAS3_GUARD_ORIGIN_TRAINING = 2, /* a method without stages                                */
  DAS3_GUARD_ORIGIN_A = 97,       /* 'a'; a stage is its letter                             */
  DAS3_GUARD_ORIGIN_B = 98,
  DAS3_GUARD_ORIGIN_C = 99
} das3_guard_origin;

/** Why a guard has refused a set of weights. */
typedef enum das3_guard_veto {
  DAS3_GUARD_VETO_NONE = 0,
  DAS3_GUARD_VETO_NOT_FINITE = 1,   /* some scores are not finite                            */
  DAS3_GUARD_VETO_COLLAPSED = 2,    /* predictions are far more certain than the source's     */
  DAS3_GUARD_VETO_LOST_CLASSES = 3, /* classes that the source sees are gone                  */
  DAS3_GUARD_VETO_SHIFTED = 4       /* the shares of the classes are quite different          */
} das3_guard_veto;

/** Why the result of a guarded run is the source, exactly as it was. */
typedef enum das3_guard_reason {
  DAS3_GUARD_REASON_NONE = 0,        /* the result is another set of weights, or is not known yet */
  DAS3_GUARD_REASON_FEW_FRAMES = 1,  /* too few frames are neither black nor blank            */
  DAS3_GUARD_REASON_SAME_FRAMES = 2, /* all frames are the same                               */
  DAS3_GUARD_REASON_FEW_CLASSES = 3, /* the network sees hardly more than one or two classes   */
  DAS3_GUARD_REASON_REFUSED = 4,     /* every other set of weights was refused                */
  DAS3_GUARD_REASON_NOT_BETTER = 5   /* no other set of weights did better than the source     */
} das3_guard_reason;

/** A set of weights that a guard has judged by the probes: frames from which nothing is learned.
 *  Each probe is predicted in two views: the frame and its mirror image. */
typedef struct das3_guard_candidate {
  int32_t origin;         /* das3_guard_origin                                               */
  int32_t veto;           /* das3_guard_veto                                                 */
  int32_t accepted;       /* 1: it was the best set when it was judged                       */
  int32_t reserved;
  double share;           /* position on the line from the best set before it (0) to what its stage
                             has led to (1)                                                  */
  double information;     /* IM, as in das3_blend_candidate                                  */
  double agreement;       /* F                                                               */
  double divergence;      /* V                                                               */
  double score;           /* M = IM x F                                                      */
  double entropy;         /* mean entropy of a pixel, nats                                   */
  double shift;           /* Jensen-Shannon divergence of the shares of the classes from those of
                             the source, nats                                                */
  double wins;            /* share of the probes with a larger M than the best set before it  */
  double miou;            /* of the labelled frames, 0 to 1; -1 = there are none              */
  double probability;     /* that it is better than the best set before it, found by a paired
                             bootstrap of `miou` over the labelled frames, 0 to 1; -1 likewise */
} das3_guard_candidate;

/** What the last step did. A loss that is turned off is 0. */
typedef struct das3_adapter_report {
  uint32_t struct_size;
  int32_t stage;          /* 'a', 'b' or 'c'; 0 in other methods                            */
  int64_t step, step_count;             /* steps of the stage: taken, and at most            */
  int64_t total_step, total_step_count; /* steps of the whole schedule: taken, and at most   */
  int32_t round;          /* how often the stage has made labels                            */
  int32_t labelling;      /* 1: no step was taken; labels_done of label_count frames have labels */
  int64_t labels_done, label_count;
  int32_t skipped;        /* 1: the step changed neither weights nor statistics, because a gradient
                             or statistic was not finite, or no pixel counted in any loss    */
  int32_t stage_done;     /* 1: this was the last step of its stage                         */
  int32_t stopped_early;  /* 1: the stage ended before it had taken step_count steps         */
  int32_t done;           /* 1: the schedule is complete                                    */
  double loss;            /* weighted sum of the losses below, mean over the batch           */
  double focal_entropy;   /* mean of (1 - h)^gamma h, h = entropy / log(classes)             */
  double diversity;       /* sum of q log q / log(classes), q = mean of exp(-lambda h) p     */
  double positive;        /* cross-entropy with positive labels, of DINE their divergence; if
                             supervised, cross-entropy with the truth                        */
  double negative;        /* -log(1 - p) of the classes that a pixel certainly does not have */
  double mixed;           /* cross-entropy of frames that are cut together; of DINE the divergence
                             of mixed ones                                                   */
  double entropy;         /* mean of h, 0 to 1                                              */
  double max_square;      /* mean of -1/2 sum of p^2                                        */
  double label_coverage;  /* share of pixels with a positive label, 0 to 1                  */
  double agreement;       /* share of pixels with the same label as at the start of the stage, 0 to
                             1; -1 = it is not measured                                      */
  double gradient_norm;   /* before clipping                                                */
  double learning_rate;   /* of this step                                                   */
  double seconds;         /* time of the step and of making the labels that it needed        */
  double network_seconds; /* the part of it spent in passes of the network                  */
  uint64_t memory_bytes;  /* in use: network, earlier weights that stages keep, frames, labels */

  int32_t blending;       /* 1: a step of a blend: it looked at one frame and trained nothing */
  int32_t blend_count;    /* number of candidates compared; 0 = none, or none yet            */
  int32_t blend_choice;   /* index of the chosen candidate                                  */
  int32_t blend_done;     /* 1: a blend is complete; until then the fields below are 0        */
  int32_t blend_reason;   /* das3_blend_reason                                               */
  int32_t judging;        /* 1: a step of a guard: it looked at one probe and trained nothing */
  double blend_share;     /* of the chosen candidate                                        */
  double blend_seconds;   /* duration of the blend                                          */
  das3_blend_candidate blend[DAS3_BLEND_CAPACITY]; /* the source first, then growing shares  */

  int32_t guard_count;    /* number of sets of weights judged; 0 = none, or none yet         */
  int32_t guard_choice;   /* index of the best set so far                                    */
  int32_t guard_done;     /* 1: the run is over, and the best set is its result              */
  int32_t guard_reason;   /* das3_guard_reason                                               */
  double guard_seconds;   /* time spent on judging                                           */
  das3_guard_candidate guard[DAS3_GUARD_CAPACITY]; /* in the order they were judged; the source
                             first                                                           */
  double ignored_share;   /* share of the pixels that count for nothing, 0 to 1              */
  double found_share;     /* share of the pixels that `find_ignored` has found; some of them may be
                             in the mask, too                                                */
  double truth;           /* a loss: cross-entropy with the truth of labelled frames         */
  double consistency;     /* a loss of URMA: sum of (q - p)^2 over the classes and the auxiliary
                             classifiers, p of the model's own classifier, mean over pixels  */
  int32_t scene_count;    /* scenes that the blend has found; 0 = one, or none were looked for  */
  int32_t scenes_used;    /* 1: each frame has the statistics of its scene                    */
  double scene_share;     /* how far these have moved to the scene's, 0 to 1                 */
  int64_t scene_frames[DAS3_SCENE_CAPACITY]; /* frames that the statistics of each are of      */
} das3_adapter_report;

typedef struct das3_adapter_info {
  uint32_t struct_size;
  int32_t height, width;  /* size of the network's input; 0 until the first frame decides it   */
  int32_t threads;
  int32_t precision;
  int32_t reserved;
  int64_t frame_count;
  uint64_t peak_bytes;    /* memory of the network in training: activations, weights, gradients,
                             momentum, scratch; known before the first step                  */
  double multiply_adds;   /* in the convolutions and matrix products of one frame, both passes */
  const char *backend;    /* "onednn" or "openblas"                                         */
} das3_adapter_info;

/** A callback that delivers frames, for sets of frames that are larger than memory. */
typedef struct das3_frame_source {
  uint32_t struct_size;
  int32_t reserved;
  int64_t count;          /* number of frames, 1 to 16777216                                */
  /** Describes frame `index`. Its pixels must stay valid until the next call, and the same index
   *  must always give the same frame. It runs on the thread that calls the adapter. It returns 0;
   *  any other value makes the call that needed the frame fail with DAS3_E_IO.              */
  int32_t (*read)(int64_t index, das3_image *image, void *payload);
  void *payload;
} das3_frame_source;

/** A teacher's prediction for one frame: either probabilities, or labels with confidence. It may
 *  have any size and is resized to that of the student's scores. */
typedef struct das3_prediction {
  uint32_t struct_size;
  int32_t class_count;    /* number of classes of the student; the library sets it          */
  int32_t height, width;  /* set to the frame's size; change it to that of your prediction  */
  const float *probabilities;         /* class_count x height x width                       */
  const uint16_t *half_probabilities; /* the same as IEEE 754 binary16                       */
  const uint8_t *labels;              /* height x width class numbers, 255 = none            */
  const uint8_t *confidence;          /* probabilities of the labels; 255 stands for 1       */
} das3_prediction;

typedef struct das3_teacher {
  uint32_t struct_size;
  int32_t reserved;
  const das3_model *model; /* a network that predicts and does not change, or NULL with a callback.
                              The adapter keeps it alive. Its classes are matched with those of the
                              student by name, or by number if either has no names            */
  /** Predicts frame `index`. What the prediction points to must stay valid until the next call. It
   *  returns 0; any other value makes the call that needed the prediction fail with DAS3_E_IO. */
  int32_t (*predict)(int64_t index, const das3_image *image, das3_prediction *prediction,
                     void *payload);
  void *payload;
} das3_teacher;

/** Says in one sentence what a das3_blend_reason means and what would help. The text is "" for
 *  DAS3_BLEND_REASON_NONE and for any other number, and never NULL.                  Since 0.1 */
DAS3_API const char *das3_blend_reason_text(int32_t reason);

/** Says in one sentence what a das3_guard_reason means and what would help. The text is "" for
 *  DAS3_GUARD_REASON_NONE and for any other number, and never NULL.                  Since 0.1 */
DAS3_API const char *das3_guard_reason_text(int32_t reason);

/** Receives the reports of das3_adapter_run. A result other than 0 pauses the run. On the same
 *  adapter it may call das3_adapter_snapshot, _save, _get_info and _cancel. The callbacks of
 *  sources and teachers may call _get_info and _cancel. In these callbacks all other functions of
 *  the adapter return DAS3_E_ARGUMENT, and _free is not allowed. Other handles may be used in any
 *  callback. */
typedef int32_t (*das3_progress)(const das3_adapter_report *report, void *payload);

/** Fills in the defaults and struct_size, as das3_model_options_init does.           Since 0.1 */
DAS3_API void das3_adapter_options_init(das3_adapter_options *options);
DAS3_API void das3_adapter_options_init_sized(das3_adapter_options *options, uint32_t struct_size);
#define das3_adapter_options_init(options) \
  das3_adapter_options_init_sized(options, (uint32_t)sizeof(das3_adapter_options))

/** Describes option `index` of an adapter, so that a program can list all options of the loaded
 *  library and set them by name. The order is that of the fields of das3_adapter_options; the
 *  fields struct_size and reserved are not options. Set option->struct_size first.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also if there are no more than `index` options). Since 0.1 */
DAS3_API das3_status das3_adapter_options_get(int32_t index, das3_option *option);

/** Prepares a model for training. It derives the gradient of every operator between a trained
 *  parameter and the scores, makes one plan for both passes, and allocates the memory for them. If
 *  the size is not known yet, this happens with the first frame.
 *  Returns  DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_SHAPE, DAS3_E_UNSUPPORTED, DAS3_E_LIMIT (a tensor
 *           would have too many elements), DAS3_E_MEMORY (the message names the smallest memory
 *           limit that would be enough).                                             Since 0.1 */
DAS3_API das3_status das3_adapter_create(das3_adapter **out, const das3_model *model,
                                         const das3_adapter_options *options);

/** Adds a copy of a frame to learn from. Frames may differ in size and format.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also after the first step, or if the adapter has a source),
 *  DAS3_E_MEMORY (also if frames would take more than half of the memory limit). A first frame that
 *  decides the size can also give DAS3_E_SHAPE, DAS3_E_UNSUPPORTED or DAS3_E_LIMIT.  Since 0.1 */
DAS3_API das3_status das3_adapter_add_frame(das3_adapter *adapter, const das3_image *image);

/** Adds a copy of a frame and of its truth. The truth is height x width class numbers without
 *  padding, 255 = ignore. DAS3_METHOD_SUPERVISED learns from such frames alone, the other methods that
 *  train beside frames without truth or a source (label_weight). With label_weight 0 they judge in a
 *  guarded run, and nothing is learned from them: five are enough to help, fewer are refused by the
 *  first step.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also after the first step, or if the method neither learns from
 *  truth nor has a guard), DAS3_E_MEMORY, DAS3_E_SHAPE, DAS3_E_UNSUPPORTED, DAS3_E_LIMIT for the same
 *  reasons as das3_adapter_add_frame.                                                Since 0.1 */
DAS3_API das3_status das3_adapter_add_labelled_frame(das3_adapter *adapter, const das3_image *image,
                                                     const uint8_t *truth);

/** Says in which classes the truth of labelled frames is, where these are not the classes of the
 *  model: truth_classes[c] is the class of the truth that class c of the model counts as, 255 =
 *  none. class_count is the number of classes of the model. NULL and 0 = the same classes.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also after the first step, or if no class counts), DAS3_E_SHAPE
 *  (class_count is another number).                                                  Since 0.1 */
DAS3_API das3_status das3_adapter_set_truth_classes(das3_adapter *adapter,
                                                    const uint8_t *truth_classes,
                                                    int32_t class_count);

/** Makes the adapter read its frames from a callback, one at a time, when it needs them. The struct
 *  is copied.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also after the first step, or if frames were added).
 *                                                                                    Since 0.1 */
DAS3_API das3_status das3_adapter_set_source(das3_adapter *adapter,
                                             const das3_frame_source *source);

/** Sets a teacher, which labels frames in stages (b) and (c), in SELFTRAIN, and at first in DINE. Each
 *  of the two stages asks it once about every frame. This is the black-box case: stage (a), which
 *  needs the weights of a network trained on the source, is left out. The struct is copied.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also after the first step), DAS3_E_SHAPE (its classes do not
 *  match the student's), DAS3_E_MEMORY.                                              Since 0.1 */
DAS3_API das3_status das3_adapter_set_teacher(das3_adapter *adapter,
                                              const das3_teacher *teacher);

/** Lets pixels count for nothing in all frames: the bonnet, an overlay, the robot's own arm. They
 *  count in no loss, have no labels, and the guard and `agreement` leave them out; the network sees
 *  them nevertheless. mask: height x width bytes without padding, any but 0 = ignored. It covers the
 *  whole frame, whatever its size, and is copied. At a smaller size, a pixel is ignored that covers
 *  any ignored one. NULL with 0 x 0 removes the mask.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also after the first step, or if no pixel is left that counts),
 *  DAS3_E_MEMORY.                                                                    Since 0.1 */
DAS3_API das3_status das3_adapter_set_ignored(das3_adapter *adapter, const uint8_t *mask,
                                              int32_t height, int32_t width);
/** Makes the labels that the next optimiser step needs, and takes the step. After the last step of
 *  the schedule it only reports `done`. report may be NULL; otherwise set report->struct_size
 *  first.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (no frames, or a frame that is wrong), DAS3_E_IO (a callback
 *          failed, or the scratch directory cannot be used), DAS3_E_SHAPE, DAS3_E_MEMORY,
 *          DAS3_E_CANCELLED. If a source's first frame decides the size, or a teacher needs a new
 *          plan, it can also give DAS3_E_UNSUPPORTED or DAS3_E_LIMIT.                Since 0.1 */
DAS3_API das3_status das3_adapter_step(das3_adapter *adapter, das3_adapter_report *report);

/** Takes all steps to the end of the schedule. progress may be NULL; otherwise it is called after
 *  every step, and after every frame that receives labels. If it asks for a pause, the run
 *  completes the labels and the step that it is working on and returns DAS3_OK; the next call
 *  continues. If the schedule is complete already, progress is not called.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_IO, DAS3_E_SHAPE, DAS3_E_MEMORY, DAS3_E_CANCELLED,
 *  DAS3_E_UNSUPPORTED, DAS3_E_LIMIT for the same reasons as das3_adapter_step.       Since 0.1 */
DAS3_API das3_status das3_adapter_run(das3_adapter *adapter, das3_progress progress,
                                      void *payload);

/** Makes the running das3_adapter_run or das3_adapter_step, or else the next one, return
 *  DAS3_E_CANCELLED after the frame that it is working on. A later call continues. A cancellation
 *  from the last report of the schedule has no effect. Any thread and any callback may call it.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_adapter_cancel(das3_adapter *adapter);

/** Makes a model of the current weights, for das3_segmenter_set_model and das3_model_save. Before the
 *  end of a guarded run these may be weights that the guard has yet to judge.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_MEMORY.                                  Since 0.1 */
DAS3_API das3_status das3_adapter_snapshot(das3_model **out, const das3_adapter *adapter);

/** Writes a checkpoint to a file in an existing directory. An existing file is replaced only once
 *  the new one is complete and on disk.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also without frames), DAS3_E_IO, DAS3_E_MEMORY. Before the
 *  first step, if a source's first frame decides the size, it can also give DAS3_E_SHAPE,
 *  DAS3_E_UNSUPPORTED or DAS3_E_LIMIT.                                               Since 0.1 */
DAS3_API das3_status das3_adapter_save(const das3_adapter *adapter, const char *path);

/** Continues from a checkpoint. The adapter must have the same model, frames and options as the one
 *  that wrote it, and must not have taken a step.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (model, frames or options differ; the message says which),
 *  DAS3_E_IO, DAS3_E_FORMAT (the file is damaged, or of another version), DAS3_E_LIMIT (it has more
 *  bytes than a checkpoint can have), DAS3_E_MEMORY. If a source's first frame decides the size, it
 *  can also give DAS3_E_SHAPE, DAS3_E_UNSUPPORTED or DAS3_E_LIMIT.                   Since 0.1 */
DAS3_API das3_status das3_adapter_resume(das3_adapter *adapter, const char *path);

/** Describes an adapter. Set info->struct_size first.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_adapter_get_info(const das3_adapter *adapter, das3_adapter_info *info);

/** Measures each step of the network in training, as das3_segmenter_set_profile does.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_adapter_set_profile(das3_adapter *adapter, int32_t is_on);

/** What the steps took, as das3_segmenter_get_profile has it. Besides "frame", "losses", "optimizer" and
 *  "weights" (their new layout) are no nodes. Networks that only judge or observe are not measured.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (nothing was measured).                          Since 0.1 */
DAS3_API das3_status das3_adapter_get_profile(das3_adapter *adapter, const char **json);

/** Ends an adapter. NULL is ignored.                                                 Since 0.1 */
DAS3_API void das3_adapter_free(das3_adapter *adapter);

/* Online adaptation ----------------------------------------------------------------------
 * An online object labels the frames of one camera, as a segmenter does, and learns from them at the
 * same time. Learning goes on in a thread of the library, whose priority is lowered. It never makes
 * the camera wait: a frame is copied only if the learning thread wants one, and better weights are
 * prepared by that thread and taken over between two frames.
 *
 *     das3_online *online = NULL;
 *     das3_model *better = NULL;
 *     das3_online_create(&online, model, NULL);
 *     while (camera_gives(&frame)) das3_online_run(online, &frame, &result);
 *     das3_online_snapshot(&better, online);
 *     das3_model_save(better, "better.onnx");
 *     das3_online_free(online);
 *
 * Frames that show nothing (black, fog, a covered lens), or the same as the frame before, are left
 * out. Every third of the others becomes a probe: the guard judges by it, and nothing is learned from
 * it. The rest are kept in a reservoir, one half for the newest frames and one half for a fair sample
 * of all earlier ones. The statistics of BatchNormalization follow the scene; how much of them the
 * network takes over is chosen without labels, as in DAS3_METHOD_BLEND. From there the stages of DAS3
 * run again and again on the reservoir. After each stage the guard compares the source, its blend, the
 * set that was accepted last and the new set, by the same votes and vetoes as in DAS3_METHOD_AUTO, and
 * the best one labels from then on. In between, each new probe is used to check whether the weights in
 * use are still better than the source. If they are not, the source labels the next frame.
 *
 * Owner        you, from das3_online_create to das3_online_free. It keeps its model alive. The models
 *              that das3_online_snapshot gives are yours and independent of it.
 * Threads      one thread at a time may be inside das3_online_run. Any thread may call the other
 *              functions at any time, except das3_online_free.
 * Errors       A failure in the learning thread never reaches das3_online_run. Learning then ends, the
 *              weights in use stay, and the report has the status.
 * Determinism  With `steps_per_frame`, learning happens inside das3_online_run. The same frames,
 *              options and machine then give the same bits. Otherwise the result depends on timing.
 */
typedef struct das3_online das3_online;

typedef struct das3_online_options {
  uint32_t struct_size;
  uint32_t learning_threads; /* threads that learn, from 1                                    */
  const das3_segmenter_options *segmenter; /* how frames are labelled; NULL = the defaults. Read
                             only by das3_online_create                                      */
  const das3_adapter_options *adapter; /* how stages learn, with the method AUTO or DAS3 (with AUTO
                             the guard is on); NULL = the defaults. Its threads and size do not
                             count. Read only by das3_online_create                          */
  double budget;          /* share of one processor's time that learning may use, 0 to 1; 0 = nothing
                             is learned                                                      */
  double steps_per_second; /* largest number of optimiser steps in a second; 0 = as many as the
                             budget allows                                                   */
  int32_t steps_per_frame; /* 0 = a thread learns in the background. Otherwise das3_online_run takes
                             so many optimiser steps after each frame, and there is no thread: for
                             recordings and tests                                            */
  int32_t reservoir;      /* frames kept to learn from, 16 to 1024                            */
  int32_t probes;         /* frames kept to judge by, 12 to 256                               */
  int32_t stage_steps;    /* largest number of optimiser steps of a stage, from 1             */
  int32_t scene_frames;   /* number of frames over which the statistics follow the scene, from 8 */
  int32_t reserved;
  double restoration;     /* share of the way that each step draws the weights back to those with
                             which its stage began, 0 to 1 (Marsden et al., ROID, 2024)      */
} das3_online_options; /* new fields are added at the end; missing fields take their defaults */

typedef struct das3_online_report {
  uint32_t struct_size;
  int32_t origin;         /* das3_guard_origin of the weights in use; a stage's letter stands for what
                             was learned up to that stage                                    */
  int32_t reason;         /* das3_guard_reason: why these are the source's                    */
  int32_t paused;         /* 1: das3_online_pause has stopped the learning                     */
  int64_t frame_count;    /* number of frames labelled                                        */
  int64_t observed_count; /* of these the learning thread has looked at so many                */
  int64_t unseen_count;   /* of these so many showed nothing                                  */
  int64_t repeated_count; /* ... and so many showed the same as the frame before               */
  int64_t swap_count;     /* how often other weights were taken over                          */
  int32_t reservoir_count, probe_count; /* number of frames kept now                          */
  int32_t stage;          /* 'a', 'b', 'c'; 0 = nothing is trained at the moment              */
  int32_t status;         /* das3_status: not DAS3_OK = learning has ended for this reason; see the
                             log for the message                                             */
  int32_t veto;           /* das3_guard_veto: why the last set was refused that was refused    */
  int32_t reserved;
  int64_t step, step_count; /* of the stage                                                    */
  int64_t total_step;     /* of all stages                                                     */
  int64_t judged_count;   /* number of times that sets were compared                          */
  int64_t accepted_count; /* results of stages that were accepted                              */
  int64_t held_count;     /* ... that were held back, and are trained on                       */
  int64_t rolled_back_count; /* ... that were given up                                         */
  int64_t alarm_count;    /* number of times that the source came back between two comparisons */
  double share;           /* how far the statistics in use are moved to those of the scene     */
  double score, source_score; /* M = IM * F of the weights in use and of the source, at the last
                             comparison                                                      */
  double loss;            /* of the last step                                                  */
  double seconds;         /* time that learning has taken                                      */
  uint64_t memory_bytes;  /* in use for learning: networks, frames and sets of weights         */
  double ignored_share;   /* share of the pixels that count for nothing, 0 to 1; 0 before the first
                             frame                                                           */
  double found_share;     /* share of the pixels that `find_ignored` has found in the probes   */
} das3_online_report;

/** Fills in the defaults and struct_size, as das3_model_options_init does.           Since 0.1 */
DAS3_API void das3_online_options_init(das3_online_options *options);
DAS3_API void das3_online_options_init_sized(das3_online_options *options, uint32_t struct_size);
#define das3_online_options_init(options) \
  das3_online_options_init_sized(options, (uint32_t)sizeof(das3_online_options))

/** Prepares the labelling, as das3_segmenter_create does. The networks that learn are prepared in the
 *  learning thread once there is a frame.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_SHAPE, DAS3_E_UNSUPPORTED, DAS3_E_LIMIT, DAS3_E_MEMORY
 *  for the same reasons as das3_segmenter_create.                                    Since 0.1 */
DAS3_API das3_status das3_online_create(das3_online **out, const das3_model *model,
                                        const das3_online_options *options);

/** Lets pixels count for nothing in losses, labels and guard, as das3_adapter_set_ignored does. They
 *  are labelled nevertheless.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also after the first frame, or if no pixel is left that counts),
 *  DAS3_E_MEMORY.                                                                    Since 0.1 */
DAS3_API das3_status das3_online_set_ignored(das3_online *online, const uint8_t *mask,
                                             int32_t height, int32_t width);
/** Labels a frame with the weights of the moment, as das3_segmenter_run does, and offers it to the
 *  learning thread. A frame is always labelled before anything is learned from it.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_SHAPE, DAS3_E_UNSUPPORTED, DAS3_E_LIMIT, DAS3_E_MEMORY
 *  for the same reasons as das3_segmenter_run.                                       Since 0.1 */
DAS3_API das3_status das3_online_run(das3_online *online, const das3_image *image,
                                     das3_segmentation *result);

/** Describes what learning has come to. Set report->struct_size first.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_online_get_report(const das3_online *online, das3_online_report *report);

/** Makes a model of the weights in use: always a set that the guard has accepted.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_online_snapshot(das3_model **out, const das3_online *online);

/** Stops the learning after the step that it is working on (1), or lets it go on (0). Frames are
 *  labelled all the same.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_online_pause(das3_online *online, int32_t paused);

/** Forgets everything that was learned. The source labels the next frame.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_online_reset(das3_online *online);

/** Writes what was learned and accepted to a file in an existing directory: weights and statistics,
 *  but no frames. An existing file is replaced only once the new one is complete and on disk.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_IO.                                      Since 0.1 */
DAS3_API das3_status das3_online_save(const das3_online *online, const char *path);

/** Goes on with what another process has saved, before the first frame: its weights label the first
 *  frame, and the guard watches them from then on. The model must be the same, options may differ.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT (also after the first frame, or for another model), DAS3_E_IO,
 *  DAS3_E_FORMAT (the file is damaged, or of another version), DAS3_E_LIMIT (it has more bytes than a
 *  checkpoint can have).                                                             Since 0.1 */
DAS3_API das3_status das3_online_resume(das3_online *online, const char *path);

/** Ends the learning thread, after the frame that it is working on, and the object. NULL is ignored.
 *                                                                                    Since 0.1 */
DAS3_API void das3_online_free(das3_online *online);

/* Evaluators ---------------------------------------------------------------------------
 * An evaluator counts the pixels of any number of frames in one confusion matrix.
 *
 * Owner    you, from das3_evaluator_create to das3_evaluator_free.
 * Threads  one thread at a time per evaluator.
 */
typedef struct das3_evaluator das3_evaluator;

typedef struct das3_evaluation {
  uint32_t struct_size;
  int32_t class_count;
  double miou;           /* mean IoU of the classes that occur in truth or prediction        */
  double pixel_accuracy; /* share of the counted pixels with the right label, 0 to 1         */
  uint64_t pixel_count;  /* number of counted pixels                                         */
  double *iou;           /* your buffer of class_capacity values, or NULL; -1 = did not occur */
  int32_t class_capacity;
  int32_t reserved;
} das3_evaluation;

/** Makes an empty confusion matrix of 1 to 255 classes. A pixel is not counted if its truth is
 *  `ignore_label` or is not the number of a class.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT, DAS3_E_MEMORY.                                  Since 0.1 */
DAS3_API das3_status das3_evaluator_create(das3_evaluator **out, int32_t class_count,
                                           int32_t ignore_label);

/** Counts `count` pixels. A label that is not the number of a class counts as a wrong one.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_evaluator_add(das3_evaluator *evaluator, const uint8_t *labels,
                                        const uint8_t *truth, size_t count);

/** Fills `result`. Set struct_size, iou and class_capacity first. A class that occurs neither in
 *  truth nor in predictions is left out of the mean; a class of the truth that is never predicted
 *  counts as 0.
 *  Returns DAS3_OK, DAS3_E_ARGUMENT.                                                 Since 0.1 */
DAS3_API das3_status das3_evaluator_get_result(const das3_evaluator *evaluator,
                                               das3_evaluation *result);

/** Ends an evaluator. NULL is ignored.                                               Since 0.1 */
DAS3_API void das3_evaluator_free(das3_evaluator *evaluator);

#ifdef __cplusplus
}
#endif

#endif /* DAS3_H */
