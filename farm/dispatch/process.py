"""The dispatcher's process: it waits until it may lead, leads, and waits again once another has
taken over.

It is a process of its own, because Ray may end a process that talks to it without an exception;
its parent (`farm.dispatch.supervisor`) starts it again. Settings come as the first line of
standard input; the first argument is the folder for Ray's files, the second, if there is one, how
events are shown on standard output: json or text.
"""

import contextlib
import logging
import os
import platform
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from actors.fleet.fleet import Fleet, connect, disconnect, has_lost_ray
from farm.config import Settings, known_secrets
from farm.dispatch.attention import AttentionLoop, watch_campaigns
from farm.dispatch.autoscaler import Autoscaler
from farm.dispatch.dispatcher import Dispatcher
from farm.dispatch.figures import Meters
from farm.dispatch.finishing import Finishing
from farm.dispatch.forgetting import forget_events
from farm.dispatch.notifying import asker, notifying
from farm.dispatch.outgoing import keep_sending
from farm.dispatch.replanning import Replanning
from farm.dispatch.webhooks import sender, webhook_sending
from farm.home import Home
from farm.logs import log_to_file, shown_on
from farm.scheduling.spending import prices_of
from farm.service.live_quotas import live_months, live_quotas, spent_months
from farm.service.pacing import Pacing
from farm.service.reviews import ReviewService
from farm.service.updating import Updates
from storage.attempts import Attempts
from storage.campaigns import Campaigns
from storage.canaries import Canaries
from storage.concerns import Concerns
from storage.control import Control
from storage.database import JobDatabase, closing_engine
from storage.errors import DatabaseAway, SeedbedError, SessionLost
from storage.events import Events
from storage.layouts import Layouts
from storage.ledgers import Ledgers
from storage.notifications import Notifications
from storage.orders import Orders
from storage.outputs import LEFT_BEHIND_S
from storage.projects import Projects
from storage.queue import LEASE_S, Queue
from storage.reuse import Reuse
from storage.reviews import Reviews
from storage.settling import Settling
from storage.store import Outputs
from storage.timed_database import connections_in_use, time_statements
from storage.timed_outputs import TimedOutputs
from storage.watching import Watching
from storage.webhooks import Webhooks

STANDBY_S = 1.0
CLUSTER_S = 2.0

log = logging.getLogger(__name__)


class RayLost(SeedbedError):
    """The cluster that this process started has ended."""


def dispatch(stop: threading.Event) -> None:
    """Dispatch until `stop` is set."""
    line = sys.stdin.readline()
    if not line:  # the parent has ended before it had anything to dispatch
        return
    settings = Settings.model_validate_json(line)
    known = known_secrets(settings)
    beside = shown_on(_own_output(), sys.argv[2], known=known) if sys.argv[2:] else None
    log_to_file(Home(settings.home).logs / "dispatcher.log", known=known, beside=beside)
    threading.Thread(target=_stop_with_parent, args=(stop,), daemon=True).start()
    folder = Path(sys.argv[1])
    if not wait_for_cluster(settings.ray, stop):
        return
    # Joined before it may lead, so that a standby is warm: it takes seconds.
    fleet_settings = settings.fleet_settings()
    connect(fleet_settings, folder)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())  # after Ray has put its own in place
    while not stop.is_set():
        # The dispatcher survives a database that cannot be reached, so it need not test a
        # connection before it uses it: that saves two queries for each chunk.
        with closing_engine(settings.database_address, looks_first=False) as engine:
            queue = Queue(engine)
            session = wait_to_lead(queue, Home(settings.home).owner(), stop)
            if session is None:
                break
            meters = Meters(
                database=time_statements(engine), connections=partial(connections_in_use, engine)
            )
            outputs = TimedOutputs(settings.open_outputs(), meters.outputs)
            fleet = Fleet(fleet_settings)
            threading.Thread(
                target=sweep, args=(outputs,), daemon=True
            ).start()  # beside the loop: a folder may have millions of files
            dispatcher = _dispatcher(session, settings, engine, (fleet, outputs, meters))
            with _beside_dispatcher(settings, engine):
                _lead(dispatcher, fleet, stop, keeps_workers=settings.ray != "local")
    disconnect(folder)
    log.info("Stopped. action=end")


