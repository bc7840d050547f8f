"""The values that the job database gives and takes: frozen, never rows of SQLAlchemy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.keys import campaign_name
from storage.moments import FARTHEST_S, is_to_come
from storage.spent import Spent
from storage.states import (
    HELD_BY_RULE,
    AttemptOutcome,
    CampaignState,
    Reason,
    RenderState,
    Stage,
    WorkerState,
    campaign_state,
)

Json = dict[str, Any]

ANY_CLASS = "any"
"""Stands for every numerics class, if a campaign allows them all."""


@dataclass(frozen=True, kw_only=True)
class NewCampaign:
    """A campaign to be written; its chunks follow it in the same transaction."""

    project: str
    name: str
    spec: Json = field(repr=False)
    fingerprint: str
    model: str
    model_digest: str
    priority: int
    max_workers: int | None
    total: int
    megapixel_steps: float = 0.0
    deadline: float | None = None
    budget_s: float | None = None
    """How much device time it may have."""
    budget_money: float | None = None
    """What its attempts may cost."""
    encoding: str = "png"
    """How its files are written, previews included: those of another campaign can take their place
    only if that is equal.
    """
    is_fresh: bool = False
    """Whether it is painted even if the project has its pictures already."""
    brand: str | None = None
    """The version of its brand's pack, like acme@3."""
    brand_digest: str | None = None
    numerics_class: str | None = None
    """The class that its pixels are of: that of the first worker to get a chunk of it, or
    ANY_CLASS.
    """
    released: int | None = None
    """Of a campaign with proofs, how many renders may be painted so far; None if all may."""
    proof_of: int | None = None
    """Of a row of proofs, the id of the campaign that they are proofs of."""


@dataclass(frozen=True, kw_only=True)
class ProofCounts:
    """The proofs of a campaign, by state."""

    id: int
    total: int
    done: int
    failed: int
    held: int
    cancelled: int
    running: int
    started_at: float | None
    megapixel_steps: float

    @property
    def left(self) -> int:
        return self.total - self.done - self.failed - self.held - self.cancelled


