// A network and camera frames in, labels of every frame out, and a network that has become better
// where the camera is.
#include <cstdio>
#include <cstdlib>

#include "camera.hpp"

int main(int argc, char **argv) {
  int width = 0, height = 0;
  if (argc != 5 || std::sscanf(argv[2], "%dx%d", &width, &height) != 2 || width < 2 || height < 1) {
    std::fprintf(stderr,
                 "usage: adapt-while-driving MODEL.onnx WIDTHxHEIGHT FRAMES.yuyv OUT.onnx\n");
    return 2;
  }
  try {
    Camera camera(argv[3], width, height);
    das3::SegmenterOptions labelling;
    labelling.threads = 1;
    das3::OnlineOptions options;
    options.segmenter = &labelling;
    das3::Online online(das3::Model(argv[1]), options);
    Bytes labels(camera.pixel_count());
    for (int frame = 0; frame < 600; ++frame) {
      online.run(camera.image(camera.next()), {labels});
      if (frame % 60 != 0) continue;
      const das3_online_report report = online.report();
      std::printf("frame %3d: step %4lld, M %.3f, that of the source %.3f\n", frame,
                  static_cast<long long>(report.total_step), report.score, report.source_score);
    }
    online.snapshot().save(argv[4]);
    return EXIT_SUCCESS;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "adapt-while-driving: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
