"""How a farm begins: it takes its home, which no other may have, and its dispatcher's process
imports its libraries while the caller does whatever else it must.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from farm.config import Settings
from farm.dispatch.ray_folder import ray_folder
from farm.dispatch.supervisor import Supervisor
from farm.home import Home
from farm.setting_groups import HOST, LOOPBACK
from storage.errors import RequestError


@contextmanager
def beginning(
    settings: Settings, host: str = HOST, shown: str | None = None
) -> Iterator[Supervisor]:
    """The supervisor of a home's dispatcher, for as long as the block lasts. The process has begun
    and waits for its settings, until the supervisor is started. `shown` says how its events are
    shown on standard output, if at all: json or text.

    Raises RequestError if the home has a farm already or cannot be used, or if anybody could give
    the farm orders; WorkError if Ray has no place for its files.
    """
    if host not in LOOPBACK and settings.token is None:
        raise RequestError(
            f"On {host} strangers could reach the farm, so it asks for a token there: set"
            " FARM_TOKEN to 16 or more random characters (`openssl rand -hex 32`), or leave"
            " FARM_HOST as 127.0.0.1."
        )
    with _taken(settings.home), ray_folder(settings.home) as folder:
        command = (sys.executable, "-m", "farm.dispatch.process", folder)
        # Not before the home is taken: it writes a token there, which a running farm needs.
        supervisor = Supervisor(
            settings, (*command, *([shown] if shown else [])), shows_log=shown is not None
        )
        supervisor.begin()
        try:
            yield supervisor
        finally:
            supervisor.stop()


@contextmanager
def _taken(home: Path) -> Iterator[None]:
    """Have a home for this process alone."""
    Home(home).make()
    lock = FileLock(home / "farm.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
        at = Home(home).published_url() or "another address"
        raise RequestError(
            f"A farm runs on {home} already (at {at}): use `farm submit --wait FILE`, or another"
            " --home."
        ) from exc
    except OSError as exc:
        raise unusable(home, exc) from exc
    try:
        yield
    finally:
        lock.release()


def unusable(home: Path, exc: OSError) -> RequestError:
    """The sentence about a home that cannot be written."""
    return RequestError(
        f"The home {home} cannot be used ({exc.strerror or exc}): make it writable, or choose"
        " another."
    )
