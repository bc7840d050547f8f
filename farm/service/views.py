"""Views: the answers of the API as frozen values. A route `shows` one, and the client reads the
same one. A field with a default is left out of an answer that does not set it.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from farm.results.line import may_grow


class View(BaseModel):
    """A part of an answer. A farm that answers with a key that its view does not have has a fault,
    and says so; a client passes over the keys of a later farm.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra=may_grow,
        defer_build=True,  # all of them take 35 ms, and a command needs one or two
    )

    def as_json(self) -> dict[str, Any]:
        """The answer as it was sent."""
        return self.model_dump(mode="json", exclude_unset=True)


class Warned(View):
    """Something in a campaign that may not be meant: its place, as keys and indices."""

    path: list[str | int]
    message: str


class Checked(View):
    """The answer to a campaign, with warnings about parts of it."""

    warnings: list[Warned]


class RenderCounts(View):
    """A campaign's renders by state. Those that a rule holds are among the held ones."""

    total: int
    queued: int
    running: int
    held: int
    held_by_rule: int = 0
    done: int
    failed: int
    cancelled: int
    rejected: int
    undecided: int

    @property
    def left(self) -> int:
        """Renders that may be painted and have not ended. Held ones wait for a person, and do not
        count.
        """
        return self.queued + self.running


class ProofCounts(View):
    """A campaign's proofs by state."""

    total: int
    queued: int
    running: int
    done: int
    failed: int
    held: int
    cancelled: int

    @property
    def left(self) -> int:
        """Renders that have not ended. Held ones wait for a person, and do not count."""
        return self.queued + self.running


class RefusalView(View):
    """The rule that keeps the rest of a campaign waiting, its figures, and the same in words."""

    rule: str
    other: str | None
    has: float | None
    limit: float | None
    sentence: str


class CampaignRowView(View):
    """A campaign in the list of all. Times are seconds since 1970.

    `money` is what its attempts have cost; none without prices in the fleet file. `eta` is when
    all of it that may be painted now will have ended, probably between `eta_low` and `eta_high`.
    """

    campaign: str
    project: str
    state: str
    halted: str | None
    waits_for: str | None
    standstill: str | None
    refusal: RefusalView | None
    model: str
    brand: str | None
    priority: int
    numerics_class: str | None
    renders: RenderCounts
    proofs: ProofCounts | None
    deadline: float | None
    device_s: float
    budget_s: float | None
    money: float | None = None
    budget_money: float | None = None
    renders_per_s: float | None = None
    megapixel_steps_per_s: float | None = None
    eta: float | None = None
    eta_low: float | None = None
    eta_high: float | None = None
    version: int
    created_at: float
    started_at: float | None
    finished_at: float | None


class Failure(View):
    """A render that failed or is held."""

    number: int
    state: str
    reason: str
    detail: str | None


class CampaignStatus(CampaignRowView):
    """A campaign with its first failures."""

    failures: list[Failure]


class UpdateCounts(View):
    """An update in renders."""

    kept: int
    new: int
    retired: int


class Submitted(CampaignStatus, Checked):
    """A campaign that was submitted. `updated` is set for updates."""

    created: bool
    updated: UpdateCounts | None = None


class Example(View):
    """One of the first renders of a campaign."""

    shot: str
    seed: int
    prompt: str
    negative: str
    reference: str | None


class Changes(View):
    """The first renders that an update keeps, paints and retires, as SHOT/SEED."""

    kept: list[str]
    new: list[str]
    retired: list[str]
    megapixel_steps: float
    estimate_s: float


class Plan(Checked):
    """The outcome of a submission that was not made. `updated` and `changes` are set for updates
    of a campaign that was submitted before. `estimate_s` is device time in seconds.
    """

    campaign: str
    renders: int
    axes: dict[str, int]
    seeds: int
    groups: int
    batch: list[int]
    chunk: int
    megapixel_steps: float
    seconds_per_megapixel_step: float | None
    estimate_s: float
    budget_s: float | None
    budget_money: float | None = None
    model: str
    brand: str | None
    priority: int
    max_workers: int | None
    references: dict[str, str]
    adapters: dict[str, str]
    controls: dict[str, str]
    ip_adapters: dict[str, str] = {}
    upscalers: dict[str, str] = {}
    first: list[Example]
    updated: UpdateCounts | None = None
    changes: Changes | None = None


class EncoderTokens(View):
    """The tokens of a prompt and its negative, and how many a text encoder reads at most."""

    encoder: str
    prompt: int
    negative: int
    limit: int | None


class PromptText(View):
    """A prompt with its negative, and the words in it that the brand bans."""

    prompt: str
    negative: str
    tokens: list[EncoderTokens]
    banned: list[str]


class PromptList(View):
    """The first prompts of a campaign that differ; `more` if there are others."""

    campaign: str
    brand: str | None
    prompts: list[PromptText]
    more: bool


class FailedRule(View):
    """How many pictures fail a rule, in all and by the labels of each axis' values."""

    failed: int
    axes: dict[str, dict[str, int]]


class RuleCounts(View):
    """The pictures of a campaign that were judged by the rules of its brand."""

    campaign: str
    brand: str | None
    judged: int
    passed: int
    rules: dict[str, FailedRule]


class BrandVersion(View):
    """A version of a brand's pack. `frozen_at` says since when a campaign uses it; `did` says what
    adding it did: added, changed or known. Times are seconds since 1970.
    """

    brand: str
    name: str
    version: int
    digest: str
    added_at: float
    frozen_at: float | None
    did: str | None = None
    pack: dict[str, Any] | None = None


class VersionCounts(View):
    """A version's renders by state."""

    total: int
    done: int
    failed: int
    held: int


class CampaignVersion(View):
    """A version of a campaign that can be read."""

    version: int
    renders: VersionCounts
    replaced_at: float | None


class SavedManifest(View):
    """The address of a manifest in the outputs."""

    manifest: str


class Retried(CampaignStatus):
    """A campaign of which renders were queued again, or the reasons why none was."""

    retried: int
    why: list[str]


class Explanation(View):
    """Sentences that explain the state of a campaign, or of one render."""

    campaign: str
    render: int | None
    why: list[str]


class RepairStarted(CampaignStatus):
    """The campaign of a repair. `created` is false for an earlier repair that goes on."""

    created: bool


class WrongRepaint(View):
    """A render whose repaint has other pixels than were recorded."""

    number: int
    problem: str


class PutBackPage(View):
    """Some renders whose files are in their places again. `last` is the number to go on after."""

    repaired: list[int]
    wrong: list[WrongRepaint]
    last: int | None


class Cleaned(View):
    """Files that no render has. `files` and `first` are set if they are only counted."""

    campaign: str
    files: int = 0
    first: list[str] = []
    removed: int


class ForgottenCampaign(View):
    """A campaign that is forgotten. `bytes` is set if its pictures are deleted."""

    project: str
    campaign: str
    state: str
    renders: int
    pictures: int
    bytes: int | None
    finished_at: float | None


class SparedCampaign(View):
    """A campaign that is not forgotten, and the reason."""

    project: str
    campaign: str
    why: str


class Pruned(View):
    """What a pruning is about. If there are `more` files, another request goes on."""

    project: str | None
    dry_run: bool
    with_pictures: bool
    over_before: float | None
    campaigns: list[ForgottenCampaign]
    spared: list[SparedCampaign]
    versions: int
    uploads: int = 0
    pruned: int
    files_removed: int
    files_left: int | None
    more: bool


class Health(View):
    """The farm that answers: `home` tells one farm from another."""

    farm: str
    home: str
