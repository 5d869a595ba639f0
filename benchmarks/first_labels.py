"""A model file -> milliseconds until its first labels, in this fresh process.

Started by segment.py: `first_labels.py das3|onnxruntime MODEL HEIGHT WIDTH THREADS`.
The clock starts after the interpreter, numpy and the engine's library are loaded.
"""

import sys
import time

import numpy as np


def das3_milliseconds(path, height, width, threads):
    import checkout  # noqa: F401
    import das3

    frame = np.full((height, width, 3), 96, np.uint8)
    begin = time.perf_counter()
    das3.Segmenter(das3.Model(path), height=height, width=width, threads=threads).run(frame)
    return 1000 * (time.perf_counter() - begin)


def onnxruntime_milliseconds(path, height, width, threads):
    from reference import Session, labels_of

    tensor = np.zeros((1, 3, height, width), np.float32)
    begin = time.perf_counter()
    labels_of(Session(path, threads).run(tensor), height, width)
    return 1000 * (time.perf_counter() - begin)


def main():
    engine, path, *numbers = sys.argv[1:]
    measure = {"das3": das3_milliseconds, "onnxruntime": onnxruntime_milliseconds}[engine]
    print(measure(path, *map(int, numbers)))


if __name__ == "__main__":
    main()
