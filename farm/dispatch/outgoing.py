"""Sends what waits in an outbox: collects new events, delivers what is due, and writes down what
came of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from storage.errors import SeedbedError
from storage.events import EventRow
from storage.outbox import Delivery, Listener, Outbox

LOOK_S = 1.0
AGAIN_S = (5.0, 30.0, 120.0, 600.0, 1_800.0, 7_200.0, 21_600.0)
"""The pauses before each further try; after the last one it is given up, 9 hours in all."""
AT_ONCE = 20

log = logging.getLogger(__name__)

L = TypeVar("L", bound=Listener)
L_co = TypeVar("L_co", bound=Listener, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of sending: a status, or why there is none. `is_final`: it is not tried again."""

    status: int | None = None
    error: str | None = None
    is_final: bool = False

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def sentence(self) -> str:
        return self.error or f"It answered {self.status}."


def pause_after(tries: int, answer: Answer) -> float | None:
    """The seconds until the next try, after so many before this one; None gives it up."""
    if answer.is_final or tries >= len(AGAIN_S):
        return None
    return AGAIN_S[tries]


class Source(Protocol[L_co]):
    """Who listens, and what is still to be sent to them."""

    @property
    def outbox(self) -> Outbox: ...
    def all(self) -> Sequence[L_co]: ...


class Sending(Generic[L]):
    """Collects and sends. Each look is one `tick`."""

    def __init__(
        self,
        source: Source[L],
        *,
        body_of: Callable[[EventRow], str],
        deliver: Callable[[L, Delivery, float], Answer],
        called: str,
    ) -> None:
        """`deliver` sends one body at a moment in seconds since 1970; `called` names a listener in
        the log.
        """
        self._source = source
        self._outbox = source.outbox
        self._body_of = body_of
        self._deliver = deliver
        self._called = called

    def tick(self, now: float) -> int:
        """One round at a moment in seconds since 1970; returns how many deliveries were tried."""
        known = {listener.id: listener for listener in self._source.all()}
        if not known:
            return 0
        for listener in known.values():
            self._outbox.collect(listener, self._body_of)
        silent: set[int] = set()  # one that does not answer holds up the others once a round
        tried = 0
        for delivery in self._outbox.due(AT_ONCE):
            number = delivery.listener
            if number in known and number not in silent:
                tried += 1
                if not self._try(known[number], delivery, now):
                    silent.add(number)
        return tried

    def _try(self, listener: L, delivery: Delivery, now: float) -> bool:
        answer = self._deliver(listener, delivery, now)
        if answer.is_good:
            self._outbox.sent(delivery)
            return True
        again = pause_after(delivery.tries, answer)
        log.warning(
            "Event %d did not reach %s %d: %s action=%s",
            delivery.event_id, self._called, listener.id, answer.sentence,
            "retry" if again else "give_up",
        )  # fmt: skip
        self._outbox.failed(delivery, answer.sentence, again)
        return False


def keep_sending(sending: Sending[Any], stop: threading.Event) -> None:
    """Send until `stop` is set. What fails is tried again in the next round."""
    while not stop.wait(LOOK_S):
        try:
            sending.tick(time.time())
        except SeedbedError as exc:
            log.warning("Nobody is told of events for now: %s action=send", exc)
