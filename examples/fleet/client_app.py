"""Flower's ClientApp: a vehicle, its frames and its network. Frames never leave it.

The configuration of its SuperNode says where things are in this vehicle:

    --node-config 'name="bus 7" model="network.onnx" frames="/data/frames" output="/data/fleet"'

model   the network that all vehicles have begun with
frames  a folder of images
output  gets ownN.onnx, what the vehicle has sent in round N, and roundN.onnx, what it uses then
threads of the adapter; 0 or nothing = one for each processor
"""

from __future__ import annotations

import time
from pathlib import Path

import das3
from adaptation import adapt, settings
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from frames import frames_of
from parameters import Parameters, Values, byte_count

app = ClientApp()


class Vehicle:
    """The vehicle as a message of the server finds it."""

    def __init__(self, message: Message, context: Context) -> None:
        here, self.asked = context.node_config, message.content.config_records["config"]
        for key in ("name", "model", "frames", "output"):
            if key not in here:
                raise ValueError(f"the SuperNode has no {key}; expected --node-config '{key}=…'")
        self.name, self.threads = str(here["name"]), int(here.get("threads", 0))
        self.frames, self.output = frames_of(Path(str(here["frames"]))), Path(str(here["output"]))
        self.source = das3.Model(str(here["model"]))
        self.round = int(str(self.asked["server-round"]))
        self.parameters = Parameters(self.source, str(self.asked["statistics"]))
        self.arrays = message.content.array_records["arrays"]
        self._state = context.state

    @property
    def statistics(self) -> Values:
        """Its own statistics, which the SuperNode keeps from round to round."""
        if "own" in self._state:
            own: Values = self._state.array_records["own"]["statistics"].numpy()
            return own
        return self.parameters.statistics(self.source.get_parameters())

    @statistics.setter
    def statistics(self, own: Values) -> None:
        self._state["own"] = ArrayRecord({"statistics": Array(own)})

    def network(self) -> das3.Model:
        """The server's weights with the statistics that this vehicle uses with them."""
        values = self.parameters.unpack(self.arrays, self.statistics)
        return self.source.with_parameters(values)

    def save(self, what: str, network: das3.Model) -> None:
        self.output.mkdir(parents=True, exist_ok=True)
        network.save(self.output / f"{what}{self.round}.onnx")


@app.train()
def train(message: Message, context: Context) -> Message:
    """Adapts the network that came to this place; the guard decides whether that is better."""
    vehicle = Vehicle(message, context)
    options = settings(str(vehicle.asked["settings"]).split()) | {"threads": vehicle.threads}
    outcome = adapt(vehicle.network(), vehicle.frames, options)
    vehicle.save("own", outcome.model)
    values = outcome.model.get_parameters()
    vehicle.statistics = vehicle.parameters.statistics(values)
    reply = vehicle.parameters.pack(values)
    measures = MetricRecord(
        {
            "frames": outcome.frame_count,
            "kept": int(bool(outcome.kept)),
            "steps": outcome.step_count,
            "seconds": outcome.seconds,
            "cpu_seconds": outcome.cpu_seconds,
            "received_bytes": byte_count(vehicle.arrays),
            "sent_bytes": byte_count(reply),
        }
    )
    said = ConfigRecord({"name": vehicle.name, "kept": outcome.kept})
    content = RecordDict({"arrays": reply, "measures": measures, "said": said})
    return Message(content=content, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Takes the merged network over."""
    begin = time.monotonic()
    vehicle = Vehicle(message, context)
    network = vehicle.network()
    vehicle.save("round", network)
    measures = MetricRecord({"frames": len(vehicle.frames), "seconds": time.monotonic() - begin})
    return Message(content=RecordDict({"measures": measures}), reply_to=message)
