"""The quick start of README.md; run it in the root of the repository."""

from pathlib import Path

import das3
import numpy as np
from PIL import Image

paths = sorted(Path("examples/street/frames").glob("*.png"))
frames = [np.asarray(Image.open(path)) // 3 for path in paths]  # at night: uint8 (H, W, 3)

with das3.Model("examples/street/street.onnx") as model, das3.Segmenter(model) as segmenter:
    labels = segmenter.run(frames[0]).labels  # uint8 (H, W); confidence=True, entropy=True, …

    with das3.Adapter(model, method=das3.Method.BN, steps_a=24) as adapter:  # default: AUTO
        adapter.set_source(frames)
        adapter.run(progress=True)  # by tqdm where it is installed; Ctrl-C ends it
        better = adapter.snapshot()

    better.save("build/better.onnx")
    segmenter.set_model(better)
    changed = (segmenter.run(frames[0]).labels != labels).mean()
    print(f"{changed:.1%} of the pixels of {paths[0].name} have another label")
