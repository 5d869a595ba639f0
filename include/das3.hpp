/* libdas3 for C++17. This header wraps das3.h in classes that own their handles, spans and
 * exceptions. A program links only libdas3.
 *
 *     das3::Model model("network.onnx");
 *     das3::Segmenter segmenter(model);
 *     das3_image frame = {rgb, 640, 480, 640 * 3, DAS3_FORMAT_RGB8};
 *     std::vector<std::uint8_t> labels(640 * 480);
 *     segmenter.run(frame, {labels});
 *
 *     das3::Adapter adapter(model);
 *     while (camera_gives(frame)) adapter.add_frame(frame);
 *     adapter.run([](const das3_adapter_report &report) { print(report.step, report.loss); });
 *     segmenter.set_model(adapter.snapshot());
 *
 * Every function does what the function of the same name in das3.h does, and follows the rules that
 * are stated there. The comments in this header describe only the differences:
 *   Status     A failure is thrown as das3::Error, which carries the status and the message.
 *   Handles    A handle belongs to one object, which can be moved but not copied. get() lends the
 *              handle to functions of das3.h. An object that was moved from holds NULL, and its
 *              functions throw DAS3_E_ARGUMENT.
 *   Structs    struct_size and the defaults are already set. Strings in structs belong to the same
 *              owner as in das3.h.
 *   Buffers    are passed as das3::Span. A buffer that is too small is refused before anything is
 *              written.
 *   Callbacks  can be any function objects. If one throws an exception, the function that called it
 *              ends as if the callback had failed, and throws that exception.
 */
#ifndef DAS3_HPP
#define DAS3_HPP

#include <das3.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace das3 {

/** Says why a call failed. what() is the message of das3_last_error(). */
class Error : public std::runtime_error {
 public:
  Error(das3_status status, const std::string &message)
      : std::runtime_error(message), status_(status) {}

  das3_status status() const noexcept { return status_; }
  /** The name of the status, such as "DAS3_E_SHAPE". */
  const char *status_name() const noexcept { return das3_status_name(status_); }

 private:
  das3_status status_;
};

/** A view of contiguous values that it does not own, like std::span in C++20. It can be made from
 *  anything that has data and a size, such as a std::vector or a std::span. */
template <class T>
class Span {
 public:
  constexpr Span() noexcept = default;
  constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}

  template <class Values, class Element = std::remove_pointer_t<
                              decltype(std::data(std::declval<Values &>()))>,
            class = std::enable_if_t<std::is_convertible_v<Element (*)[], T (*)[]>>>
  constexpr Span(Values &&values) noexcept : data_(std::data(values)), size_(std::size(values)) {}

  constexpr T *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr T *begin() const noexcept { return data_; }
  constexpr T *end() const noexcept { return data_ + size_; }
  constexpr T &operator[](std::size_t index) const { return data_[index]; }

 private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

