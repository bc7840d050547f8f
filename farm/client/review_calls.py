"""The part of the client that is about reviews: deciding about renders, and redos."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from farm.client.fleet_calls import who
from farm.client.transport import Transport
from farm.service.review_views import Decided, ReviewOverview

Json = dict[str, Any]


class ReviewCalls:
    """Calls about reviews, for a class that has the transport. Each decision has a number of its
    own, so that one that is sent twice counts once.
    """

    _http: Transport
    project: str

    def reviews(self, name: str) -> ReviewOverview:
        """The verdicts of a campaign in counts, rejects by reason and by axis value, and the last
        decisions.
        """
        return self._http.get(ReviewOverview, _path(name), {"project": self.project})

    def waiting(self, name: str, *, limit: int = 100) -> Iterator[Json]:
        """The first renders that can be decided about and are undecided."""
        params = {"project": self.project, "limit": str(limit)}
        return self._http.lines(f"{_path(name)}/waiting", params)

    def approve(self, name: str, numbers: Sequence[int] | None = None, **choice: Any) -> Decided:
        """Approve renders by number; or, without numbers, all undecided ones that `shot`, `seed`
        and `where` (a list of `axis=value`) choose. `dry_run=True` only counts them; `note` is
        kept. In a campaign with proofs their finals are painted.
        """
        return self._review(name, "approved", numbers, choice)

    def reject(self, name: str, numbers: Sequence[int] | None = None, **choice: Any) -> Decided:
        """Reject renders, chosen as in `approve`; with a `reason`, and with `reroll=True` to have
        them painted again with the next seed.
        """
        return self._review(name, "rejected", numbers, choice)

    def undo(self, name: str, entry: int | None = None) -> Decided:
        """Take a decision back: the last one, or the entry of that number."""
        return self._send(f"{_path(name)}/undo", {"entry": entry})

    def redo(
        self,
        name: str,
        numbers: Sequence[int],
        *,
        seed: int | None = None,
        next_seed: bool = False,
        prompt: str | None = None,
        note: str | None = None,
    ) -> Decided:
        """Paint renders again with this seed or the next one of their series, with this prompt,
        or with both, as versions of their cells.
        """
        changes = {"seed": seed, "next_seed": next_seed, "prompt": prompt}
        body = {"numbers": list(numbers), **changes, "note": note}
        return self._send(f"campaigns/{quote(name, safe='')}/redo", body)

    def _review(
        self, name: str, verdict: str, numbers: Sequence[int] | None, choice: Json
    ) -> Decided:
        chosen = {"numbers": None if numbers is None else list(numbers)}
        return self._send(_path(name), {"verdict": verdict, **chosen, **choice})

    def _send(self, path: str, body: Json) -> Decided:
        client, counted = self._sender
        entry = {"client": client, "sequence": next(counted), "by": who()}
        params = {"project": self.project}
        return self._http.post(Decided, path, {**entry, **body}, params=params)

    @cached_property
    def _sender(self) -> tuple[str, "count[int]"]:
        return uuid4().hex, count()


def _path(name: str) -> str:
    return f"campaigns/{quote(name, safe='')}/reviews"
