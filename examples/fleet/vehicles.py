"""A fleet on one machine: a server and some vehicles, each a process of its own, by Flower.

    vehicles.py MODEL FRAMES... --output FOLDER [--statistics local|average|blend] [--rounds N]
        [--threads N] [--set NAME=VALUE]... [--round-seconds N]

Each folder of frames is a vehicle, named after it. The output folder gets NAME/roundN.onnx, the
network that the vehicle uses after round N; server/roundN.onnx, the merged network;
server/summary.json; and the logs of all processes. README.md says how to run the same on machines
of their own.

Exit codes: 0 all rounds are done; 1 they are not; 2 wrong usage; 4 vehicles were missing in some
rounds; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError

import das3
from adaptation import check, settings
from adaptation import parser as shared_parser
from frames import Folder
from parameters import SHARES

HERE = Path(__file__).resolve().parent
PROGRAMS = Path(sys.executable).parent  # of the environment that Flower is installed in


class Machine:
    """Processes of Flower on this machine, which end with it."""

    def __init__(self, stack: ExitStack, output: Path) -> None:
        self.stack, self.output = stack, output
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-"))
        # What Flower starts by itself has to be found, too.
        path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {"FLWR_HOME": home, "PATH": path, "PYTHONUNBUFFERED": "1"}

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        log = self.stack.enter_context((self.output / f"{name}.log").open("wb"))
        command = [str(PROGRAMS / words[0]), *words[1:]]
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=self.environment
        )
        self.stack.callback(end, process)
        return process

    def configure(self, port: int) -> None:
        """Tells `flwr` where the server is."""
        config = Path(self.environment["FLWR_HOME"]) / "config.toml"
        config.write_text(
            f'[superlink]\ndefault = "here"\n\n'
            f'[superlink.here]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
        )


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
            return
        except (URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError("the server does not answer; server.log says why")


def run(arguments: argparse.Namespace, machine: Machine) -> None:
    """Starts server and vehicles, hands the app to the server, and follows its log to the end."""
    port, output = free_port(), arguments.output
    server = machine.start(
        "server", "flower-superlink", "--insecure", "--port", str(port),
        "--disable-runtime-dependency-installation",
    )  # fmt: skip
    wait_for(port, server)
    for folder in arguments.vehicles:
        config = {
            "name": folder.name,
            "model": str(arguments.model),
            "frames": str(folder),
            "output": str(output / folder.name),
            "threads": arguments.threads,
        }
        machine.start(
            folder.name, "flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{port}",
            "--port", str(free_port()), "--node-config", toml(config),
        )  # fmt: skip
    machine.configure(port)
    config = {
        "model": str(arguments.model),
        "output": str(output / "server"),
        "vehicles": len(arguments.vehicles),
        "rounds": arguments.rounds,
        "round-seconds": arguments.round_seconds,
        "statistics": arguments.statistics,
        "settings": " ".join(arguments.texts),
    }
    subprocess.run(
        [PROGRAMS / "flwr", "run", HERE, "here", "--stream", "--run-config", toml(config)],
        env=machine.environment, check=True,
    )  # fmt: skip


def toml(values: dict[str, str | int | float]) -> str:
    """name=value pairs as Flower's command line takes them."""
    return " ".join(f"{name}={json.dumps(value)}" for name, value in values.items())


def parse() -> argparse.Namespace:
    parser = shared_parser(__doc__, "vehicles", "frames")
    parser.add_argument("--statistics", choices=SHARES, default="local",
                        help="of BatchNormalization: stay in the vehicle, or travel")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--round-seconds", type=float, default=3600.0,
                        help="a round goes on without vehicles that take longer")  # fmt: skip
    arguments = parser.parse_args()
    arguments.model, arguments.output = arguments.model.resolve(), arguments.output.resolve()
    arguments.vehicles = [folder.resolve() for folder in arguments.vehicles]
    names = [folder.name for folder in arguments.vehicles]
    taken = sorted({name for name in names if names.count(name) > 1 or name == "server"})
    if taken:
        parser.error(f"a vehicle is named {taken[0]}; expected names that differ, and no 'server'")
    try:
        check(das3.Model(arguments.model), settings(arguments.texts))
        for folder in arguments.vehicles:
            Folder(folder)
        arguments.output.mkdir(parents=True, exist_ok=True)
    except (das3.Das3Error, TypeError, ValueError, OSError) as error:
        parser.error(str(error))
    return arguments


def main() -> int:
    arguments = parse()
    summary = arguments.output / "server" / "summary.json"
    summary.unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no process is left behind
    try:
        with ExitStack() as stack:
            run(arguments, Machine(stack, arguments.output))
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"vehicles.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    rounds = json.loads(summary.read_text()) if summary.exists() else []
    complete = [entry for entry in rounds if entry["vehicles"]]
    if len(complete) < arguments.rounds:
        print(
            f"vehicles.py: {len(complete)} of {arguments.rounds} rounds were done; "
            f"the logs in {arguments.output} say why",
            file=sys.stderr,
        )
        return 1
    count = len(arguments.vehicles)
    return 4 if any(len(entry["vehicles"]) < count for entry in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
