"""The rules of a brand that a finished picture is judged by, and the verdict, as plain values."""

from dataclasses import dataclass
from typing import Literal

Side = Literal["top", "bottom", "left", "right"]


@dataclass(frozen=True, kw_only=True)
class CopySpace:
    """An even area for text along one side."""

    side: Side
    share: float
    """Of the picture's height, or of its width at the left or right."""
    busy: float
    """The share of the area that may have edges in it."""


@dataclass(frozen=True, kw_only=True)
class SafeArea:
    """The subject stays away from the edges of the picture."""

    margin: float
    """Of the shorter side."""
    outside: float
    """The share of the subject that may lie in the margin."""


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours of which a picture must have some."""

    colors: tuple[tuple[int, int, int], ...]
    within: float
    """The largest difference, ΔE00, from one of them."""
    share: float
    """Of the picture's pixels."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All rules of a brand; those that are None are not tested."""

    copy_space: CopySpace | None = None
    safe_area: SafeArea | None = None
    no_border: bool = False
    clipped_at_most: float | None = None
    sharpness_at_least: float | None = None
    palette: Palette | None = None
    holds: bool = False
    """Whether a picture that fails one is held for a person."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of judging one picture: how many rules were tested, and the names of those that
    it failed, in the order of `actors.pictures.rules.RULES`.
    """

    tested: int
    failed: tuple[str, ...] = ()

    @property
    def passed(self) -> int:
        return self.tested - len(self.failed)
