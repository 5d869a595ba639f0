/* libdas3 for C++17: das3.h with owners, spans and exceptions. Nothing to link but libdas3.
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
 * Everything does what the function of that name in das3.h does, under the rules that stand there;
 * here is only what differs:
 *   Status     a failure is thrown as das3::Error, which carries the status and the message.
 *   Handles    belong to one object, which can be moved but not copied; get() lends the handle to
 *              functions of das3.h. After a move an object holds NULL, and its functions throw
 *              DAS3_E_ARGUMENT.
 *   Structs    come with struct_size and their defaults; strings in them are lent as in das3.h.
 *   Buffers    are das3::Span: too small a one is refused before anything is written.
 *   Callbacks  are any function objects. What they throw comes out of the call that they were
 *              called from, and ends it as a failure of theirs would.
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

/** Why a call failed: what() is the message of das3_last_error(). */
class Error : public std::runtime_error {
 public:
  Error(das3_status status, const std::string &message)
      : std::runtime_error(message), status_(status) {}

  das3_status status() const noexcept { return status_; }
  /** Such as "DAS3_E_SHAPE". */
  const char *status_name() const noexcept { return das3_status_name(status_); }

 private:
  das3_status status_;
};

/** Values that lie in a row and belong to somebody else, as std::span in C++20: made of anything
 *  that has data and a size, of which a std::span is one. */
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

/** The only owner of a handle. */
template <class T, auto end>
using Handle = std::unique_ptr<T, Ender<end>>;

/** What a function of das3.h gives through its first parameter. */
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

/** What a function of das3.h fills in through its last parameter. */
template <class Struct, class Function, class... Arguments>
Struct filled(Function function, Arguments... arguments) {
  auto result = sized<Struct>();
  check(function(arguments..., &result));
  return result;
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

/** Calls what came from C++: 0, or 1 if it threw, and what it threw is kept. */
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

/** The version of the library that is loaded, "major.minor.patch". */
inline const char *version() noexcept { return das3_version(); }

/** The ABI of the library that is loaded; DAS3_ABI_VERSION is that of this header. */
inline std::uint32_t abi_version() noexcept { return das3_abi_version(); }

/** Gets the level, a das3_log_level, and the message, which is lent for the call. */
using Log = std::function<void(std::int32_t level, const char *message)>;

/** Sends messages of `minimum_level` and above to `log`; an empty one ends it. What it throws has
 *  no call to come out of and is dropped. */
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
  // Inside it the library refuses; the mutex may be held by who waits for this message to end.
  if (is_logging) detail::check(das3_set_log_callback(nullptr, minimum_level, nullptr));
  auto next = log ? std::make_unique<Log>(std::move(log)) : nullptr;
  {
    const std::lock_guard lock(current.mutex);
    detail::check(das3_set_log_callback(next ? call : nullptr, minimum_level, next.get()));
    current.log.swap(next);
  }
  // The one before ends here, where it may call this function again.
}

struct ModelOptions : das3_model_options {
  ModelOptions() noexcept { das3_model_options_init(this); }
};

/** A network with its weights, class names and preprocessing. It never changes and may be used by
 *  any number of threads. */
class Model {
 public:
  explicit Model(const std::string &path, const ModelOptions &options = {})
      : Model(detail::made(das3_model_load, path.c_str(), &options)) {}

  /** From the bytes of an ONNX file. */
  Model(const void *bytes, std::size_t size, const ModelOptions &options = {})
      : Model(detail::made(das3_model_load_bytes, bytes, size, &options)) {}

  /** Takes over what a function of das3.h has made. */
  explicit Model(das3_model *handle) noexcept : handle_(handle) {}

  /** The weighted mean of parameters; without weights all count the same. */
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

  /** All parameters, one tensor after the other. */
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

/** Where the results of a frame go; an empty span is left out. */
struct Segmentation {
  Span<std::uint8_t> labels = {};      // height x width class numbers of the frame's size
  Span<std::uint8_t> confidence = {};  // height x width, 0 to 255
  Span<float> entropy = {};            // height x width, 0 to 1
  Span<float> probabilities = {};      // classes x height x width
};

/** A model prepared for the frames of one camera; used by one thread at a time. */
class Segmenter {
 public:
  explicit Segmenter(const Model &model, const SegmenterOptions &options = {})
      : handle_(detail::made(das3_segmenter_create, model.get(), &options)),
        class_count_(static_cast<std::size_t>(model.info().class_count)) {}

  void run(const das3_image &image, const Segmentation &result) {
    const std::size_t count = detail::pixel_count(image);
    auto buffers = detail::sized<das3_segmentation>();
    buffers.labels = buffer("labels", result.labels, count);
    buffers.confidence = buffer("confidence", result.confidence, count);
    buffers.entropy = buffer("entropy", result.entropy, count);
    buffers.probabilities = buffer("probabilities", result.probabilities, class_count_ * count);
    detail::check(das3_segmenter_run(get(), &image, &buffers));
  }

