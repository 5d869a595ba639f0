"""Runs das3-run adapt on the street frames: whole, paused and resumed, and with teachers.

    python Tests/EndToEnd/adapt.py DAS3_RUN STREET

STREET is examples/street. A run that was paused and resumed must give the same bytes as one that was
not; mIoU must be what evaluate says; what fails on the way must leave the model so far. Prints what
it checks and, last, how many checks passed.
"""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from PIL import Image

from client import Checks, Program, copies, interrupt, rubbish, steps, without_times

# Eight frames, four of them probes, which are asked what they say of the source and of a quarter.
STAGES = ["blend"] * 16 + ["a"] * 12 + ["b"] * 16 + ["c"] * 12
STEPS = ",".join(f"{stage}={STAGES.count(stage)}" for stage in "abc")


def whole_run(das3, check):
    """Returns its events and its bytes."""
    output = das3.scratch / "whole.onnx"
    strips = das3.scratch / "strips"
    measured = {"val": das3.frames, "truth": das3.truth, "evaluate_every": 10, "strip": strips}
    events = das3.events(output, steps=STEPS, set="drift_a=0", **measured)
    taken, last = steps(events), events[-1]
    check("one line per step", [e["total_step"] for e in taken] == list(range(1, 57)))
    check("stages in order", [e["stage"] for e in taken] == STAGES)
    made = [(e["stage"], e["round"]) for e in events if e["event"] == "labels"]
    check("labels of (b) and (c)", made == [("b", 1), ("b", 2), ("b", 3), ("c", 1)], made)
    check("every loss is a number", all(isinstance(e["loss"], float) for e in taken))
    check("then a summary", last["event"] == "summary" and last["done"], last)
    check("of all steps and frames", (last["steps"], last["frames"]) == (56, 8), last)
    curve = [e["step"] for e in events if e["event"] == "evaluation"]
    check("mIoU on the way", curve == [0, 16, 20, 28, 30, 40, 44, 50, 56], curve)
    for model, name in ((das3.model, "miou_before"), (output, "miou_after")):
        words = das3.command(None, "--json", command="evaluate", model=model, truth=das3.truth)
        found = json.loads(subprocess.run(words, capture_output=True, text=True).stdout)["miou"]
        check(f"{name} is what evaluate says", found == last[name], f"{found}, {last[name]}")
    check("four strips", len(list(strips.glob("*_strip.png"))) == 4)
    return events, output.read_bytes()


def paused_run(das3, check, events, whole):
    for after in (5, 13, 20, 31, 48):
        output, checkpoint = das3.scratch / f"paused{after}.onnx", das3.scratch / f"{after}.das3"
        options = {"steps": STEPS, "set": "drift_a=0", "checkpoint": checkpoint}
        first, code = das3.pause(after, output, **options)
        check(f"paused after step {after}: exit code 130", code == 130, code)
        check("a model and a checkpoint are there", output.exists() and checkpoint.exists())
        check("the summary says so", first[-1]["done"] is False, first[-1])
        done = {5: [], 13: [], 20: ["blend"], 31: ["blend", "a"], 48: ["blend", "a", "b"]}[after]
        check(f"it names what is done: {done}", first[-1]["stages_done"] == done, first[-1])
        second = das3.events(output, "--resume", **options)
        start = second[0]
        place = ("resumed", len(steps(first)))
        check("it says where it goes on", (start["event"], start["step"]) == place, start)
        joined = without_times(first) + without_times(second)
        check("the steps of both are those of the whole run", joined == without_times(events))
        check("and so are the bytes", output.read_bytes() == whole)
        third = das3.events(output, "--resume", **options)
        check("resumed at the end: nothing to do", steps(third) == [] and third[-1]["done"], third)
        check("and says so", third[0]["event"] == "resumed" and third[0]["done"], third[0])
        check("same bytes", output.read_bytes() == whole)


def interrupted(das3, check):
    """What was learned until Ctrl-C is measured."""
    output = das3.scratch / "interrupted.onnx"
    measured = {"val": das3.frames, "truth": das3.truth}
    events, code = das3.pause(20, output, steps=STEPS, **measured)
    last = events[-1]
    check("interrupted: exit code 130", code == 130, code)
    check("interrupted: measured", isinstance(last["miou_after"], float), last)
    words = das3.command(None, "--json", command="evaluate", model=output, truth=das3.truth)
    found = json.loads(subprocess.run(words, capture_output=True, text=True).stdout)["miou"]
    check("interrupted: as evaluate does", found == last["miou_after"], f"{found}, {last}")


