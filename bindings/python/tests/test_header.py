"""The package says the same as das3.h: functions, structs, numbers, options."""

import ctypes
import re
import sys
import typing

import das3
import pytest
from conftest import ROOT
from das3 import _ffi
from das3.adapter import _ENUMERATIONS

HEADER = re.sub(r"/\*.*?\*/", "", (ROOT / "include" / "das3.h").read_text(), flags=re.DOTALL)
SCALARS = {
    "uint8_t": ctypes.c_uint8,
    "uint32_t": ctypes.c_uint32,
    "int32_t": ctypes.c_int32,
    "uint64_t": ctypes.c_uint64,
    "int64_t": ctypes.c_int64,
    "size_t": ctypes.c_size_t,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "das3_status": ctypes.c_int32,
    "const char *": ctypes.c_char_p,
}
STRUCTS = dict(re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", HEADER, re.DOTALL))
STRUCTS = {name: body for body, name in STRUCTS.items()}
FUNCTIONS = re.findall(r"DAS3_API ([\w ]+?[ *]+)(das3_\w+)\((.*?)\);", HEADER, re.DOTALL)
ENUMS = {
    das3.Format: "FORMAT",
    das3.ExternalData: "EXTERNAL_DATA",
    das3.Precision: "PRECISION",
    das3.Method: "METHOD",
    das3.Start: "START",
    das3.BlendReason: "BLEND_REASON",
    das3.GuardOrigin: "GUARD_ORIGIN",
    das3.GuardReason: "GUARD_REASON",
    das3.GuardVeto: "GUARD_VETO",
    das3.BatchNorm: "BATCH_NORM",
    das3.Optimizer: "OPTIMIZER",
    das3.LogLevel: "LOG",
}
OPTIONS = {
    "das3_model_options": das3.ModelOptions,
    "das3_segmenter_options": das3.SegmenterOptions,
    "das3_adapter_options": das3.AdapterOptions,
    "das3_online_options": das3.OnlineOptions,
}


def fields(body):
    """Names of a struct's fields with how each is declared."""
    for line in " ".join(body.split()).split(";")[:-1]:
        callback = re.fullmatch(r"\s*int32_t \(\*(\w+)\)\(.*\)", line)
        if callback:
            yield callback.group(1), "callback"
            continue
        kind, names = re.fullmatch(r"\s*((?:const )?\w+ \*?(?:const \*)?)(.*)", line).groups()
        for name in names.split(", "):
            name, _, count = name.rstrip("]").partition("[")
            yield name, kind.strip() + (f"[{count}]" if count else "")


def as_ctypes(kind):
    kind, _, count = kind.rstrip("]").partition("[")
    base = SCALARS.get(kind) or (ctypes.c_void_p if "*" in kind else getattr(_ffi, kind, None))
    if count and not count.isdigit():
        count = re.search(rf"{count} = (\d+)", HEADER).group(1)
    return base * int(count) if count else base


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_struct_has_the_fields_of_the_header(name):
    expected = list(fields(STRUCTS[name]))
    found = getattr(_ffi, name)._fields_
    if name == "das3_adapter_options":  # the library lists options alone
        expected = [field for field in expected if field[0] != "reserved"]
    assert [field for field, _ in found] == [field for field, _ in expected]
    for (field, kind), (_, declared) in zip(found, expected):
        if declared == "callback":
            assert issubclass(kind, ctypes._CFuncPtr), field
        elif "[" in declared:
            assert (kind._type_, kind._length_) == (
                as_ctypes(declared)._type_,
                as_ctypes(declared)._length_,
            )
        else:
            assert kind is as_ctypes(declared), field


def test_signatures_are_the_functions_of_the_header():
    assert {name for _, name, _ in FUNCTIONS} == set(_ffi.SIGNATURES)


@pytest.mark.parametrize("result, name, parameters", FUNCTIONS, ids=[f[1] for f in FUNCTIONS])
def test_signature_takes_what_the_header_says(result, name, parameters):
    found_result, found = _ffi.SIGNATURES[name]
    assert found_result is SCALARS.get(result.strip())
    declared = [] if parameters == "void" else " ".join(parameters.split()).split(", ")
    assert len(found) == len(declared)
    for kind, parameter in zip(found, declared):
        base = re.sub(r"\w+$", "", parameter).replace("const ", "").strip()
        if base == "char *":
            assert kind is ctypes.c_char_p, parameter
        elif base == "char **":
            assert kind is ctypes.POINTER(ctypes.c_char_p), parameter
        elif "*" not in base and base in SCALARS:
            assert kind is SCALARS[base], parameter
        elif base.rstrip(" *") in STRUCTS:
            assert kind is ctypes.POINTER(getattr(_ffi, base.rstrip(" *"))), parameter
        elif "*" in base:
            pointers = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
            assert kind in (*pointers, ctypes.POINTER(ctypes.c_double)), parameter
        else:
            assert issubclass(kind, ctypes._CFuncPtr), parameter


@pytest.mark.parametrize("kind, prefix", ENUMS.items())
def test_enum_has_the_numbers_of_the_header(kind, prefix):
    found = re.findall(rf"DAS3_{prefix}_(\w+) = (\d+)", HEADER)
    assert {name: int(number) for name, number in found} == dict(kind.__members__)


def test_statuses_are_those_of_the_header():
    found = re.findall(r"DAS3_(?:E_)?(\w+) = (-?\d+)", HEADER.split("enum {")[1].split("}")[0])
    assert {name: int(number) for name, number in found} == dict(das3.Status.__members__)


@pytest.mark.parametrize("status", list(das3.Status)[1:])
def test_status_has_an_exception(status):
    kinds = [k for k in vars(das3).values() if isinstance(k, type) and issubclass(k, Exception)]
    own = {k for k in kinds if vars(k).get("status") == status and k is not das3.ForkError}
    assert own == {das3.errors._BY_STATUS[status], *(own & {das3.Das3Error})}
    assert issubclass(das3.errors._BY_STATUS[status], das3.Das3Error)


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_those_of_the_header(name):
    found = {field.rstrip("_"): kind for field, kind in OPTIONS[name].__annotations__.items()}
    own = ("struct_size", "reserved")
    expected = {f: k for f, k in getattr(_ffi, name)._fields_ if f not in own}
    assert list(found) == list(expected)
    for field, kind in expected.items():
        hint = found[field].__forward_arg__.split("[")[0].split(" ")[0]
        if f"das3_{field}_options" in OPTIONS:  # options of another object
            assert getattr(das3, hint) is OPTIONS[f"das3_{field}_options"]
            continue
        if kind is ctypes.c_char_p:
            assert hint == "str", field
        elif kind is ctypes.c_double:
            assert hint == "float", field
        else:
            assert hint in ("int", "bool") or issubclass(getattr(das3, hint), int), field


def test_options_of_an_adapter_are_described():
    options = das3.adapter_options()
    assert [o.name for o in options] == [f.rstrip("_") for f in das3.AdapterOptions.__annotations__]
    assert all(option.meaning for option in options)
    words = {o.name: o.words.upper().split("|") for o in options if o.words}
    assert words == {name: list(kind.__members__) for name, kind in _ENUMERATIONS.items()}


@pytest.mark.parametrize("kind, number", re.findall(r"DAS3_OPTION_(\w+) = (\d+)", HEADER))
def test_kind_of_an_option_is_a_type(kind, number):
    declared = {"DOUBLE": "double", "STRING": "const char *"}.get(kind, f"{kind.lower()}_t")
    assert _ffi.OPTION_KINDS[int(number)] is SCALARS[declared]


@pytest.mark.parametrize("name", OPTIONS)
def test_defaults_fill_as_much_as_fits(name):
    struct = getattr(_ffi, name)
    whole = struct()
    getattr(_ffi.library, f"{name}_init")(ctypes.byref(whole))
    assert whole.struct_size == ctypes.sizeof(struct)
    for size in 0, 4, 13, ctypes.sizeof(struct):
        room = struct.from_buffer(bytearray(b"\xab" * ctypes.sizeof(struct)))
        getattr(_ffi.library, f"{name}_init_sized")(ctypes.byref(room), size)
        expected = bytearray(b"\xab" * ctypes.sizeof(struct))
        expected[:size] = bytes(whole)[:size]
        expected[:4] = size.to_bytes(4, sys.byteorder) if size else expected[:4]
        assert bytes(room) == bytes(expected)


@pytest.mark.parametrize(
    "kind, name",
    [
        (das3.ModelInfo, "das3_model_info"),
        (das3.SegmenterInfo, "das3_segmenter_info"),
        (das3.adapter.AdapterInfo, "das3_adapter_info"),
        (das3.Report, "das3_adapter_report"),
        (das3.OnlineReport, "das3_online_report"),
    ],
)
def test_record_has_the_fields_of_the_struct(kind, name):
    hidden = "struct_size", "reserved"
    assert list(kind._fields) == [f for f, _ in getattr(_ffi, name)._fields_ if f not in hidden]
    assert typing.get_type_hints(kind)


def test_versions():
    numbers = [
        re.search(rf"#define DAS3_VERSION_{part} (\d+)", HEADER).group(1)
        for part in ("MAJOR", "MINOR", "PATCH")
    ]
    assert das3.version() == das3.__version__ == ".".join(numbers)
    abi = int(re.search(r"#define DAS3_ABI_VERSION (\d+)", HEADER).group(1))
    assert das3.abi_version() == _ffi.ABI_VERSION == abi
