"""Holds examples/fleet/vehicles.py to what it promises: what travels, what is merged, who may die.

    python Tests/EndToEnd/vehicles.py STREET

STREET is examples/street; the Python has das3, flwr and pillow. Server and vehicles are processes
of Flower, and the street frames in different light are the places. The first fleet keeps its
statistics local. The second averages them; one of its vehicles sees nothing, and one is killed
while it trains in the first of two rounds.
Prints what it checks and, last, how many checks passed.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import das3
import numpy as np
from client import Checks
from processes import descendants

FLEET = pathlib.Path(__file__).resolve().parents[2] / "examples/fleet"
sys.path.insert(0, str(FLEET))
from evenings import EVENINGS, record  # noqa: E402

OPTIONS = {"steps_a": 3, "steps_b": 3, "steps_c": 3, "width": 160, "height": 120}
CLOSE = {"rtol": 1e-5, "atol": 1e-6}  # Flower adds up in float32


def command(model, places, output, *more):
    words = [
        sys.executable,
        FLEET / "vehicles.py",
        model,
        *places,
        "--output",
        output,
        "--rounds",
        "2",
        *more,
    ]
    for name, value in OPTIONS.items():
        words += ["--set", f"{name}={value}"]
    return [str(word) for word in words]


def values(path):
    with das3.Model(path) as model:
        return model.get_parameters()


def mean(output, entry, which):
    """What numpy makes of the networks that the vehicles of a round have sent."""
    said = entry["vehicles"]
    sent = [values(output / each["name"] / f"own{entry['round']}.onnx")[which] for each in said]
    return np.average(sent, axis=0, weights=[each["frames"] for each in said])


def check_local(check, source, is_statistic, places, output):
    ended = subprocess.run(command(source, places, output), capture_output=True, text=True)
    check("three vehicles, two rounds: 0", ended.returncode == 0, ended.stdout + ended.stderr)
    rounds = json.loads((output / "server/summary.json").read_text())
    check("all vehicles were in both", [len(each["vehicles"]) for each in rounds] == [3, 3], rounds)
    size = 4 * np.count_nonzero(~is_statistic)
    sent = [each[key] for entry in rounds for each in entry["vehicles"]
            for key in ("sent_bytes", "received_bytes")]  # fmt: skip
    check("weights travel, statistics do not", all(0 <= n - size < 4096 for n in sent), sent)
    counts = {each["name"]: each["frames"] for each in rounds[0]["vehicles"]}
    check("they count by their frames", sorted(counts.values()) == [16, 24, 32], counts)
    for entry in rounds:
        number = entry["round"]
        merged = values(output / f"server/round{number}.onnx")
        expected = mean(output, entry, ~is_statistic)
        check(f"round {number}: the weights are the mean of numpy",
              np.allclose(merged[~is_statistic], expected, **CLOSE))  # fmt: skip
        own = [values(output / place.name / f"own{number}.onnx") for place in places]
        used = [values(output / place.name / f"round{number}.onnx") for place in places]
        same = [np.array_equal(u[~is_statistic], merged[~is_statistic]) for u in used]
        check(f"round {number}: every vehicle uses the merged weights", all(same), same)
        same = [np.array_equal(u[is_statistic], o[is_statistic]) for u, o in zip(used, own)]
        check(f"round {number}: ... with statistics of its own", all(same), same)
        kinds = len({each[is_statistic].tobytes() for each in own})
        check(f"round {number}: ... which differ from place to place", kinds > 1, kinds)
    before = values(source)[is_statistic]
    check("the server has seen none", np.array_equal(merged[is_statistic], before))


def kill_vehicle(process, name):
    """Kills a vehicle, SuperNode and all, while it trains; whether it could."""
    while process.poll() is None:
        for each, words in descendants(process.pid).items():
            if "flower-supernode" in words and f'name="{name}"' in words:
                below = descendants(each)
                if any("flwr-clientapp" in title for title in below.values()):
                    time.sleep(1)
                    for victim in below:
                        os.kill(victim, signal.SIGKILL)
                    return True
        time.sleep(0.05)
    return False


def check_average(check, source, is_statistic, places, output):
    begin = time.monotonic()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    words = command(source, places, output, "--statistics", "average")
    with subprocess.Popen(words, **pipes) as process:
        check("a vehicle is killed while it trains", kill_vehicle(process, places[2].name))
        log = process.communicate(timeout=400)[0]
    check("the rounds go on without it: 4", process.returncode == 4, log)
    rounds = json.loads((output / "server/summary.json").read_text())
    names = [sorted(each["name"] for each in entry["vehicles"]) for entry in rounds]
    check("two vehicles are in both rounds", names == [["black", "dusk"]] * 2, rounds)
    check("the first says that one is missing", len(rounds[0]["failures"]) == 1, rounds[0])
    print(f"        Flower noticed it in {rounds[0]['seconds']:.0f} s, and the second round took "
          f"{rounds[1]['seconds']:.0f} s")  # fmt: skip
    every = np.ones_like(is_statistic)
    for entry in rounds:
        merged = values(output / f"server/round{entry['round']}.onnx")
        check(f"round {entry['round']}: statistics are merged, too",
              np.allclose(merged, mean(output, entry, every), **CLOSE))  # fmt: skip
        used = values(output / f"dusk/round{entry['round']}.onnx")
        check("... and used by the vehicles", np.allclose(used, merged, **CLOSE))
    black = next(each for each in rounds[0]["vehicles"] if each["name"] == "black")
    check("who sees nothing keeps the network, and says why", black["kept"] and black["why"], black)
    same = np.array_equal(values(output / "black/own1.onnx"), values(source))
    check("... and has sent the source back, bit for bit", same)
    print(f"        {time.monotonic() - begin:.0f} s")


def main():
    street = pathlib.Path(sys.argv[1]).resolve()
    check, begin = Checks(), time.monotonic()
    source = street / "street.onnx"
    with das3.Model(source) as model:
        kinds = [np.full(each.size, each.is_statistic) for each in model.parameters]
    is_statistic = np.concatenate(kinds)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        lights = EVENINGS | {"black": (0, 2)}
        places = {n: record(street / "frames", scratch / n, *how) for n, how in lights.items()}
        three = [places[name] for name in ("dusk", "evening", "night")]
        check_local(check, source, is_statistic, three, scratch / "local")
        three = [places[name] for name in ("dusk", "black", "night")]
        check_average(check, source, is_statistic, three, scratch / "average")
        wrong = (["--set", "step_a=1"], ["--statistics", "mine"], [scratch / "missing"])
        for more in wrong:
            words = command(source, three, scratch / "wrong", *more)
            ended = subprocess.run(words, capture_output=True, text=True)
            check(f"{more[-1]} is refused: 2", ended.returncode == 2, ended.stderr)
    print(f"{time.monotonic() - begin:.0f} s")
    return check.end()


if __name__ == "__main__":
    sys.exit(main())
