"""Runs das3-run on rubbish and without streams: it must end with one line and the right exit code;
what goes wrong without an end must be said.

    python Tests/EndToEnd/usage.py DAS3_RUN STREET

STREET is examples/street. Prints what it checks and, last, how many checks passed.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from client import Checks, Program, rubbish


def refusals(das3, check):
    def bad(*arguments, **options):
        rubbish(das3, check, *arguments, **options)

    scratch = das3.scratch
    empty = scratch / "empty"
    empty.mkdir()
    damaged = scratch / "damaged.das3"
    damaged.write_bytes(b"not a checkpoint")
    bad(1, "cannot read", input=scratch / "nothing")
    bad(1, "no images", input=empty)
    bad(1, "cannot open", model=scratch / "nothing.onnx")
    bad(1, str(das3.frames / "street0.png"), model=das3.frames / "street0.png")
    bad(1, "no directory", output=scratch / "no" / "where.onnx")
    bad(1, "it is no file", output=empty)
    bad(1, "is not writable", output="/proc/where.onnx")
    bad(1, "cannot write labels: no directory", set=f"scratch_directory={scratch / 'no'}")
    bad(2, "'--output' and '--model' are both", output=das3.model)
    bad(2, "'--checkpoint' and '--output' are both", checkpoint=scratch / "rubbish.onnx")
    bad(1, "no directory", checkpoint=scratch / "no" / "where.das3")
    bad(1, "damaged.das3", "--resume", checkpoint=damaged)
    bad(1, "no such directory of truth", val=das3.frames, truth=scratch / "nothing")
    bad(1, "no images", val=empty, truth=das3.truth)
    bad(1, "has no truth", val=das3.frames, truth=empty)
    bad(1, "nothing.json", val=das3.frames, truth=das3.truth, class_map=scratch / "nothing.json")
    bad(2, "das3-run: alpha is -1", set="alpha=-1")
    bad(2, "das3-run: no parameter is called 'nothing*'", set="trained=nothing*")
    bad(2, "das3-run: every parameter is frozen", set="frozen=*")
    bad(2, "'--limit -1': expected", limit=-1)
    bad(2, "'--threads -1': expected", threads=-1)
    bad(2, "'-1' is invalid for '--seed <N>'", seed=-1)
    bad(2, "each side from 1", size="-5x20")
    bad(1, "memory", memory_limit="10K")
    bad(2, "'--truth' needs '--val DIR'", truth=das3.truth)
    bad(2, "'--val' needs '--truth DIR'", val=das3.frames)
    bad(2, "'--resume' needs '--checkpoint FILE'", "--resume")
    bad(2, "is there already; '--resume' goes on from it", checkpoint=damaged)
    bad(2, "'--evaluate-every' needs", evaluate_every=3)
    bad(2, '"omega" is not a setting; known are stages, scratch_directory', set="omega=1")
    bad(2, "expected name=value", set="alpha")
    bad(2, "alpha is \"x\"; expected a number", set="alpha=x")
    bad(2, "expected default, relative, sgd, adamw, lars", set="optimizer=newton")
    bad(2, "such as a=100", steps="100")
    bad(2, "such as a=100", steps="a=1,d=2")
    bad(2, "expected a number for tent", method="tent", steps="a=1")
    bad(2, "from 1", steps="a=0")
    bad(2, "steps_a is given twice", steps="a=1,a=2")
    bad(2, "steps_b is given twice", steps="b=1", set="steps_b=2")
    bad(2, "stages is given twice", stages="a", set="stages=ab")
    bad(2, "steps of stage b, which is not among the stages ac", stages="ac", steps="b=1")
    bad(2, "'--checkpoint-every' needs '--checkpoint FILE'", checkpoint_every=3)
    for option in (("--count", "2"), ("--look", "dusk"), ("--seed", "1")):
        bad(2, "needs '--draw DIR'", *option, command="demo", model=None, input=None)
    bad(2, "'--output' is of the demo", "--draw", "x", command="demo", model=None, input=None)
    bad(2, "of method auto, das3 or atp", stages="ba")
    bad(2, "of method auto, das3 or atp", method="bn", stages="a")
    bad(2, "--every 0", every=0)
    bad(2, "magic", method="magic")
    bad(2, "WIDTHxHEIGHT", size="large")
    bad(2, "'--start blend': bn trains nothing", method="bn", start="blend")
    bad(2, "'--start source': blend trains nothing", method="blend", start="source")
    bad(2, "invalid for '--start", start="middle")
    bad(2, "das3-run: blend_limit is 2", set="blend_limit=2")


def environment(das3, check):
    """Variables that choose how is computed: another value is refused, an empty one is none."""
    bfloat16 = ("--precision", "bf16")
    for variables, arguments, code, words in (
        ({"DAS3_ISA": "mmx"}, (), 2, "DAS3_ISA is 'mmx'; expected avx512, avx2 or base"),
        ({"DAS3_BACKEND": "mkl"}, (), 2, "DAS3_BACKEND is 'mkl'; expected onednn or openblas"),
        ({"DAS3_ISA": "avx2"}, bfloat16, 1, "multiplies bfloat16; DAS3_ISA is avx2"),
        ({"DAS3_ISA": "", "DAS3_BACKEND": ""}, (), 0, ""),
        *(({"DAS3_ISA": name}, (), 0, "") for name in ("avx512", "avx2", "base")),
    ):
        command = das3.command(None, *arguments, command="segment", limit=1)
        result = subprocess.run(
            command, env=os.environ | variables, capture_output=True, text=True,
            timeout=600)
        name = " ".join([*(f"{key}={value}" for key, value in variables.items()), *arguments])
        check(f"{name}: exit code {code}", result.returncode == code, result.stderr)
        check(f"{name}: {words or 'nothing'} on stderr",
              words in result.stderr and bool(words) == bool(result.stderr), result.stderr)


def broken_streams(das3, check):
    missing, found = f"info --model {das3.scratch}/nothing", f"info --model {das3.model}"
    for words, code in (
        (f"{missing} 2>&-", 1), (f"{missing} 2>/dev/full", 1), ("info 2>&-", 2),
        ("info 2>/dev/full", 2), (f"{missing} <&- >&- 2>&-", 1), (f"{found} >&-", 1),
        (f"{found} >/dev/full", 1), (f"{found} 2>&-", 0), ("help >/dev/full", 1), ("help nope", 2),
        ("help info", 0),
    ):
        result = subprocess.run(
            ["sh", "-c", f"exec {das3.program} {words}"], capture_output=True, timeout=600
        )
        name = words.replace(str(das3.scratch), "").replace(str(das3.model), "street.onnx")
        check(f"exit code {code}: {name}", result.returncode == code, result.returncode)


def odd_paths(das3, check):
    """Short, bare, accented and doubled names are names; what is a directory is none."""
    folder = das3.scratch / "odd"
    (folder / "there").mkdir(parents=True)
    (folder / "é").mkdir()
    for name in ("x", "é/x", "ö", "./x2", "there//x", "there/../y", "there/\u0301", ".hidden", "a.b.c"):
        words = das3.command(name, "--method", "bn", "--steps", "1", checkpoint=f"{name}.das3")
        result = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=600)
        good = result.returncode == 0 and (folder / name).is_file()
        good = good and pathlib.Path(f"{folder / name}.das3").is_file()
        check(f"--output {name!r}, --checkpoint", good, f"{result.returncode}, {result.stderr}")
    for name in (".", "..", "/", "there", "there/", "é/", "nowhere/", "nowhere/x", ""):
        words = das3.command(name, "--method", "bn", "--steps", "1")
        result = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=600)
        lines = result.stderr.splitlines()
        good = result.returncode == 1 and len(lines) == 1 and not result.stdout
        check(f"--output {name!r}: one line", good, f"{result.returncode}, {result.stderr}")
    for name in ("i", "ï.png", "i.PNG", ".png", "there/i"):
        (folder / name).write_bytes((das3.frames / "street0.png").read_bytes())
        words = das3.command("seen", command="segment", input=name)
        result = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=600)
        good = result.returncode == 0 and list((folder / "seen" / "labels").glob("*.png"))
        check(f"--input {name!r}", good, f"{result.returncode}, {result.stderr}")


def foreign_files(das3, check):
    """What people give by mistake is named, and what would do is said."""
    folder = das3.scratch / "foreign"
    folder.mkdir()
    box = b"\0\0\0\x18ftyp%b\0\0\0\0mif1heic"
    for name, content in (
        ("empty.png", b""), ("page.jpg", b"\n<!DOCTYPE html><html>"), ("page.onnx", b"<html><body>"),
        ("empty.onnx", b""), ("lfs.onnx", b"version https://git-lfs.github.com/spec/v1\noid"),
        ("torch.onnx", b"PK\3\4archive/data.pkl"), ("phone.heic", box % b"heic" + bytes(64)),
        ("phone.jpg", box % b"heic" + bytes(64)), ("noise.png", bytes(range(256)) * 9),
        ("cut.mp4", box % b"isom" + b"\0\1\0\0mdat" + bytes(65528)),
        ("moves.webp", b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\2" + bytes(60)),
    ):
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "pipe")
    options = {"command": "segment", "output": None}
    for name, words in (
        ("empty.png", "the file is empty"), ("page.jpg", "it is an HTML page"),
        ("phone.heic", "it is HEIC"), ("phone.jpg", "save it as JPEG or PNG"), ("cut.mp4", "no index (moov)"),
        ("moves.webp", "an animated WebP"), ("noise.png", "cannot read"),
        ("*.tga", "no images called so"), ("f%04d.png", "no images called so"),
    ):
        rubbish(das3, check, 1, words, input=folder / name, **options)
    for source, words in (
        (das3.model, "it is a network; it comes with '--model'"), ("/dev/null", "it is a device"),
        ("ftp://example.org/drive.mp4", "it is an address that is no stream"),
    ):
        rubbish(das3, check, 1, words, input=source, **options)
    # What is there only once cannot be compared with truth.
    for source, words in (
        (folder / "pipe", "it is a pipe"), ("-", "it is stdin"), ("/dev/video0", "it is a camera"),
        ("http://example.org/drive.mp4", "it is an address"), ("rtsp://camera/1", "it is an address"),
    ):
        rubbish(das3, check, 1, words, input=source, command="evaluate", output=None, truth=das3.truth)
    for option, value, words in (
        ("raw", "rgb8:4x4", "has images"), ("rate", "2", "'--every' chooses them"),
    ):
        rubbish(das3, check, 1, words, f"--{option}", value, command="segment", output=None)
    for name, words in (
        ("page.onnx", "it is an HTML page"), ("empty.onnx", "the file is empty"), ("lfs.onnx", "git lfs pull"),
        ("torch.onnx", "torch.onnx.export"), (".", "it is a directory"),
    ):
        rubbish(das3, check, 1, words, model=folder / name, **options)
    rubbish(das3, check, 1, "multiples of 8, such as 96x96 or 104x104", size="101x99", **options)
    rubbish(das3, check, 1, "multiples of 8", size="101x99", method="bn")
    link = folder / "dangling.onnx"
    link.symlink_to(folder / "nowhere" / "else.onnx")
    for option in ("output", "checkpoint"):
        rubbish(das3, check, 1, "it is a link to", **{option: link})
    rubbish(das3, check, 1, "it is no file but a directory", checkpoint=folder)
    rubbish(das3, check, 1, "it is no file but a directory", "--resume", checkpoint=folder)
    rubbish(das3, check, 1, "names no file", output="")
    rubbish(das3, check, 1, "it has no name", command="segment", output="")
    rubbish(das3, check, 1, "not writable", strip="/proc/strips" if os.getuid() else "/proc/self")
    rubbish(das3, check, 1, "not writable", command="segment", output="/proc/self")


def short_forms(das3, check):
    """MODEL and INPUT need no names; sizes and threads are taken as people write them."""
    model, frames = str(das3.model), str(das3.frames)

    def run(*words):
        return subprocess.run([das3.program, *words], capture_output=True, text=True, timeout=600)

    for words in (
        ("info", model), ("segment", model, frames, "--limit", "1"), ("segment", "--input", frames, model),
        ("segment", "--model", model, frames), ("evaluate", model, frames, "--truth", str(das3.truth)),
        ("adapt", model, frames, "--output", str(das3.scratch / "s.onnx"), "--method", "bn", "--steps", "1"),
        ("bench", model, "--size", "64x48", "--iterations", "1"),
    ):
        result = run(*words)
        check(" ".join(words[:3:2]), result.returncode == 0, result.stderr)
    for words, expected in (
        (("segment",), "the network is missing"), (("segment", model), "the frames are missing"),
        (("segment", model, frames, "more"), "unexpected argument 'more'"), (("info",), "the network is missing"),
        (("info", "--model", model, model), "unexpected argument"),
    ):
        result = run(*words)
        check(expected, result.returncode == 2 and expected in result.stderr, result.stderr)
    for size, code in (("1.5M", 1), ("30MiB", 0), ("0.5G", 0), ("1gib", 0), ("64000kB", 0), ("1,5M", 2),
                       ("M", 2), ("1X", 2), ("-1", 2), ("1e3", 2), ("1.", 2), ("99999999T", 2)):
        result = run("bench", model, "--size", "320x240", "--iterations", "1", "--memory-limit", size)
        check(f"--memory-limit {size}: exit code {code}", result.returncode == code, result.stderr)
    result = run("bench", model, "--size", "64x48", "--iterations", "1", "--threads", "100000", "--json")
    found = json.loads(result.stdout or "{}").get("threads", 0)
    check("--threads 100000: one per core", 0 < found <= len(os.sched_getaffinity(0)), result.stderr)
    check("and a warning says so", f"threads is 1024; {found} are used" in result.stderr, result.stderr)


def preprocessing(das3, check):
    """What options say comes before the network's own, and the rest stays."""
    def info(*arguments):
        result = das3.run(None, "--json", *arguments, command="info", input=None)
        return json.loads(result.stdout) if result.returncode == 0 else result.stderr

    own = info()["input"]
    changed = info("--mean", "-0.5,0.25,1", "--colour-order", "bgr")["input"]
    check("--mean, --colour-order", (changed["mean"], changed["colour_order"]) == ([-0.5, 0.25, 1], "bgr"), changed)
    same = ("scale", "std")
    check("the rest stays", [changed[key] for key in same] == [own[key] for key in same], changed)
    changed = info("--scale", "1/128", "--std", "0.5")["input"]
    check("--scale, --std", (changed["scale"], changed["std"]) == (1 / 128, [0.5] * 3), changed)
    metadata = das3.scratch / "metadata.json"
    names = [f"c{number}" for number in range(9)]
    metadata.write_text(json.dumps({"classes": names}))
    found = [entry["name"] for entry in info("--metadata", metadata)["classes"]]
    check("--metadata", found == names, found)
    for arguments, words in (
        (("--class-preset", "nope"), "expected cityscapes19"), (("--class-preset", "camvid11"), "11 classes"),
        (("--mean", "1,2"), "1 or 3 numbers"), (("--std", "0"), "expected no 0"), (("--scale", "1/0"), "such as 1/255"),
        (("--metadata", das3.scratch / "none.json"), "cannot read the metadata"),
        (("--metadata", metadata, "--scale", "1"), "'--metadata'"),
    ):
        found = info(*arguments)
        check(f"{arguments[0]}: {words}", words in found, found)


def diverging(das3, check):
    options = {"stages": "a", "steps": "a=3"}
    words = ("--set", "optimizer=sgd", "--set", "rate_a=1e30", "--set", "clip_norm=0")
    result = das3.run(das3.scratch / "diverged.onnx", *words, **options)
    for expected in ("skipped 2 of 3 steps", "losses of the last step are not finite"):
        check(f"diverging: {expected}", expected in result.stderr, result.stderr)


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        das3 = Program(program, street, pathlib.Path(scratch))
        broken_streams(das3, check)
        environment(das3, check)
        refusals(das3, check)
        odd_paths(das3, check)
        foreign_files(das3, check)
        short_forms(das3, check)
        preprocessing(das3, check)
        diverging(das3, check)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
