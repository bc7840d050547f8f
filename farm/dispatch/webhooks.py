"""Sends events to webhooks: collects what is new, sends what is due, and writes down what came of
it. Signed as Standard Webhooks has it (standardwebhooks.com).
"""

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpcore

from farm.dispatch.guarded_network import Forbidden, GuardedNetwork, Network
from storage.errors import SeedbedError
from storage.events import EventRow
from storage.webhooks import Delivery, Webhook, Webhooks

LOOK_S = 1.0
WHOLE_S = 10.0
"""How long a delivery may take, from its connection to the status of its answer."""
AGAIN_S = (5.0, 30.0, 120.0, 600.0, 1_800.0, 7_200.0, 21_600.0)
"""The pauses before each further try; after the last one it is given up, 9 hours in all."""
AT_ONCE = 20
PREFIX = "whsec_"
_SHOWN = ("id", "at", "kind", "project", "campaign", "data", "author")

log = logging.getLogger(__name__)


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


Send = Callable[[str, Mapping[str, str], bytes], Answer]


def pause_after(tries: int, answer: Answer) -> float | None:
    """The seconds until the next try, after so many before this one; None gives it up."""
    if answer.is_final or tries >= len(AGAIN_S):
        return None
    return AGAIN_S[tries]


def body_of(event: EventRow) -> str:
    """An event as it is sent: `type`, `timestamp` and `data`, as Standard Webhooks has them."""
    told = {name: getattr(event, name) for name in _SHOWN}
    return json.dumps({"type": event.kind, "timestamp": event.at, "data": told})


def headers_for(secret: str, message: str, moment: int, body: bytes) -> dict[str, str]:
    """The headers that let a receiver know who sent a body, and when."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message}.{moment}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(moment),
        "webhook-signature": f"v1,{signature}",
        "content-type": "application/json",
        "user-agent": "seedbed",
    }


def sender(
    allowed: Sequence[Network],
    network: Callable[..., httpcore.NetworkBackend] = GuardedNetwork,
) -> Send:
    """Sends a body to an address. Redirects are not followed, and of an answer nothing but its
    head is read.
    """

    def send(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        backend = network(allowed, deadline=time.monotonic() + WHOLE_S)
        limits = dict.fromkeys(("connect", "read", "write", "pool"), WHOLE_S)
        try:
            with (
                httpcore.ConnectionPool(network_backend=backend) as pool,
                pool.stream(
                    "POST", url, headers=list(headers.items()), content=body,
                    extensions={"timeout": limits},
                ) as response,
            ):  # fmt: skip
                return Answer(status=response.status)
        except Forbidden as exc:
            return Answer(error=str(exc), is_final=True)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as exc:
            return Answer(error=f"It could not be reached ({exc or type(exc).__name__}).")
        except (httpcore.UnsupportedProtocol, ValueError, OSError) as exc:
            return Answer(error=f"Nothing can be sent there ({exc}).", is_final=True)

    return send


class WebhookLoop:
    """Collects and sends. Each look is one `tick`."""

    def __init__(self, webhooks: Webhooks, send: Send) -> None:
        self._webhooks = webhooks
        self._send = send

    def tick(self, now: float) -> int:
        """One round at a moment in seconds since 1970; returns how many deliveries were tried."""
        known = {webhook.id: webhook for webhook in self._webhooks.all()}
        if not known:
            return 0
        for webhook in known.values():
            self._webhooks.collect(webhook, body_of)
        silent: set[int] = set()  # one that does not answer holds up the others once a round
        tried = 0
        for delivery in self._webhooks.due(AT_ONCE):
            number = delivery.webhook_id
            if number in known and number not in silent:
                tried += 1
                if not self._deliver(known[number], delivery, now):
                    silent.add(number)
        return tried

    def _deliver(self, webhook: Webhook, delivery: Delivery, now: float) -> bool:
        body = delivery.body.encode()
        message = f"{webhook.id}-{delivery.event_id}"
        answer = self._send(
            webhook.url, headers_for(webhook.secret, message, int(now), body), body
        )
        if answer.is_good:
            self._webhooks.sent(delivery)
            return True
        again = pause_after(delivery.tries, answer)
        log.warning(
            "Event %d did not reach webhook %d: %s action=%s",
            delivery.event_id, webhook.id, answer.sentence, "retry" if again else "give_up",
        )  # fmt: skip
        self._webhooks.failed(delivery, answer.sentence, again)
        return False


def send_webhooks(webhooks: Webhooks, send: Send, stop: threading.Event) -> None:
    """Tell webhooks of events until `stop` is set. What fails is tried again in the next round."""
    loop = WebhookLoop(webhooks, send)
    while not stop.wait(LOOK_S):
        try:
            loop.tick(time.time())
        except SeedbedError as exc:
            log.warning("Webhooks are told nothing for now: %s action=webhooks", exc)
