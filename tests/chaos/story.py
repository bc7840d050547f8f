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
    painted: Painted = field(default_factory=Painted)
    orphans: int = 0
    """Actors that outlived the farm."""
    seconds: float = 0.0

    def tell(self, line: str) -> None:
        self.lines.append(f"{time.monotonic() - self.began:6.1f} s  {line}")

    def must_not(self, line: str) -> None:
        """Tell of something that must not be, once."""
        if line not in self.broken:
            self.tell(f"WRONG: {line}")
            self.broken.append(line)