namespace detail {

inline void check(das3_status status) {
  if (status != DAS3_OK) throw Error(status, das3_last_error());
}

template <auto end>
struct Ender {
  template <class T>
  void operator()(T *handle) const noexcept {
    end(handle);
  }
};

/** Owns a handle and ends it. */
template <class T, auto end>
using Handle = std::unique_ptr<T, Ender<end>>;

/** Calls a function of das3.h and returns the handle that it gives through its first parameter. */
template <class T, class... Parameters, class... Arguments>
T *made(das3_status (*function)(T **, Parameters...), Arguments... arguments) {
  T *handle = nullptr;
  check(function(&handle, arguments...));
  return handle;
}

template <class Struct>
Struct sized() noexcept {
  Struct result = {};
  result.struct_size = sizeof result;
  return result;
}

/** Calls a function of das3.h and returns the struct that it fills through its last parameter. */
template <class Struct, class Function, class... Arguments>
Struct filled(Function function, Arguments... arguments) {
  auto result = sized<Struct>();
  check(function(arguments..., &result));
  return result;
}

/** Calls a function of das3.h that lends a text through its last parameter, and copies the text. */
template <class Function, class Object>
std::string text(Function function, Object *object) {
  const char *lent = nullptr;
  check(function(object, &lent));
  return lent;
}

inline std::size_t pixel_count(const das3_image &image) noexcept {
  if (image.width <= 0 || image.height <= 0) return 0;  // the library will refuse it
  return static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
}

inline void check_size(const char *name, std::size_t found, std::size_t expected) {
  if (found >= expected) return;
  throw Error(DAS3_E_ARGUMENT, std::string(name) + " holds " + std::to_string(found) +
                                   " values; expected " + std::to_string(expected));
}

/** A mask as C takes it, checked against its size. */
inline const std::uint8_t *mask(Span<const std::uint8_t> values, std::int32_t height,
                                std::int32_t width) {
  const auto count = [](std::int32_t size) { return static_cast<std::size_t>(size > 0 ? size : 0); };
  if (values.data()) check_size("mask", values.size(), count(height) * count(width));
  return values.data();
}

/** Calls a function object of the user. It returns 0; or it keeps the exception in `thrown` and
 *  returns 1. */
template <class Function>
std::int32_t guarded(std::exception_ptr &thrown, Function &&function) noexcept {
  try {
    function();
    return 0;
  } catch (...) {
    thrown = std::current_exception();
    return 1;
  }
}

inline void rethrow(std::exception_ptr &thrown) {
  if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
}

}  // namespace detail

/** The version of the loaded library, as "major.minor.patch". */
inline const char *version() noexcept { return das3_version(); }

/** The ABI of the loaded library. DAS3_ABI_VERSION is the ABI of this header. */
inline std::uint32_t abi_version() noexcept { return das3_abi_version(); }

/** Receives the level (a das3_log_level) and the message, which is valid during the call. */
using Log = std::function<void(std::int32_t level, const char *message)>;

/** Sends messages of `minimum_level` and above to `log`. An empty `log` stops the messages.
 *  Exceptions that `log` throws are dropped. */
inline void set_log_callback(Log log, std::int32_t minimum_level = DAS3_LOG_INFO) {
  struct Current {
    std::mutex mutex;
    std::unique_ptr<Log> log;
  };
  // Never destroyed: other threads may log while the program ends.
  static Current &current = *new Current;
  static thread_local bool is_logging = false;
  const das3_log_callback call = [](std::int32_t level, const char *message, void *payload) {
    std::exception_ptr dropped;
    is_logging = true;
    detail::guarded(dropped, [&] { (*static_cast<Log *>(payload))(level, message); });
    is_logging = false;
  };
  // Inside `log` the library refuses this call. Another thread may hold the mutex and wait for the
  // message to end, so the mutex is not taken here.
  if (is_logging) detail::check(das3_set_log_callback(nullptr, minimum_level, nullptr));
  auto next = log ? std::make_unique<Log>(std::move(log)) : nullptr;
  {
    const std::lock_guard lock(current.mutex);
    detail::check(das3_set_log_callback(next ? call : nullptr, minimum_level, next.get()));
    current.log.swap(next);
  }
  // The previous function object is destroyed here, where it may call this function again.
}

struct ModelOptions : das3_model_options {
  ModelOptions() noexcept { das3_model_options_init(this); }
};

/** A network with its weights, class names and preprocessing. It never changes, and any number of
 *  threads may use it at the same time. */
class Model {
 public:
  explicit Model(const std::string &path, const ModelOptions &options = {})
      : Model(detail::made(das3_model_load, path.c_str(), &options)) {}

  /** Loads the bytes of an ONNX file. */
  Model(const void *bytes, std::size_t size, const ModelOptions &options = {})
      : Model(detail::made(das3_model_load_bytes, bytes, size, &options)) {}

