"""Networks of kinds that were once taken wrongly or refused: ../shared/cases/onnx/cases.json says
what is right, ONNX Runtime computed it."""

import json

import das3
import numpy as np
import pytest
from conftest import ROOT

FOLDER = ROOT.parent / "shared" / "cases" / "onnx"
CASES = json.loads((FOLDER / "cases.json").read_text())["cases"] if FOLDER.exists() else []


@pytest.mark.skipif(not CASES, reason="there is no shared folder")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"].removesuffix(".onnx"))
def test_case(case):
    path = FOLDER / case["file"]
    if case["expect"] == "refused":
        with pytest.raises(das3.Das3Error) as caught:
            das3.Model(path)
        assert isinstance(caught.value, (das3.UnsupportedError, das3.ShapeError)), caught.value
        return
    expected = np.load(path.with_suffix(".npz"))
    image = expected["image"]
    model = das3.Model(path)
    segmenter = das3.Segmenter(model, height=image.shape[1], width=image.shape[2])
    result = segmenter.run(image, probabilities=True)
    if "labels" in expected:
        assert np.array_equal(result.labels, expected["labels"])
        return
    if "probability" in expected:
        one = expected["probability"]
        probabilities = np.stack([1 - one, one])
        assert len(model.classes) == 2
    else:
        probabilities = expected["probabilities"]
    assert np.allclose(result.probabilities, probabilities, atol=2e-5)
    sure = np.sort(probabilities, axis=0)
    sure = sure[-1] - sure[-2] > 1e-4
    assert np.array_equal(result.labels[sure], probabilities.argmax(axis=0)[sure])
