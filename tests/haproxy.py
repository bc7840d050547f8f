"""HAProxy between the farm and its S3 server, told to answer with errors, to wait, or to hang
up.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from storage.bench.postgres import free_port

READY_S = 30.0
_CONFIG = """
global
    log stderr local0 alert
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tarpit 3s
frontend s3
    bind 127.0.0.1:{port}
{rules}
    default_backend server
backend server
    server weed {server}
"""


def binary() -> str | None:
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


@contextmanager
def haproxy(folder: Path, target: str, *rules: str) -> Iterator[str]:
    """The address of a proxy before `target` that follows these rules of HAProxy's own language,
    as long as the block lasts.
    """
    program, port = binary(), free_port()
    assert program is not None, "the fixture has looked"
    config = folder / f"haproxy-{port}.cfg"
    config.write_text(
        _CONFIG.format(
            port=port,
            rules="\n".join(f"    {rule}" for rule in rules),
            server=urlsplit(target).netloc,
        )
    )
    with (folder / f"haproxy-{port}.log").open("wb") as log:
        process = subprocess.Popen([program, "-db", "-f", str(config)], stdout=log, stderr=log)
    try:
        _wait_for(port, process, Path(log.name))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        else:
            return


# What servers say and do when they cannot do better; a share of the requests is met by it.
def busy(percent: int) -> str:
    return (
        "http-request return status 503 content-type text/plain string busy if { rand(100) lt"
        f" {percent} }}"
    )


def hangs_up(percent: int) -> str:
    return f"http-request reject if {{ rand(100) lt {percent} }}"


def is_slow(percent: int) -> str:
    """Three seconds, and then no answer that would be of use."""
    return f"http-request tarpit deny_status 500 if {{ rand(100) lt {percent} }}"


def answers(status: int, code: str, condition: str = "") -> str:
    body = f"<Error><Code>{code}</Code><Message>said-by-the-proxy</Message></Error>"
    return (
        f'http-request return status {status} content-type application/xml string "{body}"'
        f" {condition}"
    )
