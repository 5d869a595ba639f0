"""Flower's ServerApp: FedAvg over the vehicles, weighted by frames.

In the output folder: roundN.onnx, the merged network after round N, and summary.json, what each
vehicle said in each round.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import das3
from adaptation import check, settings, write
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from parameters import Parameters

app = ServerApp()


class Fleet(FedAvg):
    """FedAvg that goes on with the vehicles there are, and writes down what each has said."""

    def __init__(self, model: das3.Model, parameters: Parameters, output: Path) -> None:
        # A round needs one vehicle; those that do not answer in time are left out.
        super().__init__(
            min_train_nodes=1,
            min_evaluate_nodes=1,
            min_available_nodes=1,
            weighted_by_key="frames",
        )
        self.model, self.parameters, self.output = model, parameters, output
        self.rounds: list[dict[str, Any]] = []
        self._begin = 0.0

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        self._begin = time.monotonic()
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        seconds = time.monotonic() - self._begin
        replies = list(replies)
        arrays, measures = super().aggregate_train(server_round, replies)
        if arrays is not None:
            own = self.parameters.statistics(self.model.get_parameters())
            merged = self.model.with_parameters(self.parameters.unpack(arrays, own))
            merged.save(self.output / f"round{server_round}.onnx")
        vehicles = [said(reply) for reply in replies if reply.has_content()]
        failures = [reply.error.reason for reply in replies if reply.has_error()]
        self.rounds.append(
            {"round": server_round, "seconds": seconds, "vehicles": vehicles, "failures": failures}
        )
        write(self.output / "summary.json", json.dumps(self.rounds, indent=2) + "\n")
        for vehicle in vehicles:
            kept = f"as it was: {vehicle['why']}" if vehicle["kept"] else "adapted"
            print(f"round {server_round}, {vehicle['name']}: {vehicle['seconds']:.1f} s, {kept}")
        for failure in failures:
            print(f"round {server_round}, a vehicle is missing: {failure}")
        return arrays, measures


def said(reply: Message) -> dict[str, Any]:
    words = reply.content.config_records["said"]
    measures = dict(reply.content.metric_records["measures"])
    return {"name": words["name"], "why": words["kept"]} | measures


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    model, output = das3.Model(str(config["model"])), Path(str(config["output"]))
    check(model, settings(str(config["settings"]).split()))
    parameters = Parameters(model, str(config["statistics"]))
    output.mkdir(parents=True, exist_ok=True)
    while (count := len(list(grid.get_node_ids()))) < int(config["vehicles"]):
        print(f"{count} of {config['vehicles']} vehicles are connected")
        time.sleep(1)
    asked = ConfigRecord({"statistics": config["statistics"], "settings": config["settings"]})
    Fleet(model, parameters, output).start(
        grid,
        initial_arrays=parameters.pack(model.get_parameters()),
        num_rounds=int(config["rounds"]),
        timeout=float(config["round-seconds"]),
        train_config=asked,
        evaluate_config=asked,
    )
