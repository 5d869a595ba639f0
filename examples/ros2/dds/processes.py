"""Programs of this folder as processes of their own, which only hear one another."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Optional

HERE = Path(__file__).resolve().parent
STREET = HERE.parents[1] / "street"
SHARED = HERE.parents[3] / "shared"

# Loopback alone, without multicast; packets that hold a picture in few pieces, because a lost one
# loses the picture.
os.environ["CYCLONEDDS_URI"] = """
<CycloneDDS><Domain>
  <General>
    <Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces>
    <AllowMulticast>false</AllowMulticast>
    <MaxMessageSize>65500B</MaxMessageSize>
    <FragmentSize>65000B</FragmentSize>
  </General>
  <Discovery>
    <ParticipantIndex>auto</ParticipantIndex>
    <Peers><Peer address="127.0.0.1"/></Peers>
  </Discovery>
</Domain></CycloneDDS>"""
# Other tests of this machine are probably in other domains.
DOMAIN = 100 + os.getpid() % 100
os.environ["ROS_DOMAIN_ID"] = str(DOMAIN)
os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that wait leave the processor to the others


class Program:
    """A program that runs; killed at the end of the `with` block if it still does."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name = name
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by __exit__)
        command = [sys.executable, str(HERE / name), *map(str, arguments)]
        self._process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.STDOUT)

    @property
    def output(self) -> str:
        """What it has said so far."""
        self._output.seek(0)
        return self._output.read()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_until_says(self, text: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while text not in self.output:
            if not self.is_running or time.monotonic() > end:
                raise AssertionError(f"{self.name} has not said {text!r} but:\n{self.output}")
            time.sleep(0.02)

    def wait(self, seconds: float = 60) -> int:
        """Its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} goes on after {seconds} s:\n{self.output}") from None

    def end(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return self.wait()

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self.is_running:
            self._process.kill()
            self._process.wait()
        self._output.close()
