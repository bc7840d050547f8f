"""Random sequences of calls on the queue, beside a model of it in plain Python: after each call
both must say the same.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select, text

from farm.scheduling.retry import LONGEST_BACKOFF_S
from storage.campaigns import Campaigns
from storage.clock import now
from storage.control import Control
from storage.errors import AlreadyThere, NotFound, RequestError, SessionLost
from storage.events import EventRow, Events
from storage.queue import Queue
from storage.rows import CampaignBackoff, Chunk, NewChunk, Settlement, WorkerRow
from storage.settling import Settling
from storage.states import AttemptOutcome, ChunkState, RenderState
from storage.tables import (
    attempts,
    campaigns,
    chunks,
    events,
    refusals,
    renders,
    sessions,
    workers,
)
from storage.watching import Watching
from tests.storage.conftest import (
    claim_one,
    new_campaign,
    numbers_of,
    outcomes,
    prune_old,
    settlement,
)
from tests.storage.events_check import compare_step, disagreements

OWNERS = ("one", "two")
NAMES = ("spring", "summer", "autumn")
WORKERS = ("a", "b", "c")
LARGEST = 4  # renders in a chunk
CHUNKS = 6  # that a campaign begins with
NUMBERS = range(CHUNKS * LARGEST)
EXAMPLES = {"sqlite": 60, "postgresql": 40}  # which takes about as long
LEASE_S = 3600.0  # so long that a slow machine is not taken for a silent dispatcher

DONE, FAILED, HELD = RenderState.DONE, RenderState.FAILED, RenderState.HELD
OPEN = (ChunkState.QUEUED, ChunkState.LEASED)


# --- the model ---


@dataclass(eq=False)
class ModelChunk:
    numbers: tuple[int, ...]
    refused: frozenset[str]
    lease: int
    counts: tuple[int, int, int]  # failures, losses, bad outputs
    state: ChunkState = ChunkState.QUEUED
    worker: str | None = None
    id: int = 0  # the database gives it


@dataclass(eq=False)
class ModelCampaign:
    """It counts nothing: what its counters must be is read off its chunks and renders."""

    id: int
    name: str
    total: int
    chunks: list[ModelChunk] = field(default_factory=list)
    renders: dict[int, tuple[RenderState, int, str]] = field(
        default_factory=dict
    )  # state, attempts, worker
    device_s: float = 0.0
    waits: int = 0
    is_away: bool = False  # what it waits for
    halted: str | None = None
    is_started: bool = False
    is_paused: bool = False
    is_cancelled: bool = False
    is_retired: bool = False
    before: "ModelCampaign | None" = None  # the version that it replaces

    def queue(self, new: Iterable[NewChunk], refused: frozenset[str] = frozenset()) -> None:
        for n in new:
            self.chunks.append(
                ModelChunk(
                    numbers_of(n),
                    n.refused_by | refused,
                    n.lease,
                    (n.failures, n.losses, n.bad_outputs),
                )
            )

    def in_state(self, *states: ChunkState) -> list[ModelChunk]:
        return [chunk for chunk in self.chunks if chunk.state in states]

    def size(self, state: ChunkState) -> int:
        return sum(len(chunk.numbers) for chunk in self.in_state(state))

    def ended(self, *states: RenderState) -> list[int]:
        return sorted(number for number, (state, _, _) in self.renders.items() if state in states)

    @property
    def is_over(self) -> bool:
        return not self.in_state(*OPEN)

    @property
    def may_run(self) -> bool:
        return not (
            self.is_over or self.is_paused or self.halted or self.is_cancelled or self.is_retired
        )

    @property
    def is_under_way(self) -> bool:
        """Whether any version up to this one is being painted."""
        return bool(self.in_state(ChunkState.LEASED)) or (
            self.before is not None and self.before.is_under_way
        )

    @property
    def versions_before(self) -> "list[ModelCampaign]":
        return [] if self.before is None else [self.before, *self.before.versions_before]

    @property
    def has_work(self) -> bool:
        is_free = self.before is None or not self.before.is_under_way
        return is_free and not self.is_away and bool(self.in_state(ChunkState.QUEUED))

    def drop(self, *states: ChunkState) -> None:
        for chunk in self.in_state(*states):
            chunk.state = ChunkState.CANCELLED

    def resume(self) -> None:
        self.is_paused, self.halted = False, None
        self.waits, self.is_away = 0, False

    def end_attempt(self, chunk: ModelChunk, s: Settlement) -> None:
        chunk.counts = (s.failures, s.losses, s.bad_outputs)
        chunk.state = ChunkState.SETTLED if s.outcomes or s.again else ChunkState.QUEUED
        if chunk.state is ChunkState.QUEUED:
            chunk.refused |= s.refused_by
        self.renders.update({o.number: (o.state, s.lease, s.worker) for o in s.outcomes})
        self.queue(s.again, chunk.refused)
        self.device_s += s.device_s
        self.halted = s.halt or self.halted

    def end_transaction(self, settled: Sequence[Settlement]) -> None:
        waits = [s.backoff for s in settled if s.backoff]
        if waits and not self.is_away:
            self.waits, self.is_away = self.waits + 1, waits[-1].seconds > 0
        elif any(o.state is DONE for s in settled for o in s.outcomes):
            self.waits, self.is_away = 0, False
        if self.is_cancelled:
            self.drop(ChunkState.QUEUED)


class Model:
    """What the database must hold. A leased chunk is always the live session's, so that no chunk
    here has one of its own.
    """

    def __init__(self) -> None:
        self.sessions: dict[int, str] = {}
        self.live: int | None = None
        self.is_silent = False
        self.campaigns: dict[int, ModelCampaign] = {}
        self.roster: dict[str, str] = {}
        self.attempts: Counter[tuple[int, str]] = Counter()

    def known(self) -> list[ModelCampaign]:
        return [campaign for campaign in self.campaigns.values() if not campaign.is_retired]

    def find(self, campaign_id: int) -> ModelCampaign | None:
        campaign = self.campaigns.get(campaign_id)
        return None if campaign is None or campaign.is_retired else campaign

    def leased(self) -> list[tuple[ModelCampaign, ModelChunk]]:
        return [
            (campaign, chunk)
            for campaign in self.campaigns.values()
            for chunk in campaign.in_state(ChunkState.LEASED)
        ]

    def can_lead(self, owner: str) -> bool:
        return self.live is None or self.is_silent or self.sessions[self.live] == owner

    def is_shunned(self, chunk: ModelChunk, worker: str) -> bool:
        """Whether a worker has failed a chunk, and one that has not is there."""
        others = {name for name, state in self.roster.items() if state in ("idle", "painting")} - {
            worker
        }
        return worker in chunk.refused and bool(others - chunk.refused)

    def may_claim(self, campaign_id: int) -> bool:
        """A dispatcher claims no more of a version that was replaced, and nothing of the new one
        while that is under way.
        """
        campaign = self.campaigns.get(campaign_id)
        return campaign is None or not (
            campaign.is_retired or (campaign.before is not None and campaign.before.is_under_way)
        )

    def claim(self, campaign_id: int, worker: str) -> tuple[int, int] | None:
        if (campaign := self.campaigns.get(campaign_id)) is None:
            return None
        campaign.is_started = True
        for chunk in campaign.in_state(ChunkState.QUEUED):
            if not self.is_shunned(chunk, worker):
                chunk.state, chunk.lease, chunk.worker = ChunkState.LEASED, chunk.lease + 1, worker
                return chunk.id, chunk.lease
        return None

    def has_leased(self, claim: Chunk | Settlement, chunk_id: int) -> ModelChunk | None:
        for campaign, chunk in self.leased():
            if (campaign.id, chunk.id, chunk.lease) == (claim.campaign_id, chunk_id, claim.lease):
                return chunk
        return None

    def settle(self, session: int, settlements: Sequence[Settlement]) -> list[Settlement]:
        counted = []
        for s in settlements:
            chunk = self.has_leased(s, s.chunk_id) if session == self.live else None
            if chunk is not None:
                self.campaigns[s.campaign_id].end_attempt(chunk, s)
                for heir in self.known():
                    heir.device_s += (
                        s.device_s
                        if self.campaigns[s.campaign_id] in heir.versions_before
                        else 0.0
                    )
                counted.append(s)
            if s.campaign_id in self.campaigns:
                outcome = AttemptOutcome.STALE if chunk is None else s.outcome
                self.attempts[s.campaign_id, outcome] += 1
        for campaign_id in {s.campaign_id for s in counted}:
            self.campaigns[campaign_id].end_transaction(
                [s for s in counted if s.campaign_id == campaign_id]
            )
        return counted

    def release(self, session: int, keep: Collection[str]) -> int:
        back = [
            (campaign, chunk)
            for campaign, chunk in self.leased()
            if session == self.live and chunk.worker not in keep
        ]
        for campaign, chunk in back:
            chunk.state = ChunkState.CANCELLED if campaign.is_cancelled else ChunkState.QUEUED
        return len(back)

    def replace(
        self,
        old: ModelCampaign,
        new: ModelCampaign,
        kept: Iterable[tuple[int, int]],
        fresh: Iterable[NewChunk],
    ) -> None:
        old.is_retired = True
        old.drop(ChunkState.QUEUED)
        new.before, new.device_s, new.is_started, new.is_paused = (
            old,
            old.device_s,
            old.is_started,
            old.is_paused,
        )
        new.renders = {to: old.renders[number] for to, number in kept}
        new.queue(fresh)
        self.campaigns[new.id] = new

    def prune(self, names: Collection[str]) -> int:
        over = [
            campaign for campaign in self.known() if campaign.name in names and campaign.is_over
        ]
        retired = {
            campaign
            for campaign in self.campaigns.values()
            if campaign.is_retired and not campaign.in_state(ChunkState.LEASED)
        }
        gone = {campaign.id for campaign in retired.union(over)}
        self.campaigns = {
            key: campaign for key, campaign in self.campaigns.items() if key not in gone
        }
        self.attempts = Counter(
            {key: count for key, count in self.attempts.items() if key[0] not in gone}
        )
        return len(over)


# --- the database, as it is ---


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All rows of a database. Two are the same though attempts were noted between them."""

    now: float = field(compare=False)
    attempts: Counter[tuple[int, str]] = field(compare=False)
    campaigns: list[Any]
    chunks: list[Any]
    refusals: list[Any]
    renders: list[Any]
    sessions: list[Any]
    workers: list[Any]
    newest: int
    """The id of the last event: nothing changes without one, and where nothing does there is
    none.
    """

    def refused(self, chunk_id: int) -> frozenset[str]:
        return frozenset(row.worker for row in self.refusals if row.chunk_id == chunk_id)

    def chunks_of(self, campaign_id: int, *states: ChunkState) -> list[Any]:
        return [
            row
            for row in self.chunks
            if row.campaign_id == campaign_id and (not states or row.state in states)
        ]

    def renders_of(self, campaign_id: int) -> list[Any]:
        return [row for row in self.renders if row.campaign_id == campaign_id]


