"""Handles: closed, shared, forked, at exit; messages; the GIL while the library works."""

import contextlib
import gc
import importlib.metadata
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import das3
import numpy as np
import pytest
from conftest import SMALL, STREET


def test_closed_handles_say_so(path, frame):
    model = das3.Model(path)
    segmenter = das3.Segmenter(model)
    model.close()
    model.close()
    assert segmenter.run(frame).labels.shape == frame.shape[:2]  # keeps what it needs alive
    segmenter.close()
    with pytest.raises(das3.ArgumentError, match="this Model is closed"):
        model.info  # noqa: B018
    with pytest.raises(das3.ArgumentError, match="this Segmenter is closed"):
        segmenter.run(frame)


def test_any_order_of_closing(path):
    for seed in range(20):
        model = das3.Model(path)
        handles = [model, das3.Segmenter(model), das3.Evaluator(9)]
        handles.append(das3.Adapter(model, **SMALL))
        random.Random(seed).shuffle(handles)
        for handle in handles:
            handle.close()


def test_forgotten_handles_are_freed(path, reach, frame):
    def resident():
        gc.collect()
        return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def forget():
        with das3.Model(path) as model:
            das3.Segmenter(model, threads=1).run(frame)

    for _ in range(10):
        forget()
    before = resident()
    for _ in range(50):
        forget()
    assert resident() - before < 50 * 200_000  # a model alone has 260 000 bytes of weights


def test_a_failed_constructor_leaves_nothing(model, tmp_path):
    with pytest.raises(das3.FileError):
        das3.Model(tmp_path / "nowhere.onnx")
    with pytest.raises(das3.ArgumentError):
        das3.Segmenter(model, precision=7)


def test_only_models_are_pickled(segmenter):
    with pytest.raises(TypeError, match="pickle the Model instead"):
        pickle.dumps(segmenter)


def test_python_goes_on_while_the_library_works(model):
    with das3.Segmenter(model, threads=1) as segmenter:
        frame = np.zeros((480, 640, 3), np.uint8)
        segmenter.run(frame)
        ticks, seen, stop = [], 0, threading.Event()

        def tick():
            while not stop.is_set():
                ticks.append(time.perf_counter())
                time.sleep(0)

        thread = threading.Thread(target=tick)
        thread.start()
        try:
            # A busy machine may give the other thread no processor during a single frame.
            for _ in range(100):
                begin = time.perf_counter()
                segmenter.run(frame)
                end = time.perf_counter()
                seen = max(seen, sum(begin < moment < end for moment in ticks))
                ticks.clear()
                if seen > 10:
                    break
        finally:
            stop.set()
            thread.join()
    assert seen > 10


def test_one_segmenter_serves_one_thread(model):
    frame = np.zeros((480, 640, 3), np.uint8)
    errors = []

    def run():
        for _ in range(3):
            try:
                segmenter.run(frame)
            except das3.ArgumentError as error:
                errors.append(str(error))

    with das3.Segmenter(model, threads=1) as segmenter:
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert segmenter.run(frame).labels.shape == (480, 640)
    assert errors and set(errors) == {errors[0]} and "this Segmenter is in use" in errors[0]


def test_a_model_serves_many_threads(model, frame):
    expected = None
    results = []

    def run():
        with das3.Segmenter(model, threads=1) as segmenter:
            results.append(segmenter.run(frame).labels)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with das3.Segmenter(model, threads=1) as segmenter:
        expected = segmenter.run(frame).labels
    assert len(results) == 4 and all(np.array_equal(labels, expected) for labels in results)


def test_after_a_fork_the_error_is_clear(model, segmenter, frame):
    segmenter.run(frame)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        messages = []
        for use in (lambda: segmenter.run(frame), lambda: model.info, lambda: das3.Evaluator(2)):
            try:
                use()
            except das3.ForkError as error:
                messages.append(str(error))
        segmenter.close()
        os.write(writing, "\n".join(messages).encode())
        os._exit(len(messages))
    _, status = os.waitpid(child, 0)
    os.close(writing)
    assert os.waitstatus_to_exitcode(status) == 3
    assert b"before this process was forked" in os.read(reading, 4096)
    os.close(reading)
    segmenter.run(frame)


def test_a_pool_of_forks_does_not_wait_for_ever(path):
    run_python(f"""
        import das3, multiprocessing

        def use(model):
            return model.info.class_count

        model = das3.Model({str(path)!r})
        with multiprocessing.get_context("fork").Pool(2) as pool:
            try:
                pool.map_async(use, [model] * 4).get(60)
            except das3.ForkError as error:
                assert "before this process was forked" in str(error)
            else:
                raise AssertionError("a forked child used the library")
    """)


def test_a_model_that_cannot_be_unpickled_says_so_when_used(path):
    make, (kind, data) = das3.Model(path).__reduce__()
    broken = make(kind, data[:1000])
    with pytest.raises(das3.FormatError):
        broken.info  # noqa: B018
    assert repr(broken).startswith("<das3.Model ")
    broken.close()


