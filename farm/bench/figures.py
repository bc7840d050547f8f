"""The report of a measurement: its subject, its machine, and each figure's median between its
extremes.
"""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]


def spread(values: Sequence[float]) -> Json:
    return {
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
    }


def spreads(rounds: Sequence[Mapping[str, float]]) -> Json:
    """Each figure that the rounds have, over all of them."""
    return {
        name: spread([measured[name] for measured in rounds])
        for name in (rounds[0] if rounds else ())
    }


def machine(**more: int) -> Json:
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.platform(),
        **more,
    }
