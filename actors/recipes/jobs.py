"""The job that goes to a worker and the result that comes back: plain values, small enough to
send, without pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from actors.recipes.drift import DriftRule
from actors.recipes.encoding import Encoding
from actors.recipes.previews import Previews
from actors.recipes.recipe import FILES, Group, Recipe
from actors.recipes.rules import Rules
from storage.rows import RenderOutcome
from storage.timings import Timed


@dataclass(frozen=True, kw_only=True)
class PictureJob:
    """One picture to paint: its place in the outputs, and its own part of its recipe."""

    number: int
    prompt: str
    negative: str
    seed: int
    key: str
    reference: str | None = None
    """The digest of the file that the picture begins from; `ChunkJob.references` has its
    key.
    """
    mask: str | None = None
    """The digest of the file that says which part of that picture is painted anew."""
    control_image: str | None = None
    """The digest of the file that the group's control makes it follow."""
    likeness_image: str | None = None
    """The digest of the file that the group's IP-Adapter makes it like."""
    edit: tuple[str, ...] = ()
    """The digests of the files that it is an edit of."""
    anchor_key: str | None = None
    """The key of the approved proof that its composition must not leave."""
    anchor: str | None = None
    """Else the layout that it must not leave, as `Layout.text`: the median of its set."""
    passed: bool = False
    """Whether a person let it through: then no rule stops or holds it."""
    reuse: RenderOutcome | None = None
    """A render of the same recipe that is done: its file is copied, if it is still there and
    of the worker's class.
    """

    @property
    def files(self) -> dict[str, str]:
        """The digests of the pictures that it is painted from, by what a recipe calls them."""
        found = {name: getattr(self, name) for name in FILES}
        return {name: digest for name, digest in found.items() if digest is not None}

    @property
    def begun_from(self) -> tuple[str, ...]:
        """The digests of the pictures that it is painted from, but for the one that it is like,
        which keeps its shape.
        """
        named = [digest for name, digest in self.files.items() if name != "likeness_image"]
        return (*named, *self.edit)


class Look(StrEnum):
    """Which pictures of a chunk are looked for in the outputs before they are painted."""

    NEVER = "never"
    """None: all are wanted anew."""
    ENDS = "ends"
    """The first and the last, and the others if one of these is there: a job database that was
    restored from a dump knows nothing of them.
    """
    ALL = "all"
    """Each: an attempt that nobody heard the end of may have written them."""


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
    previews: Previews | None = None
    encoding: Encoding = field(default_factory=Encoding)
    references: Mapping[str, str] = field(default_factory=dict)
    """By digest, the keys in the outputs of the files that pictures begin from."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """By digest, where those files came from."""
    guidance_kind: str | None = None
    """How the number of the group's guidance is used, for the records in files."""
    adapter_paths: tuple[str, ...] = ()
    """The files of the group's adapters, in the same order; `NAME@DIGEST` of registered ones."""
    adapter_manifests: tuple[str | None, ...] = ()
    """For each of them the sha256 of the list of its files, if it is a registered one."""
    control_path: str | None = None
    """The folder of the group's ControlNet; `NAME@DIGEST` of a registered one."""
    control_manifest: str | None = None
    """Of a registered one: the sha256 of the list of its files."""
    likeness_path: str | None = None
    """The folder of the group's IP-Adapter; `NAME@DIGEST` of a registered one."""
    likeness_manifest: str | None = None
    """Of a registered one: the sha256 of the list of its files."""
    upscaler_path: str | None = None
    """The folder of its upscaler, `NAME@DIGEST` of a registered one, or `lanczos`."""
    upscaler_manifest: str | None = None
    """Of a registered one: the sha256 of the list of its files."""
    manifest: str | None = None
    """Of a registered model: the sha256 of the list of its files. The worker fetches them, and
    paints from their folder in the place of `model_folder`.
    """
    rules: Rules | None = None
    """The rules of its brand, by which every picture is judged."""
    drift: DriftRule | None = None
    """How far its pictures may be from their anchors."""
    brand: Mapping[str, str | int] | None = None
    """Name, version and digest of its brand's pack, for the records in files."""
    canaries: Mapping[str, str] = field(default_factory=dict)
    """What the canaries of this model, dtype and shape are known to be, by numerics class."""
    smaller_batch: int | None = None
    """With how many pictures at once its group may be planned anew, if it does not fit."""
    look: Look = Look.NEVER
    """Which of its pictures are looked for in the outputs before they are painted."""

    @property
    def key(self) -> tuple[int, int]:
        return self.chunk_id, self.lease

    @property
    def manifests(self) -> tuple[str, ...]:
        """Those of all that is registered of it."""
        parts = (self.control_manifest, self.likeness_manifest, self.upscaler_manifest)
        found = (self.manifest, *self.adapter_manifests, *parts)
        return tuple(manifest for manifest in found if manifest is not None)

    def recipe(self, picture: PictureJob) -> Recipe:
        return Recipe(
            group=self.group,
            prompt=picture.prompt,
            negative=picture.negative,
            seed=picture.seed,
            edit=picture.edit,
            **picture.files,
        )


