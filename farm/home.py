"""The farm's home (FARM_HOME): what it keeps in that folder, and under which names."""

import hashlib
import json
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.errors import RequestError

_OWN_TOKEN = "farm.token"  # noqa: S105  # the name of a file


@dataclass(frozen=True)
class Home:
    """The home as a folder, which may not exist yet."""

    folder: Path

    @property
    def database_address(self) -> str:
        """The job database of a farm that has no database server."""
        from storage.database import (  # noqa: PLC0415
            sqlite_address,
        )  # SQLAlchemy: commands beside a running farm need none

        return sqlite_address(self.folder / "farm.db")

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def digest(self) -> str:
        """Tells this home from others, without its path."""
        return short_digest(str(self.folder))

    def make(self) -> None:
        """Raises RequestError if the folder cannot be made."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise RequestError(
                f"The home {self.folder} cannot be made ({exc.strerror}): choose another with"
                " --home or FARM_HOME."
            ) from exc

    def owner(self) -> str:
        """Names the dispatcher of this home, which has one at a time because of its lock. Hosts
        may have the same name and homes the same path, so a home has a random number of its own.
        """
        path = self.folder / "farm.id"
        if not path.exists():
            _put(path, secrets.token_hex(16))
        return f"{platform.node()[:100]}:{path.read_text().strip()[:100]}"

    def new_cluster_token(self) -> Path:
        """A file with a new token for a Ray cluster: only those who can read it may use that."""
        token = self.folder / "ray.token"
        _put(token, secrets.token_hex(32))
        return token

    @contextmanager
    def own_token(self) -> Iterator[str]:
        """A new token, in a file, for commands of whoever the running farm belongs to: only those
        who can read it may use it.
        """
        path, token = self.folder / _OWN_TOKEN, secrets.token_urlsafe(32)
        _put(path, token)
        try:
            yield token
        finally:
            path.unlink(missing_ok=True)

    def token_of(self, url: str) -> str | None:
        """That token, for a farm at an address; None for any but the farm of this home, which must
        not learn it.
        """
        try:
            return (self.folder / _OWN_TOKEN).read_text() if url == self.published_url() else None
        except (OSError, ValueError):
            return None

    @contextmanager
    def published(self, url: str) -> Iterator[None]:
        """Publish the address of the running farm, for commands on this machine."""
        path = self.folder / "farm.json"
        _put(path, json.dumps({"url": url, "pid": os.getpid()}))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def published_url(self) -> str | None:
        """The address that the farm of this home has published; None if there is none."""
        try:
            return str(json.loads((self.folder / "farm.json").read_text())["url"])
        except (OSError, ValueError, KeyError):
            return None


def _put(path: Path, text: str) -> None:
    """Write a file for its owner alone that nobody ever finds without all of its text: another
    process may look at any time, and this one may be killed.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.touch(mode=0o600, exist_ok=False)
        part.write_text(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def short_digest(text: str) -> str:
    """Ten digits that tell a text from others."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]
