"""What the job database gives out and takes in: frozen values, never rows of SQLAlchemy."""

import json
from dataclasses import dataclass, field
from typing import Any

from storage.states import CampaignState, Reason, RenderState, campaign_state

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class NewCampaign:
    """What submitting writes; its chunks follow it in the same transaction."""

    project: str
    name: str
    spec: Json = field(repr=False)
    fingerprint: str
    model: str
    model_digest: str
    priority: int
    max_workers: int | None
    total: int


@dataclass(frozen=True, kw_only=True)
class CampaignRow(NewCampaign):
    """A campaign as stored, with its counts."""

    id: int
    done: int
    failed: int
    held: int
    running: int
    halted: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None

    @property
    def state(self) -> CampaignState:
        return campaign_state(
            total=self.total,
            done=self.done,
            failed=self.failed,
            held=self.held,
            started=self.started_at is not None,
            halted=self.halted,
        )

    @property
    def queued(self) -> int:
        return self.total - self.done - self.failed - self.held - self.running


@dataclass(frozen=True, kw_only=True)
class NewChunk:
    """A run of one group's ordinals, `start` up to but not including `stop`, with `total` renders in it."""

    group_no: int
    start: int
    stop: int
    total: int


@dataclass(frozen=True, kw_only=True)
class OpenCampaign:
    """What the dispatcher needs to know of a campaign that is not over."""

    id: int
    model_digest: str
    priority: int
    max_workers: int | None
    waiting: bool
    workers: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A leased chunk. `lease` is the token that every later write about it must show."""

    id: int
    campaign_id: int
    group_no: int
    start: int
    stop: int
    total: int
    lease: int
    failures: int
    losses: int
    worker: str


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
    numerics_class: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What became of one attempt at a chunk. Without outcomes the chunk goes back into the queue."""

    chunk_id: int
    campaign_id: int
    lease: int
    worker: str
    outcome: str
    detail: str | None = None
    outcomes: tuple[RenderOutcome, ...] = ()
    failures: int = 0
    losses: int = 0
    facts: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AttemptRow:
    """One attempt at a chunk, as metrics read it."""

    id: int
    model: str
    outcome: str
    done: int
    failed: int
    held: int
    facts: Json


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker as its dispatcher last saw it."""

    name: str
    state: str
    node: str | None
    device: str | None
    numerics_class: str | None
    warm: str | None


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
