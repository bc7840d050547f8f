"""`farm doctor`: looks at everything that painting needs, and says what to do about what is
missing.
"""

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from packaging.version import Version
from rich.markup import escape

from actors.models.models import find_model
from farm.commands.shared import AsJson, Home, out, print_json, settings_for
from farm.config import Settings, cuda_devices
from farm.connect import open_client, running_farm
from farm.dispatch.ray_folder import ray_folder
from farm.service.outputs_trial import MOST_SKEW_S, try_outputs
from farm.setting_groups import HOST
from storage.database import closing_engine, prepare, shown_address
from storage.errors import SeedbedError
from storage.outputs import open_outputs

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "ray",
    "sqlalchemy",
    "alembic",
    "boto3",
    "prometheus-client",
    "starlette",
)
FLOORS = {"transformers": "5.3", "diffusers": "0.40", "starlette": "0.49.1", "ray": "2.54"}
"""Older versions run code of a model's files, read beyond its folder, take hours for a header, or
start a cluster that anybody may give orders.
"""
FREE_BYTES = 2 * 1024**3
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
    """Look at everything that painting needs, and say what to do about what is missing. If
    FARM_URL names a farm, that farm is looked at, not this machine.
    """
    settings = settings_for(home)
    if "url" in settings.model_fields_set:
        findings = list(_of_farm(settings))
    else:
        findings = [_look(name, check, settings) for name, check in CHECKS.items()]
        if running_farm(settings):
            findings += [found for found in _of_farm(settings) if found.check not in CHECKS]
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


def _of_farm(settings: Settings) -> Iterator[Finding]:
    """What the named farm says of itself, and how far its clock is from this machine's."""
    with open_client(settings) as client:
        asked = time.time()
        diagnosis = client.diagnosis()
        answered = time.time()
    yield Finding("farm", True, f"it answers at {client.url}")
    for found in diagnosis.findings:
        yield Finding(found.check, found.fine, found.detail)
    # it looked at its clock first
    skew_s = max(asked - diagnosis.looked_at, diagnosis.looked_at - answered, 0.0)
    if skew_s > MOST_SKEW_S:
        yield Finding(
            "clock", False, f"its clock is {skew_s:.0f} s from that of this machine: set them."
        )
    else:
        yield Finding("clock", True, "its clock agrees with that of this machine")


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
            has = version(name)
            found.append(f"{name} {has}")
        except PackageNotFoundError as exc:
            raise SeedbedError(
                f"The package {name} is missing: install Seedbed again, in an environment of its"
                " own."
            ) from exc
        if name in FLOORS and Version(has) < Version(FLOORS[name]):
            raise SeedbedError(
                f"{name} {has} has holes that are known and closed since {FLOORS[name]}: install"
                " Seedbed again, in an environment of its own."
            )
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
    store = open_outputs(
        settings.outputs_address,
        s3_style=settings.s3_style,
        called=f"the outputs folder {settings.outputs_address}",
    )
    return try_outputs(store)


def _database(settings: Settings) -> str:
    with closing_engine(settings.database_address) as engine:
        prepare(engine)
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
