"""Tells people of events, through Apprise in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from farm.dispatch.outgoing import Answer, Sending
from farm.dispatch.reachable import Network
from farm.service.notice_texts import notice_of
from storage.errors import RequestError
from storage.notifications import Notification, Notifications
from storage.outbox import Delivery

WHOLE_S = 30.0
"""How long a message may take, from the start of its process to its end."""
_COMMAND = (sys.executable, "-I", "-B", "-m", "farm.dispatch.apprise_process")
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
"""What its process knows of the environment: no secret, and no proxy, which could reach what the
farm may not."""
Json = dict[str, Any]
Ask = Callable[[str, Mapping[str, str] | None], Json]


def asker(allowed: Sequence[Network], command: Sequence[str] = _COMMAND) -> Ask:
    """Gives a message to an address, or with None has the address looked at. It answers the
    `service`, or an `error` and whether that `is_final`.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}

    def ask(address: str, message: Mapping[str, str] | None) -> Json:
        networks = [str(network) for network in allowed]
        order = {"address": address, "allowed": networks, "message": message}
        try:
            ended = subprocess.run(
                command, input=json.dumps(order) + "\n", env=environment, timeout=WHOLE_S,
                capture_output=True, text=True, check=False, start_new_session=True,
            )  # fmt: skip
            told: Json = json.loads(ended.stdout)
        except subprocess.TimeoutExpired:
            return _failed(f"It took more than {WHOLE_S:g} s.")
        except OSError as exc:
            return _failed(f"Nothing can be sent now ({exc.strerror}).")
        except ValueError:
            return _failed("The process that sends messages ended without an answer.")
        return told

    return ask


def _failed(sentence: str) -> Json:
    return {"error": sentence, "is_final": False}


def checker(ask: Ask) -> Callable[[str], str]:
    """Names the service of an address. Raises RequestError for one that cannot be used."""

    def check(address: str) -> str:
        told = ask(address, None)
        if "error" in told:
            raise RequestError(told["error"])
        return str(told["service"])

    return check


def notifying(notifications: Notifications, ask: Ask) -> Sending[Notification]:
    """What tells people of events."""

    def deliver(notification: Notification, delivery: Delivery, _now: float) -> Answer:
        told = ask(notification.address, json.loads(delivery.body))
        if "error" in told:
            return Answer(error=told["error"], is_final=told["is_final"])
        return Answer(status=200)

    return Sending(notifications, body_of=notice_of, deliver=deliver, called="notification")
