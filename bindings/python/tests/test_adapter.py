"""Adapters: losses as in numpy, frames and teachers from Python, pauses, checkpoints."""

import threading
import weakref

import das3
import numpy as np
import pytest
import reference
from conftest import SMALL
from das3 import Method
from PIL import Image

FOCAL = dict(gamma=3, lambda_=3)


def first_report(model, frame, truth=None, **options):
    """What the first step over one frame, at its own size, measured."""
    size = dict(height=frame.shape[0], width=frame.shape[1])
    options = SMALL | size | dict(flip=False, augment=False, batch_size=1) | options
    with das3.Adapter(model, **options) as adapter:
        if truth is None:
            adapter.add_frame(frame)
        else:
            adapter.add_labelled_frame(frame, truth)
        return adapter.step()


@pytest.fixture
def street(frame):
    """Sizes that divide by 8, so that no pixel is resized."""
    return np.ascontiguousarray(frame[:56, :72])


@pytest.fixture
def probabilities(segmenter, street):
    return segmenter.run(street, probabilities=True).probabilities.astype(float)


def test_losses_of_alignment_are_those_of_numpy(model, street, probabilities):
    found = first_report(model, street, alpha=2, beta=0.2, **FOCAL)
    assert found.stage == "a" and (found.step, found.step_count) == (1, 2)
    focal = reference.focal_entropy(probabilities, 3)
    diversity = reference.diversity(probabilities, 3)
    assert found.focal_entropy == pytest.approx(focal, rel=1e-3)
    assert found.diversity == pytest.approx(diversity, rel=1e-3)
    assert found.entropy == pytest.approx(reference.entropy(probabilities).mean(), rel=1e-3)
    assert found.loss == pytest.approx(2 * focal + 0.2 * diversity, rel=1e-3)


def test_each_step_of_training_is_measured(model, street):
    with das3.Adapter(model, **SMALL) as adapter:
        adapter.set_profile(True)
        adapter.add_frame(street)
        adapter.step()
        steps = adapter.profile["steps"]
    assert {"forward", "backward", "other"} == {step["pass"] for step in steps}
    operations = {step["operation"] for step in steps}
    assert {"Conv", "Conv gradient", "frame", "losses", "optimizer", "weights"} <= operations


def test_losses_of_self_training_are_those_of_numpy(model, street, probabilities):
    shares = dict(positive_share=0.65, negative_threshold=0.05, balance_classes=False)
    found = first_report(model, street, stages="b", **shares)
    labels = reference.positive_labels(probabilities, 0.65)
    assert found.positive == pytest.approx(reference.cross_entropy(probabilities, labels), rel=2e-2)
    assert found.negative == pytest.approx(reference.negative(probabilities, 0.05), rel=1e-3)
    assert found.label_coverage == pytest.approx((labels != 255).mean(), abs=2e-3)


def test_losses_of_the_baselines_are_those_of_numpy(model, street, truth, probabilities):
    square = first_report(model, street, method=Method.MAXSQUARE).max_square
    assert square == pytest.approx(reference.max_square(probabilities), rel=1e-3)
    entropy = first_report(model, street, method=Method.ENTROPY).entropy
    assert entropy == pytest.approx(reference.entropy(probabilities).mean(), rel=1e-3)
    labels = np.ascontiguousarray(truth[:56, :72])
    options = dict(method=Method.SUPERVISED, batch_norm=das3.BatchNorm.FROZEN)
    found = first_report(model, street, labels, **options).positive
    assert found == pytest.approx(reference.cross_entropy(probabilities, labels), rel=1e-3)


def test_runs_to_the_end(model, adapter, frame):
    reports = []
    adapter.add_frame(frame)
    adapter.add_frame(frame[:, ::-1].copy())
    assert adapter.run(reports.append) is True
    stages = [report.stage for report in reports if report.stage_done]
    assert stages == ["a", "b", "c"] and reports[-1].done
    assert adapter.run() is True and adapter.step().done
    info = adapter.info
    assert info.frame_count == 2 and (info.height, info.width) == (56, 72)
    assert info.threads == 1 and info.precision is das3.Precision.F32
    with adapter.snapshot() as better:
        assert not np.array_equal(better.get_parameters(), model.get_parameters())


