"""What writing pictures takes: a store on an S3 server and one in a folder, beside a bare boto3
loop with as many threads.

The sides take turns in one run, so that a machine whose speed drifts favours none of them. The
server is a SeaweedFS on loopback.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from farm.bench.figures import Json, machine, spreads
from storage.bench.outputs import bare_put, leading_to, make_bucket, puts_per_s
from storage.bench.seaweed import temporary_seaweed
from storage.errors import WorkError
from storage.outputs import open_outputs
from storage.store import Outputs

PICTURE_BYTES = 24_000  # as many as a picture of `seedling` has
_DISTINCT = 64
_WARM_UP = 200

Pictures = list[tuple[str, bytes]]


def measure(*, rounds: int, pictures: int, threads: int, work: Path | None) -> Json:
    """Put all pictures once on each side, a part of them each round. Raises WorkError where a
    store does not list what it was given.
    """
    each = pictures // rounds
    with (
        TemporaryDirectory(prefix="farm-outputs-", dir=work) as folder,
        temporary_seaweed() as server,
        leading_to(server),
    ):
        bucket = "pictures"
        stores = {
            "s3": open_outputs(f"{make_bucket(bucket)}/farm"),
            "folder": open_outputs(folder),
        }
        bare = bare_put(bucket, threads=threads)
        for put in (bare, *(store.put for store in stores.values())):
            puts_per_s(put, _pictures("warm", min(_WARM_UP, each)), threads=threads)
        measured = []
        for number in range(rounds):
            part = _pictures(f"round-{number}", each)
            sides = {
                name: puts_per_s(store.put, part, threads=threads)
                for name, store in stores.items()
            }
            measured.append(
                {
                    **sides,
                    "boto3": puts_per_s(
                        bare, [(f"bare/{key}", data) for key, data in part], threads=threads
                    ),
                }
            )
        for store in stores.values():
            _check(
                store,
                [
                    picture
                    for number in range(rounds)
                    for picture in _pictures(f"round-{number}", each)
                ],
            )
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


def _pictures(name: str, count: int) -> Pictures:
    """Keys like those of a campaign, and bytes that nothing could make fewer."""
    distinct = [os.urandom(PICTURE_BYTES) for _ in range(min(_DISTINCT, count))]
    return [
        (f"bench/{name}/final/red_mug_{k // 4:016x}/{k}.png", distinct[k % len(distinct)])
        for k in range(count)
    ]


def _check(store: Outputs, pictures: Pictures) -> None:
    listed = {key for key in store.keys("bench") if "/warm/" not in key}
    if listed != {key for key, _ in pictures}:
        raise WorkError(
            f"{store.address} lists {len(listed):,} pictures of the {len(pictures):,} that were"
            " put there."
        )
