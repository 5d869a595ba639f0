"""What the test scripts share: das3-run as a process, and a count of checks."""

import json
import signal
import subprocess


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


class Program:
    """das3-run and the street frames."""

    def __init__(self, program, street, scratch):
        self.program, self.street, self.scratch = program, street, scratch
        self.frames, self.truth = street / "frames", street / "truth"
        self.model = street / "street.onnx"

    def command(self, output, *arguments, command="adapt", **options):
        options = {"model": self.model, "input": self.frames, "output": output} | options
        if command == "adapt":
            options = {"method": "das3"} | options  # scripts ask for the guard where they test it
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

    def disturb(self, after, act, *arguments, **options):
        """Does `act` to the process after so many steps or frames; events, exit code, stderr."""
        words = self.command(*arguments, "--json", **options)
        events, left = [], after
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(words, text=True, **pipes) as process:
            for line in process.stdout:
                events.append(json.loads(line))
                if events[-1]["event"] not in ("step", "frame"):
                    continue
                left -= 1
                if left == 0:
                    act(process)
                    if process.stdout.closed:
                        break
            return events, process.wait(), process.stderr.read()

    def pause(self, after, *arguments, **options):
        """Sends SIGINT once `after` steps are done; the events and the exit code."""
        return self.disturb(after, interrupt, *arguments, **options)[:2]


def interrupt(process):
    process.send_signal(signal.SIGINT)


def rubbish(das3, check, code, words, *arguments, **options):
    """Must end with this exit code and one line that has these words, and write nothing."""
    output = das3.scratch / "rubbish.onnx"
    result = das3.run(options.pop("output", output), *arguments, **options)
    lines = result.stderr.strip().splitlines()
    good = result.returncode == code and lines and words in lines[0] and not output.exists()
    # Wrong usage is followed by how it should be.
    good = good and (code == 2 or len(lines) == 1) and not result.stdout
    check(f"exit code {code}, \"… {words} …\"", good, f"{result.returncode}, {result.stderr.strip()}")


def copies(frames, folder, count=3):
    """More frames, so that they or their labels do not fit into memory."""
    folder.mkdir()
    for number in range(count):
        for frame in frames.iterdir():
            (folder / f"{number}{frame.name}").symlink_to(frame)
    return folder


def steps(events):
    return [event for event in events if event["event"] == "step"]


def without_times(events):
    timed = ("seconds", "network_seconds", "memory_bytes")
    return [{k: v for k, v in event.items() if k not in timed} for event in steps(events)]
