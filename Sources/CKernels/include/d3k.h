/* numbers -> numbers. Pure functions on float32 arrays; images are channels last (NHWC).
 *
 * Sizes were checked when the plan was made. Errors are reported only by _create, and by
 * d3k_take_failure where oneDNN fails.
 * `threads` is the number of threads of the one pool that share the work; it does not change the bits
 * of a result. No function allocates after _create. Arrays must not overlap unless a function says
 * that they may be the same.
 */
#ifndef D3K_H
#define D3K_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define D3K_MAX_RANK 8
#define D3K_MAX_STAGES 8

/* threads.c, processors.c ------------------------------------------------------------------ */

typedef void (*d3k_body)(void *context, int64_t begin, int64_t end);

/** Splits 0..<count into contiguous parts and runs `body` on each, on at most `threads` threads, of
 *  which the caller is one. Where no more can be made, those that are there do all. */
void d3k_parallel(int32_t threads, int64_t count, d3k_body body, void *context);

/** From now on the calling thread's work is helped by threads of its own, which it makes and which
 *  have its niceness. */
void d3k_work_in_background(void);

/** The threads of the pool help first with what callers of the highest priority do. Returns that of
 *  the calling thread before; it begins at 0. */
int32_t d3k_set_priority(int32_t priority);

/** Processors this process may use: those of its affinity, and no more than its control groups let
 *  it use at the same time. */
int32_t d3k_processor_count(void);

/** What the control groups let it use, rounded up; INT32_MAX = no limit. groups, mount:
 *  /proc/self/cgroup and /sys/fs/cgroup, or the like. */
int32_t d3k_processor_quota(const char *groups, const char *mount);

/* failure.c ---------------------------------------------------------------------------- */

/** Why a kernel that this thread called has failed: memory ran out, or oneDNN failed. */
typedef enum d3k_failure { D3K_FAILED_MEMORY = 1, D3K_FAILED_BACKEND = 2 } d3k_failure;

/** The first d3k_failure of this thread since the last call, 0 = none. After a failure the results of
 *  kernels are undefined. */
int32_t d3k_take_failure(void);

/* isa.c -------------------------------------------------------------------------------- */

/** The instructions that the kernels of this library use. Results may differ in their last bits
 *  between levels. oneDNN and OpenBLAS have settings of their own. */
typedef enum d3k_isa_level {
  D3K_ISA_BASE = 1, D3K_ISA_AVX2 = 2, D3K_ISA_AVX512 = 3, /* x86-64 */
  D3K_ISA_NEON = 4 /* arm64, whose base has the same instructions and no kernels made for them */
} d3k_isa_level;

/** The level in use: the highest one that the processor has and the variable DAS3_ISA allows. */
int32_t d3k_find_isa(void);

/** The level of a name that DAS3_ISA may have on this architecture; 0 for any other name. */
int32_t d3k_isa_named(const char *name);

/** Those names, as a message lists them: "avx512, avx2 or base". */
const char *d3k_isa_names(void);

/** The name of the level in use. */
const char *d3k_isa_name(void);

/* machine.c ---------------------------------------------------------------------------- */

/** The most that the processors can do with so many threads: float operations a second, an addition
 *  and a multiplication in one instruction being two, with the instructions of d3k_isa_name; and
 *  bytes a second that are copied between blocks far larger than caches, read and written ones
 *  counted. 0 where memory runs out. Takes 0.1 s. */
typedef struct d3k_machine {
  double flops, bandwidth;
} d3k_machine;

d3k_machine d3k_measure_machine(int32_t threads);

/* chain.c: element-wise stages, applied in place ------------------------------------------ */

