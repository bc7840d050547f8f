"""Ray Data doing what the farm is measured at, in a process of its own: `python -m actors.peers`. Nobody imports this.

Reads an order from standard input (`rest_s`, `batches`, `blocks`, `actors` and a `folder` for Ray's files) and answers with its efficiency.
"""

import json
import sys
import time
from typing import Any

import ray
import ray.data

Json = dict[str, Any]


class Rester:
    """Rests for each batch, and says when."""

    def __init__(self, rest_s: float) -> None:
        self._rest_s = rest_s
        self._ready_at = time.time()

    def __call__(self, _batch: Json) -> Json:
        began = time.time()
        time.sleep(self._rest_s)
        return {"began_at": [began], "ready_at": [self._ready_at]}


def efficiency(order: Json) -> float:
    """The ideal time over the real one, from when the last actor of the pool was ready until the last batch was back."""
    batches = ray.data.range(order["batches"], override_num_blocks=order["blocks"]).map_batches(
        Rester, batch_size=1, concurrency=order["actors"], fn_constructor_args=(order["rest_s"],)
    )
    rows = list(batches.iter_rows())
    ended_at = time.time()
    began_at = max(row["ready_at"] for row in rows)
    counted = sum(row["began_at"] >= began_at for row in rows)
    return float(counted * order["rest_s"] / order["actors"] / (ended_at - began_at))


def main() -> None:
    order = json.load(sys.stdin)
    ray.init(
        address="local",
        num_cpus=2 * order["actors"],  # what feeds the actors needs places too
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100_000_000,
        _node_ip_address="127.0.0.1",
        _temp_dir=order["folder"],
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        sys.stdout.write(json.dumps({"efficiency": efficiency(order)}) + "\n")
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
