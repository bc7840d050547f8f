"""A run: a farm that paints while things go wrong at seeded moments, until its campaigns are
over.
"""

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from farm.campaign.checks import parse_campaign
from farm.client.client import Client
from storage.bench.postgres import Postgres
from storage.database import sqlite_address, upgrade
from storage.errors import DatabaseAway
from tests.chaos.cluster import Cluster, wait_until
from tests.chaos.home import Home
from tests.chaos.ledger import Ledger, Look
from tests.chaos.machines import Machines
from tests.chaos.reviewing import Reviewer
from tests.chaos.schedule import Fault
from tests.chaos.story import Story
from tests.chaos.trouble import Server, Trouble

WORKERS = 2
CHUNK = 8
LONGEST_S = 900.0
_PATIENCE_S = 180.0  # without a single new render
# in which workers and then machines that have nothing to do are gone, of which they may wait 8 s
_SHRINKING_S = 60.0
_LEFT = (
    None,
    0,
    128 + signal.SIGTERM,
    -signal.SIGTERM,
)  # the last two where it was told to stop while it started

Documents = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What the runs of a session share, one after the other: a Ray cluster, and a PostgreSQL
    server or machines that come and go.
    """

    head: Cluster
    folder: Path
    postgres: Postgres | None = None
    machines: Machines | None = None


class Run:
    """One run. On PostgreSQL, two farms share a database through a proxy; on SQLite there is
    one.
    """

    def __init__(
        self,
        ground: Ground,
        name: str,
        faults: Sequence[Fault] = (),
        *,
        on_sqlite: bool = False,
        rest_s: float | None = None,
    ) -> None:
        self.outputs = ground.folder / name / "outputs"
        self.story = Story()
        folder = ground.folder / name
        self._head, self._machines = ground.head, ground.machines
        postgres = None if on_sqlite else ground.postgres
        url = (
            sqlite_address(folder / "a" / "farm.db")
            if postgres is None
            else postgres.new_database()
        )
        self.ledger = Ledger(url)
        upgrade(self.ledger.engine)
        self._server = None if postgres is None else Server(postgres, int(make_url(url).port or 0))
        environment = {
            "FARM_OUTPUTS": str(self.outputs), "FARM_RAY": ground.head.address,
            "FARM_WORKERS": str(WORKERS), "FARM_CHUNK": str(CHUNK),
        }  # fmt: skip
        environment |= {} if rest_s is None else {"FARM_REST": str(rest_s)}
        environment |= {} if ground.machines is None else ground.machines.environment
        if self._server is not None:
            environment["FARM_DATABASE_URL"] = (
                make_url(url).set(port=self._server.proxy.port).render_as_string()
            )
        self.homes = [
            Home(folder / home, environment) for home in ("a" if self._server is None else "ab")
        ]
        self._trouble = Trouble(
            faults, self.story, homes=self.homes, head=ground.head, ledger=self.ledger,
            server=self._server, machines=ground.machines,
            workers=WORKERS,
        )  # fmt: skip
        self._reviewer = Reviewer([])
        self._seen: Look | None = None
        self._progress_at = 0.0

    def go(self, documents: Documents) -> Story:
        """Submit campaigns, and see them through to their end."""
        self._head.clear()
        mark = self._head.mark()
        try:
            self._begin(documents)
            wait_until(self._is_over, self.said, LONGEST_S)
            self.story.seconds = time.monotonic() - self.story.began
            self.story.tell("over")
            self._shrink()
        finally:
            self._trouble.undo(all_of_it=True)
            self._end()
        self.story.painted = self._head.painted(mark)
        self.story.orphans = self._head.clear()
        return self.story

    def said(self) -> str:
        """What happened and the ends of all logs, for whoever has to find out why."""
        return "\n".join([*self.story.lines, *(home.said() for home in self.homes)])

    def _begin(self, documents: Documents) -> None:
        for home in self.homes:
            home.start()
        wait_until(lambda: all(home.url() for home in self.homes), self.said)
        with Client(str(self.homes[0].url())) as client:
            for document in documents:
                client.submit(parse_campaign(dict(document)))
        self._reviewer = Reviewer([d["name"] for d in documents if "proof" in d])
        self.story.began = self._progress_at = time.monotonic()

    def _shrink(self) -> None:
        """See to it that a farm with nothing to do lets its workers and their machines go. A calm
        run is there for its pixels alone.
        """
        if self._machines is None or not self.story.struck:
            return
        machines = self._machines
        try:
            wait_until(
                lambda: not self._head.actors() and not machines.all(), self.said, _SHRINKING_S
            )
            self.story.tell("there are no workers and no machines")
        except AssertionError:
            self.story.must_not(
                f"with nothing to do there are still the workers {self._head.actors()} and the"
                f" machines {machines.all()}"
            )

    def _is_over(self) -> bool:
        """One look at how things stand, with what is to be done about it."""
        self._trouble.undo()
        for home in self.homes:
            if home.keep_up():
                self.story.tell(f"{home.folder.name} had ended by itself and was started again")
        self._reviewer.look(next((url for home in self.homes if (url := home.url())), None))
        look = self._look()
        if look is None:
            return False
        if look.halted or time.monotonic() - self._progress_at > _PATIENCE_S:
            self.story.must_not(
                f"it does not go on: {look.ended} of {look.total} renders, {look.halted}"
            )
            return True
        self._trouble.strike(look.ended / look.total)
        return not look.open and self._trouble.is_over

    def _look(self) -> Look | None:
        """The database as it is now; None while it is away."""
        try:
            look = self.ledger.look()
        except DatabaseAway:
            return None
        for line in look.broken:
            self.story.must_not(line)
        if self._seen is None or look.ended > self._seen.ended:
            self._progress_at = time.monotonic()
        self._seen = look
        return look

    def _end(self) -> None:
        """Stop the farms, all at once."""
        for home in self.homes:
            home.ask_to_stop()
        for home in self.homes:
            code = home.wait()
            if code not in _LEFT:
                self.story.must_not(f"`farm up` in {home.folder.name} left with exit code {code}")
        for home in self.homes:
            if left := home.end_dispatchers():
                self.story.must_not(
                    f"{left} dispatchers in {home.folder.name} outlived their parent"
                )
        if self._server is not None:
            self._server.proxy.close()
