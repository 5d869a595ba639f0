/* Lets what the library asks of the system fail at the n-th time, for n from 1 until nothing fails.
 *
 *     faults MODEL.onnx FOLDER
 *
 * One round loads the model, labels a frame, takes a step, saves a checkpoint and a model, and
 * reads the checkpoint again. Whatever fails, each call answers with a status and a message, what
 * was saved before is still whole, and the next round without a failure gives the same labels. At
 * the end nothing is lost: neither memory nor files. The functions below stand before those of
 * libc, oneDNN and pthread, for the linker takes a program's own first. */
#define _GNU_SOURCE
#include <das3.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fenv.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library_memory.h"

/* What can fail; the n-th call of the kind that is set does. */
typedef enum kind {
  NOTHING,
  BLOCK,     /* one block of memory that the library asks for */
  EXHAUSTED, /* this block, and all that come after it */
  MAPPING,   /* memory of large arrays */
  READING,
  WRITING,
  SYNCING,
  RENAMING,
  THREAD,
  BACKEND, /* oneDNN */
  KINDS
} kind;

static const char *const names[KINDS] = {"nothing",        "malloc", "malloc for good", "mmap",
                                         "read",           "write",  "fsync",           "renameat",
                                         "pthread_create", "oneDNN"};

static _Atomic kind failing;
static _Atomic long countdown; /* calls until the one that fails */
static _Atomic int has_failed;

static void let_fail(kind which, long call) {
  failing = which;
  countdown = call;
  has_failed = 0;
}

/* Whether this call of a kind is the one. */
static int fails(kind asked) {
  if (asked != failing || --countdown != 0) return 0;
  has_failed = 1;
  return 1;
}

/* Other libraries' blocks do not fail: not all of them look. */
static int block_fails(void) {
  if (failing != BLOCK && failing != EXHAUSTED) return 0;
  if (failing == EXHAUSTED && has_failed) return 1;
  return fails(failing);
}

#define REAL(name)               \
  static __typeof__(&name) real; \
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name)

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  REAL(mmap);
  if (fails(MAPPING)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return real(address, size, protection, flags, file, offset);
}

ssize_t read(int file, void *bytes, size_t size) {
  REAL(read);
  if (fails(READING)) {
    errno = EIO;
    return -1;
  }
  return real(file, bytes, size);
}

ssize_t pread(int file, void *bytes, size_t size, off_t offset) {
  REAL(pread);
  if (fails(READING)) {
    errno = EIO;
    return -1;
  }
  return real(file, bytes, size, offset);
}

ssize_t write(int file, const void *bytes, size_t size) {
  REAL(write);
  if (fails(WRITING)) {
    errno = ENOSPC;
    return -1;
  }
  return real(file, bytes, size);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
  REAL(pwrite);
  if (fails(WRITING)) {
    errno = ENOSPC;
    return -1;
  }
  return real(file, bytes, size, offset);
}

int fsync(int file) {
  REAL(fsync);
  if (fails(SYNCING)) {
    errno = EIO;
    return -1;
  }
  return real(file);
}

int renameat(int from, const char *old, int to, const char *new) {
  REAL(renameat);
  if (fails(RENAMING)) {
    errno = EIO;
    return -1;
  }
  return real(from, old, to, new);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *),
                   void *data) {
  REAL(pthread_create);
  return fails(THREAD) ? EAGAIN : real(thread, attributes, body, data);
}

/* Their types are oneDNN's; nothing of them is looked at. */
int dnnl_primitive_execute(const void *primitive, void *stream, int count, const void *arguments) {
  static int (*real)(const void *, void *, int, const void *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "dnnl_primitive_execute");
  return fails(BACKEND) ? 1 : real(primitive, stream, count, arguments);
}

int dnnl_memory_set_data_handle(void *memory, void *data) {
  static int (*real)(void *, void *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "dnnl_memory_set_data_handle");
  return fails(BACKEND) ? 1 : real(memory, data);
}

/* The round --------------------------------------------------------------------------------- */

enum { WIDTH = 64, HEIGHT = 48, PIXELS = WIDTH * HEIGHT, ROUNDS = 100 };

static uint8_t pixels[PIXELS * 3];
static const das3_image frame = {pixels, WIDTH, HEIGHT, 0, DAS3_FORMAT_RGB8};
static const char *model_path;
static char checkpoint_path[4096], saved_path[4096];

static void stop(const char *what) {
  fprintf(stderr, "%s fails at call %ld: %s: %s\n", names[failing], countdown, what,
          das3_last_error());
  exit(1);
}

/* Ends the round at a failure, which must have a message. */
static int fine(das3_status status, const char *what) {
  if (status == DAS3_OK) return 1;
  if (!has_failed) stop(what);
  if (das3_last_error()[0] == '\0' || strcmp(das3_status_name(status), "unknown") == 0) stop(what);
  return 0;
}

