"""`farm doctor`: looks at everything that painting needs, and says what to do about what is
missing.
"""

import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from rich.markup import escape

from actors.models.models import find_model
from farm.api.serving import HOST
from farm.commands.shared import AsJson, Home, out, print_json, settings_for
from farm.config import Settings, cuda_devices
from farm.connect import running_farm
from farm.dispatch.ray_folder import ray_folder
from storage.database import open_database, prepare, shown_address
from storage.errors import NotFound, OutputsForbidden, SeedbedError
from storage.outputs import open_outputs
from storage.store import Outputs

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "ray",
    "sqlalchemy",
    "alembic",
    "boto3",
    "prometheus-client",
)
MOST_SKEW_S = 60.0  # S3 refuses requests that are 15 minutes off
FREE_BYTES = 2 * 1024**3
_PROBE = b"fine"
_RAY = """import ray
ray.init(
    address="local", num_cpus=1, include_dashboard=False, log_to_driver=False,
    _node_ip_address="127.0.0.1", _temp_dir={folder!r},
)
ray.shutdown()"""
_TORCH = """import torch
(torch.ones(8, 8) @ torch.ones(8, 8)).sum()
print(torch.cuda.device_count())"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    fine: bool
    detail: str


def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Look at everything that painting needs, and say what to do about what is missing."""
    settings = settings_for(home)
    findings = [_look(name, check, settings) for name, check in CHECKS.items()]
    for finding in findings:
        if as_json:
            print_json(asdict(finding))
        else:
            out.print(
                f"{'[green]fine [/]' if finding.fine else '[bold red]wrong[/]'}  {finding.check:9}"
                f"  {escape(finding.detail)}"
            )
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)


def _look(name: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(name, True, check(settings))
    except (SeedbedError, OSError, subprocess.SubprocessError) as exc:
        return Finding(name, False, str(exc))


def _python(_settings: Settings) -> str:
    return f"Python {platform.python_version()} on {platform.platform()}"


def _packages(_settings: Settings) -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError as exc:
            raise SeedbedError(
                f"The package {name} is missing: install Seedbed again, in an environment of its"
                " own."
            ) from exc
    return ", ".join(found)


def _folders(settings: Settings) -> str:
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in (settings.home, Path(tempfile.gettempdir())):
        open_outputs(str(folder), called=str(folder)).put(".doctor", b"")
        (folder / ".doctor").unlink()
        free = shutil.disk_usage(folder).free
        if free < FREE_BYTES:
            raise SeedbedError(
                f"{folder} has only {free >> 20} MB left: free at least {FREE_BYTES >> 20} MB."
            )
    return f"home {settings.home} and {tempfile.gettempdir()}, both writable"


def _outputs(settings: Settings) -> str:
    """Do with a small file all that the farm does with pictures, and say what of it is
    forbidden.
    """
    store = open_outputs(
        settings.outputs_address,
        s3_style=settings.s3_style,
        called=f"the outputs folder {settings.outputs_address}",
    )
    key = f".doctor/{secrets.token_hex(8)}"
    deeds: tuple[Callable[[], None], ...] = (
        lambda: store.put(key, _PROBE),
        lambda: _read_back(store, key),
        lambda: _find(store, key),
        lambda: store.copy(key, f"{key}-copy"),
        lambda: store.delete(f"{key}-copy"),
        lambda: store.delete(key),
    )
    forbidden = []
    for deed in deeds:
        try:
            deed()
        except OutputsForbidden as exc:
            forbidden.append(str(exc))
        except NotFound:
            if not forbidden:  # what could not be written is not there
                raise
    if forbidden:
        raise SeedbedError(" ".join(dict.fromkeys(forbidden)))
    if (skew := store.clock_skew_s()) > MOST_SKEW_S:
        raise SeedbedError(
            f"The clock of this machine is {skew:.0f} s from that of {store.address}: set it, or"
            " requests will be refused."
        )
    return f"{store.address} can be written, read, listed, copied and cleared"


def _read_back(store: Outputs, key: str) -> None:
    with store.open(key) as file:
        if file.read() != _PROBE:
            raise SeedbedError(
                f"{store.address} gives back other bytes than were written to it: do not keep"
                " pictures there."
            )


def _find(store: Outputs, key: str) -> None:
    if key not in store.keys(".doctor"):
        raise NotFound(
            f"{store.address} does not list what was just written to it: do not keep pictures"
            " there."
        )


def _database(settings: Settings) -> str:
    prepare(open_database(settings.database_address))
    return (
        f"{shown_address(settings.database_address)} has the tables of this version, and may be"
        " written"
    )


def _port(settings: Settings) -> str:
    if url := running_farm(settings):
        return f"a farm runs at {url}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, settings.port))
        except OSError as exc:
            raise SeedbedError(
                f"Port {settings.port} on {HOST} is taken: give `farm up` another with --port or"
                " FARM_PORT."
            ) from exc
    return f"port {settings.port} on {HOST} is free"


def _model(_settings: Settings) -> str:
    model = find_model("seedling")
    return f"seedling is whole ({model.digest[:12]})"


def _device(_settings: Settings) -> str:
    seen, there = int(_in_python(_TORCH)), cuda_devices()
    if seen < there:
        raise SeedbedError(
            f"The machine has {there} NVIDIA devices and torch sees {seen}: install a CUDA build"
            " of torch that fits the driver."
        )
    return f"{seen} CUDA devices, {os.cpu_count()} CPU cores"


def _ray(settings: Settings) -> str:
    if settings.ray != "local":
        host, _, port = settings.ray.removeprefix("ray://").rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, ValueError) as exc:
            raise SeedbedError(
                f"No Ray cluster answers at {settings.ray}: check FARM_RAY and that its head runs."
            ) from exc
        return f"a cluster answers at {settings.ray}"
    with ray_folder(settings.home) as folder:
        _in_python(_RAY.format(folder=folder))
    return "a local cluster starts and stops"


def _in_python(code: str) -> str:
    """Run code in a process of its own, so that what it loads or starts ends with it."""
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment,
            check=True,
        )
    except subprocess.CalledProcessError as exc:
        raise SeedbedError(
            f"It failed: {exc.stderr.strip().splitlines()[-1] if exc.stderr.strip() else exc}"
        ) from exc
    return done.stdout.strip()


CHECKS: dict[str, Callable[[Settings], str]] = {
    "python": _python,
    "packages": _packages,
    "folders": _folders,
    "outputs": _outputs,
    "database": _database,
    "port": _port,
    "model": _model,
    "device": _device,
    "ray": _ray,
}
