"""Evaluators against the same measures in numpy."""

import das3
import numpy as np
import pytest


def measures(labels, truth, class_count, ignore):
    """mIoU, pixel accuracy, counted pixels and IoU of each class, NaN where it is not seen."""
    counted = (truth != ignore) & (truth < class_count)
    labels, truth = labels[counted], truth[counted]
    matrix = np.zeros((class_count, 256), int)
    np.add.at(matrix, (truth, labels), 1)
    hits = np.diag(matrix[:, :class_count]).astype(float)
    union = matrix.sum(1) + matrix[:, :class_count].sum(0) - hits
    with np.errstate(invalid="ignore"):
        iou = np.where(union > 0, hits / union, np.nan)
    return np.nanmean(iou), hits.sum() / truth.size, truth.size, iou


@pytest.mark.parametrize("class_count, ignore", [(9, 255), (9, 3), (2, 0), (255, 255)])
def test_measures_are_those_of_numpy(class_count, ignore):
    random = np.random.default_rng(class_count)
    frames = random.integers(0, min(class_count + 2, 256), (5, 2, 37, 41), dtype=np.uint8)
    with das3.Evaluator(class_count, ignore) as evaluator:
        for labels, truth in frames:
            evaluator.add(labels, truth)
        found = evaluator.get_result()
    miou, accuracy, count, iou = measures(frames[:, 0], frames[:, 1], class_count, ignore)
    assert found.miou == pytest.approx(miou, abs=1e-12)
    assert found.pixel_accuracy == pytest.approx(accuracy, abs=1e-12)
    assert found.pixel_count == count
    np.testing.assert_allclose(found.iou, iou, atol=1e-12)


def test_a_class_that_is_not_seen_is_nan():
    with das3.Evaluator(3) as evaluator:
        evaluator.add(np.zeros(8, np.uint8), np.array([0, 0, 0, 0, 1, 1, 255, 255], np.uint8))
        iou = np.empty(3)
        found = evaluator.get_result(iou)
    assert found.iou is iou
    np.testing.assert_array_equal(iou, [4 / 6, 0, np.nan])
    assert found.miou == pytest.approx((4 / 6 + 0) / 2)


def test_arrays_of_any_order_are_counted():
    truth = np.arange(24, dtype=np.uint8).reshape(4, 6) % 3
    with das3.Evaluator(3) as evaluator:
        evaluator.add(truth[::-1], truth[::-1])
        evaluator.add(truth[:, ::2], np.asfortranarray(truth[:, ::2]))
        result = evaluator.get_result()
        assert result.miou == 1 and result.pixel_count == 24 + 12


def test_arrays_that_do_not_fit_are_refused():
    truth = np.zeros((4, 6), np.uint8)
    with das3.Evaluator(3) as evaluator:
        with pytest.raises(das3.ShapeError, match=r"labels is uint8 \(4, 5\); expected .*\(4, 6\)"):
            evaluator.add(truth[:, :5], truth)
        with pytest.raises(das3.ShapeError, match="truth is int64"):
            evaluator.add(truth, truth.astype(int))
        with pytest.raises(das3.ArgumentError, match="contiguous"):
            evaluator.get_result(np.zeros(6)[::2])
        with pytest.raises(TypeError, match="list"):
            evaluator.add([0], [0])
    with pytest.raises(das3.ArgumentError):
        das3.Evaluator(0)
