"""How a worker gets on: when it last made a step, and how long the next may take."""

import time

# A step that takes this many times the longest before it in its batch hangs. Nothing on a device
# is ten seconds late by chance.
_HUNG_STEPS, _HUNG_LEAST_S = 20, 10.0


class Progress:
    """The steps of the batch under way."""

    def __init__(self) -> None:
        self._at = 0.0
        self._steps_left = 0
        self._longest_step_s = 0.0

    def note(self, steps_left: int = 0) -> None:
        """Note that the worker has done something, and how many steps its batch has left. Only
        the time of a step says how long the next one may take.
        """
        now = time.monotonic()
        self._longest_step_s = (
            max(self._longest_step_s, now - self._at) if self._steps_left else 0.0
        )
        self._at, self._steps_left = now, steps_left

    @property
    def quiet_s(self) -> float:
        """Seconds since the last note."""
        return time.monotonic() - self._at

    @property
    def hung_after_s(self) -> float | None:
        """After how many quiet seconds the worker counts as hung; None if no step is under way
        that shows how long one takes.
        """
        longest_s = self._longest_step_s
        if not (self._steps_left and longest_s):
            return None
        return max(_HUNG_LEAST_S, _HUNG_STEPS * longest_s)