def test_a_pool_of_spawned_processes_works(path, tmp_path):
    (tmp_path / "spawn.py").write_text(
        "import das3, multiprocessing\n"
        "def use(model):\n"
        "    return model.info.class_count\n"
        "if __name__ == '__main__':\n"
        f"    model = das3.Model({str(path)!r})\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        assert pool.map_async(use, [model] * 2).get(300) == [9, 9]\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "spawn.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_handles_show_what_they_are(path, model, frame):
    assert repr(model) == "<das3.Model any size, 9 classes, 65017 parameters>"
    with das3.Segmenter(model, threads=1) as segmenter:
        assert repr(segmenter) == "<das3.Segmenter size of the first frame, 9 classes, 1 threads>"
        segmenter.run(frame)
        assert "80x60" in repr(segmenter) or "80x64" in repr(segmenter)
    assert repr(segmenter) == "<das3.Segmenter this Segmenter is closed>"
    with das3.Adapter(model, **SMALL) as adapter:
        assert repr(adapter) == "<das3.Adapter 72x56, 0 frames, 1 threads>"
    with das3.Evaluator(9) as evaluator:
        assert repr(evaluator) == "<das3.Evaluator 9 classes, 0 pixels>"
        evaluator.add(np.zeros(3, np.uint8), np.zeros(3, np.uint8))
        assert repr(evaluator) == "<das3.Evaluator 9 classes, 3 pixels, mIoU 1.0000>"


def test_the_package_has_the_version_of_its_library():
    assert das3.__version__ == das3.version() != ""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        assert importlib.metadata.version("das3") == das3.__version__


def test_the_wheel_carries_the_program():
    if not Path(das3.__file__).with_name("das3-run").exists():
        pytest.skip("not from a wheel")
    command = Path(sys.executable).with_name("das3-run")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert das3.__version__ in done.stdout


def test_an_import_may_be_forked(path):
    run_python(f"""
        import os, das3
        child = os.fork()
        if child == 0:
            os._exit(das3.Model({str(path)!r}).info.class_count)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    """)


def test_handles_may_be_open_at_exit(path):
    run_python(f"""
        import das3
        das3.set_log_callback(lambda level, message: None, das3.LogLevel.DEBUG)
        model = das3.Model({str(path)!r})
        segmenter = das3.Segmenter(model)
        das3.hidden = segmenter, das3.Adapter(model)
    """)


def test_ctrl_c_ends_a_run(path):
    run_python(f"""
        import das3, numpy, os, signal, threading
        with das3.Model({str(path)!r}) as model:
            with das3.Adapter(model, method="das3", threads=1, height=56, width=72) as adapter:
                adapter.add_frame(numpy.zeros((56, 72, 3), numpy.uint8))
                threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
                try:
                    adapter.run()
                except KeyboardInterrupt:
                    print(adapter.step().total_step)
    """)


def test_messages_and_what_their_receiver_raises():
    silent = (STREET / "street.onnx").read_bytes().replace(b"input", b"inpuT")
    said = []

    def receive(level, message):
        said.append((level, message))
        if len(said) == 2:
            raise KeyError("enough")

    try:
        das3.set_log_callback(receive)
        das3.Model.from_bytes(silent).close()
        assert said[0][0] is das3.LogLevel.WARNING and "preprocessing" in said[0][1]
        with pytest.raises(KeyError, match="enough"):
            das3.Model.from_bytes(silent)
    finally:
        das3.set_log_callback(None)
    das3.Model.from_bytes(silent).close()
    assert len(said) == 2
    with pytest.raises(das3.ArgumentError, match="minimum_level"):
        das3.set_log_callback(receive, 7)


def test_more_threads_than_processors_are_not_made(model, frame):
    said = []
    try:
        das3.set_log_callback(lambda level, message: said.append((level, message)))
        with das3.Segmenter(model, threads=1000) as segmenter:
            threads = segmenter.info.threads
            labels = segmenter.run(frame).labels
    finally:
        das3.set_log_callback(None)
    assert 1 <= threads <= len(os.sched_getaffinity(0))
    assert said == [
        (
            das3.LogLevel.WARNING,
            f"threads is 1000; {threads} are used, one for each processor of this process",
        )
    ]
    with das3.Segmenter(model, threads=1) as alone:
        assert np.array_equal(alone.run(frame).labels, labels)


@pytest.mark.parametrize("order", ["das3 torch onnxruntime", "onnxruntime torch das3"])
def test_other_packages_with_cxx_libraries_can_be_imported_before_and_after(order):
    for name in order.split():
        pytest.importorskip(name)
    run_python(f"""
        import importlib
        import numpy as np
        for name in {order.split()}:
            module = importlib.import_module(name)
            if name == "das3":
                model = module.Model({str(STREET / "street.onnx")!r})
                frame = np.zeros((56, 72, 3), np.uint8)
                assert module.Segmenter(model).run(frame).labels.shape == (56, 72)
                try:
                    module.Model.from_bytes(b"\\x08\\x07 not a network")
                except module.FormatError:
                    pass
            elif name == "torch":
                module.ones(2, 2) @ module.ones(2, 2)
            else:
                module.InferenceSession({str(STREET / "street.onnx")!r})
        """)


def run_python(code):
    lines = code.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    code = "\n".join(line[indent:] for line in lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