  /** Becomes the owner of a handle that a function of das3.h has made. */
  explicit Model(das3_model *handle) noexcept : handle_(handle) {}

  /** Makes a model of the weighted mean of parameters. Without weights all count the same. */
  static Model merge(Span<const Model *const> models, Span<const double> weights = {}) {
    if (weights.data()) detail::check_size("weights", weights.size(), models.size());
    std::vector<const das3_model *> handles;
    for (const Model *model : models) handles.push_back(model ? model->get() : nullptr);
    return Model(detail::made(das3_model_merge, handles.data(), weights.data(),
                              static_cast<std::int32_t>(handles.size())));
  }

  das3_model_info info() const {
    return detail::filled<das3_model_info>(das3_model_get_info, get());
  }

  das3_class class_at(std::int32_t index) const {
    return detail::filled<das3_class>(das3_model_get_class, get(), index);
  }

  das3_parameter parameter_at(std::int32_t index) const {
    return detail::filled<das3_parameter>(das3_model_get_parameter, get(), index);
  }

  /** Copies all parameters, one tensor after the other. */
  std::vector<float> parameters() const {
    std::vector<float> values(static_cast<std::size_t>(info().parameter_count));
    get_parameters(values);
    return values;
  }

  void get_parameters(Span<float> values) const {
    detail::check(
        das3_model_get_parameters(get(), values.data(), static_cast<std::int64_t>(values.size())));
  }

  Model with_parameters(Span<const float> values) const {
    return Model(detail::made(das3_model_with_parameters, get(), values.data(),
                              static_cast<std::int64_t>(values.size())));
  }

  void save(const std::string &path) const { detail::check(das3_model_save(get(), path.c_str())); }

  das3_model *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<das3_model, das3_model_free> handle_;
};

struct SegmenterOptions : das3_segmenter_options {
  SegmenterOptions() noexcept { das3_segmenter_options_init(this); }
};

/** The buffers for the results of a frame. A result whose span is empty is not computed. */
struct Segmentation {
  Span<std::uint8_t> labels = {};      // class numbers, height x width of the frame
  Span<std::uint8_t> confidence = {};  // height x width, 0 to 255
  Span<float> entropy = {};            // height x width, 0 to 1
  Span<float> probabilities = {};      // classes x height x width
};

namespace detail {

template <class T>
T *buffer(const char *name, Span<T> values, std::size_t expected) {
  if (values.data()) check_size(name, values.size(), expected);
  return values.data();
}

/** The buffers of a result as C takes them, checked against the size of the frame. */
inline das3_segmentation buffers(const das3_image &image, const Segmentation &result,
                                 std::size_t class_count) {
  const std::size_t count = pixel_count(image);
  auto buffers = sized<das3_segmentation>();
  buffers.labels = buffer("labels", result.labels, count);
  buffers.confidence = buffer("confidence", result.confidence, count);
  buffers.entropy = buffer("entropy", result.entropy, count);
  buffers.probabilities = buffer("probabilities", result.probabilities, class_count * count);
  return buffers;
}

}  // namespace detail

/** Labels the frames of one camera. One thread at a time may use it. */
class Segmenter {
 public:
  explicit Segmenter(const Model &model, const SegmenterOptions &options = {})
      : handle_(detail::made(das3_segmenter_create, model.get(), &options)),
        class_count_(static_cast<std::size_t>(model.info().class_count)) {}

  void run(const das3_image &image, const Segmentation &result) {
    auto buffers = detail::buffers(image, result, class_count_);
    detail::check(das3_segmenter_run(get(), &image, &buffers));
  }

  /** Prepares a model so that set_model with it takes only microseconds. Any thread may call this,
   *  also while another thread is inside run. */
  void prepare_model(const Model &next) {
    detail::check(das3_segmenter_prepare_model(get(), next.get()));
  }

  /** Uses the weights of `next` from the next frame on. The plan and its memory stay. */
  void set_model(const Model &next) { detail::check(das3_segmenter_set_model(get(), next.get())); }

