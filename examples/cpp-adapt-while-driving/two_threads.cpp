// A network and camera frames in. One thread labels every frame; another learns from some of them
// and hands over better weights as it goes. The network that has come of it out.
#include <cstdio>
#include <cstdlib>
#include <future>
#include <numeric>

#include "camera.hpp"
#include "slot.hpp"

/// What the two threads say to each other.
struct Talk {
  Slot<Bytes> frame;        // for the thread that learns
  Slot<das3::Model> model;  // for the thread that labels
  std::atomic<bool> is_over = false;
};

/// Ends the other thread's work with this one's, whatever ends it.
struct Ending {
  Talk &talk;
  ~Ending() { talk.is_over = true; }
};

/// Once a second, how sure the network is of its labels.
static void report(int frame, int models, const Bytes &confidence) {
  if (frame % 30 != 0) return;
  const double sum = std::accumulate(confidence.begin(), confidence.end(), 0.0);
  const double percent = sum / static_cast<double>(confidence.size()) / 2.55;
  std::printf("frame %4d: model %3d, %.1f %% sure\n", frame, models, percent);
}

/// Labels every frame.
static void drive(Camera &camera, const das3::Model &model, Talk &talk) {
  Ending ending{talk};
  das3::SegmenterOptions options;
  options.threads = 1;
  das3::Segmenter segmenter(model, options);
  Bytes labels(camera.pixel_count()), confidence(camera.pixel_count());
  for (int frame = 0, models = 0; !talk.is_over; ++frame) {
    Bytes pixels = camera.next();
    if (auto better = talk.model.take()) {
      segmenter.set_model(*better);
      ++models;
    }
    segmenter.run(camera.image(pixels), {labels, confidence});
    report(frame, models, confidence);
    talk.frame.put(std::move(pixels));
  }
}

/// Learns from the next `count` frames.
static das3::Model learn(const Camera &camera, const das3::Model &model, int count, Talk &talk) {
  Ending ending{talk};
  das3::AdapterOptions options;
  options.method = DAS3_METHOD_DAS3;  // models are handed over while a stage runs
  options.threads = 1;
  options.stages = "ab";
  options.steps_a = 40;
  options.steps_b = 80;
  das3::Adapter adapter(model, options);
  while (count > 0 && !talk.is_over) {
    if (auto pixels = talk.frame.take()) {
      adapter.add_frame(camera.image(*pixels));
      --count;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  adapter.run([&](const das3_adapter_report &report) {
    if (!report.labelling && report.step % 10 == 0) talk.model.put(adapter.snapshot());
    return talk.is_over.load();
  });
  return adapter.snapshot();
}

int main(int argc, char **argv) {
  int width = 0, height = 0;
  if (argc != 5 || std::sscanf(argv[2], "%dx%d", &width, &height) != 2 || width < 2 || height < 1) {
    std::fprintf(stderr, "usage: two-threads MODEL.onnx WIDTHxHEIGHT FRAMES.yuyv OUT.onnx\n");
    return 2;
  }
  try {
    Camera camera(argv[3], width, height);
    const das3::Model model(argv[1]);
    Talk talk;
    auto learner = std::async(std::launch::async, [&] { return learn(camera, model, 8, talk); });
    drive(camera, model, talk);
    learner.get().save(argv[4]);
    return EXIT_SUCCESS;
  } catch (const das3::Error &error) {
    std::fprintf(stderr, "two-threads: %s: %s\n", error.status_name(), error.what());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "two-threads: %s\n", error.what());
  }
  return EXIT_FAILURE;
}
