"""How fast a registered model reaches the disk of a node that has nothing: fetched and verified by
the farm, beside boto3's own parallel download, which verifies nothing.

The sides take turns in one run, each into a new folder. The server is a SeaweedFS on loopback.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from actors.models.cache import WeightsCache
from actors.models.manifests import Manifest, StoredFile
from farm.bench.figures import Json, machine, spreads
from storage.bench.outputs import bare_get, leading_to, make_bucket
from storage.bench.seaweed import temporary_seaweed
from storage.errors import WorkError
from storage.keys import weights_key
from storage.outputs import open_outputs
from storage.store import Outputs

FILES = 4
_BUCKET = "models"
_MB = 1_000_000


def measure(*, rounds: int, megabytes: int, work: Path | None) -> Json:
    """Fetch a model of four files as often on each side. Raises WorkError if the bytes that came
    are not those that were stored.
    """
    size = megabytes * _MB // FILES
    with (
        TemporaryDirectory(prefix="farm-models-", dir=work) as folder,
        temporary_seaweed() as server,
        leading_to(server),
    ):
        root = Path(folder)
        outputs = open_outputs(f"{make_bucket(_BUCKET)}/farm")
        manifest = _stored(outputs, size)
        get = bare_get(_BUCKET, prefix="farm")

        def bare(place: Path) -> None:
            place.mkdir()
            for file in manifest.files:
                get(weights_key(file.sha256), place / file.sha256)

        def farm(place: Path) -> None:
            with WeightsCache(place, outputs).use(manifest.sha256):
                pass

        _check(manifest, root, bare)
        seconds = [
            {"farm": _seconds(farm, root / "node"), "boto3": _seconds(bare, root / "bare")}
            for _ in range(rounds)
        ]
    total = size * FILES / _MB
    figures = [
        {"fetch_vs_boto3": s["boto3"] / s["farm"], "farm.mb_per_s": total / s["farm"]}
        for s in seconds
    ]
    return {
        "bench": "models",
        "machine": machine(),
        "setup": {"rounds": rounds, "bytes": size * FILES, "files": FILES},
        "figures": spreads(figures),
        "peers": spreads([{"boto3.mb_per_s": total / s["boto3"]} for s in seconds]),
    }


def _stored(outputs: Outputs, size: int) -> Manifest:
    files = []
    for number in range(FILES):
        data = os.urandom(size)
        digest = hashlib.sha256(data).hexdigest()
        outputs.put(weights_key(digest), data)
        files.append(StoredFile(path=f"part-{number}.bin", bytes=size, sha256=digest))
    manifest = Manifest(digest="0" * 64, files=tuple(files))
    outputs.put(weights_key(manifest.sha256), manifest.data)
    return manifest


def _seconds(fetch: Callable[[Path], None], place: Path) -> float:
    """Wall time of a fetch into a new folder, which is removed."""
    began = perf_counter()
    fetch(place)
    took = perf_counter() - began
    shutil.rmtree(place)
    return took


def _check(manifest: Manifest, root: Path, bare: Callable[[Path], None]) -> None:
    """That the bare side fetches the whole model too. It is not counted, and warms the server."""
    bare(root / "warm")
    for file in manifest.files:
        with (root / "warm" / file.sha256).open("rb") as came:
            if hashlib.file_digest(came, "sha256").hexdigest() != file.sha256:
                raise WorkError(f"boto3 fetched {file.path} as other bytes than were stored.")
    shutil.rmtree(root / "warm")