def failures(das3, check):
    """Whatever fails on the way, the model so far is written."""
    output = das3.scratch / "kept.onnx"

    def disturbed(name, act, code, words, **options):
        output.unlink(missing_ok=True)
        events, found, text = das3.disturb(3, act, output, steps="a=9", stages="a", **options)
        check(f"{name}: exit code {code}", found == code, f"{found}, {text}")
        check(f"{name}: says so once", text.count(words) == 1, text)
        check(f"{name}: a model", output.exists(), text)
        return events

    folder = das3.scratch / "gone"
    for name, is_paused in (("lost", False), ("lost, paused", True)):
        folder.mkdir()

        def lose(process):
            folder.rename(das3.scratch / name)
            if is_paused:
                # The checkpoint of this step may have been written before.
                process.stdout.readline()
                process.stdout.readline()
                interrupt(process)

        options = {"checkpoint": folder / "run.das3", "checkpoint_every": 0}
        last = disturbed(f"checkpoint {name}", lose, 1, "all the same", **options)[-1]
        check(f"checkpoint {name}: a summary", last["done"] is not is_paused, last)
    checkpoint, frames = das3.scratch / "lost.das3", copies(das3.frames, das3.scratch / "frames", 9)
    # Too little memory for the frames, so that they are read again.
    options = {"input": frames, "checkpoint": checkpoint, "memory_limit": "30M"}
    disturbed("frames lost", lambda _: shutil.rmtree(frames), 1, "is the model after", **options)
    check("frames lost: a checkpoint", checkpoint.exists())


def hung_up(das3, check):
    """A terminal that is closed pauses a run, as does a reader that goes away."""
    for name, code, act in (
        ("hung up", 130, lambda process: process.send_signal(signal.SIGHUP)),
        ("not read", 1, lambda process: process.stdout.close()),
    ):
        output, checkpoint = das3.scratch / f"{name}.onnx", das3.scratch / f"{name}.das3"
        options = {"steps": "a=9", "stages": "a", "start": "source", "checkpoint": checkpoint}
        found = das3.disturb(3, act, output, **options)
        check(f"{name}: exit code {code}", found[1] == code, found)
        check(f"{name}: a model and a checkpoint", output.exists() and checkpoint.exists())
        rest = steps(das3.events(output, "--resume", **options))
        check(f"{name}: goes on", 0 < len(rest) < 7, rest)


def teachers(das3, check):
    output = das3.scratch / "student.onnx"
    stored, arrays = das3.scratch / "stored", das3.scratch / "arrays"
    subprocess.run(
        das3.command(stored, command="segment", save="labels,confidence"), capture_output=True
    )
    arrays.mkdir()
    random = np.random.default_rng(3)
    class_count = len(json.loads(das3.run(None, "--json", command="info", input=None).stdout)["classes"])
    for number, path in enumerate(sorted(das3.frames.glob("*.png"))):
        scores = random.random((class_count, 30, 40))
        scores /= scores.sum(axis=0)
        np.save(arrays / f"{path.stem}.npy", scores.astype(np.float16 if number % 2 else np.float32))
    for name, teacher in (("network", das3.model), ("labels", stored), ("arrays", arrays)):
        events = das3.events(output, teacher=teacher, steps="b=2,c=2")
        found = "".join(event["stage"] for event in steps(events))
        check(f"teacher of {name}: no stage a", found and "a" not in found, found)
    (stored / "confidence" / "street3.png").unlink()
    (arrays / "street5.npy").write_bytes((arrays / "street5.npy").read_bytes()[:-9])
    (arrays / "street6.npy").unlink()
    lost = {"street3 has no confidence": stored, "prediction of frame street6": arrays}
    for words, teacher in lost.items():
        rubbish(das3, check, 1, words, teacher=teacher)
    # Else the model after the blend would be written.
    begun = {"start": "source"}
    np.save(arrays / "street6.npy", np.zeros((class_count + 1, 4, 4), np.float32))
    rubbish(das3, check, 1, "do not fit its shape", teacher=arrays, steps="b=1", **begun)
    np.save(arrays / "street5.npy", np.zeros((2, 2), np.float64))
    rubbish(das3, check, 1, "expected classes x height x width", teacher=arrays, steps="b=1", **begun)
    np.save(arrays / "street5.npy", np.zeros((class_count, 4, 4), np.float32))
    rubbish(das3, check, 1, f"{class_count + 1} classes", teacher=arrays, steps="b=1", **begun)


