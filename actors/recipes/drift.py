"""How far a picture may be from its anchor, and what happens if it is farther."""

from dataclasses import dataclass
from enum import StrEnum

from storage.states import Reason, RenderState


class DriftAction(StrEnum):
    """What becomes of a picture that is too far from its anchor."""

    FLAG = "flag"
    """It is done, and its drift is in the manifest."""
    HOLD = "hold"
    """It is finished, and held for a person."""
    STOP = "stop"
    """It is not painted further, and held for a person."""


@dataclass(frozen=True, kw_only=True)
class DriftRule:
    """The limit of a campaign."""

    limit: float
    action: DriftAction
    stop_step: int | None = None
    """After which step pictures are looked at, and those beyond the limit stopped; None if all
    are finished."""
    uses_sets: bool = False
    """Whether pictures without another anchor have the median of their set."""

    def stops(self, drift: float | None) -> bool:
        """Whether a picture is painted no further, by its drift at the step that is looked at."""
        return drift is not None and drift > self.limit

    def verdict(self, drift: float | None) -> tuple[RenderState, Reason, str] | None:
        """What a finished picture becomes instead of done, and why; None if it stays done."""
        if self.action is DriftAction.FLAG or drift is None or drift <= self.limit:
            return None
        return RenderState.HELD, Reason.DRIFT, f"It is {self._beyond(drift)}."

    def stopped(self, drift: float) -> str:
        """The sentence for a picture that was stopped."""
        return f"After step {self.stop_step} it was {self._beyond(drift)}: it was stopped."

    def _beyond(self, drift: float) -> str:
        return f"{drift:.2f} away from its anchor, of which the campaign allows {self.limit:.2f}"
