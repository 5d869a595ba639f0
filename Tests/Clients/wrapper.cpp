// Every function of das3.hpp, and what it adds to das3.h: owners, sizes, exceptions both ways.
//
//     wrapper MODEL.onnx FOLDER
//
// Prints what fails and, last, how many checks passed.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <das3.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

static int passed = 0, failed = 0;

static void check(const char *what, bool good) {
  ++(good ? passed : failed);
  if (!good) std::printf("FAILED  %s\n", what);
}

/// The status that `body` ends with.
template <class Body>
static das3_status status(Body &&body) {
  try {
    body();
    return DAS3_OK;
  } catch (const das3::Error &error) {
    return error.what()[0] ? error.status() : DAS3_E_INTERNAL;
  }
}

/// What a callback may throw: nothing that the library knows.
struct Surprise {
  int number;
};

template <class Body>
static bool surprises(Body &&body) {
  try {
    body();
  } catch (const Surprise &surprise) {
    return surprise.number == 7;
  }
  return false;
}

static_assert(!std::is_copy_constructible_v<das3::Model>);
static_assert(!std::is_copy_constructible_v<das3::Adapter>);
static_assert(std::is_nothrow_move_constructible_v<das3::Model>);
static_assert(std::is_nothrow_move_assignable_v<das3::Segmenter>);
static_assert(std::is_nothrow_move_constructible_v<das3::Adapter>);
static_assert(std::is_nothrow_move_constructible_v<das3::Evaluator>);
static_assert(!std::is_convertible_v<std::vector<int>, das3::Span<std::uint8_t>>);

constexpr std::int32_t width = 48, height = 32, count = width * height;
static std::vector<std::uint8_t> pixels(count * 3, 90), labels(count);
static const das3_image frame = {pixels.data(), width, height, 0, DAS3_FORMAT_RGB8};

