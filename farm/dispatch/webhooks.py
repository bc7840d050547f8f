"""Sends events to webhooks, signed as Standard Webhooks has it (standardwebhooks.com)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence

import httpcore

from farm.dispatch.guarded_network import Forbidden, GuardedNetwork
from farm.dispatch.outgoing import Answer, Sending
from farm.dispatch.reachable import Network
from storage.events import EventRow
from storage.outbox import Delivery
from storage.webhooks import Webhook, Webhooks

WHOLE_S = 10.0
"""How long a delivery may take, from its connection to the status of its answer."""
PREFIX = "whsec_"
_SHOWN = ("id", "at", "kind", "project", "campaign", "data", "author")

Send = Callable[[str, Mapping[str, str], bytes], Answer]


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
        trusted = httpcore.default_ssl_context()
        trusted.load_default_certs()  # those of the machine, too, or of SSL_CERT_FILE
        limits = dict.fromkeys(("connect", "read", "write", "pool"), WHOLE_S)
        try:
            with (
                httpcore.ConnectionPool(trusted, network_backend=backend) as pool,
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


def webhook_sending(webhooks: Webhooks, send: Send) -> Sending[Webhook]:
    """What tells webhooks of events, each message signed anew."""

    def deliver(webhook: Webhook, delivery: Delivery, now: float) -> Answer:
        body = delivery.body.encode()
        message = f"{webhook.id}-{delivery.event_id}"
        return send(webhook.url, headers_for(webhook.secret, message, int(now), body), body)

    return Sending(webhooks, body_of=body_of, deliver=deliver, called="webhook")