typedef enum d3k_stage_kind {
  /* y = f(y); a and b are parameters */
  D3K_RELU = 1, D3K_LEAKY_RELU /* a: slope */, D3K_ELU /* a */, D3K_SELU /* a: alpha, b: gamma */,
  D3K_CLIP /* a..b */, D3K_HARD_SIGMOID /* a*y+b */, D3K_HARD_SWISH, D3K_SIGMOID, D3K_TANH,
  D3K_SOFTPLUS, D3K_MISH, D3K_ERF, D3K_GELU, D3K_GELU_TANH, D3K_EXP, D3K_LOG, D3K_SQRT, D3K_ABS,
  D3K_NEG, D3K_RECIPROCAL, D3K_FLOOR, D3K_CEIL, D3K_NOT, D3K_TRUNC /* cast to integer */,
  D3K_TO_BOOL, D3K_SOFTSIGN, D3K_ROUND /* half to even */, D3K_SIGN, D3K_SIN, D3K_COS,
  D3K_QUANTIZE /* D3K_ROUND with a derivative of 1 */,
  /* y = f(y, operand) */
  D3K_ADD = 64, D3K_SUB, D3K_RSUB /* operand - y */, D3K_MUL, D3K_DIV, D3K_RDIV, D3K_MIN, D3K_MAX,
  D3K_POW, D3K_RPOW, D3K_PRELU /* operand: slope */, D3K_RPRELU /* y is the slope */,
  D3K_MOD /* sign of the divisor */, D3K_FMOD /* sign of the dividend */, D3K_RMOD, D3K_RFMOD,
  D3K_INT_DIV /* truncated */, D3K_RINT_DIV, D3K_EQUAL, D3K_LESS, D3K_GREATER, D3K_LESS_EQUAL,
  D3K_GREATER_EQUAL, D3K_AND, D3K_OR, D3K_XOR,
  /* y = y * operand + operand2, both of the same extent */
  D3K_AFFINE = 128
} d3k_stage_kind;

typedef enum d3k_extent {
  D3K_SCALAR = 0,  /* one value                                                             */
  D3K_CHANNEL = 1, /* one value per channel (the last axis)                                 */
  D3K_FULL = 2     /* one value per element; element stride given by operand_stride         */
} d3k_extent;

typedef struct d3k_stage {
  int32_t kind;           /* d3k_stage_kind                                                 */
  int32_t extent;         /* d3k_extent of the operands                                     */
  float a, b;
  const float *operand, *operand2;
  int64_t operand_stride; /* D3K_FULL: floats from one row (pixel) to the next              */
} d3k_stage;

typedef struct d3k_chain {
  int32_t count;
  int32_t reserved;
  d3k_stage stages[D3K_MAX_STAGES];
} d3k_chain;

/** Applies every stage in turn to rows `row`..<row+rows of y, each `channels` long, y_stride
 *  apart (y points at row `row`); operands are indexed by the absolute row. Single-threaded:
 *  kernels call it on what they just wrote, while it is in the cache. */
void d3k_chain_apply(const d3k_chain *chain, float *y, int64_t y_stride, int64_t row, int64_t rows,
                     int64_t channels);

/** y = chain(x), `rows` rows of `channels`. y may be x (with equal strides). */
void d3k_chain_run(int32_t threads, const d3k_chain *chain, const float *x, int64_t x_stride,
                   float *y, int64_t y_stride, int64_t rows, int64_t channels);

/* broadcast.c ------------------------------------------------------------------------------ */

/** The dimensions of a result, the last one fastest, and the strides of up to three arrays over them
 *  in floats: 0 where an array repeats, negative where it runs backwards. */
typedef struct d3k_walk {
  int32_t rank;
  int64_t dims[D3K_MAX_RANK];
  int64_t strides[3][D3K_MAX_RANK];
} d3k_walk;

/** y = f(a, b) for the binary kinds of d3k_stage_kind; y is dense. Strides: a, b. */
void d3k_broadcast(int32_t threads, int32_t kind, const d3k_walk *walk, const float *a,
                   const float *b, float *y);

/** y = condition != 0 ? a : b; y is dense. Strides: condition, a, b. */
void d3k_where(int32_t threads, const d3k_walk *walk, const float *condition, const float *a,
               const float *b, float *y);

/* copy.c ------------------------------------------------------------------------------------ */