def _own_output() -> TextIO:
    """Standard output for events alone: whatever else is printed goes where errors go."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    os.dup2(2, 1)
    return own


def _dispatcher(
    session: int, settings: Settings, engine: JobDatabase, parts: tuple[Fleet, Outputs, Meters]
) -> Dispatcher:
    """The dispatcher of a session, put together."""
    campaigns, reviews, watching = Campaigns(engine), Reviews(engine), Watching(engine)
    fleet, outputs, meters = parts
    queue, pools, projects = Queue(engine), settings.pools(), Projects(engine)
    quotas = live_quotas(settings.quotas, projects.worker_limits)
    months = spent_months(projects.months)
    service = ReviewService(
        campaigns=campaigns, reviews=reviews, watching=watching, outputs=outputs
    )
    return Dispatcher(
        session=session,
        queue=queue,
        settling=Settling(engine),
        campaigns=campaigns,
        watching=watching,
        canaries=Canaries(engine),
        reuse=Reuse(engine),
        ledgers=Ledgers(engine),
        finishing=Finishing(
            campaigns=campaigns, reviews=reviews, service=service, outputs=outputs
        ),
        replanning=Replanning(
            Updates(
                campaigns=campaigns,
                control=Control(engine),
                watching=watching,
                chunk=settings.chunk,
                reviewing=service,
            )
        ),
        layouts=Layouts(engine),
        fleet=fleet,
        autoscaler=Autoscaler(
            fleet=fleet,
            queue=queue,
            orders=Orders(engine),
            campaigns=campaigns,
            pools=pools,
            limits=settings.limits(),
            quotas=quotas,
            spent_months=months,
        ),
        weights=settings.shares,
        quotas=quotas,
        spent_months=months,
        prices=prices_of(pools),
        meters=meters,
    )


@contextlib.contextmanager
def _beside_dispatcher(settings: Settings, engine: JobDatabase) -> Iterator[None]:
    """What a leader does in threads of their own, so that none of it keeps the dispatcher."""
    networks, campaigns = settings.webhook_networks, Campaigns(engine)
    pacing = Pacing(
        campaigns=campaigns,
        attempts=Attempts(engine),
        ledgers=Ledgers(engine),
        watching=Watching(engine),
        weights=settings.shares,
        quotas=live_quotas(settings.quotas, Projects(engine).worker_limits),
    )
    look = partial(campaigns.all, only_open=True)
    months = live_months(Projects(engine).months)
    attention = AttentionLoop(Concerns(engine), look, pacing.outlooks, months)
    people = notifying(Notifications(engine), asker(networks))
    with (
        _beside(forget_events, Events(engine), settings.events_days),
        _beside(keep_sending, webhook_sending(Webhooks(engine), sender(networks))),
        _beside(keep_sending, people),
        _beside(watch_campaigns, attention),
    ):
        yield


@contextlib.contextmanager
def _beside(work: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """Do some work in a thread beside the block, until that has ended."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(*arguments, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)


def wait_for_cluster(address: str, stop: threading.Event) -> bool:
    """Wait until something listens where the head of a Ray cluster should be: Ray itself would
    block for minutes, or end this process. False if `stop` is set first.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    said = False
    while not stop.is_set():
        try:
            if port.isdecimal():  # else it is `local` or `auto`
                socket.create_connection((host.strip("[]"), int(port)), CLUSTER_S).close()
            return True
        except OSError as exc:
            if not said:
                log.warning(
                    "The Ray cluster at %s does not answer (%s): it is tried again. action=wait",
                    address,
                    exc,
                )
            said = True
            stop.wait(CLUSTER_S)
    return False


def _lead(
    dispatcher: Dispatcher, fleet: Fleet, stop: threading.Event, *, keeps_workers: bool
) -> None:
    """Dispatch until `stop` is set, or another has taken over."""
    try:
        fleet.adopt(time.monotonic())
        dispatcher.adopt()
        log.info("Leading with up to %d workers. action=lead pid=%d", fleet.size, os.getpid())
        while not stop.is_set():
            if has_lost_ray():  # which says nothing of it: workers are awaited for ever
                raise RayLost("Ray has ended beside the dispatcher: both are started again.")
            dispatcher.tick(time.monotonic())
        dispatcher.end()
    except DatabaseAway as exc:  # before the first tick; those outlast it
        log.warning("%s action=wait", exc)
        fleet.forget()
        stop.wait(STANDBY_S)
    except SessionLost as exc:
        log.warning("%s action=standby", exc)
        # On a cluster that others can reach, the workers now belong to the new leader. On a
        # cluster that this process started, they paint for nobody.
        fleet.forget() if keeps_workers else fleet.end()
    finally:
        dispatcher.close()


def sweep(outputs: Outputs) -> None:
    """Remove the files that killed workers left half-written more than a day ago."""
    try:
        if swept := outputs.sweep(LEFT_BEHIND_S):
            log.info(
                "Removed %d half-written files of workers that were killed. action=sweep", swept
            )
    except SeedbedError as exc:
        log.warning("The half-written files of killed workers stay there: %s action=sweep", exc)


def wait_to_lead(queue: Queue, owner: str, stop: threading.Event) -> int | None:
    """The session in which this process leads; None if `stop` is set first.

    While the database cannot be reached, this waits for LEASE_S: the earlier leader gets that time
    to renew its leases once the database is back.
    """
    waits = False
    while not stop.is_set():
        try:
            session = queue.lead(owner=owner, host=platform.node(), pid=os.getpid())
        except DatabaseAway as exc:
            log.warning("%s action=wait", exc)
            stop.wait(LEASE_S)
            continue
        if session is not None:
            return session
        if not waits:
            log.info("Another dispatcher leads; this one stands by. action=standby")
        waits = True
        stop.wait(STANDBY_S)
    return None


def main() -> None:
    """Dispatch. If an error ends it, its sentence is the last line, which the parent quotes."""
    try:
        dispatch(threading.Event())
    except SeedbedError as exc:
        log.exception("The dispatcher ends. action=crash")
        print(exc, file=sys.stderr)  # noqa: T201  # the parent reads it
        sys.exit(1)


def _stop_with_parent(stop: threading.Event) -> None:
    """Set `stop` when standard input closes: the parent, which has its other end, has ended."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    main()
