"""Runs one after the other on the same ground, each held against one where nothing went wrong."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from storage.bench.postgres import temporary_postgres
from tests.chaos.audit import Audit, Pixels, audit
from tests.chaos.campaigns import Work
from tests.chaos.cluster import Cluster, ray_head
from tests.chaos.harness import CHUNK, Ground, Run
from tests.chaos.machines import Machines, growing_cluster
from tests.chaos.schedule import Fault
from tests.chaos.story import Story


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a run; `said` is for whoever has to find out why there are problems."""

    story: Story
    audit: Audit
    said: str

    @property
    def problems(self) -> list[str]:
        return self.story.broken + self.audit.problems

    def __str__(self) -> str:
        a, s = self.audit, self.story
        return (
            f"{s.seconds:.0f} s, {len(s.struck)} faults, {a.renders} renders: {a.lost} lost,"
            f" {a.twice} twice, {a.failed} failed, {a.copied} copied, {a.repainted} painted again"
            f" and {a.unsaid} unsaid by {s.actors_lost} lost actors, {a.sessions} sessions,"
            f" {a.stale} stale, {a.parts} parts, {s.orphans} orphans, {len(self.problems)}"
            " problems"
        )


class Chaos:
    """Runs on one ground."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._pixels: dict[str, Pixels] = {}

    def run(
        self, name: str, work: Work, faults: Sequence[Fault], *, on_sqlite: bool = False
    ) -> Report:
        return self._run(name, work, faults, self.pixels(work), on_sqlite=on_sqlite)

    def pixels(self, work: Work) -> Pixels:
        """The pixel hash of every render, from a run where nothing went wrong. Workers need not
        rest in it: pixels follow from recipes.
        """
        if work.name not in self._pixels:
            restless = work if work.rest_s is None else replace(work, rest_s=0.0)
            calm = self._run(f"calm-{work.name}", restless, (), None, on_sqlite=True)
            assert not calm.problems, f"{calm.problems}\n{calm.said}"
            self._pixels[work.name] = calm.audit.pixels
        return self._pixels[work.name]

    def calm(self, work: Work) -> Path:
        """The folder of the run where nothing went wrong."""
        self.pixels(work)
        return self._ground.folder / f"calm-{work.name}"

    def _run(
        self,
        name: str,
        work: Work,
        faults: Sequence[Fault],
        reference: Pixels | None,
        *,
        on_sqlite: bool,
    ) -> Report:
        run = Run(self._ground, name, faults, on_sqlite=on_sqlite, rest_s=work.rest_s)
        story = run.go(work.campaigns)
        found = audit(
            run.ledger.engine, run.outputs, story.painted, reference=reference,
            may_repaint=CHUNK * story.chunks_lost,
            may_lose=story.actors_lost, warned=story.warned,
        )  # fmt: skip
        run.ledger.close()
        return Report(story=story, audit=found, said=run.said())


@contextmanager
def chaos(folder: Path) -> Iterator[Chaos]:
    """A ground for runs, its files in a folder with a short path. Raises DatabaseError where the
    machine has no PostgreSQL.
    """
    (folder / "ray").mkdir()
    with temporary_postgres() as postgres, ray_head(folder / "ray") as head:
        yield Chaos(Ground(head=head, postgres=postgres, folder=folder))


@contextmanager
def fleet_chaos(folder: Path) -> Iterator[Chaos]:
    """A ground for runs on a cluster that grows and shrinks by itself."""
    with growing_cluster() as cloud:
        head = Cluster(cloud.session_folder, cloud.address, cloud.pid)
        yield Chaos(Ground(head=head, machines=Machines(cloud, folder), folder=folder))