  /** Makes set_model of that model cost next to nothing. Any thread, also beside run. */
  void prepare_model(const Model &next) {
    detail::check(das3_segmenter_prepare_model(get(), next.get()));
  }

  /** From the next frame on; the plan and its memory stay. */
  void set_model(const Model &next) { detail::check(das3_segmenter_set_model(get(), next.get())); }

  das3_segmenter_info info() const {
    return detail::filled<das3_segmenter_info>(das3_segmenter_get_info, get());
  }

  das3_segmenter *get() const noexcept { return handle_.get(); }

 private:
  template <class T>
  static T *buffer(const char *name, Span<T> values, std::size_t expected) {
    if (values.data()) detail::check_size(name, values.size(), expected);
    return values.data();
  }

  detail::Handle<das3_segmenter, das3_segmenter_free> handle_;
  std::size_t class_count_;
};

struct AdapterOptions : das3_adapter_options {
  AdapterOptions() noexcept { das3_adapter_options_init(this); }
};

/** Why a blend of statistics has left the source as it is (das3_adapter_report::blend_reason), in one
 *  sentence; "" where it has not. */
inline const char *blend_reason_text(std::int32_t reason) noexcept {
  return das3_blend_reason_text(reason);
}

/** A trainable copy of a model, and the frames it learns from; used by one thread at a time, but
 *  cancelled from any. */
class Adapter {
 public:
  /** Gives frame `index`, always the same for the same one; its pixels stay until the next call. */
  using Source = std::function<das3_image(std::int64_t index)>;
  /** Fills in a prediction of frame `index`; what it points to stays until the next call. */
  using Predict = std::function<void(std::int64_t index, const das3_image &image,
                                     das3_prediction &prediction)>;

  explicit Adapter(const Model &model, const AdapterOptions &options = {})
      : callbacks_(std::make_unique<Callbacks>()),
        handle_(detail::made(das3_adapter_create, model.get(), &options)) {}

  void add_frame(const das3_image &image) { check(das3_adapter_add_frame(get(), &image)); }

  /** With its truth, height x width class numbers, 255 = ignore. */
  void add_labelled_frame(const das3_image &image, Span<const std::uint8_t> truth) {
    detail::check_size("truth", truth.size(), detail::pixel_count(image));
    check(das3_adapter_add_labelled_frame(get(), &image, truth.data()));
  }

  /** Takes `count` frames from `read` instead, one at a time, as they are needed. */
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

  /** The first labels of stage (b) come from another network, */
  void set_teacher(const Model &model) {
    auto teacher = detail::sized<das3_teacher>();
    teacher.model = model.get();
    check(das3_adapter_set_teacher(get(), &teacher));
  }

  /** or from anything else that predicts. */
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

  das3_adapter_report step() {
    auto report = detail::sized<das3_adapter_report>();
    check(das3_adapter_step(get(), &report));
    return report;
  }

  void run() { check(das3_adapter_run(get(), nullptr, nullptr)); }

  /** `progress` is given each report; where it returns something, true pauses the run. */
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

  /** Ends the run or step in work, else the next one, with DAS3_E_CANCELLED. Any thread. */
  void cancel() { detail::check(das3_adapter_cancel(get())); }

  /** The weights as they are now, for Segmenter::set_model and Model::save. */
  Model snapshot() const { return Model(detail::made(das3_adapter_snapshot, get())); }

  void save(const std::string &path) const { check(das3_adapter_save(get(), path.c_str())); }

  void resume(const std::string &path) { check(das3_adapter_resume(get(), path.c_str())); }

  das3_adapter_info info() const {
    return detail::filled<das3_adapter_info>(das3_adapter_get_info, get());
  }

  das3_adapter *get() const noexcept { return handle_.get(); }

 private:
  struct Callbacks {
    Source read;
    Predict predict;
    std::exception_ptr thrown;
  };

  /** What a callback has thrown goes before what the library makes of it. */
  void check(das3_status status) const {
    if (status == DAS3_OK) return;
    if (callbacks_) detail::rethrow(callbacks_->thrown);
    detail::check(status);
  }

  // The library has its address, which stays when the adapter moves.
  std::unique_ptr<Callbacks> callbacks_;
  detail::Handle<das3_adapter, das3_adapter_free> handle_;
};

/** What an evaluator has counted. */
struct Evaluation {
  double miou;               // mean of the IoUs of the classes in truth or prediction, 0 to 1
  double pixel_accuracy;     // counted pixels with the right label, 0 to 1
  std::uint64_t pixel_count; // counted pixels
  std::vector<double> iou;   // of each class; -1 = not seen
};

/** One confusion matrix over any number of frames; used by one thread at a time. */
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