/** y[i] = x[i]: transposition, slices, concatenation, expansion, tiling. Strides: x, y. */
void d3k_copy(int32_t threads, const d3k_walk *walk, const float *x, float *y);

/** y[i0, i1, …] = x[t0[i0], t1[i1], …], or `fill` where any table says -1; y is dense. A table that
 *  is NULL is the identity. Padding of any mode, gathering, nearest resizing. Strides: x. */
void d3k_index(int32_t threads, const d3k_walk *walk, const int32_t *const *tables, float fill,
               const float *x, float *y);

/* reduce.c, softmax.c, arg_max.c ------------------------------------------------------------- */

/** Lines of `count` values along one axis: an array is outer x count x inner, dense. */
typedef struct d3k_lines {
  int64_t outer, count, inner;
} d3k_lines;

typedef enum d3k_reduction {
  D3K_REDUCE_SUM, D3K_REDUCE_MEAN, D3K_REDUCE_MAX, D3K_REDUCE_MIN, D3K_REDUCE_L1, D3K_REDUCE_L2,
  D3K_REDUCE_PROD, D3K_REDUCE_SUM_SQUARE, D3K_REDUCE_LOG_SUM, D3K_REDUCE_LOG_SUM_EXP
} d3k_reduction;

/** y (outer x inner) = the reduction of each line. Sums are pairwise or compensated so that 1e6
 *  values keep 6 digits; the order of summation does not depend on `threads`. */
void d3k_reduce(int32_t threads, int32_t reduction, const d3k_lines *lines, const float *x,
                float *y);

/** y = softmax(x) or log-softmax(x) of each line. y may be x. */
void d3k_softmax(int32_t threads, int32_t is_log, const d3k_lines *lines, const float *x, float *y);

/** y (outer x inner) = index of each line's largest value, as float; `select_last` decides ties. */
void d3k_arg_max(int32_t threads, int32_t select_last, const d3k_lines *lines, const float *x,
                 float *y);

/* norm.c ------------------------------------------------------------------------------------ */

/** What a normalisation reads and writes. */
typedef struct d3k_norm {
  const float *x;
  const float *scale, *shift; /* NULL = 1 and 0 */
  float *y;
  float epsilon;
} d3k_norm;

/** Each row of `count` values to mean 0 and variance 1, then * scale[i] + shift[i]. */
void d3k_layer_norm(int32_t threads, const d3k_norm *norm, int64_t rows, int64_t count);

/** x: batch x pixels x channels; statistics per image and group of channels, scale and shift per
 *  channel. Instance normalisation: groups == channels. */
void d3k_group_norm(int32_t threads, const d3k_norm *norm, int64_t batch, int64_t pixels,
                    int64_t channels, int64_t groups);

/* pool.c, conv*.c ---------------------------------------------------------------------------- */

typedef struct d3k_window {
  int32_t batch, in_height, in_width, in_channels;
  int32_t out_height, out_width, out_channels, groups;
  int32_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x;
  int32_t pad_top, pad_left;          /* bottom and right follow from out_height, out_width     */
  int64_t x_stride, y_stride;         /* floats from one pixel to the next, >= channels         */
} d3k_window;

/** A pooling takes the largest value under each window (padding never wins), or the mean. */
typedef struct d3k_pool {
  d3k_window window;
  int32_t is_mean;
  int32_t counts_pads; /* the mean's divisor counts the window's cells inside the image extended by
                          `pads`, not just those inside the image */
  int32_t pads[4];     /* top, left, bottom, right */
} d3k_pool;

/** y = chain(pool(x)). */
void d3k_pool_run(int32_t threads, const d3k_pool *pool, const d3k_chain *chain, const float *x,
                  float *y);

typedef enum d3k_backend {
  D3K_BACKEND_ONEDNN = 1, D3K_BACKEND_OPENBLAS = 2,
  D3K_BACKEND_REFERENCE = 3 /* by definition, in double: slow, for tests */
} d3k_backend;
/** D3K_F32_DIRECT: no convolution by Winograd's minimal filtering, which rounds twice as much. */
typedef enum d3k_precision { D3K_F32 = 0, D3K_BF16 = 1, D3K_F32_DIRECT = 2 } d3k_precision;