static void models(const std::string &path, const std::string &folder) {
  const das3::Model model(path);
  const auto info = model.info();
  check("info", info.class_count == 9 && info.struct_size == sizeof info);
  check("class", std::strcmp(model.class_at(0).name, "road") == 0);
  check("parameter", model.parameter_at(0).rank > 0);
  check("class out of range", status([&] { model.class_at(99); }) == DAS3_E_ARGUMENT);

  std::ifstream stream(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
  check("bytes", das3::Model(bytes.data(), bytes.size()).info().node_count == info.node_count);
  check("no file", status([] { das3::Model("nowhere.onnx"); }) == DAS3_E_IO);
  das3::ModelOptions small;
  small.max_bytes = 10;
  check("options", status([&] { das3::Model(path, small); }) == DAS3_E_LIMIT);

  auto values = model.parameters();
  check("parameters", values.size() == static_cast<std::size_t>(info.parameter_count));
  std::vector<float> few(3);
  check("too few", status([&] { model.get_parameters(few); }) == DAS3_E_ARGUMENT);
  for (float &value : values) value *= 3;
  const auto tripled = model.with_parameters(values);
  const das3::Model *both[] = {&model, &tripled};
  const auto mean = das3::Model::merge(both);
  check("merge", mean.parameters()[0] == 2 * model.parameters()[0]);
  const double weights[] = {1, 0};
  check("weights", das3::Model::merge(both, weights).parameters() == model.parameters());
  const das3::Span<const double> one(weights, 1);
  check("a weight missing", status([&] { das3::Model::merge(both, one); }) == DAS3_E_ARGUMENT);

  mean.save(folder + "/mean.onnx");
  check("save", das3::Model(folder + "/mean.onnx").parameters() == mean.parameters());
  das3::Model from(path), to = std::move(from);
  check("moved to", to.info().class_count == 9);
  check("moved from", status([&] { from.info(); }) == DAS3_E_ARGUMENT);  // NOLINT
}

static void online(const das3::Model &model, const std::string &path) {
  das3::SegmenterOptions labelling;
  labelling.threads = 1;
  das3::OnlineOptions options;
  options.segmenter = &labelling;
  options.steps_per_frame = 1;
  das3::Online online(model, options);
  std::vector<std::uint8_t> pixels(3 * 64 * 48, 100), labels(64 * 48), few(9);
  const das3_image frame = {pixels.data(), 64, 48, 0, DAS3_FORMAT_RGB8};
  check("a small mask online", status([&] { online.set_ignored(few, 48, 64); }) == DAS3_E_ARGUMENT);
  online.set_ignored(labels, 48, 64); /* 0 each: nothing is ignored */
  online.run(frame, {labels});
  check("a late mask", status([&] { online.set_ignored({}, 0, 0); }) == DAS3_E_ARGUMENT);
  check("online room", status([&] { online.run(frame, {few}); }) == DAS3_E_ARGUMENT);
  online.pause();
  check("a pause", online.report().paused == 1);
  online.go_on();
  check("online report", online.report().frame_count == 1 && online.report().paused == 0);
  check("online snapshot", online.snapshot().info().class_count == model.info().class_count);
  online.save(path);
  online.reset();
  check("late resume", status([&] { online.resume(path); }) == DAS3_E_ARGUMENT);
  das3::Online(model, options).resume(path);
  options.budget = 2;
  check("a budget", status([&] { das3::Online(model, options); }) == DAS3_E_ARGUMENT);
}

static void segmenters(const das3::Model &model) {
  das3::SegmenterOptions options;
  options.threads = 1;
  das3::Segmenter segmenter(model, options);
  std::vector<std::uint8_t> confidence(count);
  std::vector<float> entropy(count), probabilities(9 * count);
  segmenter.run(frame, {labels, confidence, entropy, probabilities});
  check("labels", labels[0] < 9 && confidence[0] > 0 && probabilities[0] <= 1);
  das3::Span<float> short_of_one(probabilities.data(), probabilities.size() - 1);
  das3::Segmentation result;
  result.probabilities = short_of_one;
  check("room", status([&] { segmenter.run(frame, result); }) == DAS3_E_ARGUMENT);
  segmenter.prepare_model(model);
  segmenter.set_model(model);
  segmenter.set_profile(true);
  segmenter.run(frame, {labels, {}, {}, {}});
  check("profile", segmenter.profile().find("\"operation\":\"Conv\"") != std::string::npos);
  segmenter.set_profile(false);
  check("no profile", status([&] { segmenter.profile(); }) == DAS3_E_ARGUMENT);
  check("segmenter info", segmenter.info().width == width && segmenter.info().threads == 1);
  check("no image", status([&] { segmenter.run({}, {}); }) == DAS3_E_ARGUMENT);
}

static void adapters(const das3::Model &model, const std::string &folder) {
  das3::AdapterOptions options;
  check("option", std::strcmp(options.option_at(0).name, "method") == 0);
  check("no option", status([&] { options.option_at(999); }) == DAS3_E_ARGUMENT);
  options.method = DAS3_METHOD_DAS3;
  options.threads = 1;
  options.stages = "ab";
  options.steps_a = options.steps_b = 3;
  das3::Adapter adapter(model, options);
  check("no frames", status([&] { adapter.step(); }) == DAS3_E_ARGUMENT);
  std::vector<std::uint8_t> mask(count, 0);
  for (std::size_t i = 0; i < count / 4; i++) mask[i] = 1;
  check("a small mask",
        status([&] { adapter.set_ignored(mask, height + 1, width); }) == DAS3_E_ARGUMENT);
  adapter.set_ignored({}, 0, 0);
  adapter.set_ignored(mask, height, width);

  bool throws = true;
  adapter.set_source(2, [&](std::int64_t) -> das3_image {
    if (throws) throw Surprise{7};
    return frame;
  });
  das3::Adapter moved = std::move(adapter);
  check("a source throws", surprises([&] { moved.step(); }));
  throws = false;
  const das3_adapter_report first = moved.step();
  check("and no more", first.total_step == 1);
  check("a mask", first.ignored_share > 0.2 && first.ignored_share < 0.3 && first.found_share == 0);
  check("progress throws",
        surprises([&] { moved.run([](const das3_adapter_report &) { throw Surprise{7}; }); }));
  std::int64_t paused = 0, done = 0;
  moved.run([&](const das3_adapter_report &report) { return (paused = report.total_step) == 3; });
  check("true pauses", paused == 3);
  moved.cancel();
  check("cancel", status([&] { moved.run(); }) == DAS3_E_CANCELLED);
  moved.save(folder + "/checkpoint");
  moved.run([&](const das3_adapter_report &report) { done = report.done; });
  check("runs to the end", done == 1);
  check("snapshot", moved.snapshot().parameters() != model.parameters());
  check("adapter info", moved.info().frame_count == 2);

  das3::AdapterOptions alone;
  alone.method = DAS3_METHOD_BLEND;
  das3::Adapter blend(model, alone);
  blend.set_source(2, [&](std::int64_t) { return frame; });
  std::int32_t reason = 0;
  blend.run([&](const das3_adapter_report &report) { reason = report.blend_reason; });
  check("a blend of two frames", reason == DAS3_BLEND_REASON_FEW_FRAMES);
  check("and why", std::strstr(das3::blend_reason_text(reason), "too few frames") != nullptr);
  das3::Adapter guarded(model, das3::AdapterOptions());
  guarded.set_source(2, [&](std::int64_t) { return frame; });
  guarded.run([&](const das3_adapter_report &report) { reason = report.guard_reason; });
  check("a guarded run of them", reason == DAS3_GUARD_REASON_FEW_FRAMES);
  check("and why", std::strstr(das3::guard_reason_text(reason), "too few frames") != nullptr);

  das3::Adapter other(model, options);
  other.set_source(2, [&](std::int64_t) { return frame; });
  other.set_ignored(mask, height, width);
  other.resume(folder + "/checkpoint");
  other.run();
  check("resume", other.snapshot().parameters() == moved.snapshot().parameters());
}

static void teachers(const das3::Model &model) {
  das3::AdapterOptions options;
  options.method = DAS3_METHOD_DAS3;
  options.threads = 1;
  options.stages = "b";
  options.steps_b = 1;
  das3::Adapter taught(model, options);
  taught.add_frame(frame);
  taught.set_teacher(model);
  bool throws = true;
  const std::vector<std::uint8_t> sure(count, 255);
  taught.set_teacher([&](std::int64_t, const das3_image &image, das3_prediction &prediction) {
    if (throws) throw Surprise{7};
    check("the teacher's frame", image.width == width && prediction.class_count == 9);
    prediction.labels = labels.data();
    prediction.confidence = sure.data();
  });
  check("a teacher throws", surprises([&] { taught.step(); }));
  throws = false;
  check("and teaches", taught.step().done == 1);

  options.method = DAS3_METHOD_SUPERVISED;
  options.steps_a = 1;
  das3::Adapter supervised(model, options);
  const das3::Span<const std::uint8_t> little(labels.data(), 5);
  check("little truth",
        status([&] { supervised.add_labelled_frame(frame, little); }) == DAS3_E_ARGUMENT);
  supervised.add_labelled_frame(frame, labels);
  check("supervised", supervised.step().loss >= 0);

  options.method = DAS3_METHOD_AUTO;
  das3::Adapter guarded(model, options);
  const std::uint8_t truth_classes[9] = {0, 1};
  guarded.set_truth_classes(truth_classes);
  guarded.add_labelled_frame(frame, labels);
  check("labelled frames alone", status([&] { guarded.step(); }) == DAS3_E_ARGUMENT);
}

static void evaluators() {
  das3::Evaluator evaluator(3);
  const std::uint8_t found[] = {0, 1, 1, 2}, truth[] = {0, 1, 0, 255};
  evaluator.add(found, truth);
  const auto result = evaluator.result();
  check("evaluation", result.pixel_count == 3 && result.miou == 0.5 && result.iou[2] == -1);
  const das3::Span<const std::uint8_t> three(truth, 3);
  check("sizes", status([&] { evaluator.add(found, three); }) == DAS3_E_ARGUMENT);
}

/* A receiver may not replace itself, whoever else replaces it meanwhile; its end may. */
static void messages(const char *path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string known = "input", unknown = "inpuT";
  for (auto at = bytes.find(known); at != std::string::npos; at = bytes.find(known, at + 1)) {
    bytes.replace(at, known.size(), unknown);
  }
  std::atomic<int> told{0}, refused{0};
  std::thread other([&] {
    for (int i = 0; i < 2000; i++) {
      das3::set_log_callback([&](std::int32_t, const char *) {
        ++told;
        refused += status([] { das3::set_log_callback({}); }) == DAS3_E_ARGUMENT;
      });
    }
  });
  do das3::Model(bytes.data(), bytes.size());
  while (told < 20);
  other.join();
  check("a receiver replaces itself", refused == told);
  struct Farewell {
    ~Farewell() { das3::set_log_callback({}); }
  };
  das3::set_log_callback([farewell = std::make_shared<Farewell>()](std::int32_t, const char *) {});
  das3::set_log_callback({});
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  check("version", das3::abi_version() == DAS3_ABI_VERSION && das3::version()[0] != 0);
  check("status", std::strcmp(das3::Error(DAS3_E_IO, "").status_name(), "DAS3_E_IO") == 0);
  das3::set_log_callback([](std::int32_t, const char *) { throw Surprise{7}; }, DAS3_LOG_DEBUG);
  check("log level", status([] { das3::set_log_callback({}, 9); }) == DAS3_E_ARGUMENT);
  models(argv[1], argv[2]);
  const das3::Model model(argv[1]);
  segmenters(model);
  online(model, std::string(argv[2]) + "/online");
  adapters(model, argv[2]);
  teachers(model);
  evaluators();
  messages(argv[1]);
  das3::set_log_callback({});
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