@dataclass(frozen=True, kw_only=True)
class CampaignRow(NewCampaign):
    """A campaign as stored, with its counts. Times are seconds since 1970 by the database's clock,
    `now` among them.
    """

    id: int
    now: float
    done: int
    failed: int
    held: int
    held_by_rule: int = 0
    """Those of the held ones that a person may let through."""
    cancelled: int
    rejected: int
    """Renders that a person rejected: of a campaign with proofs, before they were painted; of any
    campaign, while they were held.
    """
    running: int
    device_s: float
    money: float | None = None
    """What its attempts have cost; None if none had a price."""
    halted: str | None
    paused_at: float | None
    cancelled_at: float | None
    waits: int
    waits_until: float | None
    waits_why: str | None
    refusal: str | None = None
    """The rule that keeps it waiting, as `farm.scheduling.refusal` writes it."""
    created_at: float
    started_at: float | None
    finished_at: float | None
    replaces: int | None
    pruned_at: float | None
    """Since when it is being removed, or replaced by another version."""
    previews_pruned_at: float | None = None
    """Since when it keeps no previews any more."""
    version: int
    version_of: str | None
    proofs: ProofCounts | None = None

    @property
    def stage(self) -> Stage:
        return Stage.FINAL if self.proof_of is None else Stage.PROOF

    @property
    def title(self) -> str:
        """The campaign's name, also of its row of proofs."""
        return campaign_name(self.name)

    @property
    def is_leaving(self) -> bool:
        """Whether it is being removed with its pictures. Forgotten campaigns have no row,
        except versions.
        """
        return self.pruned_at is not None and self.version_of is None

    @property
    def state(self) -> CampaignState:
        if self.is_leaving:
            return CampaignState.REMOVING
        return campaign_state(
            total=self.total,
            done=self.done,
            failed=self.failed,
            held=self.held,
            cancelled=self.cancelled,
            rejected=self.rejected,
            held_by_rule=self.held_by_rule,
            awaits_review=self.awaits_review,
            started=self.started_at is not None or self.has_begun_proofs,
            paused=self.paused_at is not None,
            halted=self.halted,
        )

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it is painted unless somebody asks."""
        return self.is_leaving or self.ended + self.rejected >= self.total

    @property
    def queued(self) -> int:
        return self.left - self.running

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.held + self.cancelled

    @property
    def left(self) -> int:
        """Renders that may be painted and have not ended."""
        wanted = self.total - self.rejected if self.released is None else self.released
        return wanted - self.ended

    @property
    def undecided(self) -> int:
        """Renders of a campaign with proofs that nobody has approved or rejected."""
        return 0 if self.released is None else self.total - self.released - self.rejected

    @property
    def awaits_review(self) -> bool:
        """Whether nothing of it can be painted until a person decides."""
        are_proofs_over = self.proofs is None or not self.proofs.left
        return bool(self.undecided) and not self.left and are_proofs_over

    @property
    def has_begun_proofs(self) -> bool:
        return self.proofs is not None and self.proofs.started_at is not None

    @property
    def waits_for(self) -> str | None:
        """Why it waits now, if it needs something that cannot be reached."""
        return self.waits_why if is_to_come(self.waits_until, self.now) else None


@dataclass(frozen=True, kw_only=True)
class NewChunk:
    """Renders of one group: a run of its ordinals, `start` up to but not including `stop`, or the
    numbers themselves.
    """

    group_no: int
    start: int = 0
    stop: int = 0
    numbers: tuple[int, ...] | None = None
    total: int
    lease: int = 0
    failures: int = 0
    losses: int = 0
    bad_outputs: int = 0
    refused_by: frozenset[str] = frozenset()
    """Workers that do not get it while there are others."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A leased chunk. `lease` is the token that every later write about it must show; it counts
    the attempts.
    """

    id: int
    campaign_id: int
    group_no: int
    start: int
    stop: int
    numbers: tuple[int, ...] | None = None
    total: int
    lease: int
    failures: int
    losses: int
    bad_outputs: int = 0
    worker: str


@dataclass(frozen=True, kw_only=True)
class OpenCampaign:
    """A campaign that may be painted now, as the dispatcher sees it."""

    id: int
    project: str
    name: str
    model_digest: str
    priority: int
    max_workers: int | None
    deadline: float | None
    left: int
    """Renders that have not ended."""
    ended: int
    running: int
    device_s: float
    megapixel_steps: float
    budget_s: float | None = None
    money: float = 0.0
    budget_money: float | None = None
    money_left_s: float | None = None
    """How long its budget of money pays for a device, with a budget of money."""
    backoffs: int = 0
    waiting: bool
    workers: frozenset[str]
    numerics_class: str | None = None
    refusal: str | None = None

    @property
    def has_budget(self) -> bool:
        return self.budget_s is not None or self.budget_money is not None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The queue at one moment of the database's clock."""

    now: float
    campaigns: tuple[OpenCampaign, ...]
    leases: frozenset[tuple[int, int]] = frozenset()
    """(chunk id, lease) of the leased chunks, except of campaigns that were cancelled or
    replaced.
    """
    closing: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By project, the workers that still have chunks of campaigns that are not open: paused,
    stopped, cancelled or replaced.
    """


@dataclass(frozen=True, kw_only=True)
class RenderOutcome:
    """How one render ended."""

    number: int
    digest: str
    state: RenderState
    reason: Reason
    detail: str | None = None
    key: str | None = None
    pixels: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    """Of the file; `pixels` is the hash of the picture as it was painted."""
    numerics_class: str | None = None
    seconds: float | None = None
    money: float | None = None
    """What these seconds have cost, if that was asked for and had a price; not written."""
    rules_tested: int | None = None
    """By how many rules of its brand the picture was judged; None if it was not judged."""
    rules_failed: tuple[str, ...] = ()
    drift: float | None = None
    """How far its composition is from its anchor, 0 to 1; None if it has none, or none yet."""
    thumbnail: str | None = None
    """Its atlas, its place there, and its mean colour, like `8x3-0123456789ab:5:a0b1c2`."""
    set_layout: tuple[int, str] | None = None
    """Its seed and its composition, if the median of its set is not known yet; not read back."""
    finished_at: float | None = None
    """By the database's clock: only an outcome that was read from it has one."""

    @property
    def is_held_by_rule(self) -> bool:
        return self.state is RenderState.HELD and self.reason in HELD_BY_RULE


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """The end of one attempt at a chunk: the renders that ended, and the new chunks that have the
    others.

    With neither, the chunk itself goes back into the queue, with these counts.
    """

    chunk_id: int
    campaign_id: int
    lease: int
    worker: str
    outcome: AttemptOutcome
    detail: str | None = None
    outcomes: tuple[RenderOutcome, ...] = ()
    again: tuple[NewChunk, ...] = ()
    failures: int = 0
    losses: int = 0
    bad_outputs: int = 0
    refused_by: frozenset[str] = frozenset()
    backoff: "CampaignBackoff | None" = None
    halt: str | None = None
    """Why nothing more of the campaign is painted until a person has acted."""
    smaller: "SmallerBatch | None" = None
    """What did not fit the device, and is to be planned anew."""
    device_s: float = 0.0
    spent: Spent = field(default_factory=Spent)
    facts: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SmallerBatch:
    """How many pictures of a size, as (width, height), are to be painted at once."""

    size: tuple[int, int]
    batch: int


@dataclass(frozen=True, kw_only=True)
class CampaignBackoff:
    """A campaign is left alone for some seconds, at most FARTHEST_S, because something that it
    needs cannot be reached.
    """

    seconds: float
    why: str

    def __post_init__(self) -> None:
        assert self.seconds <= FARTHEST_S, (
            "a longer backoff would be taken for one of before the clock was set back"
        )


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker as its dispatcher last saw it."""

    name: str
    state: WorkerState
    pool: str | None = None
    node: str | None
    node_id: str | None = None
    device: str | None
    numerics_class: str | None
    warm: str | None
    loaded: tuple[str, ...] = ()
    """The digests of all models that it has warm."""
    blamed: tuple[int, ...] = ()
    """Campaigns whose renders it failed, one after the other."""
    quarantined_until: float | None = None
    quarantined_why: str | None = None
    """Why it gets nothing at all until then; None if it failed renders of several campaigns."""


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