/** 1 where the backend was built in. */
int32_t d3k_has_backend(int32_t backend);
/** oneDNN where it was built in, else OpenBLAS. Our own kernels take from the best backend what they
 *  are faster at, and leave the others as they are. */
int32_t d3k_best_backend(void);
/** 1 where this CPU multiplies bfloat16, DAS3_ISA lets it, and oneDNN is built in. */
int32_t d3k_has_bf16(void);

typedef struct d3k_conv d3k_conv;

/** What a convolution does after its sums: y = chain(conv(x) + bias).
 *  Convolution: weights O x I/groups x KH x KW. Transposed: weights I x O/groups x KH x KW, the
 *  window describes it from the small image (x) to the large one (y): pads crop y. */
typedef struct d3k_conv_options {
  d3k_window window;
  int32_t transposed;
  int32_t backend;        /* d3k_backend                                                      */
  int32_t precision;      /* d3k_precision                                                    */
  int32_t threads;
  int32_t has_bias;
  d3k_chain chain;        /* kinds, extents and parameters; operand pointers come with _run   */
} d3k_conv_options;

/** Chooses the best implementation. Returns NULL when memory runs out. Only one thread at a time may
 *  use the result. */
d3k_conv *d3k_conv_create(const d3k_conv_options *options);
void d3k_conv_free(d3k_conv *conv);
/** 1 where y_stride > out_channels costs no extra time. */
int32_t d3k_conv_writes_strided(const d3k_conv_options *options);
/** Bytes for packed weights, and for scratch during _run (both 64-byte aligned). */
size_t d3k_conv_packed_bytes(const d3k_conv *conv);
size_t d3k_conv_scratch_bytes(const d3k_conv *conv);
/** Of the implementation that was chosen. */
const char *d3k_conv_name(const d3k_conv *conv);
/** Converts ONNX-ordered weights to the kernel's layout, and multiplies each output channel by
 *  scale[o] (NULL = 1), which folds a normalisation. */
void d3k_conv_pack(const d3k_conv *conv, const float *weights, const float *scale, void *packed);
/** bias: out_channels floats, or NULL without has_bias. chain: as given at _create, now with
 *  operand pointers. */
void d3k_conv_run(const d3k_conv *conv, const float *x, const void *packed, const float *bias,
                  const d3k_chain *chain, float *y, void *scratch);

/* matmul*.c ----------------------------------------------------------------------------------- */

typedef struct d3k_matmul d3k_matmul;

/** y = chain(alpha * a·b), over `batch_rank` batch dims. Each operand is addressed by strides in
 *  floats: [batch…], row, column; a batch stride of 0 repeats. y rows are dense and follow each
 *  other (batch…, rows, columns). chain: channels = columns. */
typedef struct d3k_matmul_options {
  int32_t batch_rank;
  int32_t backend, precision, threads;
  int64_t batch[D3K_MAX_RANK];
  int64_t rows, columns, inner;
  int64_t a_batch_strides[D3K_MAX_RANK], a_row_stride, a_column_stride;
  int64_t b_batch_strides[D3K_MAX_RANK], b_row_stride, b_column_stride;
  float alpha;
  int32_t constant_b;     /* b is packed once by d3k_matmul_pack instead of given to _run      */
  d3k_chain chain;
} d3k_matmul_options;

d3k_matmul *d3k_matmul_create(const d3k_matmul_options *options);
void d3k_matmul_free(d3k_matmul *matmul);
size_t d3k_matmul_packed_bytes(const d3k_matmul *matmul);   /* 0 unless constant_b             */
size_t d3k_matmul_scratch_bytes(const d3k_matmul *matmul);
/** Of the implementation that was chosen. */
const char *d3k_matmul_name(const d3k_matmul *matmul);
void d3k_matmul_pack(const d3k_matmul *matmul, const float *b, void *packed);
void d3k_matmul_run(const d3k_matmul *matmul, const float *a, const void *b_or_packed,
                    const d3k_chain *chain, float *y, void *scratch);

