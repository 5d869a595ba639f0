"""Every status as its exception, each provoked by what a user may do."""

import errno
import pickle

import das3
import numpy as np
import pytest
from conftest import SMALL
from das3 import _ffi


def test_every_error_is_one_of_pythons_too():
    assert issubclass(das3.ArgumentError, ValueError)
    assert issubclass(das3.ShapeError, ValueError)
    assert issubclass(das3.OutOfMemoryError, MemoryError)
    assert issubclass(das3.FileError, OSError)
    assert issubclass(das3.FormatError, ValueError)
    assert issubclass(das3.UnsupportedError, NotImplementedError)
    assert issubclass(das3.InternalError, RuntimeError)


def test_argument(path):
    with pytest.raises(das3.ArgumentError, match="class_preset") as caught:
        das3.Model(path, class_preset="mars7")
    assert caught.value.status is das3.Status.ARGUMENT
    assert str(caught.value) == das3.last_error()


def test_what_is_no_model_frame_or_option_is_a_type_error(model):
    with pytest.raises(TypeError, match=r"model is a str; expected a das3\.Model"):
        das3.Segmenter("network.onnx")
    with pytest.raises(TypeError, match=r"expected a das3\.Model"):
        das3.Adapter(None)
    for option, value, kind in (
        ("steps_a", 2.5, "int"), ("alpha", "much", "float"),
        ("stages", 7, "str"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=f"{option} is {value!r}; expected {kind}"):
            das3.Adapter(model, **{option: value})
    with pytest.raises(ValueError, match=r"method is 'tend'; .* bn, tent, .* did you mean 'tent'"):
        das3.Adapter(model, method="tend")
    with das3.Segmenter(model, threads=1) as segmenter:
        with pytest.raises(das3.ArgumentError, match="format is 'bgr'"):
            segmenter.run(np.zeros((8, 8, 3), np.uint8), format="bgr")
        with pytest.raises(das3.ArgumentError, match=r"RGB8 is uint8 \(H, W, 3\)$"):
            segmenter.run(np.zeros((2, 8, 8, 3), np.uint8), format=das3.Format.RGB8)


def test_shape(model):
    picky = das3.Segmenter(model, threads=1)
    values = np.zeros((2, 8, 8), np.float32)
    with picky, pytest.raises(das3.ShapeError, match="2 planes; the network takes 3"):
        picky.run(values)
    other = changed(model.to_bytes(), b"level2.0.0.weight", b"level2.0.0.weighs")
    with das3.Model.from_bytes(other) as other, das3.Segmenter(model, threads=1) as segmenter:
        with pytest.raises(das3.ShapeError):
            das3.Model.merge([model, other])
        segmenter.set_model(model)


def test_memory(model, frame):
    with pytest.raises(MemoryError, match="bytes"), das3.Adapter(model, **SMALL, memory_limit=1000):
        pass
    with pytest.raises(das3.OutOfMemoryError):
        das3.Segmenter(model, height=64, width=64, memory_limit=1000)


def test_io(model, tmp_path):
    with pytest.raises(OSError, match=r"nowhere\.onnx"):
        das3.Model(tmp_path / "nowhere.onnx")
    with pytest.raises(das3.FileError):
        model.save(tmp_path / "no" / "folder.onnx")


def test_io_is_what_python_calls_it(path, model, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        das3.Model(tmp_path / "nowhere.onnx")
    error = caught.value
    assert error.errno == errno.ENOENT and isinstance(error, das3.FileMissingError)
    assert str(error) == das3.last_error() and "nowhere.onnx" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.errno) == (type(error), str(error), error.errno)
    with pytest.raises(IsADirectoryError):
        das3.Model(tmp_path)
    with pytest.raises(NotADirectoryError):
        das3.Model(path / "network.onnx")
    with pytest.raises(FileNotFoundError):
        model.save(tmp_path / "no" / "folder.onnx")


def test_io_of_a_callback_has_no_errno():
    error = das3.errors._error(das3.Status.IO, "the source could not read frame 3")
    assert type(error) is das3.FileError and error.errno is None
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_nul_does_not_end_a_text(path, model, tmp_path):
    with pytest.raises(das3.ArgumentError, match="without a NUL"):
        das3.Model(f"{path}\0.txt")
    with pytest.raises(das3.ArgumentError, match="without a NUL"):
        model.save(tmp_path / "a\0b")
    with pytest.raises(das3.ArgumentError, match=r"class_preset .* without a NUL"):
        das3.Model(path, class_preset="camvid11\0")
    assert list(tmp_path.iterdir()) == []


def test_format(path, tmp_path):
    with pytest.raises(das3.FormatError):
        das3.Model.from_bytes(b"no network at all")
    (tmp_path / "run.das3").write_bytes(b"no checkpoint")
    with das3.Model(path) as model, das3.Adapter(model, **SMALL) as adapter:
        adapter.add_frame(np.zeros((56, 72, 3), np.uint8))
        with pytest.raises(ValueError, match=r"run\.das3"):
            adapter.resume(tmp_path / "run.das3")


def test_unsupported(path):
    with pytest.raises(NotImplementedError, match="Rely"):
        das3.Model.from_bytes(changed(path.read_bytes(), b"Relu", b"Rely"))


def test_limit(path):
    with pytest.raises(das3.LimitError, match="10"):
        das3.Model(path, max_nodes=10)


def test_cancelled(adapter, frame):
    adapter.add_frame(frame)
    adapter.cancel()
    with pytest.raises(das3.CancelledError):
        adapter.step()
    assert adapter.step().step == 1


def test_internal(model, monkeypatch, reach):
    # Nobody knows how to provoke one; the library's answer is made up.
    answer = reach.watched("das3_model_get_info", lambda model, info: das3.Status.INTERNAL)
    monkeypatch.setattr(_ffi.library, "das3_model_get_info", answer)
    with pytest.raises(das3.InternalError) as caught:
        model.info  # noqa: B018
    assert caught.value.status is das3.Status.INTERNAL


def test_names_of_statuses():
    for status in das3.Status:
        expected = "DAS3_OK" if status is das3.Status.OK else f"DAS3_E_{status.name}"
        assert das3.status_name(status) == expected
    assert das3.status_name(-99) == "unknown"


def test_errors_can_be_pickled():
    error = pickle.loads(pickle.dumps(das3.ShapeError("2 planes")))
    assert isinstance(error, das3.ShapeError) and str(error) == "2 planes"


def changed(data, old, new):
    assert old in data and len(old) == len(new)
    return data.replace(old, new)
