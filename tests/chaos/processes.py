"""Processes, by what Linux says of them in /proc; a signal goes only to one that is still what it
was taken for.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PARENT, _SESSION = 1, 3  # the places of their ids behind the name, in /proc/PID/stat


def of_session(leader: int, word: str) -> list[int]:
    """Living processes of the session that a process leads, whose command line begins with a
    word.
    """
    return sorted(
        pid
        for pid in _all()
        if command_of(pid).startswith(word)
        and _stat(pid)[_SESSION : _SESSION + 1] == [str(leader)]
    )


def with_words(words: str) -> list[int]:
    """Living processes whose command line has these words."""
    return sorted(pid for pid in _all() if words in command_of(pid))


def parent_of(pid: int) -> int:
    """The process that started one; 0 where it is gone."""
    return int((_stat(pid) or [0] * 2)[_PARENT])


def with_all_below(pid: int) -> list[int]:
    """A process, and all that it and those that it has started have started."""
    children: dict[int, list[int]] = {}
    for each in _all():
        children.setdefault(parent_of(each), []).append(each)
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def environment_of(pid: int) -> dict[str, str]:
    """What a process was started with; empty where it is gone."""
    with suppress(OSError):
        entries = (
            (Path("/proc") / str(pid) / "environ")
            .read_bytes()
            .decode(errors="replace")
            .split("\0")
        )
        return dict(entry.split("=", 1) for entry in entries if "=" in entry)
    return {}


def command_of(pid: int) -> str:
    with suppress(OSError):
        return (
            (Path("/proc") / str(pid) / "cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode(errors="replace")
        )
    return ""


def send(pid: int, number: signal.Signals, word: str) -> bool:
    """Signal a process whose command line has a word; False where it is gone."""
    if word not in command_of(pid):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def _all() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _stat(pid: int) -> list[str]:
    with suppress(OSError):
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []
