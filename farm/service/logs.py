"""Reading the logs of this farm: the latest events about a campaign or a worker."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.campaigns import Campaigns

Json = dict[str, Any]
FILES = ("dispatcher.log", "api.log")
FARTHEST = 40 * 1024 * 1024
"""Bytes that are read back of each log, its rotated files included."""
_BLOCK = 64 * 1024
_KNOWN = ("at", "level", "logger", "message", "error")


class LogReading:
    """Events out of the log files of this farm's processes."""

    def __init__(self, folder: Path, campaigns: Campaigns) -> None:
        self._folder = folder
        self._campaigns = campaigns

    def of_campaign(
        self, project: str, name: str, *, after: float | None = None, limit: int = 100
    ) -> list[Json]:
        """The latest events about a campaign and its proofs, the oldest first; with `after`, only
        those since that time. Raises NotFound if there is no such campaign.
        """
        campaign = self._campaigns.get(project, name)
        proofs = campaign.proofs
        numbers = {campaign.id} | ({proofs.id} if proofs is not None else set())
        return self._latest(
            lambda event: event.get("campaign") in numbers, after=after, limit=limit
        )

    def of_farm(
        self, worker: str | None = None, *, after: float | None = None, limit: int = 100
    ) -> list[Json]:
        """The latest events of all processes, or about one worker."""
        return self._latest(
            lambda event: worker is None or event.get("worker") == worker,
            after=after,
            limit=limit,
        )

    def _latest(
        self, chosen: Callable[[Json], bool], *, after: float | None, limit: int
    ) -> list[Json]:
        found: list[Json] = []
        for name in FILES:
            found += _last(self._folder / name, chosen, after=after, limit=limit)
        return sorted(found, key=lambda event: float(event["at"]))[-limit:]


def _last(
    path: Path, chosen: Callable[[Json], bool], *, after: float | None, limit: int
) -> Iterator[Json]:
    """The newest events of a log that are chosen, the newest first."""
    count = 0
    for line in _lines_back(path):
        event = _parsed(line)
        if event is None:
            continue
        if count == limit or (after is not None and event["at"] <= after):
            return
        if chosen(event):
            count += 1
            yield _told(event)


def _lines_back(path: Path) -> Iterator[bytes]:
    """The lines of a log and its rotated files, the last first."""
    left = FARTHEST
    number = 0
    while left > 0:
        part = path if number == 0 else path.with_name(f"{path.name}.{number}")
        try:
            size = part.stat().st_size
            yield from _lines_of(part, size)
        except FileNotFoundError:
            return
        left -= size
        number += 1


def _lines_of(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        rest, at = b"", size
        while at > 0:
            begin = max(0, at - _BLOCK)
            file.seek(begin)
            first, *lines = (file.read(at - begin) + rest).split(b"\n")
            yield from reversed(lines)
            rest, at = first, begin
        yield rest


def _parsed(line: bytes) -> Json | None:
    """An event with its time in seconds; None for what is none, as older versions wrote."""
    try:
        event = json.loads(line)
        event["at"] = datetime.fromisoformat(event["at"]).timestamp()
        return {**event, "level": str(event["level"]), "message": str(event["message"])}
    except (ValueError, KeyError, TypeError):
        return None


def _told(event: Json) -> Json:
    fields = {name: value for name, value in event.items() if name not in _KNOWN}
    told = {name: event.get(name) for name in _KNOWN}
    return {**told, "logger": str(event.get("logger", "")), "fields": fields}
