"""Ray Data and Ray Serve doing what the farm is measured at, in a process of its own: `python -m
actors.bench.peers`. Nobody imports this.

Reads an order from standard input (`peer`, `rest_s`, `spread`, `batches`, `blocks`, `actors` and a
`folder` for Ray's files) and answers with its efficiency: the rests shared evenly among the
actors, over the time from when the last actor was ready until the last batch was back.
"""

import json
import random
import sys
import time
from typing import Any

import ray

from actors.painting.resting import rest_of

Json = dict[str, Any]


class Rester:
    """Rests for each batch, and says when and for how long."""

    def __init__(self, rest_s: float, spread: float) -> None:
        self._rest_s, self._spread = rest_s, spread
        self._ready_at = time.time()

    def __call__(self, batch: Json) -> Json:
        began = time.time()
        # for chance, not for secrets
        chance = random.Random(int(batch["id"][0])).random()  # noqa: S311
        seconds = rest_of(self._rest_s, self._spread, chance)
        time.sleep(seconds)
        return {"began_at": [began], "ready_at": [self._ready_at], "rested_s": [seconds]}


def ray_data(order: Json) -> list[Json]:
    """What each batch says that Ray Data's pool of actors was given."""
    import ray.data  # noqa: PLC0415  # either of the two may not be installed

    ray.data.DataContext.get_current().enable_progress_bars = False
    batches = ray.data.range(order["batches"], override_num_blocks=order["blocks"]).map_batches(
        Rester,
        batch_size=1,
        concurrency=order["actors"],
        fn_constructor_args=(order["rest_s"], order["spread"]),
    )
    return list(batches.iter_rows())


def ray_serve(order: Json) -> list[Json]:
    """What each batch says that a deployment of Ray Serve was given through its handle, twice as
    many under way as there are replicas.
    """
    from ray import serve  # noqa: PLC0415

    made = serve.deployment(
        num_replicas=order["actors"], max_ongoing_requests=1, ray_actor_options={"num_cpus": 1}
    )(Rester)
    handle = serve.run(made.bind(order["rest_s"], order["spread"]), name="peer", route_prefix=None)
    under_way: list[Any] = []
    rows: list[Json] = []
    for number in range(order["batches"]):
        if len(under_way) == 2 * order["actors"]:
            rows.append({name: value[0] for name, value in under_way.pop(0).result().items()})
        under_way.append(handle.remote({"id": [number]}))
    rows += [{name: value[0] for name, value in answer.result().items()} for answer in under_way]
    serve.shutdown()
    return rows


def efficiency(order: Json) -> float:
    """Counted from the first batch that began when all actors were ready."""
    rows = {"ray_data": ray_data, "ray_serve": ray_serve}[order["peer"]](order)
    began_at = max(row["ready_at"] for row in rows)
    counted = [row for row in rows if row["began_at"] >= began_at]
    ended_at = max(row["began_at"] + row["rested_s"] for row in rows)
    return float(sum(row["rested_s"] for row in counted) / order["actors"] / (ended_at - began_at))


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
    try:
        sys.stdout.write(json.dumps({"efficiency": efficiency(order)}) + "\n")
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
