"""Makes things go wrong in a running farm, as a schedule says, and undoes it."""

import signal
import time
from collections.abc import Callable, Sequence

from storage.bench.postgres import Postgres
from storage.errors import DatabaseAway
from tests.chaos.cluster import ACTOR, RayHead
from tests.chaos.home import Home
from tests.chaos.ledger import Ledger
from tests.chaos.processes import command_of, send
from tests.chaos.proxy import Proxy
from tests.chaos.schedule import Fault, Kind
from tests.chaos.story import Story

_DEAF_S = 1.0


class Server:
    """A PostgreSQL server with a proxy before it: what can go wrong with a database."""

    def __init__(self, postgres: Postgres, port: int) -> None:
        self.postgres = postgres
        self.proxy = Proxy(port)
        self.is_up = True

    def kill(self) -> None:
        self.postgres.kill()
        self.is_up = False

    def start(self) -> None:
        if not self.is_up:
            self.postgres.start()
            self.is_up = True


class Trouble:
    """The faults of one run."""

    def __init__(
        self,
        faults: Sequence[Fault],
        story: Story,
        *,
        homes: Sequence[Home],
        head: RayHead,
        ledger: Ledger,
        server: Server | None,
        workers: int,
    ) -> None:
        self._to_come = list(faults)
        self._due: list[tuple[float, Fault]] = []
        self._undo: list[tuple[float, str, Callable[[], object]]] = []
        self._story = story
        self._homes = homes
        self._head = head
        self._ledger = ledger
        self._server = server
        self._workers = workers

    @property
    def is_over(self) -> bool:
        """Whether all that was done has been undone."""
        return not self._undo

    def strike(self, part_done: float) -> None:
        """Do what is due. What cannot be done yet, for want of a target, is tried again."""
        now = time.monotonic()
        while self._to_come and part_done >= self._to_come[0].at:
            fault = self._to_come.pop(0)
            self._due.append((now + fault.after_s, fault))
        for entry in list(self._due):
            due, fault = entry
            if due <= now and self._do(fault):
                self._due.remove(entry)
                self._story.struck.append(fault.kind)

    def undo(self, *, all_of_it: bool = False) -> None:
        """Undo what has lasted long enough."""
        for entry in list(self._undo):
            due, line, undo = entry
            if all_of_it or due <= time.monotonic():
                self._undo.remove(entry)
                undo()
                self._story.tell(line)

    def _later(self, seconds: float, line: str, undo: Callable[[], object]) -> None:
        self._undo.append((time.monotonic() + seconds, line, undo))

    def _do(self, fault: Fault) -> bool:
        match fault.kind:
            case Kind.DISPATCHER_KILLED | Kind.DISPATCHER_STOPPED:
                home, pid = self._leader()
                return home is not None and self._hit(fault, pid, home.dispatcher)
            case Kind.ACTOR_KILLED | Kind.ACTOR_STOPPED:
                actors = self._head.busy_actors()
                return bool(actors) and self._hit(fault, actors[int(fault.pick * len(actors))], ACTOR)
            case Kind.PARENT_KILLED:
                return self._kill_parent(fault)
            case Kind.DATABASE_KILLED:
                return self._kill_database(fault)
            case _:
                return self._disturb(fault)

    def _leader(self) -> tuple[Home | None, int]:
        """The home whose dispatcher leads, and its process; 0 where that cannot be said now."""
        try:
            pid = self._ledger.leader()
        except DatabaseAway:
            return None, 0
        return next((home for home in self._homes if home.dispatcher in command_of(pid)), None), pid

    def _hit(self, fault: Fault, pid: int, word: str) -> bool:
        """Kill a process, or stop it for a while."""
        stops = fault.lasts_s > 0
        if not send(pid, signal.SIGSTOP if stops else signal.SIGKILL, word):
            return False
        self._story.tell(f"{fault.kind} {pid}" + (f" for {fault.lasts_s:.1f} s" if stops else ""))
        self._story.actors_lost += fault.kind is Kind.ACTOR_KILLED
        if stops:
            self._later(fault.lasts_s, f"{pid} goes on", lambda: send(pid, signal.SIGCONT, word))
        return True

    def _kill_parent(self, fault: Fault) -> bool:
        home, _ = self._leader()
        if home is None or home.is_down:
            return False
        home.kill()
        self._story.actors_lost += self._workers  # the dispatcher ends with its parent, and its workers with it
        self._story.tell(f"{fault.kind} {home.folder.name} for {fault.lasts_s:.1f} s")
        self._later(fault.lasts_s, f"{home.folder.name} is started again", home.start)
        return True

    def _kill_database(self, fault: Fault) -> bool:
        if self._server is None or not self._server.is_up:
            return False
        self._server.kill()
        self._story.tell(f"{fault.kind} for {fault.lasts_s:.1f} s")
        self._later(fault.lasts_s, "the database is started again", self._server.start)
        return True

    def _disturb(self, fault: Fault) -> bool:
        if self._server is None:
            return False
        proxy = self._server.proxy
        match fault.kind:
            case Kind.CONNECTION_CUT:
                proxy.cut()
            case Kind.CONNECTION_STALLED:
                proxy.stall()
            case Kind.ANSWERS_LOST:
                proxy.deafen()
                self._later(_DEAF_S, "the connection is cut, too", proxy.cut)
        self._story.tell(f"{fault.kind} for {fault.lasts_s:.1f} s")
        self._later(fault.lasts_s, "the connection is back", proxy.restore)
        return True
