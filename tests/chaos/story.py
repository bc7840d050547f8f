"""What happened in a run, as it is told to whoever has to find out why."""

import time
from dataclasses import dataclass, field

from tests.chaos.cluster import Painted
from tests.chaos.schedule import Kind


@dataclass
class Story:
    """What happened in a run, and what must not have."""

    began: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    struck: list[Kind] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    actors_lost: int = 0
    """How many actors may have ended before what they painted was written."""
    chunks_lost: int = 0
    """How many chunks they may have been painting, or have painted on when nobody listened any
    more.
    """
    warned: set[str] = field(default_factory=set)
    """Workers that had notice, and time to go."""
    painted: Painted = field(default_factory=Painted)
    orphans: int = 0
    """Actors that outlived the farm."""
    seconds: float = 0.0

    def tell(self, line: str) -> None:
        self.lines.append(f"{time.monotonic() - self.began:6.1f} s  {line}")

    def lose(self, actors: int = 1, *, chunks_each: int = 1) -> None:
        """Note that actors were taken without notice."""
        self.actors_lost += actors
        self.chunks_lost += actors * chunks_each

    def must_not(self, line: str) -> None:
        """Tell of something that must not be, once."""
        if line not in self.broken:
            self.tell(f"WRONG: {line}")
            self.broken.append(line)
