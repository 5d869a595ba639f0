"""How long a network of thousands of nodes takes until its first step of training.

    python3 benchmarks/plan.py [--nodes N,N,...] [--json]

Each network is a sum of so many products of one small image, all of which are alive at once and any
of which may be dropped and computed again: the most that planning can have to choose from. It is
timed without a memory limit and with one that the plan alone could not keep. Planning should take
about as many times longer as there are more nodes; `PlanRecomputeTests` counts what it tries.
"""

import argparse
import json
import time

import checkout  # noqa: F401  isort: skip

import das3
import numpy as np
from onnx import TensorProto, helper, numpy_helper

SIZE, CHANNELS = 8, 4


def network(count):
    """The file's bytes."""
    random = np.random.default_rng(5)

    def weight(name, *shape):
        return numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)

    nodes = [helper.make_node("Conv", ["x", "w"], ["c"])]
    nodes += [helper.make_node("Mul", ["c", f"s{i}"], [f"m{i}"]) for i in range(count)]
    nodes.append(helper.make_node("Sum", [f"m{i}" for i in range(count)], ["y"]))
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, SIZE, SIZE])
        for name, channels in (("x", 3), ("y", CHANNELS))
    ]
    weights = [weight("w", CHANNELS, 3, 1, 1)]
    weights += [weight(f"s{i}", CHANNELS, 1, 1) for i in range(count)]
    graph = helper.make_graph(nodes, "sum", values[:1], values[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model.SerializeToString()


def seconds(model, **options):
    """From a loaded model to the end of one step, and the bytes that it took."""
    begin = time.perf_counter()
    entropy = das3.Method.ENTROPY
    with das3.Adapter(model, threads=1, method=entropy, steps_a=1, **options) as adapter:
        adapter.add_frame(np.full((SIZE, SIZE, 3), 96, np.uint8))
        report = adapter.step()
        return time.perf_counter() - begin, report.memory_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", default="250,500,1000,2000", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rows = []
    for count in map(int, options.nodes.split(",")):
        model = das3.Model.from_bytes(network(count))
        free, size = seconds(model)
        limited, _ = seconds(model, memory_limit=size * 9 // 10)
        rows.append({"nodes": count, "seconds": free, "bytes": size, "limited_seconds": limited})
    if options.json:
        print(json.dumps({"rows": rows}))
        return
    print(f"{'nodes':>6} {'seconds':>8} {'with 90 % of the memory':>24}")
    for row in rows:
        print(f"{row['nodes']:6} {row['seconds']:8.2f} {row['limited_seconds']:24.2f}")


if __name__ == "__main__":
    main()
