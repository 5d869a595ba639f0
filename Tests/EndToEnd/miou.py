"""Holds das3-run evaluate on real frames against the mIoU that the shared networks are known for.

    python Tests/EndToEnd/miou.py DAS3_RUN SHARED

Reads SHARED/models/models.json; f32 must be within 0.1 points, bf16 (where the CPU has it) within 0.5.
Prints a table and, last, how many comparisons passed.
"""

import json
import pathlib
import subprocess
import sys

TOLERANCES = {"f32": 0.1, "bf16": 0.5}


def evaluate(program, shared, file, entry, precision):
    """The mIoU in percent, or None where this CPU lacks the precision."""
    command = [program, "evaluate", "--model", shared / "models" / file, "--json"]
    command += ["--input", shared / entry["input"], "--truth", shared / entry["truth"]]
    command += ["--class-map", shared / entry["class_map"], "--size", entry["size"]]
    command += ["--precision", precision]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode and precision == "bf16" and "bf16 needs" in result.stderr:
        return None
    if result.returncode:
        raise SystemExit(f"{file}: {result.stderr.strip()}")
    return json.loads(result.stdout)["miou"]


def main(program, shared):
    models = shared / "models" / "models.json"
    if not models.exists():
        print("no shared models beside the checkout: mIoU is not compared")
        return 0
    counts = {True: 0, False: 0}
    print(f"{'model':32} {'frames':12} {'expected':>8} {'f32':>7} {'bf16':>7}")
    for model in json.loads(models.read_text())["models"]:
        for entry in model["expected"]:
            row = f"{model['file']:32} {entry['input']:12} {entry['miou']:8.2f}"
            for precision, tolerance in TOLERANCES.items():
                value = evaluate(program, shared, model["file"], entry, precision)
                if value is None:
                    row += "       –"
                    continue
                counts[abs(value - entry["miou"]) <= tolerance] += 1
                row += f" {value:7.2f}"
            print(row, flush=True)
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])))
