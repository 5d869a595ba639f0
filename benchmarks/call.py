"""What a frame costs more from Python than from C: `Segmenter.run` against `das3_segmenter_run`.

    python3 benchmarks/call.py [--size WIDTHxHEIGHT] [--rounds N]

Both label the same frame with the same segmenter, in turns, into the same labels; the loop over the
C function is compiled with cc. A small frame, so that the network does not drown the difference.
"""

import argparse
import ctypes
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from checkout import CHECKOUT  # isort: skip

import das3
import numpy as np
from das3 import _ffi

MODEL = CHECKOUT / "examples" / "street" / "street.onnx"
LIMIT_MICROSECONDS = 50
CALLS = 200  # of a round
LOOP = """
#include <das3.h>
#include <time.h>
typedef das3_status (*run)(das3_segmenter *, const das3_image *, das3_segmentation *);
void loop(run run, das3_segmenter *segmenter, const das3_image *image, das3_segmentation *result,
          int count, double *seconds) {
  for (int i = 0; i < count; i++) {
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (run(segmenter, image, result) != DAS3_OK) return;
    clock_gettime(CLOCK_MONOTONIC, &end);
    seconds[i] = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
  }
}
"""


def compiled(folder):
    source, library = Path(folder) / "loop.c", Path(folder) / "loop.so"
    source.write_text(LOOP)
    command = ["cc", "-O2", "-shared", "-fPIC", f"-I{CHECKOUT / 'include'}", source, "-o", library]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library)).loop


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="16x16", help="of the frame (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    frame = np.zeros((height, width, 3), np.uint8)
    labels = np.empty((height, width), np.uint8)
    image = _ffi.das3_image(frame.ctypes.data, width, height, 0, das3.Format.RGB8)
    result = _ffi.das3_segmentation(ctypes.sizeof(_ffi.das3_segmentation))
    result.labels = labels.ctypes.data
    seconds = (ctypes.c_double * CALLS)()
    in_c, in_python, differences = [], [], []
    with tempfile.TemporaryDirectory() as folder, das3.Model(MODEL) as model:
        loop = compiled(folder)
        with das3.Segmenter(model, threads=1) as segmenter:
            segmenter.run(frame, labels=labels)
            for _ in range(options.rounds):
                run, handle = _ffi.library.das3_segmenter_run, ctypes.c_void_p(segmenter._pointer)
                loop(run, handle, ctypes.byref(image), ctypes.byref(result), CALLS, seconds)
                in_c.append(1e6 * statistics.median(seconds))
                times = []
                for _ in range(CALLS):
                    begin = time.perf_counter()
                    segmenter.run(frame, labels=labels)
                    times.append(time.perf_counter() - begin)
                in_python.append(1e6 * statistics.median(times))
                differences.append(in_python[-1] - in_c[-1])
    low, middle, high = statistics.quantiles(differences, n=4)
    print(
        f"C {statistics.median(in_c):.1f} µs, Python {statistics.median(in_python):.1f} µs a frame"
    )
    print(f"overhead {middle:.1f} µs (quartiles {low:.1f} to {high:.1f})")
    return 0 if middle <= LIMIT_MICROSECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
