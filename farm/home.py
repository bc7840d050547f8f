"""What the farm keeps in its home beside the database: the folder itself, and word of where its
farm answers.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from farm.config import Settings
from storage.errors import RequestError


def make_home(settings: Settings) -> None:
    """Raises RequestError if the folder cannot be made."""
    try:
        Path(settings.home).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise RequestError(
            f"The home {settings.home} cannot be made ({exc.strerror}): choose another with --home"
            " or FARM_HOME."
        ) from exc


@contextmanager
def published(settings: Settings, url: str) -> Iterator[None]:
    """Leave word in the home of where its farm answers."""
    path = settings.home / "farm.json"
    path.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def published_url(settings: Settings) -> str | None:
    """Where the farm of this home said that it answers, or None if it left no word."""
    try:
        return str(json.loads((settings.home / "farm.json").read_text())["url"])
    except (OSError, ValueError, KeyError):
        return None