def look(engine: Engine) -> Seen:
    tables = (campaigns, chunks, refusals, renders, sessions, workers)
    noted = select(attempts.c.campaign_id, attempts.c.outcome, func.count()).group_by(
        attempts.c.campaign_id, attempts.c.outcome
    )
    with engine.execution_options(readonly=True).connect() as connection:
        rows: dict[str, Any] = {
            t.name: connection.execute(select(t).order_by(*t.primary_key)).all() for t in tables
        }
        counts = Counter(
            {
                (campaign_id, outcome): count
                for campaign_id, outcome, count in connection.execute(noted)
            }
        )
        newest = connection.execute(select(func.coalesce(func.max(events.c.id), 0))).scalar_one()
        return Seen(now=now(connection), attempts=counts, newest=newest, **rows)


def numbers_in(row: Any) -> tuple[int, ...]:
    return (
        tuple(range(row.start, row.stop))
        if row.numbers is None
        else tuple(json.loads(row.numbers))
    )


def check_campaign(seen: Seen, row: Any) -> None:
    """Every render of a campaign is in one place, and its counters tell how many are where."""
    wanted = seen.chunks_of(row.id, *OPEN)
    unwanted = seen.chunks_of(row.id, ChunkState.CANCELLED)
    ended = seen.renders_of(row.id)
    places = [render.number for render in ended] + [
        number for chunk in wanted + unwanted for number in numbers_in(chunk)
    ]
    assert sorted(places) == list(range(row.total))
    states = Counter(render.state for render in ended)
    cancelled, left = sum(chunk.total for chunk in unwanted), sum(chunk.total for chunk in wanted)
    assert (row.done, row.failed, row.held, row.cancelled) == (
        states[DONE],
        states[FAILED],
        states[HELD],
        cancelled,
    )
    assert row.done + row.failed + row.held + row.cancelled + left == row.total
    assert (row.finished_at is not None) == (not wanted)