def other_runs(das3, check, whole):
    output = das3.scratch / "other.onnx"
    # Room for the plan, not for the frames: each is read again whenever it is wanted.
    events = das3.events(output, steps=STEPS, set="drift_a=0", memory_limit="30M")
    check("in little memory: the same bytes", output.read_bytes() == whole, events[-1])
    for method in ("tent", "bn", "entropy", "maxsquare", "selftrain", "dine", "urma"):
        events = das3.events(output, method=method, steps="3")
        begins = any(event["stage"] == "blend" for event in steps(events))
        check(f"method {method}: begins at a blend if it trains", begins == (method != "bn"))
        found = [(e["stage"], e["step"]) for e in steps(events) if e["stage"] != "blend"]
        # The two halves of dine are counted by themselves.
        expected = (1, 2, 1) if method == "dine" else (1, 2, 3)
        check(f"method {method}: three steps", found == [(None, n) for n in expected], found)
    events = das3.events(output, steps="a=2", stages="a", every=3, limit=2)
    check("every third frame, two of them", events[-1]["frames"] == 2, events[-1])
    events = das3.events(output, steps="a=1", stages="a", input=das3.frames / "street0.png")
    check("one image", events[-1]["frames"] == 1, events[-1])


def parameters(path):
    """Every tensor of the file that holds floats, and whether it is a statistic, by its name."""
    graph = onnx.load(path).graph
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization"
                  for name in node.input[3:5]}
    return {tensor.name: (onnx.numpy_helper.to_array(tensor), tensor.name in statistics)
            for tensor in graph.initializer}


