"""What the node publishes -> a file: a subscriber for tests, in a process of its own.

    listener.py --output FILE

Until SIGTERM. The file is a pickle of {topic: [(seconds of receipt, message), …]}, where images
are ImageView and the rest are dataclasses of messages.py.
"""

import argparse
import os
import pickle
import signal
import time
from pathlib import Path
from typing import Any

from cyclonedds.core import InstanceState, ReadCondition, SampleState, ViewState, WaitSet
from cyclonedds.domain import DomainParticipant
from cyclonedds.util import duration
from messages import (
    DEFAULT_QOS,
    LATCHED_QOS,
    SENSOR_QOS,
    DiagnosticArray,
    Image,
    LabelInfo,
    reader_of,
    take,
    take_images,
)

# As Nav2's layer subscribes: images of sensor data, latched labels.
TOPICS = {
    "/segmentation/mask": (Image, SENSOR_QOS),
    "/segmentation/confidence": (Image, SENSOR_QOS),
    "/segmentation/overlay": (Image, SENSOR_QOS),
    "/segmentation/label_info": (LabelInfo, LATCHED_QOS),
    "/diagnostics": (DiagnosticArray, DEFAULT_QOS),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--domain", type=int, default=int(os.environ.get("ROS_DOMAIN_ID") or 0))
    options = parser.parse_args()
    is_ending = []
    signal.signal(signal.SIGTERM, lambda number, frame: is_ending.append(number))

    participant = DomainParticipant(options.domain)
    readers = {
        name: reader_of(participant, name, kind, qos) for name, (kind, qos) in TOPICS.items()
    }
    fresh = ViewState.Any | InstanceState.Any | SampleState.NotRead
    waiting = WaitSet(participant)
    conditions = [ReadCondition(reader, fresh) for reader in readers.values()]
    for condition in conditions:
        waiting.attach(condition)
    found: dict[str, list[tuple[float, Any]]] = {name: [] for name in TOPICS}
    print("listens", flush=True)
    while not is_ending:
        waiting.wait(duration(milliseconds=50))
        now = time.time()
        for name, reader in readers.items():
            kind = TOPICS[name][0]
            messages = take_images(reader) if kind is Image else take(reader)
            found[name] += [(now, message) for message in messages]
    with options.output.open("wb") as file:
        pickle.dump(found, file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
