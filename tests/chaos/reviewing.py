"""A person who decides about proofs while things go wrong: each decision is sent until it is
answered, and now and then once more after that.
"""

from collections.abc import Sequence
from typing import Any

from farm.client.transport import Transport
from farm.service.review_views import Decided
from storage.errors import SeedbedError

_AT_ONCE = 24
_ANSWERS_S = 5.0
_REJECTED_EVERY = 5
_AGAIN_EVERY = 3

Json = dict[str, Any]


def is_wanted(number: int) -> bool:
    """Whether the final of a render is approved."""
    return number % _REJECTED_EVERY != 0


class Reviewer:
    """Decides about the proofs of some campaigns as soon as they are painted."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._sequence = 0
        self._unsent: list[tuple[str, Json]] = []

    def look(self, url: str | None) -> None:
        """Send what is unsent; once all of that is answered, decide about what waits. A farm that
        cannot be reached is asked the next time.
        """
        if url is None:
            return
        http = Transport(url, token=None, timeout_s=_ANSWERS_S)
        try:
            for name in [] if self._unsent else self._names:
                self._decide(http, name)
            while self._unsent:
                name, body = self._unsent[0]
                self._post(http, name, body)
                if body["sequence"] % _AGAIN_EVERY == 0:
                    self._post(http, name, body)
                self._unsent.pop(0)
        except SeedbedError:
            pass
        finally:
            http.close()

    def _decide(self, http: Transport, name: str) -> None:
        params = {"limit": str(_AT_ONCE)}
        lines = http.lines(f"campaigns/{name}/reviews/waiting", params)
        waiting = [line["number"] for line in lines]
        for verdict, is_approval in (("approved", True), ("rejected", False)):
            numbers = [number for number in waiting if is_wanted(number) is is_approval]
            if numbers:
                entry = {"client": "chaos", "sequence": self._sequence}
                self._sequence += 1
                body = {**entry, "verdict": verdict, "numbers": numbers}
                self._unsent.append((name, body))

    def _post(self, http: Transport, name: str, body: Json) -> None:
        http.post(Decided, f"campaigns/{name}/reviews", body)
