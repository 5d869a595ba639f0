"""A process that may have little memory (`ulimit -v`): an exception, and the process lives."""

import numpy as np
import pytest
from test_lifetime import run_python


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """38 MB of weights in one convolution."""
    onnx = pytest.importorskip("onnx")
    make = onnx.helper.make_node
    weights = {"a": (1024, 3, 1, 1), "b": (1024, 1024, 3, 3), "c": (5, 1024, 1, 1)}
    tensors = [
        onnx.numpy_helper.from_array(np.full(shape, 1 / np.prod(shape), np.float32), name)
        for name, shape in weights.items()
    ]
    graph = onnx.helper.make_graph(
        [
            make("Conv", ["x", "a"], ["p"]),
            make("Conv", ["p", "b"], ["q"], pads=[1, 1, 1, 1]),
            make("Relu", ["q"], ["r"]),
            make("Conv", ["r", "c"], ["y"]),
        ],
        "large",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 3, 16, 16])],
        [onnx.helper.make_tensor_value_info("y", 1, [1, 5, 16, 16])],
        tensors,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = tmp_path_factory.mktemp("large") / "large.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("megabytes", [24, 130, 170, 200, 250, 300, 350, 400, 450, 500, 600])
def test_each_call_succeeds_or_has_no_memory(large, megabytes):
    run_python(f"""
        import pathlib, resource
        import das3, numpy

        folder = pathlib.Path({str(large.parent)!r})
        data = (folder / "large.onnx").read_bytes()
        frame = numpy.zeros((1200, 1600, 3), numpy.uint8)
        small = dict(height=16, width=16, threads=1, steps_a=1, steps_b=1, steps_c=1)
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + ({megabytes} << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

        def attempt(function, *arguments, **options):
            try:
                return function(*arguments, **options)
            except das3.OutOfMemoryError:
                return None

        model = attempt(das3.Model.from_bytes, data)
        adapter = model and attempt(das3.Adapter, model, **small)
        if adapter:
            attempt(adapter.add_frame, frame)
            attempt(adapter.run)
            attempt(adapter.save, folder / "{megabytes}.das3")
            better = attempt(adapter.snapshot)
            if better:
                attempt(better.save, folder / "{megabytes}.onnx")
            other = attempt(das3.Adapter, model, **small)
            if other and (folder / "{megabytes}.das3").exists():
                attempt(other.add_frame, frame)
                attempt(other.resume, folder / "{megabytes}.das3")
        """)