  das3_segmenter_info info() const {
    return detail::filled<das3_segmenter_info>(das3_segmenter_get_info, get());
  }

  /** Measures each step of the network from now on, or no longer. */
  void set_profile(bool is_on) { detail::check(das3_segmenter_set_profile(get(), is_on)); }

  /** What the steps took, as one line of JSON; das3_segmenter_get_profile describes it. */
  std::string profile() const { return detail::text(das3_segmenter_get_profile, get()); }

  das3_segmenter *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<das3_segmenter, das3_segmenter_free> handle_;
  std::size_t class_count_;
};

struct AdapterOptions : das3_adapter_options {
  AdapterOptions() noexcept { das3_adapter_options_init(this); }

  /** Describes option `index`. After the last one it throws DAS3_E_ARGUMENT. */
  static das3_option option_at(std::int32_t index) {
    return detail::filled<das3_option>(das3_adapter_options_get, index);
  }
};

/** Says in one sentence why the result of a guarded run is the source
 *  (das3_adapter_report::guard_reason). It is "" for DAS3_GUARD_REASON_NONE. */
inline const char *guard_reason_text(std::int32_t reason) noexcept {
  return das3_guard_reason_text(reason);
}

/** Says in one sentence why a blend has left the statistics of the source as they are
 *  (das3_adapter_report::blend_reason). It is "" for DAS3_BLEND_REASON_NONE. */
inline const char *blend_reason_text(std::int32_t reason) noexcept {
  return das3_blend_reason_text(reason);
}

/** A trainable copy of a model, and the frames that it learns from. One thread at a time may use
 *  it, but any thread may call cancel. */
class Adapter {
 public:
  /** Gives frame `index`, which must always be the same frame. Its pixels must stay valid until the
   *  next call. */
  using Source = std::function<das3_image(std::int64_t index)>;
  /** Fills in a prediction for frame `index`. What it points to must stay valid until the next
   *  call. */
  using Predict = std::function<void(std::int64_t index, const das3_image &image,
                                     das3_prediction &prediction)>;

  explicit Adapter(const Model &model, const AdapterOptions &options = {})
      : callbacks_(std::make_unique<Callbacks>()),
        handle_(detail::made(das3_adapter_create, model.get(), &options)) {}

  void add_frame(const das3_image &image) { check(das3_adapter_add_frame(get(), &image)); }

  /** Adds a frame with its truth: height x width class numbers, 255 = ignore. SUPERVISED learns from
   *  it; the guard of another method judges by it. */
  void add_labelled_frame(const das3_image &image, Span<const std::uint8_t> truth) {
    detail::check_size("truth", truth.size(), detail::pixel_count(image));
    check(das3_adapter_add_labelled_frame(get(), &image, truth.data()));
  }

  /** Says which class of the truth each class of the model counts as, 255 = none, for frames that
   *  judge; an empty span = the classes are the same. */
  void set_truth_classes(Span<const std::uint8_t> truth_classes) {
    check(das3_adapter_set_truth_classes(get(), truth_classes.data(),
                                         static_cast<std::int32_t>(truth_classes.size())));
  }

  /** Makes the adapter read `count` frames from `read`, one at a time, when it needs them. */
  void set_source(std::int64_t count, Source read) {
    auto source = detail::sized<das3_frame_source>();
    source.count = count;
    source.read = [](std::int64_t index, das3_image *image, void *payload) {
      auto &callbacks = *static_cast<Callbacks *>(payload);
      return detail::guarded(callbacks.thrown, [&] { *image = callbacks.read(index); });
    };
    source.payload = callbacks_.get();
    check(das3_adapter_set_source(get(), &source));
    callbacks_->read = std::move(read);
  }