def blends(das3, check):
    """Statistics alone move; where they must not, nothing does, and the reason is said."""
    output, night = das3.scratch / "blend.onnx", das3.scratch / "night"
    night.mkdir()
    for number, path in enumerate(sorted(das3.frames.glob("*.png")) * 4):
        Image.fromarray(np.asarray(Image.open(path)) // 3).save(night / f"{number:02}.png")
    measured = {"val": night, "truth": das3.scratch / "truth", "strip": das3.scratch / "blended"}
    measured["truth"].mkdir()
    for number, path in enumerate(sorted(das3.truth.glob("*.png")) * 4):
        shutil.copy(path, measured["truth"] / f"{number:02}.png")
    events = das3.events(output, input=night, method="blend", **measured)
    made, last = next(e for e in events if e["event"] == "blend"), events[-1]
    shares = [candidate["share"] for candidate in made["candidates"]]
    check("blend: the source, a quarter, a half", shares == [0, 0.25, 0.5], made)
    check("blend: one was taken", made["share"] in shares[1:] and made["reason"] is None, made)
    check("blend: M = IM F", all(
        abs(c["M"] - c["IM"] * c["F"]) < 1e-4 and 0 < c["V"] < 0.7 for c in made["candidates"]), made)
    check("blend: the summary has it too", last["blend"]["candidates"] == made["candidates"], last)
    check("blend: better at night", last["miou_after"] > last["miou_before"] + 3, last)
    check("blend: strips", len(list(measured["strip"].glob("*_strip.png"))) == 4)
    before, after = parameters(das3.model), parameters(output)
    moved = {name for name in before if (before[name][0] != after[name][0]).any()}
    check("blend: every statistic has moved, and nothing else",
          moved == {name for name in before if before[name][1]}, moved)
    black, same = das3.scratch / "black", das3.scratch / "same"
    for folder, frame in ((black, np.zeros((240, 320, 3), np.uint8)),
                          (same, np.asarray(Image.open(next(das3.frames.glob("*.png")))))):
        folder.mkdir()
        for number in range(6):
            Image.fromarray(frame).save(folder / f"{number}.png")
    for folder, words in ((black, "too few frames show anything"),
                          (same, "all frames show the same")):
        events = das3.events(output, input=folder, method="blend")
        found = events[-1]["blend"]
        check(f"{folder.name}: the source stays, and why", words in found["reason"], found)
        after = parameters(output)
        check(f"{folder.name}: bit for bit",
              all((before[name][0] == after[name][0]).all() for name in before))
    text = das3.run(output, input=black, method="blend").stdout
    check("black: a sentence for people", "the network stays as it is: too few" in text, text)


def guards(das3, check):
    """What each stage leaves is judged; what cannot be told to be better is not taken."""
    output, night = das3.scratch / "guarded.onnx", das3.scratch / "night"
    options = {"input": night, "method": None, "steps": STEPS}  # auto, as nothing else is named
    measured = {"val": night, "truth": das3.scratch / "truth"}
    events, last = das3.events(output, **options, **measured), None
    stages = [e["stage"] for e in steps(events) if e["stage_done"]]
    check("auto: what it does", stages == ["blend", "a", "guard", "b", "guard", "c", "guard"], stages)
    judged, last = [e for e in events if e["event"] == "guard"], events[-1]
    names = [c["name"] for c in last["guard"]["candidates"]]
    check("auto: every stage is judged", {"source", "blend", "a", "b", "c"} <= set(names), names)
    check("auto: three times", [e["done"] for e in judged] == [False, False, True], judged)
    chosen = last["guard"]["candidates"][last["guard"]["choice"]]
    check("auto: the best is accepted", chosen["accepted"] and chosen["refused"] is None, last)
    check("auto: better at night", last["miou_after"] > last["miou_before"] + 3, last)
    whole = output.read_bytes()
    for after in (5, 100, 130, 160):  # in the blend, then while the guard judges
        output, checkpoint = das3.scratch / f"guarded{after}.onnx", das3.scratch / f"g{after}.das3"
        first, code = das3.pause(after, output, checkpoint=checkpoint, **options)
        check(f"auto, paused after step {after}: exit code 130", code == 130, code)
        second = das3.events(output, "--resume", checkpoint=checkpoint, **options)
        check("the same steps", without_times(first) + without_times(second)
              == without_times(events))
        check("and the same bytes", output.read_bytes() == whole)
    labels = {"labelled": night, "labelled_truth": das3.scratch / "truth", "set": "label_weight=0"}
    first, code = das3.pause(130, output, checkpoint=das3.scratch / "labels.das3", **options, **labels)
    rest = das3.events(output, "--resume", checkpoint=das3.scratch / "labels.das3", **options, **labels)
    found = rest[-1]["guard"]["candidates"]
    taken = found[rest[-1]["guard"]["choice"]]
    check("labelled frames: counted", rest[-1]["labelled"] == len(list(night.iterdir())), rest[-1])
    check("and they judge", taken["miou"] > found[0]["miou"] + 3 and taken["probability"] > 0.5, found)
    check("the blend, too", all(c["miou"] > 0 for c in rest[-1]["blend"]["candidates"]), rest[-1])
    few = das3.scratch / "few"
    few.mkdir()
    for path in sorted(night.iterdir())[:4]:
        shutil.copy(path, few)
    result = das3.run(output, **options, **labels | {"labelled": few})
    check("four are too few", result.returncode == 2 and "expected at least 5" in result.stderr, result)
    result = das3.run(output, **options | {"method": "tent", "steps": 3}, **labels)
    check("without a guard they are refused", "has no use for it" in result.stderr, result)
    result = das3.run(output, "--json", input=das3.scratch / "black", method=None)
    found = [json.loads(line) for line in result.stdout.splitlines()][-1]["guard"]
    check("black: exit code 3", result.returncode == 3, result)
    check("black: why", "too few frames show anything" in found["reason"], found)
    check("black: one line for people", "is the network as it came: too few" in result.stderr, result)
    before, after = parameters(das3.model), parameters(output)
    check("black: bit for bit", all((before[n][0] == after[n][0]).all() for n in before))
    refusing = dict(input=night, steps=STEPS, set="guard_entropy=1e6")
    result = das3.run(output, method=None, **refusing)
    check("all stages refused: the blend is the result", result.returncode == 0
          and "blend is the result" in result.stdout, result)
    result = das3.run(output, "--set", "guard=2", method="das3", start="source", **refusing)
    check("all refused: exit code 3, and why", result.returncode == 3
          and "all that training led to was refused" in result.stderr, result)


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        das3 = Program(program, street, pathlib.Path(scratch))
        events, whole = whole_run(das3, check)
        paused_run(das3, check, events, whole)
        interrupted(das3, check)
        failures(das3, check)
        hung_up(das3, check)
        other_runs(das3, check, whole)
        blends(das3, check)
        guards(das3, check)
        teachers(das3, check)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
