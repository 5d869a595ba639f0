"""The parameters of a network <-> what of them travels between vehicles and server.

local    The statistics of BatchNormalization (running mean and variance) stay in each vehicle.
average  They are averaged over the vehicles, as all other parameters are.
blend    They are averaged, and a vehicle uses the mean of its own and the average.
"""

from __future__ import annotations

import das3
import numpy as np
import numpy.typing as npt
from flwr.app import Array, ArrayRecord

Values = npt.NDArray[np.float32]

# Share of the average in the statistics that a vehicle uses.
SHARES = {"local": 0.0, "blend": 0.5, "average": 1.0}


class Parameters:
    """Tells statistics from weights, and packs both for Flower."""

    def __init__(self, model: das3.Model, statistics: str) -> None:
        if statistics not in SHARES:
            raise ValueError(f"statistics is {statistics!r}; expected one of {', '.join(SHARES)}")
        self.share = SHARES[statistics]
        self.is_statistic = np.zeros(model.info.parameter_count, bool)
        for entry in model.parameters:
            if entry.is_statistic:
                self.is_statistic[entry.offset : entry.offset + entry.size] = True

    def statistics(self, values: Values) -> Values:
        return values[self.is_statistic]

    def pack(self, values: Values) -> ArrayRecord:
        """What travels: weights, and statistics unless these are local."""
        arrays = {"weights": Array(values[~self.is_statistic])}
        if self.share > 0:
            arrays["statistics"] = Array(values[self.is_statistic])
        return ArrayRecord(arrays)

    def unpack(self, arrays: ArrayRecord, own: Values) -> Values:
        """All parameters: weights that came, and statistics between `own` and those that came."""
        weights = arrays["weights"].numpy()
        expected = np.count_nonzero(~self.is_statistic)
        if weights.size != expected:
            raise ValueError(
                f"{weights.size} weights came, and the network here has {expected}; "
                "expected the same network on the server and in every vehicle"
            )
        values = np.empty(self.is_statistic.size, np.float32)
        values[~self.is_statistic] = weights
        values[self.is_statistic] = own
        if self.share > 0:
            came = arrays["statistics"].numpy()
            values[self.is_statistic] = (1 - self.share) * own + self.share * came
        return values


def byte_count(arrays: ArrayRecord) -> int:
    return sum(len(array.data) for array in arrays.values())
