"""The street network and frames; and who calls what of das3.h, for the table of test_reach.py."""

from __future__ import annotations

import collections
import os
import sys
from pathlib import Path

import das3
import numpy as np
import pytest
from das3 import _ffi
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
STREET = ROOT / "examples" / "street"
SMALL = dict(method="das3", threads=1, height=56, width=72, steps_a=2, steps_b=2, steps_c=2)


class Reach:
    """What of das3.h the tests of this run have called, from where, and what it answered."""

    def __init__(self):
        self.callers = collections.defaultdict(set)  # function of das3.h -> names in Python
        self.tests = collections.defaultdict(set)  # function of das3.h, or status -> tests
        self.exceptions = collections.defaultdict(set)  # status -> names in Python
        for name in _ffi.SIGNATURES:
            setattr(_ffi.library, name, self.watched(name, getattr(_ffi.library, name)))

    def watched(self, name, function):
        def call(*arguments):
            test = os.environ.get("PYTEST_CURRENT_TEST", "").split("::")[-1].split(" ")[0]
            self.callers[name].add(caller())
            self.tests[name].add(test)
            result = function(*arguments)
            if _ffi.SIGNATURES[name][0] is _ffi.c_int32:
                self.tests[result].add(test)
            return result

        return call


def caller():
    """The function or method of das3 that a test or program has called."""
    frame, found = sys._getframe(2), ""
    while frame is not None:
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module.startswith("das3"):
            owner = frame.f_locals.get("cls", type(frame.f_locals.get("self")))
            is_method = issubclass(owner, das3._handle.Handle)
            found = f"{owner.__name__}.{name}" if is_method else f"das3.{name}"
        elif module != __name__ and found:
            break
        frame = frame.f_back
    return found.replace(".__init__", "")


_reach = Reach()


@pytest.fixture
def reach():
    return _reach


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: "test_reach" in item.nodeid)  # last


@pytest.fixture(scope="session")
def path():
    return STREET / "street.onnx"


@pytest.fixture(scope="session")
def model(path):
    with das3.Model(path) as model:
        yield model


@pytest.fixture(scope="session")
def frame():
    """A street, uint8 (60, 80, 3); its truth is `truth`."""
    return picture(STREET / "frames" / "street0.png")


@pytest.fixture(scope="session")
def truth():
    return picture(STREET / "truth" / "street0.png")


def picture(path):
    """Every fourth pixel, so that tests are quick."""
    return np.ascontiguousarray(np.asarray(Image.open(path))[::4, ::4])


@pytest.fixture
def segmenter(model):
    with das3.Segmenter(model, threads=1) as segmenter:
        yield segmenter


@pytest.fixture
def adapter(model):
    """Of few steps, without frames."""
    with das3.Adapter(model, **SMALL) as adapter:
        yield adapter