class FailureKind(StrEnum):
    """Why an attempt did not end as it should, each with a rule of its own in
    `farm.scheduling.retry.after_failure`.
    """

    BAD_REQUEST = "bad_request"
    """No worker could ever paint the recipe."""
    BAD_SPEC = "bad_spec"
    """The stored campaign cannot be read by this version."""
    WORKER_LOST = "worker_lost"
    """The worker's process ended while it painted this."""
    PREEMPTED = "preempted"
    """The worker was taken away, for reasons that have nothing to do with this."""
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUTS = "outputs"
    """The place where pictures go cannot be written, and only a person can change that."""
    MODEL = "model"
    """The model's files are not those that the campaign was submitted with, and only a person can
    change that.
    """
    LOADING = "loading"
    """The model could not be loaded: its files may be at fault, or the worker."""
    SHORTAGE = "shortage"
    """The place where pictures go, or another thing that painting needs, is full or cannot be
    reached."""
    NUMERICS = "numerics"
    """The worker's canaries are not those of its class: its pictures cannot be trusted to
    repeat.
    """
    STUCK = "stuck"
    """The worker made no step for too long."""
    STOPPED = "stopped"
    """It was asked to stop."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A failed attempt; `detail` is a sentence for the person who owns the campaign."""

    kind: FailureKind
    detail: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a worker of a numerics class measured over one chunk of batches of a shape. Times in
    seconds; `loads` counts pipelines that were loaded, `swaps` those that gave way to them;
    `slots` counts padding too, `pictures` does not, nor those `adopted` or `copied`.
    """

    numerics_class: str = ""
    shape: str = ""
    load_s: float = 0.0
    loads: int = 0
    swaps: int = 0
    batch_s: tuple[float, ...] = ()
    kept_s: float = 0.0
    """Device time, of `batch_s`, of the pictures that were kept: done, or held for a person."""
    padding_s: float = 0.0
    """Device time, of `batch_s`, of empty places."""
    stopped_s: float = 0.0
    """Device time, of `batch_s`, of the pictures that were stopped."""
    chunk_s: float = 0.0
    """Wall time from the arrival of the chunk until its last picture was written."""
    lost_s: float = 0.0
    """Of a worker that was lost: how long it had the chunk, by the dispatcher's clock."""
    megapixel_steps: float = 0.0
    encode_s: float = 0.0
    pictures: int = 0
    slots: int = 0
    stopped: int = 0
    """Pictures that were not painted further, since their look was too far from their anchor."""
    saved_s: float = 0.0
    """Device time of the batches that were not painted for it."""
    adopted: int = 0
    copied: int = 0
    uploads: int = 0
    upload_bytes: int = 0
    outputs: Mapping[str, Timed] = field(default_factory=dict)
    """How long reading and writing files took, by operation."""


@dataclass(frozen=True, kw_only=True)
class ChunkResult:
    """A worker's answer: the outcome of every picture that has one, and the failure that kept the
    others from it.
    """

    chunk_id: int
    campaign_id: int
    lease: int
    worker: str
    outcomes: tuple[RenderOutcome, ...] = ()
    bad_outputs: tuple[int, ...] = ()
    """Renders whose numbers were not a picture."""
    failure: Failure | None = None
    facts: Facts = field(default_factory=Facts)
    canary: "Canary | None" = None
    """What the pipeline painted when it was loaded for this chunk."""

    @property
    def key(self) -> tuple[int, int]:
        return self.chunk_id, self.lease


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A hash of small pictures that a pipeline paints when it is warmed up: equal on all workers
    of one numerics class.

    `subject` names model, dtype, batch shape and adapters.
    """

    subject: str
    numerics_class: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU as its driver tells of it: utilisation from 0 to 1, bytes, and watts."""

    utilisation: float
    used_bytes: int
    total_bytes: int
    watts: float


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a worker says of itself."""

    name: str
    node: str
    node_id: str = ""
    """Ray's own name for it."""
    device: str
    numerics_class: str
    pipelines: tuple[str, ...] = ()
    """The digests of the models it has warm, the one used last first."""
    painting: bool = False
    quiet_s: float = 0.0
    """Seconds since it last loaded something or made a step, while it paints."""
    hung_after_s: float | None = None
    """How long it may be quiet before it is taken for hung; None if no step is under way that
    shows how long one takes.
    """
    leaves_in_s: float | None = None
    """Seconds until the machine is taken away, if its provider has said so."""
    gpu: Gpu | None = None
    """None if its driver cannot be asked."""
    mailbox: tuple[ChunkResult, ...] = ()
    """Results that no dispatcher has acknowledged."""
    log: tuple[dict[str, Any], ...] = ()
    """What it has logged since it was asked last, as events without secrets."""