def check_leases(seen: Seen) -> None:
    """One session leads at most, and whatever is leased is its."""
    live = [row.id for row in seen.sessions if row.live]
    assert len(live) <= 1
    assert all((row.ended_at is None) == bool(row.live) for row in seen.sessions)
    for chunk in seen.chunks:
        assert [chunk.session_id] == (live if chunk.state == ChunkState.LEASED else [None])


# --- the one against the other ---


def compare_sessions(seen: Seen, model: Model) -> None:
    assert {row.id: row.owner for row in seen.sessions} == model.sessions
    live = [row for row in seen.sessions if row.live]
    assert [row.id for row in live] == ([] if model.live is None else [model.live])
    if live:
        assert (live[0].heartbeat_at < seen.now - LEASE_S) == model.is_silent
    assert {row.name: row.state for row in seen.workers} == model.roster


def compare_campaigns(seen: Seen, model: Model) -> None:
    assert [row.id for row in seen.campaigns] == sorted(model.campaigns)
    assert seen.attempts == model.attempts
    for row in seen.campaigns:
        campaign = model.campaigns[row.id]
        compare_chunks(seen, campaign)
        assert {
            r.number: (r.state, r.attempts, r.worker) for r in seen.renders_of(row.id)
        } == campaign.renders
        assert (row.pruned_at is not None) == campaign.is_retired
        if not campaign.is_retired:
            flags = (
                row.started_at is not None,
                row.paused_at is not None,
                row.cancelled_at is not None,
                row.halted,
            )
            assert flags == (
                campaign.is_started,
                campaign.is_paused,
                campaign.is_cancelled,
                campaign.halted,
            )
            assert (row.name, row.total, row.device_s, row.waits) == (
                campaign.name,
                campaign.total,
                campaign.device_s,
                campaign.waits,
            )


