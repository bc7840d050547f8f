"""Webhooks as people order them: added, listed, tried, and what could not be delivered."""

import base64
import json
import secrets
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from farm.service.events import kinds_named
from storage.errors import RequestError
from storage.webhooks import Webhook, Webhooks

Json = dict[str, Any]
NOTABLE = "campaign.*,proofs.finished,review.decided"
"""What a webhook hears of if its kinds are not named."""
TEST = "webhook.test"


class WebhookService:
    """The webhooks of a farm's projects."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def add(self, project: str, url: str, kinds: str | None) -> Json:
        """Have a project's events sent to an address. Raises RequestError if that is none."""
        check_address(url)
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        named: Sequence[str] = kinds_named(kinds or NOTABLE) or ()
        return {**_json(self._webhooks.add(project, url, secret, named)), "secret": secret}

    def all(self, project: str) -> list[Json]:
        return [_json(webhook) for webhook in self._webhooks.all(project)]

    def remove(self, project: str, number: int) -> Json:
        webhook = self._webhooks.get(project, number)
        self._webhooks.remove(project, number)
        return _json(webhook)

    def test(self, project: str, number: int) -> Json:
        """Have a body of no event sent, in the same way as those of events."""
        webhook = self._webhooks.get(project, number)
        now = time.time()
        body = {"type": TEST, "timestamp": now, "data": {"project": project}}
        self._webhooks.outbox.queue(webhook, -int(now * 1000), json.dumps(body))
        return _json(webhook)

    def dead(self, project: str) -> list[Json]:
        return [
            {"id": one.id, "webhook": one.listener, "event": one.event_id, "tries": one.tries,
             "error": one.error}
            for one in self._webhooks.outbox.dead(project)
        ]  # fmt: skip

    def send_again(self, project: str) -> Json:
        return {"queued": self._webhooks.outbox.send_again(project)}


def check_address(url: str) -> None:
    """Raise RequestError for what nothing can be sent to. Where it leads is checked when something
    is sent: names may lead elsewhere by then.
    """
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or not url.isascii() or not url.isprintable() or " " in url:
        raise RequestError(
            "The address of a webhook must be like https://example.com/hook, in ASCII."
        )
    if parts.username is not None or parts.password is not None:
        raise RequestError(
            "The address of a webhook is shown to others, so it may have no password in it: a"
            " receiver knows the farm by its signature."
        )


def _json(webhook: Webhook) -> Json:
    return {
        "id": webhook.id,
        "project": webhook.project,
        "url": webhook.url,
        "kinds": list(webhook.kinds),
        "created_at": webhook.created_at,
    }