  /** Lets another network make the first labels of stage (b). */
  void set_teacher(const Model &model) {
    auto teacher = detail::sized<das3_teacher>();
    teacher.model = model.get();
    check(das3_adapter_set_teacher(get(), &teacher));
  }

  /** Lets a function object make the first labels of stage (b). */
  void set_teacher(Predict predict) {
    auto teacher = detail::sized<das3_teacher>();
    teacher.predict = [](std::int64_t index, const das3_image *image, das3_prediction *prediction,
                         void *payload) {
      auto &callbacks = *static_cast<Callbacks *>(payload);
      return detail::guarded(callbacks.thrown,
                             [&] { callbacks.predict(index, *image, *prediction); });
    };
    teacher.payload = callbacks_.get();
    check(das3_adapter_set_teacher(get(), &teacher));
    callbacks_->predict = std::move(predict);
  }

  /** Lets pixels count for nothing in all frames: height x width bytes, any but 0 = ignored. {} and
   *  0 x 0 remove the mask. */
  void set_ignored(Span<const std::uint8_t> mask, std::int32_t height, std::int32_t width) {
    check(das3_adapter_set_ignored(get(), detail::mask(mask, height, width), height, width));
  }

  das3_adapter_report step() {
    auto report = detail::sized<das3_adapter_report>();
    check(das3_adapter_step(get(), &report));
    return report;
  }

  void run() { check(das3_adapter_run(get(), nullptr, nullptr)); }

  /** Calls `progress` with every report. If `progress` returns a value, true pauses the run. */
  template <class Progress>
  void run(Progress &&progress) {
    struct Call {
      std::remove_reference_t<Progress> *progress;
      bool pauses = false;
      std::exception_ptr thrown = nullptr;
    } call = {std::addressof(progress)};
    const das3_progress follow = [](const das3_adapter_report *report, void *payload) {
      auto &to = *static_cast<Call *>(payload);
      const std::int32_t threw = detail::guarded(to.thrown, [&] {
        if constexpr (std::is_void_v<std::invoke_result_t<Progress, const das3_adapter_report &>>)
          (*to.progress)(*report);
        else
          to.pauses = static_cast<bool>((*to.progress)(*report));
      });
      return to.pauses ? 1 : threw;
    };
    const das3_status status = das3_adapter_run(get(), follow, &call);
    detail::rethrow(call.thrown);
    check(status);
  }

  /** Makes the running run or step, or else the next one, throw DAS3_E_CANCELLED. Any thread may
   *  call it. */
  void cancel() { detail::check(das3_adapter_cancel(get())); }

  /** Makes a model of the current weights, for Segmenter::set_model and Model::save. */
  Model snapshot() const { return Model(detail::made(das3_adapter_snapshot, get())); }

  void save(const std::string &path) const { check(das3_adapter_save(get(), path.c_str())); }

  void resume(const std::string &path) { check(das3_adapter_resume(get(), path.c_str())); }

  das3_adapter_info info() const {
    return detail::filled<das3_adapter_info>(das3_adapter_get_info, get());
  }

  /** Measures each step of the network in training from now on, or no longer. */
  void set_profile(bool is_on) { check(das3_adapter_set_profile(get(), is_on)); }

  /** What the steps took, as one line of JSON; das3_adapter_get_profile describes it. */
  std::string profile() const { return detail::text(das3_adapter_get_profile, get()); }

  das3_adapter *get() const noexcept { return handle_.get(); }

 private:
  struct Callbacks {
    Source read;
    Predict predict;
    std::exception_ptr thrown;
  };

  /** Throws the exception of a callback if there is one, and otherwise the library's failure. */
  void check(das3_status status) const {
    if (status == DAS3_OK) return;
    if (callbacks_) detail::rethrow(callbacks_->thrown);
    detail::check(status);
  }

  // The library keeps the address of this struct, which does not change when the adapter is moved.
  std::unique_ptr<Callbacks> callbacks_;
  detail::Handle<das3_adapter, das3_adapter_free> handle_;
};