def compare_chunks(seen: Seen, campaign: ModelCampaign) -> None:
    for row, chunk in zip(seen.chunks_of(campaign.id), campaign.chunks, strict=True):
        chunk.id = chunk.id or row.id
        assert (row.id, numbers_in(row), row.total) == (
            chunk.id,
            chunk.numbers,
            len(chunk.numbers),
        )
        assert (row.state, row.lease, row.worker, seen.refused(row.id)) == (
            chunk.state,
            chunk.lease,
            chunk.worker,
            chunk.refused,
        )
        assert (row.failures, row.losses, row.bad_outputs) == chunk.counts


def compare_snapshot(queue: Queue, model: Model) -> None:
    snapshot = queue.snapshot(model.live or 0)
    may_run = sorted((c for c in model.campaigns.values() if c.may_run), key=lambda c: c.id)
    assert [c.id for c in snapshot.campaigns] == [c.id for c in may_run]
    for seen, campaign in zip(snapshot.campaigns, may_run, strict=True):
        running = campaign.size(ChunkState.LEASED)
        assert (seen.left, seen.running, seen.ended) == (
            campaign.size(ChunkState.QUEUED) + running,
            running,
            len(campaign.renders),
        )
        assert seen.workers == {chunk.worker for chunk in campaign.in_state(ChunkState.LEASED)}
        assert (seen.waiting, seen.backoffs, seen.device_s) == (
            campaign.has_work,
            campaign.waits,
            campaign.device_s,
        )
    assert snapshot.leases == {
        (chunk.id, chunk.lease)
        for campaign, chunk in model.leased()
        if not (campaign.is_cancelled or campaign.is_retired)
    }
    assert queue.waiting_chunks(99) == sum(
        len(c.in_state(ChunkState.QUEUED)) for c in may_run if c.has_work
    )


# --- what is done to both ---


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to become of a leased chunk."""

    fates: tuple[RenderState | None, ...]
    """Of each of its renders; those with None are painted again, in chunks of `size`."""
    size: int
    goes_back: bool
    """Where no render has ended: the chunk itself is queued again."""
    counts: tuple[int, int, int]
    refused_by: tuple[frozenset[str], ...]
    """Those who do not get the chunks that it goes on in; the first are for the chunk itself,
    where it goes back.
    """
    backoff: CampaignBackoff | None
    halt: str | None
    device_s: float


def new_runs(shape: Iterable[tuple[int, bool]]) -> list[NewChunk]:
    """A campaign's first chunks, of these sizes; some name their numbers."""
    new: list[NewChunk] = []
    start = 0
    for size, is_named in shape:
        stop = start + size
        where: dict[str, Any] = (
            {"numbers": tuple(range(start, stop))} if is_named else {"start": start, "stop": stop}
        )
        new.append(NewChunk(group_no=0, total=size, **where))
        start = stop
    return new


