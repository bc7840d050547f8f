"""Lets old events go, beside the dispatcher's loop: there may be millions of them."""

import logging
import threading

from storage.errors import SeedbedError
from storage.events import Events

DAY_S = 86_400.0
LOOK_S = 3_600.0

log = logging.getLogger(__name__)


def forget_events(events: Events, days: float, stop: threading.Event) -> None:
    """Every hour until `stop` is set, remove the events that nobody made and that are older than
    so many days.
    """
    while True:
        try:
            if gone := events.prune(days * DAY_S):
                log.info("Removed %d events older than %g days. action=prune", gone, days)
        except SeedbedError as exc:
            log.warning("Old events stay for now: %s action=prune", exc)
        if stop.wait(LOOK_S):
            return
