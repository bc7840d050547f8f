"""Notifications as people order them: added, listed, tried, removed."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from farm.service.events import kinds_named
from farm.service.notice_texts import NOTICED, notice
from storage.errors import RequestError
from storage.notifications import Notification, Notifications
from storage.outbox import Delivery

Json = dict[str, Any]
_NAME = re.compile(r"[\w.-][\w. -]{0,98}", re.ASCII)


class NotificationService:
    """The notifications of a farm's projects."""

    def __init__(self, notifications: Notifications, check: Callable[[str], str]) -> None:
        """`check` names the service of an address, and raises RequestError for one that cannot be
        used.
        """
        self._notifications = notifications
        self._check = check

    def add(self, project: str, address: str, kinds: str | None, name: str | None) -> Json:
        """Have a project's events told to an address. Raises RequestError for one that cannot be
        used, for kinds that nobody is told of, and AlreadyThere if the name is taken.
        """
        if name is not None and not _NAME.fullmatch(name):
            raise RequestError(
                "The name of a notification has at most 99 letters, digits, spaces and . _ -, in"
                " ASCII."
            )
        chosen = _kinds(kinds)
        service = self._check(address)
        added = self._notifications.add(
            project, name=name or service, service=service, address=address, kinds=chosen
        )
        return _json(added, ())

    def all(self, project: str) -> list[Json]:
        dead = self._notifications.outbox.dead(project)
        return [_json(one, dead) for one in self._notifications.all(project)]

    def remove(self, project: str, number: int) -> Json:
        found = self._notifications.get(project, number)
        self._notifications.remove(project, number)
        return _json(found, ())

    def test(self, project: str, number: int) -> Json:
        """Have a message of no event sent, in the same way as those of events."""
        found = self._notifications.get(project, number)
        message = notice("A test of notifications", "Events will be told here.", project)
        self._notifications.outbox.queue(found, -int(time.time() * 1000), message)
        return _json(found, self._notifications.outbox.dead(project))

    def send_again(self, project: str) -> Json:
        return {"queued": self._notifications.outbox.send_again(project)}


def _kinds(text: str | None) -> Sequence[str]:
    if text is None:
        return [kind.value for kind in NOTICED]
    chosen = [kind for kind in kinds_named(text) or () if kind in NOTICED]
    if not chosen:
        known = ", ".join(NOTICED)
        raise RequestError(f"People are told of {known}: `kinds` names none of these.")
    return chosen


def _json(one: Notification, dead: Sequence[Delivery]) -> Json:
    mine = [delivery for delivery in dead if delivery.listener == one.id]
    shown = {name: getattr(one, name) for name in ("id", "project", "name", "service")}
    return {
        **shown,
        "kinds": list(one.kinds),
        "created_at": one.created_at,
        "given_up": len(mine),
        "error": mine[-1].error if mine else None,
    }
