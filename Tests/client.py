"""What the test scripts share: the library through ctypes, das3-run as a process, and a count of checks."""

import ctypes
import json
import pathlib
import re
import signal
import subprocess

HEADER = pathlib.Path(__file__).parents[1] / "include" / "das3.h"
TYPES = {
    "uint32_t": ctypes.c_uint32,
    "int32_t": ctypes.c_int32,
    "uint64_t": ctypes.c_uint64,
    "int64_t": ctypes.c_int64,
    "double": ctypes.c_double,
    "const char *": ctypes.c_char_p,
}


class Checks:
    def __init__(self):
        self.counts = {True: 0, False: 0}

    def __call__(self, what, good, found=""):
        self.counts[bool(good)] += 1
        print(f"{'ok    ' if good else 'FAILED'}  {what}{'' if good else f': {found}'}", flush=True)

    def end(self):
        """Prints the counts; the exit code."""
        print(f"{self.counts[True]} passed, {self.counts[False]} failed")
        return 1 if self.counts[False] else 0


def struct(name):
    """A struct of das3.h without arrays, as ctypes wants it."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    body = re.search(rf"typedef struct {name} {{(.*?)}} {name};", text, re.DOTALL).group(1)
    fields = []
    for line in body.split(";")[:-1]:
        line = " ".join(line.split())
        function = re.fullmatch(r"int32_t \(\*(\w+)\)\(.*\)", line)
        if function:
            fields.append((function.group(1), ctypes.c_void_p))
            continue
        kind, names = re.fullmatch(r"((?:const )?\w+ \*?)(.*)", line).groups()
        kind = TYPES.get(kind.strip(), ctypes.c_void_p)
        fields += [(field, kind) for field in names.split(", ")]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(str(path))
        self.c.das3_last_error.restype = ctypes.c_char_p

    def check(self, status):
        if status != 0:
            raise SystemExit(self.c.das3_last_error().decode())

    def load(self, path):
        model = ctypes.c_void_p()
        self.check(self.c.das3_model_load(ctypes.byref(model), str(path).encode(), None))
        return model


class Program:
    """das3-run and the street frames."""

    def __init__(self, program, street, scratch):
        self.program, self.street, self.scratch = program, street, scratch
        self.frames, self.truth = street / "frames", street / "truth"
        self.model = street / "street.onnx"

    def command(self, output, *arguments, command="adapt", **options):
        options = {"model": self.model, "input": self.frames, "output": output} | options
        words = [self.program, command]
        for name, value in options.items():
            if value is not None:
                words += [f"--{name.replace('_', '-')}", value]
        return [str(word) for word in [*words, *arguments]]

    def run(self, *arguments, **options):
        return subprocess.run(
            self.command(*arguments, **options), capture_output=True, text=True, timeout=600
        )

    def events(self, *arguments, **options):
        """The JSON lines of a run that must succeed."""
        result = self.run(*arguments, "--json", **options)
        if result.returncode:
            raise SystemExit(f"{options}: {result.stderr.strip()}")
        return [json.loads(line) for line in result.stdout.splitlines()]

    def pause(self, after, *arguments, **options):
        """Sends SIGINT once `after` steps are done; the events and the exit code."""
        words = self.command(*arguments, "--json", **options)
        events = []
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(words, text=True, **pipes) as process:
            for line in process.stdout:
                events.append(json.loads(line))
                if events[-1].get("total_step") == after and events[-1]["event"] == "step":
                    process.send_signal(signal.SIGINT)
            return events, process.wait()


def steps(events):
    return [event for event in events if event["event"] == "step"]


def without_times(events):
    timed = ("seconds", "network_seconds", "memory_bytes")
    return [{k: v for k, v in event.items() if k not in timed} for event in steps(events)]
