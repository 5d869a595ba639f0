"""Runs last: everything of das3.h was called from Python by a test; the table that says so."""

import pytest
from das3 import _ffi
from das3.errors import _BY_STATUS, Status, library


def rows(reach):
    for name in _ffi.SIGNATURES:
        callers = sorted(reach.callers[name])
        names = ", ".join(callers[:4]) + (", …" if callers[4:] else "")
        yield name, names, len(reach.tests[name])
    for status in Status:
        exception = _BY_STATUS[status].__name__ if status else ""
        yield library.das3_status_name(status).decode(), exception, len(reach.tests[status])


def test_everything_is_reached(request, reach, capsys):
    if len(request.session.items) == 1 or request.config.option.keyword:
        pytest.skip("the table is of all tests")
    table = list(rows(reach))
    with capsys.disabled():
        print(f"\n\n{'das3.h':32} {'tests':>5}  Python")
        for name, python, tests in table:
            print(f"{name:32} {tests:5}  {python}")
    assert [name for name, _, tests in table if tests == 0] == []