/* resize.c -------------------------------------------------------------------------------------- */

/** One axis of a linear resize: y[i] = x[low[i]] + (x[high[i]] - x[low[i]]) * weight[i];
 *  weight -1 = outside, filled with `fill`. */
typedef struct d3k_axis {
  int64_t size;           /* of the output                                                     */
  const int32_t *low, *high;
  const float *weight;
} d3k_axis;

/** A linear resize of batch x in_height x in_width x channels to batch x rows->size x columns->size x
 *  channels. */
typedef struct d3k_resize {
  const d3k_axis *rows, *columns;
  int64_t batch, in_height, in_width, channels;
  int64_t x_stride, y_stride; /* floats from one pixel to the next, >= channels                   */
  float fill;
} d3k_resize;

/** y = chain(resize(x)). scratch: threads * 2 * columns->size * channels floats. */
void d3k_resize_linear(int32_t threads, const d3k_resize *resize, const d3k_chain *chain,
                       const float *x, float *y, float *scratch);

/* resample.c ------------------------------------------------------------------------------------ */

/** One axis as weighted sums: y[i] = sum of weights[k] * x[positions[k]] over k from starts[i] to
 *  starts[i + 1] - 1; without a term y[i] = fill. */
typedef struct d3k_terms {
  int64_t size;           /* of the output                                                     */
  const int32_t *starts;  /* size + 1                                                          */
  const int32_t *positions;
  const float *weights;
} d3k_terms;

/** Each line of x -> a line of terms->size values in y, or with `accumulates` added to y. The
 *  gradient by x is the same with the transposed table. */
void d3k_resample(int32_t threads, const d3k_lines *lines, const d3k_terms *terms, float fill,
                  const float *x, float *y, int32_t accumulates);

/* grid_sample.c --------------------------------------------------------------------------------- */

typedef enum d3k_sample_mode {
  D3K_SAMPLE_NEAREST, D3K_SAMPLE_LINEAR, D3K_SAMPLE_CUBIC
} d3k_sample_mode;
typedef enum d3k_sample_padding {
  D3K_PAD_ZEROS, D3K_PAD_BORDER, D3K_PAD_REFLECTION
} d3k_sample_padding;

typedef struct d3k_grid_sample {
  int32_t mode, padding;  /* d3k_sample_mode, d3k_sample_padding                               */
  int32_t aligns_corners; /* -1 and 1 are centres of pixels, not outer edges                   */
  int64_t batch, in_height, in_width, out_height, out_width, channels;
} d3k_grid_sample;

/** y = x at the positions of grid: batch x out_height x out_width x (column, row), -1 to 1. */
void d3k_grid_sample_run(int32_t threads, const d3k_grid_sample *shape, const float *x,
                         const float *grid, float *y);

/* frame.c: pixels in ----------------------------------------------------------------- */

typedef struct d3k_frame {
  const void *data;
  int32_t width, height;
  int64_t stride_bytes;
  int32_t format;         /* numbers of das3_format                                             */
  int32_t swaps_colours;  /* the network wants BGR                                              */
  int32_t channels;       /* 1 or 3 written                                                     */
  float factor[3], offset[3];  /* y = pixel * factor + offset, per network channel; unused for
                                  FLOAT32                                                       */
} d3k_frame;

/** Whether none of `count` floats is infinite or not a number. */
int32_t d3k_all_finite(const float *x, int64_t count);

/** Resizes (bilinear, half-pixel centres) and normalises in one pass into y: rows.size x
 *  columns.size x channels. rows and columns map network pixels to frame pixels (high - low at
 *  most 1, no weight -1); chroma of NV12 and YUYV is upsampled by repetition. */
void d3k_frame_read(int32_t threads, const d3k_frame *frame, const d3k_axis *rows,
                    const d3k_axis *columns, float *y);

#ifdef __cplusplus
}
#endif

#endif /* D3K_H */
