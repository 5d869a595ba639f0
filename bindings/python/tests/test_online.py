"""A camera loop: labels of the moment, learning beside it, what is kept for the next process."""

import threading

import das3
import numpy as np
import pytest
from conftest import STREET, picture
from das3 import GuardOrigin, GuardReason, Status

LEARNING = dict(steps_per_frame=2, stage_steps=6, segmenter=dict(threads=1))


@pytest.fixture(scope="module")
def frames():
    """60 views of the street by night and day, all different."""
    night = [picture(path) for path in sorted((STREET / "frames").glob("*.png"))]
    return [np.ascontiguousarray(np.roll(night[i % len(night)], 3 * i, axis=1)) for i in range(60)]


@pytest.fixture
def online(model):
    with das3.Online(model, **LEARNING) as online:
        yield online


def test_every_frame_is_labelled_and_something_is_learned(model, online, frames):
    with das3.Segmenter(model, threads=1) as segmenter:
        assert np.array_equal(online.run(frames[0]).labels, segmenter.run(frames[0]).labels)
    assert online.report.reason is GuardReason.FEW_FRAMES
    for frame in frames[1:]:
        online.run(frame, confidence=True)
    report = online.report
    assert (report.frame_count, report.observed_count) == (60, 60)
    assert report.total_step > 0 and report.judged_count > 0 and report.status is Status.OK
    assert (report.origin is GuardOrigin.SOURCE) == (report.reason is not GuardReason.NONE)
    assert report.score > 0 and report.seconds > 0 and report.memory_bytes > 0
    assert "60 frames" in repr(online)


def test_a_mask_is_set_before_the_first_frame(model, frames):
    mask = np.zeros((8, 4), bool)
    mask[6:] = True
    with das3.Online(model, **LEARNING, adapter=dict(find_ignored=False)) as online:
        online.set_ignored(mask)
        for frame in frames[:40]:
            online.run(frame)
        report = online.report
        assert report.ignored_share == pytest.approx(0.25, abs=0.03) and report.found_share == 0
        assert report.total_step > 0 and report.status is Status.OK
        with pytest.raises(das3.ArgumentError, match="before the first"):
            online.set_ignored(None)


def test_what_was_learned_goes_to_another_process(model, frames, tmp_path):
    with das3.Online(model, **LEARNING, adapter=dict(guard=0)) as online:
        for frame in frames:
            online.run(frame)
        online.save(tmp_path / "drive.das3")
        better = online.snapshot()
    assert not np.array_equal(better.get_parameters(), model.get_parameters())
    with das3.Online(model, **LEARNING) as other, das3.Segmenter(better, threads=1) as segmenter:
        other.resume(tmp_path / "drive.das3")
        assert np.array_equal(other.run(frames[0]).labels, segmenter.run(frames[0]).labels)
        with pytest.raises(das3.ArgumentError, match="before the first"):
            other.resume(tmp_path / "drive.das3")
        with pytest.raises(das3.FileMissingError):
            other.save(tmp_path / "missing" / "drive.das3")


def test_pause_go_on_and_reset(model, online, frames):
    online.pause()
    for frame in frames[:30]:
        online.run(frame)
    assert online.report.paused and online.report.observed_count == 0
    online.go_on()
    for frame in frames:
        online.run(frame)
    assert not online.report.paused and online.report.total_step > 0
    online.reset()
    assert online.report.total_step == 0
    assert np.array_equal(online.snapshot().get_parameters(), model.get_parameters())


def test_other_threads_ask_while_a_thread_learns(model, frames):
    with das3.Online(model, budget=1.0, probes=12, segmenter=dict(threads=1)) as online:
        is_over = threading.Event()
        seen = []

        def ask():
            while not is_over.is_set():
                seen.append(online.report.observed_count)
                online.snapshot().close()
                is_over.wait(0.01)

        asking = threading.Thread(target=ask)
        asking.start()
        while online.report.observed_count < 2:
            for frame in frames:
                online.run(frame)
        is_over.set()
        asking.join()
        assert seen == sorted(seen)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(budget=2.0), "budget is 2.0; expected 0.0 to 1.0"),
        (dict(adapter=dict(method="tent")), "expected auto or das3"),
        (dict(segmenter=dict(format=99)), "format"),
    ],
)
def test_options_are_checked(model, options, message):
    with pytest.raises(das3.ArgumentError, match=message):
        das3.Online(model, **options)


def test_unknown_options_are_refused(model):
    with pytest.raises(TypeError, match="did you mean 'budget'"):
        das3.Online(model, bugdet=1.0)
    with pytest.raises(TypeError, match="stepps_a"):
        das3.Online(model, adapter=dict(stepps_a=1))
