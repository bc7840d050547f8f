"""What the readers of YAML and JSON give: plain values, and what the values alone no longer
tell.
"""

from dataclasses import dataclass, field
from typing import Any

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Parsed:
    """The data of a file, and of its parts, by path, what is lost in reading."""

    data: dict[str, Any]
    lines: dict[Path_, int] = field(default_factory=dict)
    """The line on which each part begins."""
    written: dict[Path_, str] = field(default_factory=dict)
    """Of each number, the text that it was written with."""
    cuts: dict[Path_, str] = field(default_factory=dict)
    """The comment behind a text without quotes, if it may be meant as a part of the text."""


class Unreadable(ValueError):
    """Why a text cannot be read, as a sentence, and where."""

    def __init__(self, message: str, *, line: int | None = None, path: Path_ = ()) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.path = path
