"""What goes to a worker and what comes back: plain values, small enough to send, with no picture in them."""

from dataclasses import dataclass, field
from enum import StrEnum

from actors.recipe import Group, Recipe
from storage.rows import RenderOutcome


@dataclass(frozen=True, kw_only=True)
class PictureJob:
    """One picture to paint: where it goes, and what of its recipe is its own."""

    number: int
    prompt: str
    negative: str
    seed: int
    key: str


@dataclass(frozen=True, kw_only=True)
class ChunkJob:
    """A leased chunk, ready to paint."""

    chunk_id: int
    campaign_id: int
    lease: int
    model_name: str
    model_folder: str
    group: Group
    pictures: tuple[PictureJob, ...]
    previews_every: int | None = None

    def recipe(self, picture: PictureJob) -> Recipe:
        return Recipe(group=self.group, prompt=picture.prompt, negative=picture.negative, seed=picture.seed)


class FailureKind(StrEnum):
    """Why a whole attempt failed, each with a rule of its own in `farm.policy.after_failure`."""

    BAD_REQUEST = "bad_request"
    BAD_SPEC = "bad_spec"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUTS = "outputs"
    WORKER_LOST = "worker_lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A failed attempt; `detail` is a sentence for the person who owns the campaign."""

    kind: FailureKind
    detail: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a worker measured over one chunk. Times in seconds; `slots` counts padding too, `pictures` does not."""

    load_s: float = 0.0
    batch_s: tuple[float, ...] = ()
    megapixel_steps: float = 0.0
    encode_s: float = 0.0
    pictures: int = 0
    slots: int = 0
    uploads: int = 0
    upload_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class ChunkResult:
    """A worker's answer: the outcome of every picture, or the failure that ended the attempt."""

    chunk_id: int
    campaign_id: int
    lease: int
    worker: str
    outcomes: tuple[RenderOutcome, ...] = ()
    failure: Failure | None = None
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a worker says of itself."""

    name: str
    node: str
    device: str
    numerics_class: str
    warm: str | None
    mailbox: tuple[ChunkResult, ...] = ()
    """Results that no dispatcher has acknowledged."""


def preview_key(key: str, step: int) -> str:
    """Where the preview of a step stands: beside its picture."""
    return f"{key.removesuffix('.png')}.step{step:03d}.webp"
