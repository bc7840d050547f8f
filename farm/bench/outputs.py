"""How fast pictures are written: to a store on an S3 server and to one in a folder, beside a bare
boto3 loop with the same number of threads.

The sides take turns in one run, so that a machine whose speed drifts favours none of them. The
server is a SeaweedFS on loopback.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from farm.bench.figures import Json, machine, spreads
from storage.bench.outputs import Put, bare_put, leading_to, make_bucket, puts_per_s
from storage.bench.seaweed import temporary_seaweed
from storage.errors import WorkError
from storage.outputs import open_outputs
from storage.store import Outputs

PICTURE_BYTES = 24_000  # the size of a picture of `seedling`
_BUCKET = "pictures"
_DISTINCT = 64
_WARM_UP = 200

Pictures = list[tuple[str, bytes]]


def measure(*, rounds: int, pictures: int, threads: int, work: Path | None) -> Json:
    """Put all pictures once on each side, a part of them each round. Raises WorkError if a store
    does not list every picture that it was given.
    """
    each = pictures // rounds
    with (
        TemporaryDirectory(prefix="farm-outputs-", dir=work) as folder,
        temporary_seaweed() as server,
        leading_to(server),
    ):
        stores = {
            "s3": open_outputs(f"{make_bucket(_BUCKET)}/farm"),
            "folder": open_outputs(folder),
        }
        bare = bare_put(_BUCKET, threads=threads)
        for put in (bare, *(store.put for store in stores.values())):
            puts_per_s(put, _pictures("warm", min(_WARM_UP, each)), threads=threads)
        parts = [_pictures(f"round-{number}", each) for number in range(rounds)]
        measured = [_measure_round(stores, bare, part, threads) for part in parts]
        for store in stores.values():
            _check(store, [key for part in parts for key, _ in part])
    figures = [
        {
            "put_vs_boto3": m["s3"] / m["boto3"],
            "s3.puts_per_s": m["s3"],
            "folder.puts_per_s": m["folder"],
        }
        for m in measured
    ]
    setup = {
        "rounds": rounds,
        "pictures": each * rounds,
        "bytes": PICTURE_BYTES,
        "threads": threads,
    }
    peers = spreads([{"boto3.puts_per_s": m["boto3"]} for m in measured])
    return {
        "bench": "outputs",
        "machine": machine(),
        "setup": setup,
        "figures": spreads(figures),
        "peers": peers,
    }


def _measure_round(
    stores: Mapping[str, Outputs], bare: Put, part: Pictures, threads: int
) -> dict[str, float]:
    """Pictures a second of each side. The bare loop has keys of its own in the stores' bucket."""
    sides = {name: puts_per_s(store.put, part, threads=threads) for name, store in stores.items()}
    own = [(f"bare/{key}", data) for key, data in part]
    return {**sides, "boto3": puts_per_s(bare, own, threads=threads)}


def _pictures(name: str, count: int) -> Pictures:
    """Pictures with keys like those of a campaign, and bytes that cannot be compressed."""
    distinct = [os.urandom(PICTURE_BYTES) for _ in range(min(_DISTINCT, count))]
    return [
        (f"bench/{name}/final/red_mug_{k // 4:016x}/{k}.png", distinct[k % len(distinct)])
        for k in range(count)
    ]


def _check(store: Outputs, keys: Collection[str]) -> None:
    listed = {key for key in store.keys("bench") if "/warm/" not in key}
    if listed != set(keys):
        raise WorkError(
            f"{store.address} lists {len(listed):,} pictures of the {len(keys):,} that were"
            " put there."
        )
