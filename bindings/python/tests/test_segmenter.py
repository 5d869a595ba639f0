"""Segmenters: frames where they lie, results where the caller wants them, numbers as in numpy."""

import threading

import das3
import numpy as np
import pytest
import reference
from das3 import Format, _ffi
from PIL import Image

ROWS = {"labels": np.uint8, "confidence": np.uint8, "entropy": np.float32}


def random_frame(format):
    """40 x 48 pixels, U and V mild so that no colour is clipped hard."""
    random = np.random.default_rng(format)
    shape = {
        Format.RGB8: (40, 48, 3),
        Format.BGR8: (40, 48, 3),
        Format.RGBA8: (40, 48, 4),
        Format.BGRA8: (40, 48, 4),
        Format.GRAY8: (40, 48),
        Format.NV12: (60, 48),
        Format.YUYV: (40, 48, 2),
    }[format]
    return random.integers(0, 256, shape, dtype=np.uint8)


def padded(frame):
    """The same pixels with other bytes between the rows."""
    wide = np.full((frame.shape[0], frame.shape[1] + 6, *frame.shape[2:]), 77, frame.dtype)
    wide[:, : frame.shape[1]] = frame
    return wide[:, : frame.shape[1]]


@pytest.mark.parametrize("format", list(Format)[:-1])
def test_preprocessing_is_that_of_numpy(model, segmenter, format):
    frame = random_frame(format)
    expected = reference.planes(reference.rgb(frame, format), model.info)
    found = segmenter.run(frame, format=format, probabilities=True)
    again = segmenter.run(padded(frame), format=format, probabilities=True)
    assert np.array_equal(again.probabilities, found.probabilities)
    planes = segmenter.run(expected, probabilities=True)
    # Colours are rounded to float32 between the two.
    np.testing.assert_allclose(found.probabilities, planes.probabilities, atol=2e-4)


def test_pixels_are_resized_as_in_numpy(model, frame):
    height, width = 48, 104
    small = reference.resized(frame.astype(float), height, width)
    with das3.Segmenter(model, threads=1) as segmenter:
        inner = segmenter.run(reference.planes(small, model.info), probabilities=True)
    with das3.Segmenter(model, threads=1, height=height, width=width) as segmenter:
        found = segmenter.run(frame, probabilities=True).probabilities
        assert (segmenter.info.height, segmenter.info.width) == (height, width)
    # Scores and the logarithms of probabilities differ by one number a pixel, which cancels out.
    scores = np.log(np.maximum(inner.probabilities.astype(float), 1e-30))
    outer = reference.resized(np.moveaxis(scores, 0, 2), *frame.shape[:2])
    np.testing.assert_allclose(found, reference.softmax(np.moveaxis(outer, 2, 0)), atol=1e-3)


def test_results_follow_from_the_probabilities(segmenter, frame):
    found = segmenter.run(frame, confidence=True, entropy=True, probabilities=True)
    p = found.probabilities.astype(float)
    np.testing.assert_allclose(p.sum(0), 1, atol=1e-5)
    assert np.array_equal(found.labels, p.argmax(0))
    assert np.abs(found.confidence - 255 * p.max(0)).max() <= 0.5 + 1e-3
    np.testing.assert_allclose(found.entropy, reference.entropy(p), atol=1e-4)


@pytest.mark.parametrize("format", [Format.RGB8, Format.RGBA8, Format.GRAY8])
def test_a_frame_is_guessed_by_its_shape(segmenter, format):
    frame = random_frame(format)
    said = segmenter.run(frame, format=format).labels
    assert np.array_equal(segmenter.run(frame).labels, said)


def test_neither_frame_nor_results_are_copied(segmenter, frame, monkeypatch):
    run, seen = _ffi.library.das3_segmenter_run, []

    def watch(pointer, image, result):
        seen.append((image._obj.data, image._obj.stride_bytes, result._obj.labels))
        return run(pointer, image, result)

    monkeypatch.setattr(_ffi.library, "das3_segmenter_run", watch)
    labels = np.empty(frame.shape[:2], np.uint8)
    assert segmenter.run(frame, labels=labels).labels is labels
    lent = padded(frame)
    segmenter.run(lent, labels=labels)
    assert seen == [
        (frame.ctypes.data, frame.strides[0], labels.ctypes.data),
        (lent.ctypes.data, lent.strides[0], labels.ctypes.data),
    ]
    assert lent.strides[0] == frame.strides[0] + 18