/** How an Online learns and labels. `segmenter` and `adapter` may point to options that live until the
 *  Online is made. */
struct OnlineOptions : das3_online_options {
  OnlineOptions() noexcept { das3_online_options_init(this); }
};

/** Labels the frames of one camera, and learns from them in a thread of the library. One thread at a
 *  time may be inside run; any thread may call the rest. */
class Online {
 public:
  explicit Online(const Model &model, const OnlineOptions &options = {})
      : handle_(detail::made(das3_online_create, model.get(), &options)),
        class_count_(static_cast<std::size_t>(model.info().class_count)) {}

  /** Labels a frame with the weights of the moment. Something may be learned from it afterwards. */
  void run(const das3_image &image, const Segmentation &result) {
    auto buffers = detail::buffers(image, result, class_count_);
    detail::check(das3_online_run(get(), &image, &buffers));
  }

  /** Lets pixels count for nothing, as Adapter::set_ignored does; before the first frame. */
  void set_ignored(Span<const std::uint8_t> mask, std::int32_t height, std::int32_t width) {
    detail::check(
        das3_online_set_ignored(get(), detail::mask(mask, height, width), height, width));
  }

  das3_online_report report() const {
    return detail::filled<das3_online_report>(das3_online_get_report, get());
  }

  /** Makes a model of the weights in use, which the guard has accepted. */
  Model snapshot() const { return Model(detail::made(das3_online_snapshot, get())); }

  /** Learns nothing from now on. Frames are labelled all the same. */
  void pause() { detail::check(das3_online_pause(get(), 1)); }

  /** Learns again. */
  void go_on() { detail::check(das3_online_pause(get(), 0)); }

  /** Forgets everything that was learned. */
  void reset() { detail::check(das3_online_reset(get())); }

  /** Writes what was learned and accepted; frames are not written. */
  void save(const std::string &path) const {
    detail::check(das3_online_save(get(), path.c_str()));
  }

  /** Goes on with what another process has saved, before the first frame. */
  void resume(const std::string &path) { detail::check(das3_online_resume(get(), path.c_str())); }

  das3_online *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<das3_online, das3_online_free> handle_;
  std::size_t class_count_;
};

/** The result of an evaluator. */
struct Evaluation {
  double miou;               // mean IoU of the classes that occur in truth or prediction
  double pixel_accuracy;     // share of the counted pixels with the right label, 0 to 1
  std::uint64_t pixel_count; // number of counted pixels
  std::vector<double> iou;   // IoU of each class; -1 = the class did not occur
};

/** Counts the pixels of any number of frames in one confusion matrix. One thread at a time may use
 *  it. */
class Evaluator {
 public:
  explicit Evaluator(std::int32_t class_count, std::int32_t ignore_label = 255)
      : handle_(detail::made(das3_evaluator_create, class_count, ignore_label)),
        class_count_(class_count) {}

  void add(Span<const std::uint8_t> labels, Span<const std::uint8_t> truth) {
    if (labels.size() != truth.size())
      throw Error(DAS3_E_ARGUMENT, "labels has " + std::to_string(labels.size()) +
                                       " values and truth " + std::to_string(truth.size()) +
                                       "; expected as many");
    detail::check(das3_evaluator_add(get(), labels.data(), truth.data(), labels.size()));
  }

  Evaluation result() const {
    std::vector<double> iou(static_cast<std::size_t>(class_count_));
    auto values = detail::sized<das3_evaluation>();
    values.iou = iou.data();
    values.class_capacity = class_count_;
    detail::check(das3_evaluator_get_result(get(), &values));
    return {values.miou, values.pixel_accuracy, values.pixel_count, std::move(iou)};
  }

  das3_evaluator *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<das3_evaluator, das3_evaluator_free> handle_;
  std::int32_t class_count_;
};

}  // namespace das3

#endif /* DAS3_HPP */
