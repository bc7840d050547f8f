"""Makes things go wrong in a running farm, as a schedule says, and undoes it."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from storage.bench.postgres import Postgres
from storage.errors import DatabaseAway
from tests.chaos.cluster import ACTOR, Cluster
from tests.chaos.home import Home
from tests.chaos.ledger import Ledger
from tests.chaos.machines import Machine, Machines
from tests.chaos.processes import command_of, send
from tests.chaos.proxy import Proxy
from tests.chaos.schedule import Fault, Kind
from tests.chaos.story import Story

_DEAF_S = 1.0
_ALONE_S = 3.0
_HELD = 2
"""The chunks that a worker has at once, all of which it may paint where nobody can end it."""


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


@dataclass(frozen=True, kw_only=True)
class _Undo:
    """What is to be done about a fault when its time is over, or as soon as it `is_over` by
    itself.
    """

    due: float
    line: str
    act: Callable[[], object]
    is_over: Callable[[], bool] = lambda: False


class Trouble:
    """The faults of one run."""

    def __init__(
        self,
        faults: Sequence[Fault],
        story: Story,
        *,
        homes: Sequence[Home],
        head: Cluster,
        ledger: Ledger,
        server: Server | None,
        machines: Machines | None,
        workers: int,
    ) -> None:
        self._to_come = list(faults)
        self._due: list[tuple[float, Fault]] = []
        self._undo: list[_Undo] = []
        self._ailing: set[Machine] = set()
        """The machines on which something is wrong already."""
        self._story = story
        self._homes = homes
        self._head = head
        self._ledger = ledger
        self._server = server
        self._machines = machines
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
        for undo in list(self._undo):
            if all_of_it or undo.due <= time.monotonic() or undo.is_over():
                self._undo.remove(undo)
                undo.act()
                self._story.tell(undo.line)

    def _later(
        self,
        seconds: float,
        line: str,
        act: Callable[[], object],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._undo.append(
            _Undo(due=time.monotonic() + seconds, line=line, act=act, is_over=is_over)
        )

    def _do(self, fault: Fault) -> bool:
        match fault.kind:
            case Kind.DISPATCHER_KILLED | Kind.DISPATCHER_STOPPED:
                home, pid = self._leader()
                return home is not None and self._hit(fault, pid, home.dispatcher)
            case Kind.ACTOR_KILLED | Kind.ACTOR_STOPPED:
                actor = self._pick(fault)
                return actor is not None and self._hit(fault, actor, ACTOR)
            case Kind.PARENT_KILLED:
                return self._kill_parent(fault)
            case Kind.DATABASE_KILLED:
                return self._kill_database(fault)
            case Kind.CONNECTION_CUT | Kind.CONNECTION_STALLED | Kind.ANSWERS_LOST:
                return self._disturb(fault)
            case _:
                return self._hit_machine(fault)

    def _pick(self, fault: Fault) -> int | None:
        """One of the actors that have painted, on a machine that is well; None where there is none
        now.
        """
        actors = self._head.busy_actors()
        if self._machines is not None:
            actors = [actor for actor in actors if self._machines.of(actor) not in self._ailing]
        return actors[int(fault.pick * len(actors))] if actors else None

    def _leader(self) -> tuple[Home | None, int]:
        """The home whose dispatcher leads, and its process; 0 where that cannot be said now."""
        try:
            pid = self._ledger.leader()
        except DatabaseAway:
            return None, 0
        return (
            next((home for home in self._homes if home.dispatcher in command_of(pid)), None),
            pid,
        )

    def _hit(self, fault: Fault, pid: int, word: str) -> bool:
        """Kill a process, or stop it for a while."""
        stops = fault.lasts_s > 0
        if not send(pid, signal.SIGSTOP if stops else signal.SIGKILL, word):
            return False
        self._story.tell(f"{fault.kind} {pid}" + (f" for {fault.lasts_s:.1f} s" if stops else ""))
        if fault.kind is Kind.ACTOR_KILLED:
            self._story.lose()
        if stops:
            self._later(fault.lasts_s, f"{pid} goes on", lambda: send(pid, signal.SIGCONT, word))
        return True

    def _kill_parent(self, fault: Fault) -> bool:
        home, _ = self._leader()
        if home is None or home.is_down:
            return False
        home.kill()
        self._story.lose(
            self._workers
        )  # the dispatcher ends with its parent, and its workers with it
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

    # --- machines ---

    def _hit_machine(self, fault: Fault) -> bool:
        """Do something to the machine of a worker, or to that worker as long as its machine can be
        told to end it.
        """
        machines, actor = self._machines, self._pick(fault)
        machine = machines.of(actor) if machines is not None and actor is not None else None
        if machines is None or actor is None or machine is None:
            return False
        self._ailing.add(machine)
        self._story.tell(
            f"{fault.kind} {machine}" + (f" for {fault.lasts_s:.1f} s" if fault.lasts_s else "")
        )
        match fault.kind:
            case Kind.NODE_KILLED:
                self._take(machines, machine)
            case Kind.POOL_EMPTIED:
                machines.lack(machine.kind)
                self._take(machines, machine)
                self._later(fault.lasts_s, f"there is {machine.kind} again", machines.give_all)
            case Kind.ACTOR_FROZEN | Kind.NODE_FROZEN:
                self._freeze(machines, machine, actor, fault)
            case Kind.NODE_DRAINED:
                machines.notice(machine, fault.lasts_s)
                self._expect_to_go(machines, machine, fault.lasts_s)
            case Kind.NODE_TERMINATED:
                machines.tell_to_end(machine)
                self._expect_to_go(machines, machine, fault.lasts_s)
        return True

    def _take(self, machines: Machines, machine: Machine) -> None:
        self._story.lose()
        machines.kill(machine)

    def _freeze(self, machines: Machines, machine: Machine, actor: int, fault: Fault) -> None:
        """Where all of a machine was frozen, its worker goes on first: as long as nobody can end
        it, it paints for nobody.
        """
        self._story.lose(chunks_each=_HELD)
        pids = [actor] if fault.kind is Kind.ACTOR_FROZEN else machines.processes(machine)
        machines.send(pids, signal.SIGSTOP)

        def thaw() -> None:
            machines.send(pids, signal.SIGCONT)
            self._ailing.discard(machine)

        self._later(
            fault.lasts_s,
            f"what is left of {actor} goes on",
            partial(send, actor, signal.SIGCONT, ACTOR),
        )
        self._later(fault.lasts_s + _ALONE_S, f"{machine} is itself again", thaw)

    def _expect_to_go(self, machines: Machines, machine: Machine, lasts_s: float) -> None:
        """A machine whose time is over is taken away, and whoever works there then was not quick
        enough.
        """
        self._story.warned |= self._ledger.workers_on(machine.node_id)

        def take() -> None:
            if any(machines.of(actor) == machine for actor in self._head.actors()):
                self._story.must_not(f"a worker was still on {machine} when its time was over")
                self._story.lose()
            machines.kill(machine)

        self._later(lasts_s, f"{machine} is gone", take, partial(machines.is_gone, machine))