static void take_round(uint8_t *labels) {
  das3_model *model = NULL, *better = NULL;
  das3_segmenter *segmenter = NULL;
  das3_adapter *adapter = NULL, *other = NULL;
  das3_segmenter_options segmenting;
  das3_adapter_options adapting;
  das3_segmentation result = {.struct_size = sizeof result, .labels = labels};
  das3_segmenter_options_init(&segmenting);
  das3_adapter_options_init(&adapting);
  adapting.method = DAS3_METHOD_DAS3;
  segmenting.threads = adapting.threads = 2;
  adapting.height = HEIGHT, adapting.width = WIDTH;
  adapting.stages = "b";
  adapting.steps_b = 2;
  memset(labels, 77, PIXELS);
  if (!fine(das3_model_load(&model, model_path, NULL), "load")) goto end;
  if (!fine(das3_segmenter_create(&segmenter, model, &segmenting), "segmenter")) goto end;
  if (!fine(das3_segmenter_run(segmenter, &frame, &result), "segment")) {
    for (int i = 0; i < PIXELS; i++) {
      if (labels[i] != 77) stop("a failed frame has labels");
    }
    goto end;
  }
  if (!fine(das3_adapter_create(&adapter, model, &adapting), "adapter")) goto end;
  if (!fine(das3_adapter_add_frame(adapter, &frame), "frame")) goto end;
  if (!fine(das3_adapter_step(adapter, NULL), "step")) {
    /* What has failed once may be tried again. */
    if (das3_adapter_step(adapter, NULL) != DAS3_OK) stop("a second step");
  }
  if (!fine(das3_adapter_save(adapter, checkpoint_path), "checkpoint") && failing != NOTHING &&
      das3_adapter_save(adapter, checkpoint_path) != DAS3_OK)
    stop("a second checkpoint");
  if (!fine(das3_adapter_snapshot(&better, adapter), "snapshot")) goto end;
  if (!fine(das3_model_save(better, saved_path), "save") && failing != NOTHING &&
      das3_model_save(better, saved_path) != DAS3_OK)
    stop("a second save");
  if (!fine(das3_adapter_create(&other, model, &adapting), "other adapter")) goto end;
  if (!fine(das3_adapter_add_frame(other, &frame), "other frame")) goto end;
  fine(das3_adapter_resume(other, checkpoint_path), "resume");
end:
  das3_adapter_free(other);
  das3_model_free(better);
  das3_adapter_free(adapter);
  das3_segmenter_free(segmenter);
  das3_model_free(model);
}

/* Whether the files of the last rounds can be read, whatever failed since. */
static void check_files(void) {
  das3_model *model = NULL;
  das3_adapter *adapter = NULL;
  das3_adapter_options adapting;
  das3_adapter_options_init(&adapting);
  adapting.method = DAS3_METHOD_DAS3;
  adapting.threads = 2;
  adapting.height = HEIGHT, adapting.width = WIDTH;
  adapting.stages = "b";
  adapting.steps_b = 2;
  const kind before = failing;
  failing = NOTHING;
  if (das3_model_load(&model, saved_path, NULL) != DAS3_OK) stop("the saved model is damaged");
  das3_model_free(model);
  if (das3_model_load(&model, model_path, NULL) != DAS3_OK) stop("the model is gone");
  if (das3_adapter_create(&adapter, model, &adapting) != DAS3_OK ||
      das3_adapter_add_frame(adapter, &frame) != DAS3_OK ||
      das3_adapter_resume(adapter, checkpoint_path) != DAS3_OK)
    stop("the checkpoint is damaged");
  das3_adapter_free(adapter);
  das3_model_free(model);
  failing = before;
}

static int file_count(const char *folder) {
  int count = 0;
  DIR *entries = opendir(folder);
  if (entries == NULL) return -1;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) count += entry->d_name[0] != '\0';
  closedir(entries);
  return count;
}