def named(numbers: Sequence[int], size: int, **changes: Any) -> tuple[NewChunk, ...]:
    parts = [tuple(numbers[k : k + size]) for k in range(0, len(numbers), size)]
    return tuple(NewChunk(group_no=0, numbers=part, total=len(part), **changes) for part in parts)


def settled(chunk: Chunk, verdict: Verdict) -> Settlement:
    fates = dict(zip(numbers_of(chunk), verdict.fates, strict=False))
    ended = [
        o
        for number, fate in fates.items()
        if fate is not None
        for o in outcomes(chunk, fate, numbers=[number])
    ]
    left = [number for number, fate in fates.items() if fate is None]
    parts = named(left, verdict.size, lease=chunk.lease) if ended or not verdict.goes_back else ()
    again = tuple(
        replace(part, refused_by=refused)
        for part, refused in zip(parts, verdict.refused_by, strict=False)
    )
    failures, losses, bad_outputs = verdict.counts
    return settlement(
        chunk, tuple(ended), again=again, failures=failures, losses=losses,
        bad_outputs=bad_outputs,
        refused_by=verdict.refused_by[0], backoff=verdict.backoff, halt=verdict.halt,
        device_s=verdict.device_s,
    )  # fmt: skip


def mostly(likely: Sequence[Any], possible: Sequence[Any]) -> list[Any]:
    """What to choose from, so that three choices of four are likely ones."""
    weight = 3 * len(possible) // len(likely) if likely else 0
    return [*likely] * weight + [*possible]


def current_claims(machine: "QueueMachine") -> list[Chunk]:
    """The claims of chunks that are leased now, among them those of earlier attempts at these:
    they weigh more, as they are few.
    """
    leases = {chunk.id: chunk.lease for _, chunk in machine.model.leased()}
    claims = [claim for claim in machine.claimed if claim.id in leases]
    return claims + 2 * [claim for claim in claims if claim.lease < leases[claim.id]]


def one_of(choose: Any) -> st.SearchStrategy[Any]:
    """One of what a machine can choose from when a rule is applied."""
    return st.runner().flatmap(lambda machine: st.sampled_from(choose(machine)))


def campaign_with(is_likely: Any) -> st.SearchStrategy[int]:
    """The id of a campaign, most often of one that is known and likely; some were removed long
    ago.
    """
    return one_of(lambda m: mostly([c.id for c in m.model.known() if is_likely(c)], m.ids))


some_session = one_of(
    lambda m: mostly([m.model.live] if m.model.live else [], list(m.model.sessions))
)
any_session = one_of(lambda m: list(m.model.sessions)[-3:])
some_claim = one_of(lambda m: mostly(current_claims(m), m.claimed))
some_workers = st.frozensets(st.sampled_from(WORKERS), max_size=len(WORKERS))
sizes = st.integers(1, LARGEST)
shapes = st.lists(st.tuples(sizes, st.booleans()), min_size=1, max_size=CHUNKS)
fates = st.one_of(
    st.sampled_from([DONE, FAILED, HELD, None, None]).map(lambda fate: (fate,) * LARGEST),
    st.tuples(*[st.sampled_from([DONE, FAILED, HELD, None])] * LARGEST),
)
verdicts = st.builds(
    Verdict,
    fates=fates,
    size=sizes,
    goes_back=st.sampled_from([True, True, False]),
    counts=st.tuples(*[st.integers(0, 2)] * 3),
    refused_by=st.tuples(*[some_workers] * LARGEST),
    backoff=st.sampled_from(
        [
            None,
            None,
            None,
            CampaignBackoff(seconds=0, why="away"),
            CampaignBackoff(seconds=LONGEST_BACKOFF_S, why="away"),
        ]
    ),
    halt=st.sampled_from([None] * 6 + ["the disk is full"]),
    device_s=st.sampled_from([0.0, 0.25, 2.5]),  # whose sums are exact
)
some_seats = st.lists(
    st.tuples(campaign_with(lambda c: c.in_state(ChunkState.QUEUED)), st.sampled_from(WORKERS)),
    min_size=1,
    max_size=6,
)
some_ends = st.lists(st.tuples(some_claim, verdicts), min_size=1, max_size=4)
rosters = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(["idle", "painting", "quarantined"]) for name in WORKERS}
)


