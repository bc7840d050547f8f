"""Following a campaign to its end: a bar with rate and time left on a terminal, plain lines
elsewhere.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from farm.client.client import Client
from farm.commands.exits import ExitCode
from farm.commands.shared import err, say_aside, say_error
from farm.commands.times import read_age
from farm.service.views import CampaignStatus
from storage.errors import WorkError

POLL_S = 0.5
PLAIN_EVERY_S = 10.0
PATIENCE_S = 180.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f}/s" if task.speed else "")


class _Left(ProgressColumn):
    """The time that is left, once it can be told: until then nothing, or the time that has passed
    would be read for it.
    """

    def render(self, task: Task) -> Text:
        if task.finished or task.time_remaining is None:
            return Text("")
        return Text(
            f"{timedelta(seconds=int(task.time_remaining))} left", style="progress.remaining"
        )


def follow(
    client: Client, name: str, *, quiet: bool, check: Callable[[], None] = lambda: None
) -> CampaignStatus:
    """Wait until a campaign is over or stopped, showing how far it is; returns its last status.
    `check` may raise.
    """
    states = _telling(states_of(client, name, check))
    if quiet:
        *_, last = states
        return last
    return _with_bar(states, name) if err.is_terminal else _with_lines(states, name)


def _telling(states: Iterator[CampaignStatus]) -> Iterator[CampaignStatus]:
    """Say what a campaign waits for, when that begins."""
    told = None
    for status in states:
        if status.waits_for not in (None, told):
            say_error(f"it waits and tries again: {status.waits_for}")
        told = status.waits_for or told
        yield status


def states_of(
    client: Client, name: str, check: Callable[[], None] = lambda: None
) -> Iterator[CampaignStatus]:
    """A campaign's status again and again, until it is over, stopped, or waits for a person. A
    farm whose database cannot be reached is asked again for some minutes: its workers go on
    meanwhile.
    """
    answered = time.monotonic()
    while True:
        try:
            status = client.status(name)
        except WorkError:
            if time.monotonic() - answered > PATIENCE_S:
                raise
            check()
            time.sleep(POLL_S)
            continue
        answered = time.monotonic()
        yield status
        if status.state in ("done", "failed", "cancelled", "stopped", "awaiting_review"):
            return
        check()
        time.sleep(POLL_S)


@contextmanager
def leaving_it(name: str) -> Iterator[None]:
    """Whoever presses Ctrl-C ends the waiting alone, and is told so."""
    try:
        yield
    except KeyboardInterrupt:
        say_aside(f"Not waiting any more. {_goes_on(name)}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def patience(name: str, timeout: str | None) -> Callable[[], None]:
    """A check that ends the command once it has waited for so long, like 90s or 10m."""
    if timeout is None:
        return lambda: None
    ends = time.monotonic() + read_age(timeout)

    def check() -> None:
        if time.monotonic() >= ends:
            say_aside(f"{name} is not over after {timeout}. {_goes_on(name)}")
            raise typer.Exit(ExitCode.TIMED_OUT)

    return check


def _goes_on(name: str) -> str:
    return (
        f"The campaign goes on: `farm watch {name}` follows it again, `farm cancel {name}` stops"
        " it."
    )


def _progress(status: CampaignStatus) -> tuple[int, int]:
    """How many have ended of how many: proofs first, then the renders that may be painted."""
    counts = status.proofs if _is_proofing(status) else status.renders
    assert counts is not None
    ended = counts.done + counts.failed + counts.held + counts.cancelled
    return ended, ended + counts.queued + counts.running


def _is_proofing(status: CampaignStatus) -> bool:
    return status.proofs is not None and status.proofs.queued + status.proofs.running > 0


def _with_bar(states: Iterator[CampaignStatus], name: str) -> CampaignStatus:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        _Left(),
    )
    with Progress(*columns, console=err, speed_estimate_period=60) as progress:
        task = progress.add_task(name, total=None)
        for status in states:
            what = f"{name}: {_words(status)}"
            ended, total = _progress(status)
            progress.update(task, total=total, completed=ended, description=what)
    return status


def _with_lines(states: Iterator[CampaignStatus], name: str) -> CampaignStatus:
    began = spoken = time.monotonic()
    first: int | None = None
    for status in states:
        now, (ended, total) = time.monotonic(), _progress(status)
        first = ended if first is None else first
        if now - spoken >= PLAIN_EVERY_S:
            spoken = now
            rate = (ended - first) / (now - began)
            left = f", {rate:.2f}/s, {(total - ended) / rate:.0f} s left" if rate > 0 else ""
            err.print(f"{name}: {_words(status)}, {ended} of {total}{left}")
    ended, total = _progress(status)
    err.print(f"{name}: {_words(status)}, {ended} of {total}")
    return status


def _words(status: CampaignStatus) -> str:
    if status.state == "queued":
        return "starting workers"
    if status.waits_for:
        return "waits for something that cannot be used now"
    if status.state == "awaiting_review":
        return "awaits a review"
    return "painting proofs" if _is_proofing(status) else status.state
