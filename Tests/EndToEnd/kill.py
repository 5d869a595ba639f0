"""Kills das3-run adapt at random moments: resumed, it must end as if nothing had happened.

    python Tests/EndToEnd/kill.py DAS3_RUN STREET

STREET is examples/street. A run of all stages writes a checkpoint after every step and is killed with
SIGKILL 50 times at random, and again until labels were being made, a checkpoint was being written and
a stage had just ended when it died. It is stopped first, so that the files it holds open tell where it
is: two without a name and no step since while labels are made, a temporary one while a checkpoint is
written.
Each step must be that of the run left alone, and so must the bytes at the end; nothing may be left.
Prints what it checks and, last, how many checks passed.
"""

import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from client import Checks, Program, copies, steps, without_times

KILLS = 50
PLACES = {"labels are made": 3, "a checkpoint is written": 3, "a stage has ended": 3}
MOST_RUNS = 25
# Steps of the stages after which labels are made: three times in (b), once in (c).
LABELLED_AFTER = (12, 24, 36, 48)
STAGED = 60
SETTINGS = {"steps": "a=12,b=36,c=12", "size": "96x72", "threads": 1}


class Victim:
    """One process of a run, which goes on where the last one was killed."""

    def __init__(self, das3, folder, memory_limit, labelled_after):
        self.folder, self.labels = folder, das3.scratch / "labels"
        self.labelled_after = labelled_after
        self.output, self.checkpoint = folder / "killed.onnx", folder / "run.das3"
        options = SETTINGS | {"checkpoint": self.checkpoint, "memory_limit": memory_limit}
        words = das3.command(
            self.output, "--resume", "--json", checkpoint_every=0, **options
        )
        environment = os.environ | {"TMPDIR": str(self.labels)}
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        self.events = []

    def follow(self, count=-1, until=lambda event: False):
        """Reads so many steps, or as many as there are."""
        while count != 0:
            line = self.process.stdout.readline()
            if not line.endswith("\n"):
                return
            self.events.append(json.loads(line))
            count -= self.events[-1]["event"] == "step"
            if until(self.events[-1]):
                return

    def places(self):
        """Where it is, as far as its open files tell."""
        names = []
        for link in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                names.append(os.readlink(link))
            except FileNotFoundError:
                pass
        found = set()
        if sum(n.startswith(f"{self.labels}/") and n.endswith(" (deleted)") for n in names) == 2:
            found.add("labels are made")
        if any(n.startswith(f"{self.folder}/.das3-") and n.endswith(".tmp") for n in names):
            found.add("a checkpoint is written")
        return found

    def wait_for(self, place):
        """Returns when it is there or has ended."""
        if place == "a stage has ended":
            self.follow(until=lambda event: event.get("stage_done") and not event["done"])
            return
        while self.state(os.WNOHANG) is None and place not in self.places():
            pass

    def state(self, flags=0):
        """Waits until it is stopped or has ended, and leaves it so."""
        flags |= os.WSTOPPED | os.WEXITED | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, flags)

    def kill(self):
        """Returns where it died; None where it had ended before."""
        os.kill(self.process.pid, signal.SIGSTOP)
        is_alive = self.state().si_code == os.CLD_STOPPED
        places = self.places() if is_alive else None
        os.kill(self.process.pid, signal.SIGKILL)
        self.follow()
        self.process.wait()
        if not is_alive:
            return None
        if steps(self.events) and steps(self.events)[-1]["total_step"] not in self.labelled_after:
            places.discard("labels are made")
        if self.events and self.events[-1].get("stage_done"):
            places.add("a stage has ended")
        return places


class Test:
    def __init__(self, das3, check):
        self.das3, self.check = das3, check
        self.random = random.Random(3)
        self.found = collections.Counter()
        self.kills = self.left = 0

    def run_alone(self):
        output = self.das3.scratch / "whole.onnx"
        start = time.monotonic()
        events = self.das3.events(output, **SETTINGS)
        # The frames fit into memory beside the network, their labels do not.
        self.memory_limit = events[-1]["peak_bytes"] + events[-1]["frames"] * 160 * 120 * 2
        self.step_seconds = (time.monotonic() - start) / len(steps(events))
        self.steps = {event["total_step"]: event for event in without_times(events)}
        self.bytes = output.read_bytes()
        blended = sum(event["stage"] == "blend" for event in self.steps.values())
        self.labelled_after = [blended + step for step in LABELLED_AFTER]
        count = len(self.steps) - blended
        self.check(f"a blend and {STAGED} steps, left alone", blended > 24 and count == STAGED, count)

    def missing(self):
        return [place for place, count in PLACES.items() if self.found[place] < count]

    def wait(self, victim):
        """Until a random moment, or until it is where nobody has died yet."""
        if self.kills < KILLS:
            victim.follow(self.random.randrange(8))
            time.sleep(self.random.random() * 4 * self.step_seconds)
        elif self.missing():
            victim.wait_for(self.missing()[0])
        else:
            victim.follow()

    def run_killed(self, number):
        """Kills one run again and again until it comes to its end."""
        with tempfile.TemporaryDirectory(dir=self.das3.scratch) as folder:
            folder, first, taken, other = pathlib.Path(folder), self.kills, set(), []
            while True:
                victim = Victim(
                    self.das3, folder, self.memory_limit, self.labelled_after)
                self.wait(victim)
                places = victim.kill()
                for event in without_times(victim.events):
                    taken.add(event["total_step"])
                    expected = self.steps[event["total_step"]].items()
                    other += [f"{k} {event[k]}, not {v}" for k, v in expected if event[k] != v]
                if places is None:
                    break
                self.kills += 1
                self.found.update(places)
                self.left += len(list(folder.glob(".das3-*.tmp"))) > 0
            name = f"run {number}, killed {self.kills - first} times"
            code = victim.process.returncode
            self.check(f"{name}: ends well", code == 0, code)
            self.check(f"{name}: the steps of the run left alone", not other, other)
            self.check(f"{name}: all of them", taken == set(self.steps), taken)
            self.check(f"{name}: the same bytes", victim.output.read_bytes() == self.bytes)
            names = sorted(path.name for path in folder.iterdir())
            self.check(f"{name}: nothing is left behind", names == ["killed.onnx", "run.das3"], names)


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        das3 = Program(program, street, pathlib.Path(scratch))
        (das3.scratch / "labels").mkdir()
        das3.frames = copies(das3.frames, das3.scratch / "frames")
        test = Test(das3, check)
        test.run_alone()
        number = 0
        while (test.kills < KILLS or test.missing()) and number < MOST_RUNS:
            number += 1
            test.run_killed(number)
        for place in PLACES:
            count = test.found[place]
            check(f"{count} of {test.kills} died while {place}", place not in test.missing())
        check(f"{test.left} left a temporary file, which went", test.left > 0)
        names = list((das3.scratch / "labels").iterdir())
        check("no labels are left behind", names == [], names)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