class QueueMachine(RuleBasedStateMachine):
    """One database, and the model of it."""

    def __init__(self, engine: Engine, fall_silent: Any) -> None:
        super().__init__()
        self.engine, self.age_session = engine, fall_silent
        self.queue, self.settling, self.control = Queue(engine), Settling(engine), Control(engine)
        self.campaigns, self.watching = Campaigns(engine), Watching(engine)
        self.model = Model()
        self.ids: list[int] = []  # of all campaigns that there ever were
        self.claimed: list[Chunk] = []
        self.tokens: dict[int, int] = {}
        with engine.begin() as connection:
            for table in ("campaigns", "workers", "sessions", "events"):  # and what hangs on them
                connection.execute(text(f"DELETE FROM {table}"))
        self.seen = look(engine)
        self.told: list[EventRow] = []
        self.before = self.seen

    def assert_nothing_changed(self) -> None:
        assert look(self.engine) == self.seen

    @contextmanager
    def refuses(self, error):
        with pytest.raises(error):
            yield
        self.assert_nothing_changed()

    # --- sessions ---

    @initialize(
        owner=st.sampled_from(OWNERS),
        roster=rosters,
        first=shapes,
        second=shapes,
        workers=st.lists(st.sampled_from(WORKERS)),
    )
    def begin(self, owner, roster, first, second, workers):
        self.lead(owner)
        self.save_workers(self.model.live, roster)
        self.submit(NAMES[0], first)
        self.submit(NAMES[1], second)
        self.check()
        self.claim(
            self.model.live,
            [(campaign_id, worker) for campaign_id in self.ids for worker in workers],
        )

    @rule(
        how=st.sampled_from(["renew", "fall_silent", "release", "end_session", None]),
        session=some_session,
        keep=some_workers,
        heir=st.sampled_from([*OWNERS, None]),
    )
    def change_session(self, how, session, keep, heir):
        """Something happens to a session, and somebody may want to lead then."""
        if how == "release":
            self.release(session, keep)
        elif how is not None:
            getattr(self, how)(session)
        if heir is not None:
            self.seen = look(self.engine)
            self.lead(heir)

    def lead(self, owner):
        session = self.queue.lead(owner=owner, host="h", pid=1)
        assert (session is not None) == self.model.can_lead(owner)
        if session is None:
            self.assert_nothing_changed()
        else:
            assert session not in self.model.sessions
            self.model.sessions[session] = owner
            self.model.live, self.model.is_silent = session, False

    def fall_silent(self, session):
        self.age_session(session, 2 * LEASE_S)
        self.model.is_silent |= session == self.model.live

    def renew(self, session):
        if session == self.model.live:
            assert self.queue.renew(session) >= self.seen.now
            self.model.is_silent = False
        else:
            with self.refuses(SessionLost):
                self.queue.renew(session)

    def end_session(self, session):
        assert self.queue.end_session(session) == self.model.release(session, ())
        if session == self.model.live:
            self.model.live = None
        else:
            self.assert_nothing_changed()

    def release(self, session, keep):
        assert self.queue.release(session, keep=keep) == self.model.release(session, keep)
        if session != self.model.live:
            self.assert_nothing_changed()

    @rule(session=some_session, roster=rosters)
    def save_workers(self, session, roster):
        rows = [
            WorkerRow(
                name=name,
                state=roster[name],
                node=None,
                device=None,
                numerics_class=None,
                warm=None,
            )
            for name in roster
        ]
        self.watching.save_workers(session, rows)
        if session == self.model.live:
            self.model.roster = roster
        else:
            self.assert_nothing_changed()

    # --- claims and what comes of them ---

    @rule(session=some_session, seats=some_seats)
    def claim(self, session, seats):
        if session != self.model.live:
            with self.refuses(SessionLost):
                self.queue.claim(session, seats)
            return
        seats = [seat for seat in seats if self.model.may_claim(seat[0])]
        claimed = self.queue.claim(session, seats)
        expected = [self.model.claim(*seat) for seat in seats]
        assert [(chunk.id, chunk.lease) for chunk in claimed] == [
            key for key in expected if key is not None
        ]
        usable = {row.name for row in self.seen.workers if row.state in ("idle", "painting")}
        for chunk in claimed:
            refused = self.seen.refused(chunk.id)
            assert chunk.worker not in refused or not usable - {chunk.worker} - refused
        self.model.is_silent &= not seats
        self.claimed += claimed

    @precondition(lambda self: self.claimed)
    @rule(session=any_session, ends=some_ends, is_repeated=st.booleans())
    def settle(self, session, ends, is_repeated):
        settlements = [settled(chunk, verdict) for chunk, verdict in ends]
        expected = self.model.settle(session, settlements)
        assert self.settling.settle(session, settlements) == expected
        if not expected:
            self.assert_nothing_changed()
        if is_repeated:
            self.seen = look(self.engine)
            assert (
                self.settling.settle(session, settlements)
                == self.model.settle(session, settlements)
                == []
            )
            self.assert_nothing_changed()

    @precondition(lambda self: self.claimed)
    @rule(session=some_session, ends=some_ends, seats=some_seats)
    def tick(self, session, ends, seats):
        """What a dispatcher does all the time."""
        self.settle(session, ends, is_repeated=False)
        self.check()
        self.claim(session, seats)

    # --- campaigns ---

    @rule(name=st.sampled_from(NAMES), shape=shapes)
    def submit(self, name, shape):
        new = new_runs(shape)
        total = sum(chunk.total for chunk in new)
        if name in {campaign.name for campaign in self.model.known()}:
            with self.refuses(AlreadyThere):
                self.campaigns.add(new_campaign(name, total), new)
            return
        row = self.campaigns.add(new_campaign(name, total), new)
        assert row.id not in self.ids
        self.ids.append(row.id)
        self.model.campaigns[row.id] = campaign = ModelCampaign(row.id, name, total)
        campaign.queue(new)

    @rule(
        campaign_id=campaign_with(lambda c: c.is_over or c.in_state(ChunkState.LEASED)),
        how=st.sampled_from(["pause", "halt", "resume", "cancel", "cancel"]),
    )
    def change_campaign(self, campaign_id, how):
        getattr(self, how)(campaign_id, self.model.find(campaign_id))

    def pause(self, campaign_id, campaign):
        self.control.pause(campaign_id)
        if campaign is not None:
            campaign.is_paused = True

    def halt(self, campaign_id, campaign):
        self.campaigns.halt(campaign_id, "no worker could be started")
        if campaign is not None:
            campaign.halted = "no worker could be started"

    def resume(self, campaign_id, campaign):
        self.control.resume(campaign_id)
        if campaign is not None:
            campaign.resume()

    def cancel(self, campaign_id, campaign):
        if campaign is None:
            with self.refuses(NotFound):
                self.control.cancel(campaign_id)
            return
        self.control.cancel(campaign_id)
        if not campaign.is_over:
            campaign.is_cancelled = True
            campaign.drop(ChunkState.QUEUED)

    @rule(
        campaign_id=campaign_with(lambda c: c.ended(FAILED, HELD)),
        states=st.sampled_from([[FAILED], [HELD], [FAILED, HELD]]),
        only=st.sampled_from([None, None, None, 0, 3, 5]),
        size=sizes,
    )
    def retry(self, campaign_id, states, only, size):
        asked = []

        def plan(numbers, tries):
            asked.append((list(numbers), tries))
            return named(numbers, size, lease=tries)

        campaign = self.model.find(campaign_id)
        if campaign is None or campaign.is_cancelled:
            with self.refuses(NotFound if campaign is None else RequestError):
                self.control.retry(campaign_id, states, plan, only)
            return
        again = [number for number in campaign.ended(*states) if only in (None, number)]
        assert self.control.retry(campaign_id, states, plan, only) == len(again)
        if not again:
            self.assert_nothing_changed()
            return
        tries = max(campaign.renders.pop(number)[1] for number in again)
        assert asked == [(again, tries)]
        campaign.queue(named(again, size, lease=tries))
        campaign.halted = None

    @rule(
        campaign_id=campaign_with(lambda c: c.renders),
        keeps=st.sets(st.sampled_from(NUMBERS)),
        shape=shapes,
        is_whole=st.booleans(),
        is_early=st.sampled_from([False, False, True]),
    )
    def replace(self, campaign_id, keeps, shape, is_whole, is_early):
        """Another version: first renders that are new, then those kept. One that is early keeps a
        render that has not ended.
        """
        campaign = self.model.find(campaign_id)
        known = campaign.ended(DONE, FAILED, HELD) if campaign else []
        old = [number for number in known if number in keeps]
        if is_early:
            old.append(next(number for number in range(99) if number not in known))
        fresh = [] if is_whole and old else new_runs(shape)
        start = sum(chunk.total for chunk in fresh)
        kept = [(start + k, number) for k, number in enumerate(reversed(old))]
        new = new_campaign(campaign.name if campaign else "gone", start + len(kept))
        if campaign is None:
            with self.refuses(NotFound):
                self.control.replace(campaign_id, new, kept, fresh)
            return
        assert self.control.replace(campaign_id, new, kept, fresh) == (not is_early)
        if is_early:
            self.assert_nothing_changed()
            return
        row = self.campaigns.get("p", campaign.name)
        assert row.id not in self.ids
        self.ids.append(row.id)
        self.model.replace(campaign, ModelCampaign(row.id, campaign.name, new.total), kept, fresh)

    @precondition(lambda self: any(campaign.is_over for campaign in self.model.campaigns.values()))
    @rule(names=st.sets(st.sampled_from(NAMES), max_size=1))
    def prune(self, names):
        """Those of these names that are over have long been so; the others are young."""
        with self.engine.begin() as connection:
            for name in names:
                connection.execute(
                    text(
                        "UPDATE campaigns SET finished_at = finished_at - 100 WHERE name ="
                        f" '{name}'"
                    )
                )
        assert prune_old(self.engine, 60) == self.model.prune(names)

    # --- what must always be so ---

    @invariant()
    def check(self):
        self.seen = look(self.engine)
        check_leases(self.seen)
        for row in self.seen.campaigns:
            if row.pruned_at is None:
                check_campaign(self.seen, row)
        for chunk in self.seen.chunks:
            assert chunk.lease >= self.tokens.get(chunk.id, 0)
            self.tokens[chunk.id] = chunk.lease
        self.check_events()
        compare_sessions(self.seen, self.model)
        compare_campaigns(self.seen, self.model)
        compare_snapshot(self.queue, self.model)

    def check_events(self):
        """Each change has exactly one event, in the order of the changes."""
        new = Events(self.engine).after(self.told[-1].id if self.told else 0)
        self.told += new
        rows = [{row.id: row for row in seen.campaigns} for seen in (self.before, self.seen)]
        compare_step(*rows, new)
        assert not disagreements(self.seen.campaigns, self.told)
        self.before = self.seen