def test_results_fill_the_callers_arrays(segmenter, frame):
    arrays = {name: np.zeros(frame.shape[:2], dtype) for name, dtype in ROWS.items()}
    arrays["probabilities"] = np.zeros((9, *frame.shape[:2]), np.float32)
    found = segmenter.run(frame, **arrays)
    expected = segmenter.run(frame, **dict.fromkeys(arrays, True))
    for name, array in arrays.items():
        assert getattr(found, name) is array
        assert np.array_equal(array, getattr(expected, name))


def test_only_what_was_asked_for_is_there(segmenter, frame):
    found = segmenter.run(frame, labels=False, entropy=True)
    assert found.entropy.shape == frame.shape[:2]
    with pytest.raises(AttributeError, match="pass labels=True"):
        found.labels  # noqa: B018
    with pytest.raises(AttributeError, match="classes"):
        found.classes  # noqa: B018


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: f.astype(np.float64), "float64"),
        (lambda f: f[:, :, :2], "may be YUYV, or gray with alpha"),
        (lambda f: np.moveaxis(f, 2, 0), "channels last"),
        (lambda f: f.astype(np.float32), "network takes 3"),
        (lambda f: f[0, 0], "uint8"),
        (lambda f: f[:0], "expected sizes from 1"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(segmenter, frame, change, message):
    with pytest.raises(das3.Das3Error, match=message):
        segmenter.run(change(frame))


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f[:, :, ::-1],
        lambda f: f[:, ::-1],
        lambda f: f[::-1],
        lambda f: f[:, ::2],
        lambda f: np.broadcast_to(f[:1], f.shape),
        lambda f: np.asfortranarray(f),
        lambda f: f[::-1, :, 0],
    ],
)
def test_pixels_in_another_order_are_copied(segmenter, frame, change):
    changed = change(frame)
    expected = segmenter.run(np.ascontiguousarray(changed), probabilities=True)
    found = segmenter.run(changed, probabilities=True)
    assert np.array_equal(found.probabilities, expected.probabilities)


def test_planes_in_another_order_are_copied(model, segmenter, frame):
    planes = reference.planes(frame.astype(float), model.info)
    expected = segmenter.run(planes, probabilities=True).probabilities
    last = np.ascontiguousarray(np.moveaxis(planes, 0, 2))
    for other in (np.moveaxis(last, 2, 0), planes[::-1][::-1].copy("F"), planes[:, ::-1][:, ::-1]):
        assert np.array_equal(segmenter.run(other, probabilities=True).probabilities, expected)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_images_of_pil_are_frames(segmenter, frame, mode):
    image = Image.fromarray(frame).convert(mode)
    expected = segmenter.run(np.asarray(image)).labels
    assert np.array_equal(segmenter.run(image).labels, expected)


@pytest.mark.parametrize("mode", ["P", "CMYK", "HSV", "YCbCr", "LA", "1", "I", "F"])
def test_images_whose_numbers_mean_something_else_are_refused(segmenter, frame, mode):
    image = Image.fromarray(frame)
    image = image.convert("L").convert(mode) if mode in "IF" else image.convert(mode)
    with pytest.raises(das3.ArgumentError, match=f"mode '{mode}'; expected RGB"):
        segmenter.run(image)


def test_arrays_in_files_are_frames(segmenter, frame, tmp_path):
    np.save(tmp_path / "frame.npy", frame)
    mapped = np.load(tmp_path / "frame.npy", mmap_mode="r")
    assert np.array_equal(segmenter.run(mapped).labels, segmenter.run(frame).labels)


def test_tensors_of_torch_are_frames(segmenter, frame):
    torch = pytest.importorskip("torch")
    expected = segmenter.run(frame).labels
    assert np.array_equal(segmenter.run(torch.tensor(frame)).labels, expected)
    planes = torch.tensor(frame).permute(2, 0, 1).contiguous()
    assert np.array_equal(segmenter.run(planes.permute(1, 2, 0)).labels, expected)
    with pytest.raises(das3.ArgumentError, match="channels last"):
        segmenter.run(planes)


def test_a_format_has_a_name(segmenter, frame):
    expected = segmenter.run(frame, format=Format.BGR8).labels
    assert np.array_equal(segmenter.run(frame, format="bgr8").labels, expected)
    assert np.array_equal(segmenter.run(frame, format=2).labels, expected)


