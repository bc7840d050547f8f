"""Short pauses: the collector of reference cycles stops every request while it looks at all
objects of the process, half a second once the farm's libraries are loaded.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LONG_S = 0.05
"""A collection that takes longer is the last one that looks at what it has found to be in use."""


@contextmanager
def short_pauses(clock: Callable[[], float] = time.perf_counter) -> Iterator[None]:
    """Leave the objects that exist now to themselves until the end, and after each long collection
    those that it has found in use. They are freed as ever when nothing refers to them; only cycles
    among them stay until the end.
    """
    began = 0.0

    def heed(phase: str, info: dict[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = clock()
        elif info["generation"] == 2 and clock() - began > LONG_S:  # the oldest
            gc.freeze()

    gc.freeze()
    gc.callbacks.append(heed)
    try:
        yield
    finally:
        gc.callbacks.remove(heed)
        gc.unfreeze()