def test_a_blend_moves_statistics_alone(model, frame):
    views = [np.roll(frame, 9 * shift, axis=1) // (1 + shift % 3) for shift in range(34)]
    reports = []
    with das3.Adapter(model, method=Method.BLEND, threads=1) as adapter:
        adapter.set_source(views)
        assert adapter.run(reports.append) is True
        last, better = reports[-1], adapter.snapshot()
    assert [candidate.share for candidate in last.blend] == [0, 0.25, 0.5]
    assert last.blend_done and not reports[0].blend_done and all(r.blending for r in reports)
    assert last.blend_share == last.blend[last.blend_choice].share
    assert last.blend_reason is das3.BlendReason.NONE and last.blend_reason.text == ""
    for candidate in last.blend:
        assert candidate.score == pytest.approx(candidate.information * candidate.agreement)
    changed = better.get_parameters() != model.get_parameters()
    for parameter in model.parameters:
        own = changed[parameter.offset : parameter.offset + parameter.size]
        assert own.any() == (parameter.is_statistic and last.blend_share > 0), parameter.name


def test_a_blend_finds_scenes_and_a_segmenter_tells_them_apart(model, frame, tmp_path):
    bright = [np.roll(frame, 9 * shift, axis=1) for shift in range(40)]
    views = [view // 6 if index % 3 == 1 else view for index, view in enumerate(bright)]
    with das3.Adapter(model, method=Method.BLEND, threads=1, scenes=3) as adapter:
        adapter.set_source(views)
        reports = []
        adapter.run(reports.append)
        last, better = reports[-1], adapter.snapshot()
    assert last.scene_count == 2 and sorted(last.scene_frames) == [7, 14]  # the others are probes
    assert last.scenes_used and 0.25 <= last.scene_share <= 0.75
    better.save(tmp_path / "scenes.onnx")
    with das3.Model(tmp_path / "scenes.onnx") as saved:
        assert saved.info.scene_count == 2 and saved.info.scene_frames == last.scene_frames
        with das3.Segmenter(saved) as split, das3.Segmenter(saved, ignore_scenes=True) as plain:
            scenes = []
            for view in views[:3]:
                split.run(view)
                plain.run(view)
                scenes.append(split.info.scene)
            assert scenes[0] == scenes[2] != scenes[1] and split.info.scene_count == 2
            assert plain.info.scene_count == 0 and plain.info.scene == -1
    assert model.info.scene_frames == ()


def test_a_blend_says_why_the_source_stays(model, frame):
    with das3.Adapter(model, method=Method.BLEND) as adapter:
        adapter.set_source([np.zeros_like(frame)] * 5)
        reports = []
        adapter.run(reports.append)
        assert reports[-1].blend_reason is das3.BlendReason.FEW_FRAMES and reports[-1].blend == ()
        assert "too few frames" in reports[-1].blend_reason.text
        assert np.array_equal(adapter.snapshot().get_parameters(), model.get_parameters())


def test_a_guard_judges_what_each_stage_leaves(model, frame):
    views = [np.roll(frame, 9 * shift, axis=1) // (1 + shift % 3) for shift in range(12)]
    reports = []
    with das3.Adapter(model, **SMALL | dict(method="auto")) as adapter:
        adapter.set_source(views)
        assert adapter.run(reports.append) is True
        last, better = reports[-1], adapter.snapshot()
    assert [r.stage for r in reports if r.stage_done] == ["", "a", "", "b", "", "c", ""]
    assert last.judging and last.guard_done and len(last.guard) == last.guard_count >= 4
    source, choice = last.guard[0], last.guard[last.guard_choice]
    assert source.origin is das3.GuardOrigin.SOURCE and choice.accepted
    assert {das3.GuardOrigin.A, das3.GuardOrigin.C} <= {entry.origin for entry in last.guard}
    assert choice.veto is das3.GuardVeto.NONE
    is_source = np.array_equal(better.get_parameters(), model.get_parameters())
    assert is_source == (last.guard_reason is not das3.GuardReason.NONE)


def test_labelled_frames_judge(model, segmenter, frame):
    views = [np.roll(frame, shift, axis=1) for shift in range(0, 96, 6)]
    options = SMALL | dict(method=Method.AUTO, stages="a", steps_a=2, label_weight=0)
    with das3.Adapter(model, **options) as adapter:
        for view in views:
            adapter.add_frame(view)
        # Of the truth's two classes the first five of the model's are one.
        adapter.set_truth_classes([0] * 5 + [1] * (len(model.classes) - 5))
        for view in views[:5]:
            adapter.add_labelled_frame(view, (segmenter.run(view).labels >= 5).astype(np.uint8))
        reports = []
        adapter.run(reports.append)
        source, *others = reports[-1].guard
        assert source.miou > 0.9 and reports[-1].blend[0].miou == source.miou
        assert all(0 <= other.probability <= 1 and other.miou > 0 for other in others)
        with pytest.raises(ValueError, match="0 to 255"):
            adapter.set_truth_classes([256])
    with das3.Adapter(model, **options) as adapter:
        with pytest.raises(das3.ShapeError):
            adapter.set_truth_classes([0, 1])
        adapter.set_truth_classes(None)


def test_a_mask_lets_pixels_count_for_nothing(model, street, truth):
    labels = np.ascontiguousarray(truth[:56, :72])
    mask = np.zeros((56, 72), bool)
    mask[:, :20] = True

    def learned(seed, mask):
        other = labels.copy()
        other[:, :20] = np.random.default_rng(seed).integers(0, 9, (56, 20))
        options = dict(method=Method.SUPERVISED, steps_a=2, threads=1, seed=1)
        with das3.Adapter(model, **options) as adapter:
            adapter.set_ignored(mask)
            adapter.add_labelled_frame(street, other)
            share = adapter.step().ignored_share
            adapter.step()
            return adapter.snapshot().get_parameters(), share

    (first, share), (second, _) = learned(1, mask), learned(2, mask.astype(np.uint8) * 7)
    assert np.array_equal(first, second) and share == pytest.approx(20 / 72)
    assert not np.array_equal(learned(1, None)[0], learned(2, None)[0])


def test_what_cannot_be_a_mask_is_refused(adapter, frame):
    for mask in (np.zeros((56, 72)), np.zeros((56, 72, 3), bool), np.zeros((0, 0), bool)):
        with pytest.raises(das3.ArgumentError, match="mask"):
            adapter.set_ignored(mask)
    with pytest.raises(das3.ArgumentError, match="every pixel"):
        adapter.set_ignored(np.ones((5, 4), bool))
    adapter.add_frame(frame)
    adapter.step()
    with pytest.raises(das3.ArgumentError, match="after the first step"):
        adapter.set_ignored(None)


def test_what_never_changes_is_found(model, frame):
    views = [np.roll(frame, 9 * shift, axis=1) // (1 + shift % 3) for shift in range(34)]
    for view in views:
        view[-14:] = 90
    reports = []
    with das3.Adapter(model, method=Method.BLEND, guard=2, threads=1) as adapter:
        adapter.set_source(views)
        adapter.run(reports.append)
    assert reports[0].found_share == 0
    assert reports[-1].found_share == reports[-1].ignored_share == pytest.approx(14 / 60, abs=0.02)
    with das3.Adapter(model, method=Method.BLEND, guard=2, find_ignored=False) as adapter:
        adapter.set_source(views)
        adapter.run(reports.append)
    assert reports[-1].found_share == 0


def test_a_guard_says_why_the_source_stays(model, frame):
    with das3.Adapter(model) as adapter:
        adapter.set_source([frame] * 6)
        reports = []
        adapter.run(reports.append)
        assert reports[-1].guard_reason is das3.GuardReason.SAME_FRAMES and reports[-1].guard == ()
        assert "all frames show the same" in reports[-1].guard_reason.text
        assert das3.GuardReason.NONE.text == ""
        assert np.array_equal(adapter.snapshot().get_parameters(), model.get_parameters())


def test_training_begins_at_a_blend(model, frame):
    options = SMALL | dict(start=das3.Start.BLEND, stages="a")
    with das3.Adapter(model, **options) as adapter:
        adapter.set_source([frame, frame[::-1].copy(), frame // 2, frame[:, ::-1].copy()])
        reports = []
        adapter.run(reports.append)
    assert [r.blending for r in reports[:4]] == [True] * 4 and not reports[-1].blending
    assert reports[-1].stage == "a" and reports[-1].blend_done


def test_a_true_result_pauses(adapter, frame):
    adapter.add_frame(frame)
    assert adapter.run(lambda report: not report.labelling) is False
    assert adapter.step().total_step == 2


def test_a_bar_follows(adapter, frame, capsys, monkeypatch):
    adapter.add_frame(frame)
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    assert adapter.run(progress=True)
    assert "stage b: 2 steps, loss " in capsys.readouterr().err


def test_a_bar_by_tqdm(adapter, frame, capsys):
    pytest.importorskip("tqdm")
    adapter.add_frame(frame)
    assert adapter.run(progress=True)
    assert "stage c" in capsys.readouterr().err


@pytest.mark.parametrize("labelling", [False, True])
def test_what_a_callback_raises_comes_out(adapter, frame, labelling):
    def follow(report):
        if report.labelling is labelling:
            raise KeyError(report.stage)

    adapter.add_frame(frame)
    with pytest.raises(KeyError, match="b" if labelling else "a"):
        adapter.run(follow)
    assert adapter.run() is True


def test_frames_come_from_a_source(adapter, frame):
    class Source:
        read = 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            assert 0 <= index < 3
            self.read += 1
            return np.roll(frame, index, 1)

    source = Source()
    adapter.set_source(source)
    assert adapter.run() is True
    assert source.read >= 6


def test_a_source_and_added_frames_are_the_same(model, frame):
    def weights(give):
        with das3.Adapter(model, **SMALL) as adapter:
            give(adapter)
            adapter.run()
            return adapter.snapshot().get_parameters()

    added = weights(lambda adapter: adapter.add_frame(frame))
    assert np.array_equal(weights(lambda adapter: adapter.set_source([frame])), added)


def test_an_iterator_is_a_source(model, frame):
    def camera():
        buffer = np.empty_like(frame)
        for shift in range(3):
            buffer[:] = np.roll(frame, shift, 1)
            yield buffer

    def weights(source):
        with das3.Adapter(model, **SMALL) as adapter:
            adapter.set_source(source)
            assert adapter.info.frame_count == 3
            adapter.run()
            return adapter.snapshot().get_parameters()

    expected = weights([np.roll(frame, shift, 1) for shift in range(3)])
    assert np.array_equal(weights(camera()), expected)


def test_an_iterator_that_fails_adds_nothing(adapter, frame):
    def camera():
        yield frame
        raise KeyError("unplugged")

    with pytest.raises(KeyError, match="unplugged"):
        adapter.set_source(camera())
    with pytest.raises(das3.ArgumentError, match="no frames"):
        adapter.set_source(iter([]))
    assert adapter.info.frame_count == 0


def test_what_is_no_set_of_frames_is_refused(adapter, frame):
    for path in ("frames", b"frames"):
        with pytest.raises(TypeError, match="source is the path"):
            adapter.set_source(path)
    with pytest.raises(TypeError, match="expected frames"):
        adapter.set_source(7)
    with pytest.raises(das3.ArgumentError, match=r"one array \(60, 80, 3\)"):
        adapter.set_source(frame)
    with pytest.raises(das3.ArgumentError, match=r"one array \(60, 80\)"):
        adapter.set_source(frame[:, :, 0], format="gray8")
    adapter.set_source(np.stack([frame, frame]))
    assert adapter.info.frame_count == 2


def test_options_have_names(model, frame):
    def weights(**options):
        with das3.Adapter(model, **SMALL | options) as adapter:
            adapter.add_frame(frame)
            adapter.run()
            return adapter.snapshot().get_parameters()

    numbers = dict(method=Method.TENT, optimizer=das3.Optimizer.ADAMW)
    assert np.array_equal(weights(method="tent", optimizer="AdamW"), weights(**numbers))


def test_images_and_tensors_are_frames(model, frame, truth):
    torch = pytest.importorskip("torch")

    def weights(frame, truth):
        with das3.Adapter(model, **SMALL | dict(method="supervised")) as adapter:
            adapter.add_labelled_frame(frame, truth)
            adapter.run()
            return adapter.snapshot().get_parameters()

    expected = weights(frame, truth)
    pictures = Image.fromarray(frame), Image.fromarray(truth)
    assert np.array_equal(weights(*pictures), expected)
    assert np.array_equal(weights(torch.tensor(frame), torch.tensor(truth)), expected)
    turned = np.asfortranarray(truth)
    assert np.array_equal(weights(frame, turned), expected)


def test_what_a_source_raises_comes_out(adapter, frame):
    frames = {0: frame}
    adapter.set_source(frames | {1: frame})
    assert adapter.step().step == 1
    with das3.Adapter(adapter.snapshot(), **SMALL) as other:
        other.set_source([frame, frame.astype(float)])
        with pytest.raises(das3.ArgumentError, match="float64"):
            other.run()


def certain(frame, kind):
    """What a teacher says that sees class 2 on the left, 5 on the right; most certain below."""
    height, width = frame.shape[0] // 2, frame.shape[1] // 2
    labels = np.full((height, width), 2, np.uint8)
    labels[:, width // 2 :] = 5
    winning = np.linspace(0.6, 0.95, labels.size).reshape(labels.shape)
    if kind is tuple:
        return labels, (255 * winning).astype(np.uint8)
    p = np.repeat(((1 - winning) / 8)[None], 9, 0).astype(kind)
    np.put_along_axis(p, labels[None], winning[None].astype(kind), 0)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(p, 0, 2)), 2, 0)  # channels last


@pytest.mark.parametrize("kind", [np.float32, np.float16, tuple])
@pytest.mark.parametrize("format", [None, das3.Format.NV12])
def test_a_teacher_is_asked(adapter, frame, kind, format):
    given = frame if format is None else np.ascontiguousarray(frame[:60, :, 0])
    asked = []

    def teacher(index, seen):
        assert np.array_equal(seen, given) and not seen.flags.writeable
        asked.append(index)
        return certain(frame, kind)

    adapter.add_frame(given, format=format)
    adapter.set_teacher(teacher)
    report = adapter.step()
    assert report.stage == "b" and set(asked) == {0} and report.label_coverage > 0.5


def test_a_model_can_teach(adapter, model, frame):
    adapter.add_frame(frame)
    adapter.set_teacher(model)
    assert adapter.step().stage == "b"


@pytest.mark.parametrize(
    "answer, error",
    [
        (lambda frame: 1 / 0, ZeroDivisionError),
        (lambda frame: certain(frame, np.float32)[:5].copy(), das3.ShapeError),
        (lambda frame: certain(frame, np.float64), das3.ShapeError),
        (lambda frame: None, das3.ArgumentError),
    ],
)
def test_what_a_teacher_raises_comes_out(adapter, frame, answer, error):
    adapter.add_frame(frame)
    adapter.set_teacher(lambda index, frame: answer(frame))
    with pytest.raises(error):
        adapter.step()


def test_resumed_is_uninterrupted(model, frame, tmp_path):
    with das3.Adapter(model, **SMALL) as first, das3.Adapter(model, **SMALL) as second:
        first.add_frame(frame)
        second.add_frame(frame)
        for _ in range(3):
            first.step()
        first.save(tmp_path / "run.das3")
        second.resume(tmp_path / "run.das3")
        assert first.run() and second.run()
        expected = first.snapshot().get_parameters()
        assert np.array_equal(second.snapshot().get_parameters(), expected)


def test_cancelled_from_another_thread(adapter, frame):
    adapter.add_frame(frame)
    threads = []

    def follow(report):
        if not threads:
            threads.append(threading.Thread(target=adapter.cancel))
            threads[0].start()
            threads[0].join()

    with pytest.raises(das3.CancelledError):
        adapter.run(follow)
    assert adapter.run() is True


def test_one_call_at_a_time(adapter, frame):
    adapter.add_frame(frame)
    with pytest.raises(das3.ArgumentError, match="this Adapter is in use"):
        adapter.run(lambda report: adapter.step())
    with pytest.raises(das3.ArgumentError, match="cannot be closed"):
        adapter.run(lambda report: adapter.close())


def test_progress_may_look_and_save(adapter, frame, tmp_path):
    seen = []

    def follow(report):
        adapter.save(tmp_path / "run.das3")
        with adapter.snapshot() as model:
            seen.append((model.info.class_count, adapter.info.frame_count))

    adapter.add_frame(frame)
    assert adapter.run(follow) is True
    assert set(seen) == {(9, 1)} and (tmp_path / "run.das3").exists()


def test_a_source_may_not_look_or_save(adapter, frame):
    class Source(list):
        def __getitem__(self, index):
            assert adapter.info.frame_count == 1
            adapter.snapshot()

    adapter.set_source(Source([frame]))
    with pytest.raises(das3.ArgumentError, match="das3_adapter_snapshot inside a callback"):
        adapter.step()


def test_callbacks_do_not_keep_an_adapter(model, frame):
    adapter = das3.Adapter(model, **SMALL)
    adapter.set_source([frame])
    adapter.set_teacher(lambda index, frame: certain(frame, tuple))
    reference = weakref.ref(adapter)
    del adapter
    assert reference() is None


def test_wrong_frames_are_refused(adapter, frame, truth):
    with pytest.raises(das3.ShapeError, match="truth is uint8"):
        adapter.add_labelled_frame(frame, truth[:5])
    with pytest.raises(das3.ArgumentError):
        adapter.set_source([])
    with pytest.raises(das3.ArgumentError, match="no frames"):
        adapter.step()
