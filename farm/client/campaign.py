"""A campaign as an object of a program: what `Client.campaign` gives."""

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from farm.service.list_views import RenderItem
from farm.service.review_views import Decided
from farm.service.views import CampaignStatus
from storage.errors import RequestError, WorkError

if TYPE_CHECKING:
    import pandas as pd

POLL_S = 1.0
_OVER = ("done", "failed", "cancelled")
_NEEDS_A_PERSON = ("stopped", "awaiting_review")


@dataclass(frozen=True)
class SheetPicture:
    """A page of a contact sheet as PNG. A notebook shows it."""

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        return f'<img alt="contact sheet" src="data:image/png;base64,{data}">'


class Farm(Protocol):
    """As much of a client as a campaign needs."""

    url: str

    def status(self, name: str) -> CampaignStatus: ...
    def pause(self, name: str) -> CampaignStatus: ...
    def resume(self, name: str) -> CampaignStatus: ...
    def cancel(self, name: str) -> CampaignStatus: ...
    def output(self, key: str) -> bytes: ...
    @property
    def renders(self) -> Callable[..., Iterator[RenderItem]]: ...
    @property
    def sheet(self) -> Callable[..., bytes]: ...
    def approve(
        self, name: str, numbers: Sequence[int] | None = None, **choice: Any
    ) -> Decided: ...
    def reject(
        self, name: str, numbers: Sequence[int] | None = None, **choice: Any
    ) -> Decided: ...


class CampaignHandle:
    """A campaign of a farm: `client.campaign("spring-launch")`."""

    def __init__(
        self,
        client: Farm,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self.name = name

    def __repr__(self) -> str:
        return f"<campaign {self.name} at {self._client.url}>"

    @property
    def status(self) -> CampaignStatus:
        """As it is now: each look asks the farm."""
        return self._client.status(self.name)

    def wait(self, timeout: float | None = None) -> CampaignStatus:
        """Wait until nothing of it is left to paint, for `timeout` seconds at most, and return its
        status. Raises WorkError if it is stopped, takes longer, or is not painted on before a
        person has decided; pictures that a rule holds do not keep it from its end.
        """
        end = None if timeout is None else self._clock() + timeout
        while True:
            status = self.status
            if status.state in _OVER or not status.renders.left + status.renders.undecided:
                return status
            if status.state in _NEEDS_A_PERSON:
                why = status.halted or "somebody has to approve or reject its proofs."
                raise WorkError(
                    f"The campaign {self.name} waits for a person: {why}", code="needs-person"
                )
            if end is not None and self._clock() >= end:
                raise WorkError(
                    f"The campaign {self.name} is {status.state} after {timeout:g} seconds: it"
                    " goes on without you; wait again, or cancel it.",
                    code="timeout",
                )
            self._sleep(POLL_S)

    def renders(self, **chosen: Any) -> Iterator[RenderItem]:
        """Its renders, chosen as in `Client.renders`: `state="done"`, `where=["color=red"]` …"""
        return self._client.renders(self.name, **chosen)

    def to_pandas(self, **chosen: Any) -> "pd.DataFrame":
        """Its renders as a table, a row each, chosen as in `renders`; each axis has a column of
        its own. Raises RequestError if pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415  # only who wants a table has it
        except ImportError as exc:
            raise RequestError("A table needs the package pandas: `pip install pandas`.") from exc
        return pd.DataFrame.from_records([_row(item) for item in self.renders(**chosen)])

    def picture(self, render: RenderItem | int) -> bytes:
        """The file of a render's picture. Raises RequestError if there is none yet."""
        item = render if isinstance(render, RenderItem) else self._render(render)
        if item.key is None:
            raise RequestError(f"The render {item.number} of {self.name} has no picture.")
        return self._client.output(item.key)

    def sheet(self, **how: Any) -> SheetPicture:
        """Its contact sheet, or a page of it, as in `Client.sheet`. A notebook shows it."""
        return SheetPicture(self._client.sheet(self.name, **how))

    def approve(self, numbers: Sequence[int] | None = None, **choice: Any) -> Decided:
        """Approve renders, chosen as in `Client.approve`."""
        return self._client.approve(self.name, numbers, **choice)

    def reject(self, numbers: Sequence[int] | None = None, **choice: Any) -> Decided:
        """Reject renders, chosen as in `Client.reject`."""
        return self._client.reject(self.name, numbers, **choice)

    def pause(self) -> CampaignStatus:
        """Start nothing more of it."""
        return self._client.pause(self.name)

    def resume(self) -> CampaignStatus:
        """Let it go on."""
        return self._client.resume(self.name)

    def cancel(self) -> CampaignStatus:
        """Want nothing of it any more."""
        return self._client.cancel(self.name)

    def _render(self, number: int) -> RenderItem:
        found = next(self.renders(numbers=range(number, number + 1)), None)
        if found is None:
            raise RequestError(f"The campaign {self.name} has no render {number}.")
        return found


def _row(item: RenderItem) -> dict[str, Any]:
    """A render with its values on the axes beside the rest; what an axis is called stays its
    own.
    """
    row = item.as_json()
    axes = row.pop("coordinates")
    return {**{f"axis.{name}" if name in row else name: axes[name] for name in axes}, **row}
