"""A line of the manifest: one render that has ended, as the API and an export have it. It is a
plain mapping, since a campaign may have a million renders, and views cost time.
"""

from typing import Any

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict


def may_grow(schema: dict[str, Any]) -> None:
    """Leave it open in the API's description whether a later farm answers with more keys."""
    schema.pop("additionalProperties", None)


_STRICT = ConfigDict(extra="forbid", json_schema_extra=may_grow)


@with_config(_STRICT)
class LineSettings(TypedDict):
    """How a render is painted. `size` is WIDTHxHEIGHT in pixels. `guidance_kind` is how the number
    of the guidance is used (`GuidanceKind`). What a campaign does not name is None, if that is the
    model's own.
    """

    steps: int
    guidance: float | None
    guidance_kind: str
    guidance_rescale: float | None
    scheduler: str
    spacing: str | None
    terminal_snr: str | None
    eta: float | None
    clip_skip: int | None
    vae_tile: int | None
    size: str
    batch: int
    dtype: str
    strength: float | None


@with_config(_STRICT)
class LineReference(TypedDict):
    """The picture that a render starts from, and the digest of its file."""

    address: str
    digest: str


@with_config(_STRICT)
class LineControl(TypedDict):
    """The ControlNet of a render: its folder, the digest of it, how strongly it counts, and up to
    which part of all steps. `kind` is that of the picture, if it is a union of several.
    """

    path: str
    digest: str
    scale: float
    until: float
    kind: str | None


@with_config(_STRICT)
class LineLikeness(TypedDict):
    """The IP-Adapter of a render: its folder, the digest of it, how strongly it counts, and the
    part of a likeness that it brings.
    """

    path: str
    digest: str
    scale: float
    of: str


@with_config(_STRICT)
class LineUpscale(TypedDict):
    """How a render is made larger after it was painted: by how many times a side, and by Lanczos,
    or by the model in a folder, with the digest of that.
    """

    path: str
    digest: str | None
    by: int


@with_config(_STRICT)
class LineAdapter(TypedDict):
    """A LoRA of a render: its file, the digest of it, and how strongly it counts."""

    path: str
    digest: str
    scale: float


@with_config(_STRICT)
class LineRules(TypedDict):
    """The verdict of a brand's rules on a picture: how many it passed of those tested, and the
    names of those it failed.
    """

    passed: int
    tested: int
    failed: list[str]


@with_config(_STRICT)
class LineRedo(TypedDict):
    """The render whose cell a redo has, and its place among the pictures of that cell."""

    of: int
    version: int


class Repaint(TypedDict):
    """As much of a line as tells whether a render came out the same when it was painted again."""

    digest: str
    pixels: str | None
    detail: str | None
    numerics_class: str | None


@with_config(_STRICT)
class PlannedLine(TypedDict):
    """What a campaign says of a render, whether it has ended or not. `coordinates` has its value
    on each axis.
    """

    campaign: str
    stage: str
    number: int
    redo: LineRedo | None
    shot: str
    coordinates: dict[str, Any]
    seed: int
    prompt: str
    negative: str
    settings: LineSettings
    reference: LineReference | None
    mask: LineReference | None
    control: LineControl | None
    control_image: LineReference | None
    likeness: LineLikeness | None
    likeness_image: LineReference | None
    upscale: LineUpscale | None
    edit: list[LineReference]
    adapters: list[LineAdapter]
    model: str
    brand: dict[str, Any] | None


@with_config(_STRICT)
class Line(PlannedLine):
    """A render that has ended. `key`, `pixels` and `sha256` are None if it has no picture.
    `seconds` is its share of its batch's device time, `money` the price of that, `finished_at` is
    in seconds since 1970.
    """

    digest: str
    pixels: str | None
    key: str | None
    bytes: int | None
    sha256: str | None
    previews: list[str]
    state: str
    reason: str
    detail: str | None
    review: str | None
    rules: LineRules | None
    drift: float | None
    attempts: int
    worker: str | None
    numerics_class: str | None
    seconds: float | None
    money: float | None
    finished_at: float | None


class ExportedLine(Line):
    """A line of an export's manifest, with the paths of its files beside it. `path` is None if it
    has no picture. `size_paths` are of the files in the sizes that were asked for.
    """

    path: str | None
    preview_paths: list[str]
    size_paths: list[str]