@pytest.mark.timeout(600)  # making a failure small takes up to five minutes
def test_the_queue_does_what_a_model_of_it_does(engine, fall_silent, monkeypatch):
    monkeypatch.setattr("storage.queue.LEASE_S", LEASE_S)
    run_state_machine_as_test(
        lambda: QueueMachine(engine, fall_silent),
        settings=settings(
            max_examples=EXAMPLES[engine.dialect.name], stateful_step_count=40, deadline=None
        ),
    )


# --- what it has found, made small ---


def test_a_third_version_waits_for_the_first_while_that_is_under_way(
    campaigns, queue, settling, control, campaign, session
):
    chunk = claim_one(queue, session, campaign)
    for _ in range(2):
        assert control.replace(
            campaigns.get("p", campaign.name).id, new_campaign(), [], new_runs([(6, False)])
        )
        assert [c.waiting for c in queue.snapshot(session).campaigns] == [False]
    settling.settle(session, [settlement(chunk, outcomes(chunk))])
    assert [c.waiting for c in queue.snapshot(session).campaigns] == [True]


def test_chunks_are_queued_in_the_order_given_whoever_has_refused_some(campaigns, queue, session):
    new = [
        replace(chunk, refused_by=refused)
        for chunk, refused in zip(named(range(3), 1), [{"x"}, set(), {"y"}], strict=True)
    ]
    campaign = campaigns.add(new_campaign(total=3), new)
    assert [chunk.numbers for chunk in queue.claim(session, [(campaign.id, "a")] * 3)] == [
        (0,),
        (1,),
        (2,),
    ]