static size_t bytes_in_use(void) {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

typedef struct expectation {
  uint8_t labels[PIXELS];
  int files, descriptors;
} expectation;

/* How often a round calls what is set. */
static long calls_of_round(kind which) {
  static uint8_t labels[PIXELS];
  let_fail(which, LONG_MAX);
  take_round(labels);
  failing = NOTHING;
  return LONG_MAX - countdown;
}

/* Lets calls of a kind fail one after the other: all, or ROUNDS of them. */
static void try_all(kind which, const expectation *expected, const char *folder) {
  static uint8_t labels[PIXELS];
  const long calls = calls_of_round(which), stride = calls / ROUNDS + 1;
  for (long n = 1;; n += stride) {
    let_fail(which, n);
    take_round(labels);
    const int happened = has_failed;
    failing = NOTHING;
    check_files();
    if (file_count(folder) != expected->files) stop("a file is left");
    if (file_count("/proc/self/fd") != expected->descriptors) stop("a file is left open");
    if (!happened) break;
  }
  has_failed = 0;
  take_round(labels);
  if (memcmp(labels, expected->labels, PIXELS) != 0) stop("afterwards the labels are others");
  printf("%-15s %ld calls, one in %ld failed\n", names[which], calls, stride);
}

/* Models without end, and no memory: refused while they are held, and never again. */
static void hoard(void) {
  enum { MANY = 10000 };
  static das3_model *models[MANY];
  int count = 0;
  das3_status status = DAS3_OK;
  let_fail(EXHAUSTED, 1);
  while (count < MANY && status == DAS3_OK) {
    status = das3_model_load(&models[count], model_path, NULL);
    count += status == DAS3_OK;
  }
  if (status != DAS3_E_MEMORY) stop("no end of memory");
  if (das3_model_load(&models[count], model_path, NULL) != DAS3_E_MEMORY) stop("memory again");
  for (int i = 0; i < count; i++) das3_model_free(models[i]);
  if (das3_model_load(&models[0], model_path, NULL) != DAS3_OK) stop("still no memory");
  das3_model_free(models[0]);
  failing = NOTHING;
  printf("%d models in the reserve\n", count);
}

/* A round in a fork, whose pool of threads begins anew: it has one thread more, or cannot make it.
 */
static void take_round_in_child(kind which, const uint8_t *expected) {
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) stop("no fork");
  if (child == 0) {
    static uint8_t labels[PIXELS];
    let_fail(which, 1);
    alarm(60);
    take_round(labels);
    if (has_failed != (which != NOTHING)) stop("nobody has asked for a thread");
    if (memcmp(labels, expected, PIXELS) != 0) stop("labels of a fork are others");
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) stop("a fork has failed");
}

/* The thread that learns stays in the parent: its child is told so, and can end. */
static void fork_while_learning(void) {
  static uint8_t labels[PIXELS];
  das3_model *model = NULL;
  das3_online *online = NULL;
  das3_segmentation result = {.struct_size = sizeof result, .labels = labels};
  if (das3_model_load(&model, model_path, NULL) != DAS3_OK ||
      das3_online_create(&online, model, NULL) != DAS3_OK ||
      das3_online_run(online, &frame, &result) != DAS3_OK)
    stop("nothing learns");
  const pid_t child = fork();
  if (child < 0) stop("no fork");
  if (child == 0) {
    alarm(60);
    if (das3_online_run(online, &frame, &result) != DAS3_E_ARGUMENT ||
        strstr(das3_last_error(), "was forked") == NULL)
      stop("a fork learns");
    das3_online_free(online);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) stop("a fork has failed");
  if (das3_online_run(online, &frame, &result) != DAS3_OK) stop("the parent has failed");
  das3_online_free(online);
  das3_model_free(model);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  model_path = arguments[1];
  snprintf(checkpoint_path, sizeof checkpoint_path, "%s/run.das3", arguments[2]);
  snprintf(saved_path, sizeof saved_path, "%s/better.onnx", arguments[2]);
  for (int i = 0; i < PIXELS * 3; i++) pixels[i] = (uint8_t)(i * 7 % 251 + i / 900);

  static expectation expected;
  take_round(expected.labels);
  /* Traps of the host program are not the library's. */
  feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW);
  static uint8_t labels[PIXELS];
  take_round(labels);
  if (fegetexcept() != (FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW)) stop("traps are gone");
  fedisableexcept(FE_ALL_EXCEPT);
  if (memcmp(labels, expected.labels, PIXELS) != 0) stop("labels under traps are others");
  expected.files = file_count(arguments[2]);
  expected.descriptors = file_count("/proc/self/fd");

  const size_t before = bytes_in_use();
  dl_iterate_phdr(find_code, NULL);
  if (code_begin == code_end) stop("the library cannot be found");
  for (kind which = BLOCK; which < KINDS; which++) {
    if (which == THREAD) continue;
    try_all(which, &expected, arguments[2]);
  }
  hoard();
  const size_t after = bytes_in_use();
  if (after > before + 200000) {
    fprintf(stderr, "%zu bytes are lost\n", after - before);
    return 1;
  }

  take_round_in_child(NOTHING, expected.labels);
  take_round_in_child(THREAD, expected.labels);
  fork_while_learning();

  /* Files may not grow: a status instead of a signal. */
  const struct rlimit small = {1000, RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &small);
  has_failed = 1;
  take_round(labels);
  const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &none);
  check_files();
  puts("every failure had a status; nothing is lost");
  return 0;
}