def test_a_format_that_does_not_fit_is_refused(segmenter, frame):
    with pytest.raises(das3.ArgumentError, match=r"NV12 is uint8 \(H \* 3/2, W\)"):
        segmenter.run(frame[:40, :, 0].copy(), format=Format.NV12)
    with pytest.raises(das3.ArgumentError, match=r"BGRA8 is uint8 \(H, W, 4\)"):
        segmenter.run(frame, format=Format.BGRA8)
    with pytest.raises(das3.ArgumentError, match=r"YUYV is uint8 \(H, W, 2\)"):
        segmenter.run(frame, format=Format.YUYV)
    with pytest.raises(TypeError, match="not list"):
        segmenter.run([[0]])


def test_results_that_do_not_fit_are_refused(segmenter, frame):
    size = frame.shape[:2]
    with pytest.raises(das3.ShapeError, match=r"labels is uint8 \(2, 3\)"):
        segmenter.run(frame, labels=np.empty((2, 3), np.uint8))
    with pytest.raises(das3.ShapeError, match="entropy is float64"):
        segmenter.run(frame, entropy=np.empty(size))
    locked = np.empty(size, np.uint8)
    locked.flags.writeable = False
    with pytest.raises(das3.ArgumentError, match="writeable"):
        segmenter.run(frame, labels=locked)


def test_results_show_themselves(segmenter, frame):
    found = segmenter.run(frame, entropy=True)
    assert repr(found) == ("<das3.Segmentation labels=uint8 (60, 80), entropy=float32 (60, 80)>")


def test_a_model_is_prepared_beside_the_frames(model, segmenter, frame):
    before = segmenter.run(frame, probabilities=True).probabilities
    with model.with_parameters(model.get_parameters() * np.float32(0.9)) as other:
        thread = threading.Thread(target=segmenter.prepare_model, args=(other,))
        thread.start()
        beside = [segmenter.run(frame, probabilities=True).probabilities for _ in range(5)]
        thread.join()
        assert all(np.array_equal(each, before) for each in beside)
        segmenter.set_model(other)
        after = segmenter.run(frame, probabilities=True).probabilities
        with das3.Segmenter(other, threads=1) as alone:
            assert np.array_equal(after, alone.run(frame, probabilities=True).probabilities)
    assert not np.array_equal(after, before)


def test_each_step_is_measured(model, segmenter, frame):
    segmenter.set_profile(True)
    for _ in range(3):
        segmenter.run(frame)
    found = segmenter.profile
    assert found["threads"] == segmenter.info.threads
    assert found["peak_flops"] > 1e8 and found["peak_bandwidth"] > 1e8
    steps = found["steps"]
    assert [steps[0]["operation"], steps[-1]["operation"]] == ["frame", "labels"]
    assert all(step["runs"] == 3 and step["seconds"] > 0 for step in steps)
    starts = [step["last_start"] for step in steps]
    assert starts == sorted(starts)
    convolutions = [step for step in steps if step["operation"] == "Conv"]
    assert convolutions and all(step["kernel"] and step["node"] for step in convolutions)
    flops = sum(step.get("flops", 0) for step in steps)
    assert flops == 2 * segmenter.info.multiply_adds
    segmenter.set_profile(True)
    assert segmenter.profile["steps"] == []
    segmenter.set_profile(False)
    with pytest.raises(das3.ArgumentError, match="das3_segmenter_set_profile"):
        _ = segmenter.profile


def test_another_model_takes_over_between_frames(model, segmenter, frame):
    before = segmenter.run(frame, probabilities=True).probabilities
    with model.with_parameters(model.get_parameters() * np.float32(0.9)) as other:
        segmenter.set_model(other)
    after = segmenter.run(frame, probabilities=True).probabilities
    assert not np.array_equal(after, before)
    segmenter.set_model(model)
    assert np.array_equal(segmenter.run(frame, probabilities=True).probabilities, before)


def test_describes_itself(model, frame):
    with das3.Segmenter(model, threads=1, format=Format.RGB8) as segmenter:
        segmenter.run(frame)
        info = segmenter.info
        assert info.threads == 1 and info.precision is das3.Precision.F32
        assert info.peak_bytes > 0 and info.backend in ("onednn", "openblas")
        with pytest.raises(das3.ArgumentError):
            segmenter.run(frame, format=Format.BGR8)
